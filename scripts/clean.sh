#!/usr/bin/env bash
# clean.sh: removes the images, what building them left, and bin/.
. "$(dirname "$0")/lib.sh"

rm -rf bin
if timeout 10 docker version >/dev/null 2>&1; then
	docker image ls --filter 'reference=fastpyrepl/*' --format '{{.Repository}}:{{.Tag}}' | while read -r image; do
		step "removing $image"
		docker image rm "$image" >/dev/null
	done
	for label in org.fastpyrepl.image org.fastpyrepl.rootfs; do
		docker image prune --force --filter "label=$label" >/dev/null
	done
fi
