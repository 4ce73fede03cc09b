// Package runnerimage carries the sources of the image that sessions run in: its Dockerfile, its build script and the Python driver, so
// that a fastpyrepl binary alone can build the image, and can put the driver into an image that lacks it.
//
// It owns no engine access: whoever calls Extract runs build.sh.
package runnerimage
