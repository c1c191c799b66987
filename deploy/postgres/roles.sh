#!/bin/sh
# Runs once, when PostgreSQL makes its volume: a database and an owner for Temporal; for the records a database,
# an owner who may change tables, and the workers' role, to which `holdfast migrate` grants what it needs.
set -eu

psql --set=ON_ERROR_STOP=1 --quiet --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv temporal_password TEMPORAL_DATABASE_PASSWORD
\getenv owner_password RECORDS_OWNER_PASSWORD
\getenv worker_password RECORDS_WORKER_PASSWORD

CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE ROLE holdfast_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE holdfast_worker LOGIN PASSWORD :'worker_password';

CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
CREATE DATABASE holdfast OWNER holdfast_owner;

REVOKE ALL ON DATABASE temporal, temporal_visibility, holdfast FROM PUBLIC;
GRANT CONNECT ON DATABASE holdfast TO holdfast_worker;
SQL
