# shellcheck shell=bash
# What the scripts share.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The compose project: a second deployment on one engine takes another name, and another FASTPYREPL_PORT.
project=${FASTPYREPL_PROJECT:-fastpyrepl}

step() { printf '==> %s\n' "$*"; }
die() {
	printf 'fastpyrepl: %s\n' "$@" >&2
	exit 1
}

# quietly runs a command, and shows what it printed only if it fails.
quietly() {
	local out
	out=$("$@" 2>&1) || {
		printf '%s\n' "$out" >&2
		die "failed: $*"
	}
}

# can_install says whether packages may be installed here.
can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# ask asks a person, and takes yes for granted where there is none.
ask() {
	if [ ! -t 0 ] || [ ! -t 1 ]; then
		return 0
	fi
	local answer
	read -r -p "$* [Y/n] " answer
	case $answer in '' | [Yy]*) return 0 ;; *) return 1 ;; esac
}

# install_packages installs those that this release has; of "a|b" the first that it has.
install_packages() {
	local choice name wanted=()
	step "installing $*"
	quietly apt-get -q update
	for choice in "$@"; do
		for name in ${choice//|/ }; do
			if apt-cache show "$name" >/dev/null 2>&1; then
				wanted+=("$name")
				break
			fi
		done
	done
	DEBIAN_FRONTEND=noninteractive quietly apt-get -q install -y --no-install-recommends "${wanted[@]}"
}

# need makes sure of commands, each written COMMAND or COMMAND:PACKAGE.
need() {
	local pair missing=()
	for pair in "$@"; do
		command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	can_install || die "missing: ${missing[*]}. Install it and run this again (on Debian, as root: apt-get install ${missing[*]})"
	install_packages "${missing[@]}"
}

need_go() {
	command -v go >/dev/null || die "Go 1.26 or later is missing: https://go.dev/dl/"
}

# A newer docker client without its buildx plugin can still use the classic builder, but has to be told.
docker_build() {
	if docker buildx version >/dev/null 2>&1; then
		docker build "$@"
	else
		DOCKER_BUILDKIT=0 docker build "$@"
	fi
}

have_compose() { docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null; }

# compose is `docker compose`, or docker-compose where only that exists.
compose() {
	if docker compose version >/dev/null 2>&1; then
		docker compose --project-name "$project" "$@"
	else
		docker-compose --project-name "$project" "$@"
	fi
}

# daemon_container prints the id of the daemon's container, running or not, or nothing.
daemon_container() {
	docker ps --all --quiet --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.service=fastpyrepl |
		head -n1
}
