# What people and CI run. Every target works on a fresh Debian or Ubuntu machine
# with Go and git; what else it needs, it installs (as root or with sudo).

GO ?= go
TARGETS = linux/arm64 darwin/amd64 darwin/arm64

.PHONY: help build demo test prepare vet cross unit fuzz bench-secrets bench-compose bench-build bench-deploy bench-image arm64 nix bootstrap device record options eval clean uninstall

help: ## show this
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile

build: ## build both commands into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/pisec ./cmd/pistack

demo: ## show the main job on a virtual Pi
	testdata/demo

test: prepare vet cross nix bootstrap ## everything that CI runs
	$(MAKE) -j2 --output-sync=target unit device # both wait for machines more than they compute
	$(MAKE) arm64

prepare: ## install what the tests need
	testdata/prepare

vet: ## formatting, go vet, shell scripts
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -d $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags device ./cmd
	$(GO) vet -tags bench ./cmd
	testdata/lint-shell

cross: ## everything, tests included, compiles for the other workstations and devices
	@for t in $(TARGETS); do echo "go vet for $$t"; \
	  CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) vet ./... || exit 1; done

unit: ## unit tests and scripts over the real binaries
	testdata/unit

FUZZTIME ?= 30s
fuzz: ## every fuzz target for FUZZTIME
	testdata/fuzz $(FUZZTIME)

bench-secrets: ## measure pisec beside age and sops-install-secrets
	testdata/bench-secrets

bench-image: ## measure sealing and writing SD images beside cp and dd; needs root
	testdata/bench-image

bench-compose: ## measure pistack beside Docker Compose and compose2nix
	testdata/bench-compose

bench-deploy: ## measure pistack deploy beside nixos-rebuild and ssh alone; needs root
	testdata/bench-deploy

bench-build: ## measure the hash of what an image is built from
	testdata/bench-build

nix: ## Nix files parse, generated values evaluate, systemd takes the recorded units
	testdata/nixos/check

bootstrap: ## the playbook that turns a server into a host is sound
	testdata/bootstrap

device: ## deploys to a virtual Pi; needs root
	testdata/device

arm64: ## a sealed SD image boots on an emulated arm64 machine; needs root
	testdata/arm64/run

record: ## refresh testdata/nixos from a nixpkgs tree: make record NIXPKGS=…
	testdata/nixos/record

options: ## refresh docs/options.md from a nixpkgs tree: make options NIXPKGS=…
	testdata/nixos/options

eval: ## evaluate every host and its SD image: make eval NIXPKGS=…
	testdata/nixos/record --summary

clean: ## remove what was built, and virtual Pis
	rm -rf bin
	testdata/vpi/vpi clean

uninstall: clean ## remove the trees of virtual Pis and of the arm64 machine, too
	testdata/vpi/vpi uninstall
	rm -rf --one-file-system "$${ARM64:-/var/tmp/pistack-arm64}"
