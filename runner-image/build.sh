#!/usr/bin/env bash
# build.sh [--fresh] [default|slim]: builds fastpyrepl/runner:default or fastpyrepl/runner:slim, unless that image is there and up to date.
#
# The base is debian:trixie-slim where a registry can be reached; else the same is made from Debian's packages with mmdebstrap.
# --fresh builds anew although nothing changed here, to take in Debian's updates.
#
# Environment: BASE (an image to use as base), FASTPYREPL_DEBIAN_MIRROR, FASTPYREPL_DEBIAN_SECURITY_MIRROR.
set -euo pipefail
cd "$(dirname "$0")"

fresh=
if [ "${1-}" = --fresh ]; then
	fresh=--no-cache
	shift
fi
variant=${1:-default}
if [ ! -f "packages.$variant" ] || [ "$variant" = unwanted ]; then
	echo "build.sh: no variant \"$variant\": choose default or slim" >&2
	exit 2
fi
image=fastpyrepl/runner:$variant
mirror=${FASTPYREPL_DEBIAN_MIRROR:-http://deb.debian.org/debian}
security_mirror=${FASTPYREPL_DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { echo "runner image: $*"; }

# hash_files prints one hash over the names and contents of files. embed.go computes the same for the driver.
hash_files() { printf '%s\n' "$@" | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d' ' -f1; }

# pull fetches an image, and gives up in seconds when no registry answers.
pull() {
	timeout 900 docker pull "$1" >"$work/pull" 2>&1 &
	local pid=$!
	for _ in $(seq 60); do
		if grep -q 'Pulling from' "$work/pull" || ! kill -0 "$pid" 2>/dev/null; then
			break
		fi
		sleep 0.25
	done
	if ! grep -q 'Pulling from' "$work/pull"; then
		kill "$pid" 2>/dev/null || true
	fi
	wait "$pid"
}

# bootstrap makes the base from packages, under a name of our own.
bootstrap() {
	if ! command -v mmdebstrap >/dev/null; then
		if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
			echo "build.sh: debian:trixie-slim cannot be pulled, and mmdebstrap, which could build it, is missing: install it (apt-get install mmdebstrap) or set BASE" >&2
			return 1
		fi
		apt-get -qq update
		DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends mmdebstrap debian-archive-keyring >"$work/apt" 2>&1 || {
			cat "$work/apt" >&2
			return 1
		}
	fi
	mmdebstrap --quiet --variant=minbase --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' trixie - "$mirror" 2>"$work/mmdebstrap" | docker import - fastpyrepl/base:trixie >/dev/null || {
		cat "$work/mmdebstrap" >&2
		return 1
	}
}

# choose_base sets BASE to an image that is there.
choose_base() {
	local present
	for present in debian:trixie-slim fastpyrepl/base:trixie; do
		if [ -z "$fresh" ] && docker image inspect "$present" >/dev/null 2>&1; then
			BASE=$present
			return
		fi
	done
	say "pulling debian:trixie-slim"
	if pull debian:trixie-slim; then
		BASE=debian:trixie-slim
		return
	fi
	say "no registry answers ($(tail -n1 "$work/pull")); building the base from Debian packages, about half a minute"
	bootstrap
	BASE=fastpyrepl/base:trixie
}

# shellcheck disable=SC2035 # the names go into the hash as they are, and none begins with a dash
driver_hash=$(cd driver && hash_files *.py fastpyrepl_driver/*.py)
rootfs_hash=$(hash_files Dockerfile rootfs.sh sitecustomize.py packages.unwanted "packages.$variant")
labels=$(docker image inspect --format '{{index .Config.Labels "org.fastpyrepl.driver"}} {{index .Config.Labels "org.fastpyrepl.rootfs"}}' "$image" 2>/dev/null || true)
if [ -z "$fresh" ] && [ "$labels" = "$driver_hash $rootfs_hash" ]; then
	say "$image is up to date"
	exit 0
fi

if [ -z "${BASE-}" ]; then
	choose_base
fi
# A newer client without its buildx plugin can still use the classic builder, but has to be told.
if ! docker buildx version >/dev/null 2>&1; then
	export DOCKER_BUILDKIT=0
fi
say "building $image from $BASE"
started=$SECONDS
# Only the steps are shown (BuildKit puts "#7 1.23 " before each line); the rest is kept for the case of an error.
if ! docker build $fresh --iidfile "$work/id" --build-arg "BASE=$BASE" --build-arg "VARIANT=$variant" \
	--build-arg "MIRROR=$mirror" --build-arg "SECURITY_MIRROR=$security_mirror" \
	--build-arg "DRIVER_HASH=$driver_hash" --build-arg "ROOTFS_HASH=$rootfs_hash" . 2>&1 |
	tee "$work/build" | sed -un 's/^\(#[0-9]* [0-9.]* \)\{0,1\}==> \(.*\)/runner image:   \2/p'; then
	tail -n 60 "$work/build" >&2
	echo "build.sh: docker build of $image failed" >&2
	exit 1
fi

# As a session runs it: no network, nothing writable but tmpfs, a uid that no file knows.
say "testing $image"
docker run --rm --interactive --network none --read-only --cap-drop ALL --security-opt no-new-privileges --user 234567:234567 \
	--tmpfs /tmp:size=64m --tmpfs /home/user:size=64m,uid=234567,gid=234567,mode=700 --env HOME=/home/user \
	"$(cat "$work/id")" python3 -I - "$variant" <selftest.py
docker tag "$(cat "$work/id")" "$image"
say "$image is built: $(docker image inspect --format '{{.Size}}' "$image" | awk '{printf "%.0f MB", $1 / 1e6}') in $((SECONDS - started)) s"
