#!/usr/bin/env bash
# lint.sh: every check that needs no engine.
. "$(dirname "$0")/lib.sh"

need_go
need pyflakes3:pyflakes3 shellcheck:shellcheck

step gofmt
unformatted=$(git ls-files '*.go' | xargs gofmt -l)
[ -z "$unformatted" ] || die "not formatted: $unformatted"
step 'go vet'
go vet ./...
go vet -tags e2e ./test/e2e
go vet -tags long ./test/faults
step staticcheck
go tool staticcheck ./...
step pyflakes
git ls-files '*.py' | xargs pyflakes3
step shellcheck
git ls-files '*.sh' .ci/run | xargs shellcheck --external-sources --exclude=SC1091
