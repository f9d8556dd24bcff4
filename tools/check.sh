#!/usr/bin/env bash
# Everything that is checked without running the product. Each step says its time.
set -euo pipefail
cd "$(dirname "$0")/.."
tool() { go tool -modfile="$PWD/tools/go.mod" "$@"; }
step() { local started=$SECONDS; echo "check: $1"; shift; "$@"; echo "       $((SECONDS - started)) s"; }

formatted() {
  local files
  files=$(git ls-files -co --exclude-standard '*.go' | grep -v '_templ\.go$' | xargs gofmt -l)
  [ -z "$files" ] || { echo "not formatted (gofmt -w): $files" >&2; return 1; }
}

# Generates into a copy and compares, so that checking changes nothing.
fresh() {
  local copy
  copy=$(mktemp -d)
  git ls-files -co --exclude-standard | while read -r f; do [ -e "$f" ] && printf '%s\n' "$f"; done | tar -cf - -T - | tar -xf - -C "$copy"
  (cd "$copy" && make -s generate >/dev/null 2>&1) || { echo "make generate fails" >&2; return 1; }
  local stale=0 f
  while read -r f; do
    cmp -s "$f" "$copy/$f" || { echo "stale: $f (make generate)" >&2; stale=1; }
  done < <(git ls-files -co --exclude-standard '*_templ.go' '*/docs/swagger.json')
  rm -rf "$copy"
  return $stale
}

lint() {
  local version=v2.15.0 bin=.tools/golangci-lint
  if ! [ -x "$bin" ]; then
    echo "       building golangci-lint $version, once"
    (cd tools && GOBIN="$OLDPWD/.tools" go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint)
  fi
  "$bin" run ./...
}

compose() {
  tools/require.sh docker-compose
  local copy
  copy=$(mktemp -d)
  cp docker-compose.yml "$copy/"
  sed 's/=$/=x/' deploy/example.env >"$copy/.env"
  (cd "$copy" && docker-compose config -q)
  rm -rf "$copy"
}

vulnerabilities() {
  if ! command -v govulncheck >/dev/null; then
    echo "       govulncheck is not installed: skipped"
    return 0
  fi
  govulncheck ./... || { echo "       its database may be out of reach: not judged"; return 0; }
}

step "gofmt" formatted
step "templ fmt" tool templ fmt -fail web
step "go vet" go vet ./...
step "generated code" fresh
step "golangci-lint" lint
step "docker-compose.yml" compose
step "govulncheck" vulnerabilities
