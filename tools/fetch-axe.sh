#!/bin/sh
# Puts axe.min.js (the accessibility checker of the browser tests) into .cache/.
# It is MPL-licensed test equipment and is not part of the product.
set -eu
version=4.14.1
root=$(cd "$(dirname "$0")/.." && pwd)
target="$root/.cache/axe-$version.min.js"
[ -f "$target" ] && exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent "axe-core@$version" >/dev/null
tar xzf "axe-core-$version.tgz" package/axe.min.js
mkdir -p "$root/.cache"
mv package/axe.min.js "$target"
