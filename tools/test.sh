#!/usr/bin/env bash
# Runs all tests with the race detector and closes with their counts.
set -euo pipefail
out=$(mktemp)
trap 'rm -f "$out"' EXIT
status=0
go test -race -json -timeout 30m -p 2 ./... >"$out" || status=$?
go run -C tools ./testreport <"$out" || status=1
exit "$status"
