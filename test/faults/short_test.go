//go:build !long

package faults_test

// long is whether faults are played that take long.
const long = false
