#!/bin/sh
# Makes the namespace of the episodes, unless it is there.
set -eu

temporal operator namespace describe -n "$NAMESPACE" >/dev/null 2>&1 ||
    temporal operator namespace create -n "$NAMESPACE" --retention "$RETENTION"
