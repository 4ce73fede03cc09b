#!/usr/bin/env bash
# test.sh: every test there is, against a real engine and the real images. All suites run even when one fails; a test that is skipped fails.
. "$(dirname "$0")/lib.sh"

need_go
need gcc:gcc python3:python3 curl:curl mkfs.ext4:e2fsprogs mount:mount prlimit:util-linux chromium:chromium
echo '#include <stdlib.h>' | gcc -E - >/dev/null 2>&1 || need libc6-dev
scripts/engine.sh
runner-image/build.sh default
runner-image/build.sh slim

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/tally" ./test/tally
tally() { "$work/tally" -sum "$work/sum" "$@" || true; }

# Attacks and faults are told apart from slowness by time, so that they run by themselves.
alone='/test/(hostile|faults)$'
step "Go tests, with the race detector"
# shellcheck disable=SC2046 # a list of packages
tally -- go test -json -race -count=1 -timeout 20m $(go list ./... | grep -Ev "$alone")

step "attacks and faults"
# shellcheck disable=SC2046
tally -- go test -json -race -count=1 -timeout 20m -p 1 $(go list ./... | grep -E "$alone")

step "driver tests, with the runner image's Python"
tally -- docker run --rm --network none --read-only --tmpfs /tmp --tmpfs /home/user --user 65534:65534 --volume "$PWD:/src:ro" --workdir /src \
	--env PYTHONDONTWRITEBYTECODE=1 fastpyrepl/runner:default python3 -m unittest discover --verbose --start-directory runner-image/driver/tests

step "driver tests, with this machine's Python"
tally -- env PYTHONDONTWRITEBYTECODE=1 python3 -m unittest discover --verbose --start-directory runner-image/driver/tests

step "end to end, through compose"
tally -- go test -json -count=1 -timeout 10m -tags e2e ./test/e2e

"$work/tally" -report "$work/sum"
