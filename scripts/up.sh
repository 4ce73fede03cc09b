#!/usr/bin/env bash
# up.sh: from a bare machine to an answer from Python. Run again, it does only what has changed.
. "$(dirname "$0")/lib.sh"

need_go
scripts/engine.sh
need curl:curl
runner-image/build.sh default

step "compiling the daemon"
make --silent build
step "building the daemon's image"
quietly docker_build --file Dockerfile.prebuilt --tag fastpyrepl/daemon:latest .

step "starting the daemon"
compose up --detach --no-build --no-deps fastpyrepl

url=http://127.0.0.1:${FASTPYREPL_PORT:-8000}
step "waiting for $url/health"
deadline=$((SECONDS + 120))
until curl --silent --fail --max-time 5 "$url/health" >/dev/null; do
	state=$(docker inspect --format '{{.State.Status}} {{.RestartCount}}' "$(daemon_container)")
	if [ $SECONDS -ge $deadline ] || [ "$state" != "running 0" ]; then
		compose logs --tail 20 fastpyrepl >&2
		compose stop fastpyrepl >/dev/null 2>&1
		die "the daemon does not come up (container: $state); its log is above"
	fi
	sleep 0.2
done

step "running Python"
body='{"code": "import sys, numpy\nprint(f\"Python {sys.version.split()[0]}, numpy {numpy.__version__}:\", numpy.arange(7).sum() * 2)"}'
key() { printf 'X-API-Key: %s' "${FASTPYREPL_API_KEY-}"; } # through a file: arguments are for everybody to read
curl --silent --show-error --fail-with-body --max-time 90 "$url/execute" --header @<(key) \
	--header 'Content-Type: application/json' --data "$body" ||
	die "the daemon is up at $url, but this failed; where it asks for keys, set FASTPYREPL_API_KEY"
printf '\n\n'

cat <<TEXT
fastpyrepl listens on $url: a page to play in, if you open it in a browser. Or try:

  curl $url/execute -H 'Content-Type: application/json' -d '{"code": "x = 20", "session_id": "demo"}'
  curl $url/execute -H 'Content-Type: application/json' -d '{"code": "print(x + 1)", "session_id": "demo"}'

make down ends it, its sessions included.
TEXT
