// Package docker is the sandbox.Runtime on the Docker Engine API, the only package that imports docker.
//
// It owns how a container is made: the options that confine it (options.go holds all of them), a uid of its own, the
// image with Python and the driver in it, and its removal. It promises that a container which the engine would not
// confine in every way asked for is never used, that a failed Start leaves nothing behind, and that nothing it reads
// from a container is trusted or unbounded. It knows nothing of what the driver says on the stream.
//
// Its labels are its memory: a daemon that starts anew finds its containers by them.
package docker
