#!/usr/bin/env bash
# bench.sh: the daemon against the raw engine, and against Debian's jupyter-server, which is installed for it.
. "$(dirname "$0")/lib.sh"

need_go
need jupyter-server:jupyter-server
python3 -c 'import ipykernel' 2>/dev/null || install_packages python3-ipykernel
go run ./bench -o bench/RESULTS.md
