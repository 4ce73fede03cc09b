#!/usr/bin/env bash
# engine.sh: makes sure that a Docker Engine answers. Where none does, it installs the distribution's and starts it, if it may.
# engine.sh stop: stops an engine that this script started, unless containers run in it.
. "$(dirname "$0")/lib.sh"

run=/run/fastpyrepl           # how the engine was started, if by us; gone after a reboot, like the engine
log=/var/log/fastpyrepl-dockerd.log
socket=/var/run/docker.sock

answers() { timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null; }

# await waits up to $1 seconds for the engine, as long as process $2 (if any) lives.
await() {
	local deadline=$((SECONDS + $1))
	until answers >/dev/null; do
		if [ $SECONDS -ge $deadline ] || { [ -n "${2-}" ] && ! kill -0 "$2" 2>/dev/null; }; then
			return 1
		fi
		sleep 0.2
	done
}

# refuse says why this script may not go on, and what to do.
refuse() {
	die "$1" "a Docker Engine is needed; there is no way to run code without one. As root on Debian or Ubuntu:" \
		"    apt-get install docker.io docker-compose && systemctl start docker" \
		"elsewhere: https://docs.docker.com/engine/install/"
}

mount_cgroups() {
	if [ -e /sys/fs/cgroup/cgroup.controllers ] || [ -d /sys/fs/cgroup/memory ]; then
		return
	fi
	install_packages cgroupfs-mount
	cgroupfs-mount
}

# forget_dead removes a pid file ($1) whose process is not a living $2: an engine that was killed leaves its own behind, and the next one
# takes whatever has that number now for it.
forget_dead() {
	local pid state
	[ -e "$1" ] || return 0
	pid=$(cat "$1")
	state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null || true)
	if [ "$(cat "/proc/$pid/comm" 2>/dev/null || true)" != "$2" ] || [ "$state" = Z ]; then
		rm -f "$1"
	fi
}

start() {
	mkdir -p "$run"
	if [ -d /run/systemd/system ]; then
		step "starting the engine with systemd"
		systemctl start docker
		await 60 || refuse "the engine was started but does not answer: see journalctl -u docker"
		echo systemd >"$run/engine"
		return
	fi
	mount_cgroups
	forget_dead /var/run/docker.pid dockerd
	forget_dead /var/run/docker/containerd/containerd.pid containerd
	if [ -x /etc/init.d/docker ] && service docker start >/dev/null 2>&1 && await 15; then
		step "started the engine as a service"
		echo service >"$run/engine"
		return
	fi
	step "starting the engine (its log: $log)"
	setsid dockerd --log-level=warn >>"$log" 2>&1 </dev/null &
	local pid=$!
	await 60 "$pid" || {
		tail -n 20 "$log" >&2
		refuse "dockerd does not come up"
	}
	echo "$pid" >"$run/engine"
}

stop() {
	[ -e "$run/engine" ] || return 0
	if [ -n "$(docker ps --quiet 2>/dev/null)" ]; then
		step "the engine stays: other containers run in it"
		return 0
	fi
	local how
	how=$(cat "$run/engine")
	step "stopping the engine that was started here"
	case $how in
	systemd) systemctl stop docker.socket docker ;;
	service) service docker stop >/dev/null ;;
	*)
		if [ "$(cat "/proc/$how/comm" 2>/dev/null)" = dockerd ]; then
			kill "$how"
			timeout 30 tail --pid="$how" -f /dev/null
		fi
		;;
	esac
	rm -f "$run/engine"
}

if [ "${1-}" = stop ]; then
	stop
	exit
fi

if ! version=$(answers); then
	if [ -n "${DOCKER_HOST-}" ]; then
		die "the engine at DOCKER_HOST=$DOCKER_HOST does not answer: start it, or unset DOCKER_HOST to use one on this machine"
	fi
	if [ -S "$socket" ] && [ ! -w "$socket" ]; then
		die "no permission for $socket: run this as root, or join its group (usermod -aG docker $(id -un)) and log in again"
	fi
	can_install || refuse "no Docker Engine answers, and only root on Debian or Ubuntu can install one here"
	if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
		ask "No Docker Engine answers. Install docker.io from this distribution and start it?" || refuse "nothing was installed"
		# docker-cli is a package of its own since Debian 13. dockerd does not start without apparmor's parser where the kernel has AppArmor on.
		install_packages docker.io docker-cli apparmor ca-certificates iptables 'docker-compose-v2|docker-compose'
	fi
	answers >/dev/null || start
	version=$(answers)
fi
if ! have_compose; then
	can_install || die "compose is missing: install it (on Debian, as root: apt-get install docker-compose)"
	install_packages 'docker-compose-v2|docker-compose'
fi
step "Docker Engine $version"
