#!/bin/sh
# Flink's Kubernetes integration starts every container by this name, with a command.
exec "$@"
