#!/usr/bin/env bash
# Installs Stripe's own stripe-mock, in the two versions that our client and
# our simulator are checked against, as .tools/stripe-mock-<version>. What is
# there already, in the right version, stays.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .tools

for version in 0.185.0 0.203.0; do
	target=".tools/stripe-mock-$version"
	if [ -x "$target" ] && go version -m "$target" 2>/dev/null |
		grep -qE "mod[[:space:]]+github.com/stripe/stripe-mock[[:space:]]+v$version([[:space:]]|\$)"; then
		continue
	fi
	# Built beside the target and renamed, so that two runs at once do no harm.
	build=$(mktemp -d ".tools/build.XXXXXX")
	trap 'rm -rf "$build"' EXIT
	GOFLAGS= GOBIN="$PWD/$build" go install "github.com/stripe/stripe-mock@v$version"
	mv -f "$build/stripe-mock" "$target"
	rm -rf "$build"
	trap - EXIT
	echo "installed $target"
done
