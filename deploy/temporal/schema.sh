#!/bin/sh
# Brings Temporal's two databases to the schema of this version; safe to run again.
# The password comes from SQL_PASSWORD, which the tool reads by itself.
set -eu

versions=/etc/temporal/schema/postgresql/v12

tool() {
    temporal-sql-tool --plugin postgres12 --ep postgres -p 5432 -u temporal "$@"
}

tool --db temporal setup-schema -v 0.0
tool --db temporal update-schema -d "$versions/temporal/versioned"
tool --db temporal_visibility setup-schema -v 0.0
tool --db temporal_visibility update-schema -d "$versions/visibility/versioned"
