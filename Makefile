# Tollgate. `make` alone says what there is.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
TOOL := go tool -modfile=$(CURDIR)/tools/go.mod
GOFILES = $(shell git ls-files '*.go' | grep -v -e '_templ\.go$$')

.PHONY: help run test check generate bench bench-gateway limits-grid torture migrate build
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: ## bring the whole product up on this machine, with sample data
	@tools/require.sh postgresql
	@echo "building…"; go build -o bin/tollgate ./cmd/tollgate
	@exec bin/tollgate

build: ## build the three programs into bin/
	go build -o bin/ ./cmd/...

test: ## set up what the tests need and run all of them
	@tools/require.sh postgresql redis-server chromium npm
	@tools/fetch-octokit.sh >/dev/null
	@tools/fetch-axe.sh >/dev/null
	@tools/install-stripe-mock.sh >/dev/null
	@tools/test.sh

check: ## formatting, vet, lint, generated code, known vulnerabilities
	@tools/check.sh

generate: ## make all generated code anew
	$(TOOL) templ generate -path web
	cd internal/demo/elements && $(TOOL) swag init --quiet -g elements.go --dir . --output docs --outputTypes json
	cd internal/portal/api && $(TOOL) swag init --quiet -g api.go --dir .,../../problem --output docs --outputTypes json

bench: ## benchmarks, each against a baseline named in the same run
	go test -run '^$$' -bench . -benchmem ./internal/...

bench-gateway: ## what a call costs beside known proxies, as a table (docs/performance.md); ARGS are its flags
	@tools/require.sh postgresql nginx wrk libnginx-mod-http-lua
	@mkdir -p bin/bench
	@go build -o bin/bench/ ./internal/bench/reverseproxy ./cmd/gateway
	@go build -tags constant -o bin/bench/gateway-constant ./cmd/gateway
	@go build -C tools -o ../bin/bench/ ./fasthttpproxy
	@go run ./internal/bench $(ARGS)

limits-grid: ## how exactly several gateways keep to rate limits, as a table (docs/limits.md)
	@tools/require.sh redis-server
	@go test ./internal/quota/shared -run TestPrintGrid -count 1 -timeout 30m -v -grid | grep -e '^|' -e '^$$' -e '^By'

torture: ## kill, cut, fill up and copy gateways under load, and count what was metered
	@tools/require.sh postgresql
	go build -modfile=tools/go.mod -o bin/toxiproxy github.com/Shopify/toxiproxy/v2/cmd/server
	go test -count 1 -timeout 60m -v -run TestEveryServedCall ./internal/torture -kills 100 -toxiproxy "$(CURDIR)/bin/toxiproxy"

migrate: ## bring the database of DATABASE_URL up to date
	go run ./cmd/portal migrate
