#!/usr/bin/env bash
# down.sh [--volumes]: ends the daemon and every session of it. Images stay, so that the next start is quick; so does the daemon's state,
# unless --volumes is given. An engine that was there before stays, too.
. "$(dirname "$0")/lib.sh"

if ! command -v docker >/dev/null || ! timeout 10 docker version >/dev/null 2>&1; then
	step "no Docker Engine answers: nothing runs"
	exit 0
fi

# Sessions carry their daemon's identity. It is read before the daemon goes, in case the daemon cannot clean up any more.
container=$(daemon_container)
owner=
if [ -n "$container" ]; then
	owner=$(docker cp "$container:/var/lib/fastpyrepl/owner" - 2>/dev/null | tar --extract --to-stdout 2>/dev/null || true)
fi

step "stopping the daemon and its sessions"
if [ -n "$container" ] && [ "$(docker inspect --format '{{.State.Running}}' "$container")" = true ]; then
	docker kill --signal INT "$container" >/dev/null # by which it ends its sessions; on SIGTERM it would leave them to the next one
	timeout 30 docker wait "$container" >/dev/null || true
fi
compose down "$@"
if [ -n "$owner" ]; then
	left=$(docker ps --all --quiet --filter "label=org.fastpyrepl.owner=$owner")
	if [ -n "$left" ]; then
		step "removing $(wc -w <<<"$left") sessions that the daemon left"
		# shellcheck disable=SC2086 # a list of ids
		docker rm --force $left >/dev/null
	fi
fi
# Another deployment beside the usual one shares the engine and does not own it.
if [ -z "${FASTPYREPL_PROJECT-}" ]; then
	scripts/engine.sh stop
fi
