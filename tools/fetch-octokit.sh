#!/bin/sh
# Fetches GitHub's REST description (npm package @octokit/openapi) into .cache/
# and prints the path of api.github.com.json. Does nothing when it is there.
# With --path it only prints.
set -eu

version=23.0.2
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
dir="$root/.cache/octokit-openapi-$version"
file="$dir/package/generated/api.github.com.json"

if [ "${1-}" != --path ] && [ ! -s "$file" ]; then
	mkdir -p "$root/.cache"
	# Unpacked beside the target and renamed, so that a broken fetch leaves nothing behind.
	work=$(mktemp -d "$root/.cache/fetch.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	(cd "$work" && npm pack --silent "@octokit/openapi@$version" >/dev/null && tar -xzf ./*.tgz package/generated/api.github.com.json && rm -f ./*.tgz) >&2
	rm -rf "$dir"
	mv "$work" "$dir"
	trap - EXIT
fi
echo "$file"
