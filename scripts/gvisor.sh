#!/usr/bin/env bash
# gvisor.sh: makes the engine's runtime "runsc" (gVisor) available: builds it from its Go module, installs it, registers it in the engine's
# configuration beside what stands there, and lets the engine read it again. Run again, it does only what is missing.
. "$(dirname "$0")/lib.sh"

version=${GVISOR_VERSION:-v0.0.0-20260905035102-160fafc42237}
binary=/usr/local/bin/runsc
config=/etc/docker/daemon.json
pidfile=/var/run/docker.pid

registered() { docker info --format '{{range $name, $_ := .Runtimes}}{{println $name}}{{end}}' | grep -qx runsc; }

installed() { [ -x "$binary" ] && go version -m "$binary" 2>/dev/null | grep -qF "gvisor.dev/gvisor	$version"; }

# register writes the runtime into the configuration, which is kept as it is but for this. A broken file is left alone.
register() {
	mkdir -p "$(dirname "$config")"
	python3 - "$config" "$binary" <<'PYTHON'
import json, os, sys
path, binary = sys.argv[1:]
try:
    with open(path) as file:
        config = json.loads(file.read().strip() or "{}")
except FileNotFoundError:
    config = {}
except ValueError as error:
    sys.exit(f"{path} is not JSON: {error}")
config.setdefault("runtimes", {})["runsc"] = {"path": binary}
with open(path + ".new", "w") as file:
    json.dump(config, file, indent=2)
    file.write("\n")
os.replace(path + ".new", path)
PYTHON
}

# reload makes the engine read its configuration. It ends no container.
reload() {
	if [ -d /run/systemd/system ]; then
		systemctl reload docker
	elif [ -r "$pidfile" ]; then
		kill -HUP "$(cat "$pidfile")"
	else
		die "the engine is not on this machine, or not started by its package: register $binary as its runtime \"runsc\" by hand"
	fi
}

need_go
need python3:python3
scripts/engine.sh
if ! installed; then
	step "building gVisor $version (minutes)"
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	(cd "$work" && GOBIN=$work CGO_ENABLED=0 quietly go install -trimpath -ldflags='-s -w' "gvisor.dev/gvisor/runsc@$version")
	[ -w "$(dirname "$binary")" ] || die "no permission to write $binary: run this as root"
	install -m 0755 "$work/runsc" "$binary.new"
	mv "$binary.new" "$binary"
fi
if ! registered; then
	[ "$(id -u)" = 0 ] || die "only root may change $config: run this as root"
	step "registering runsc in $config"
	register || die "$config was left as it is"
	reload
	deadline=$((SECONDS + 20))
	until registered; do
		[ $SECONDS -lt $deadline ] || die "the engine read $config and still has no runtime runsc: see its log"
		sleep 0.2
	done
fi
step "runtime runsc: gVisor $version"
