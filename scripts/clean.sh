#!/usr/bin/env bash
# clean.sh: removes the images, what building them left, and bin/.
. "$(dirname "$0")/lib.sh"

rm -rf bin
if timeout 10 docker version >/dev/null 2>&1; then
	for image in daemon:latest runner:default runner:slim base:trixie; do
		if docker image inspect "fastpyrepl/$image" >/dev/null 2>&1; then
			step "removing fastpyrepl/$image"
			docker image rm "fastpyrepl/$image" >/dev/null
		fi
	done
	for label in org.fastpyrepl.image org.fastpyrepl.rootfs; do
		docker image prune --force --filter "label=$label" >/dev/null
	done
fi
