# `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: build up down test lint image e2e browser hostile hostile-gvisor faults faults-long bench soak clean help

build: ## Compile the daemon into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/fastpyrepl ./cmd/fastpyrepl

up: ## From a bare machine to a running daemon: engine, images, compose, one execution
	@scripts/up.sh

down: ## End the daemon and its sessions
	@scripts/down.sh

test: ## Every test, against a real engine; the last line counts them
	@scripts/test.sh

lint: ## gofmt, vet, staticcheck, pyflakes, shellcheck
	@scripts/lint.sh

image: ## Build the images that sessions run in, default and slim
	@scripts/engine.sh
	@runner-image/build.sh default
	@runner-image/build.sh slim

e2e: image ## The end-to-end test through compose
	go test -count=1 -v -timeout 10m -tags e2e ./test/e2e

browser: image ## The page in Chromium, which has to be installed; screenshots in test/browser/artefacts
	go test -race -count=1 -v ./test/browser

hostile: image ## The hostile suite: attacks from inside sessions and over HTTP
	go test -race -count=1 -v -timeout 20m ./test/hostile

hostile-gvisor: image ## The hostile suite under gVisor, which is built and registered with the engine first
	@scripts/gvisor.sh
	FASTPYREPL_TEST_RUNTIME=runsc go test -count=1 -v -timeout 30m ./test/hostile

faults: image ## What becomes of sessions when the engine, its containers or the daemon fail
	go test -race -count=1 -v -timeout 20m ./test/faults

faults-long: image ## The same, and faults that take long
	go test -tags long -race -count=1 -v -timeout 20m ./test/faults

bench: image build ## The daemon against the raw engine, and Debian's jupyter-server, side by side
	@scripts/bench.sh

soak: image build ## Minutes of load: nothing crosses, hangs, leaks or grows
	go run ./test/soak -o test/soak/RESULTS.md

clean: ## End the daemon, remove its state, the images and what builds left
	@scripts/down.sh --volumes
	@scripts/clean.sh

help: ## This list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 21
