# The two commands are `make run` and `make test`; CONTRIBUTING.md says what the rest is for.
# No Go toolchain is downloaded by itself: .ci/go says what is wanted and where to get it.
export GOTOOLCHAIN = local
# Fyne reads widgets out where it can: on macOS and Windows.
READ_OUT = $(if $(filter Darwin MINGW% MSYS% CYGWIN%,$(shell uname -s)),-tags accessibility)
SHELL = bash
.SHELLFLAGS = -euo pipefail -c
.DEFAULT_GOAL = help

.PHONY: help run build test test-ui e2e bench torture soak fuzz lint fonts dist clean

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1	\2/p' Makefile

run: ## build and start the daemon, then the tray where there is a display; Ctrl-C stops both
	@.ci/start

build: ## both programs, into bin/
	@.ci/go
	@.ci/need desktop
	CGO_ENABLED=0 go build -o bin/pulley ./cmd/pulley
	go build $(READ_OUT) -o bin/pulley-tray ./cmd/pulley-tray

test: ## all tests with the race detector, and the tray under Xvfb; needs no root
	@.ci/go
	@.ci/need test
	go test -race -timeout 30m ./...
	.ci/tray

test-ui: ## the app on a whole desktop, by mouse and keyboard, and pictures of every page in docs/screenshots
	@.ci/go
	@.ci/need ui
	.ci/tray
	.ci/ui

e2e: ## real container engines, old and new, pulling through the real daemon; needs root
	@.ci/e2e

bench: ## Pulley beside other caches on this machine (docs/benchmarks.md); QUICK=1 shows that every row works, DOCS=1 writes the page
	@.ci/go
	@.ci/need bench
	go run ./internal/bench $(if $(QUICK),-quick) $(if $(DOCS),-docs docs) $(ARGS)

torture: ## the daemon under random fire, held to its promises: N=steps, SEED=, HOURS=; Linux, needs no root
	@.ci/go
	@.ci/need go
	go run ./internal/torture $(if $(SEED),-seed $(SEED)) $(if $(N),-n $(N)) $(if $(HOURS),-hours $(HOURS))

soak: ## one daemon under the same fire for HOURS=1: its memory has to be flat
	@.ci/go
	@.ci/need go
	go run ./internal/torture -soak -hours $(or $(HOURS),1) $(if $(SEED),-seed $(SEED))

fuzz: ## every fuzz target for FUZZTIME=10s
	@.ci/fuzz

lint: ## golangci-lint and govulncheck, built from the module proxy at pinned versions
	@.ci/lint

fonts: ## the Chinese font of our own texts anew, after texts changed; needs fonttools and apt-get
	@.ci/fonts

dist: ## archives, packages, manifests, SBOM and checksums of a release, into dist/; CHECK=1 builds them twice and compares
	@.ci/dist

clean: ## what was built here; caches of Go and of `make e2e` stay
	rm -rf bin dist
