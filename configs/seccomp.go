package configs

import _ "embed"

//go:embed seccomp.json
var seccomp []byte

// Seccomp returns the built-in seccomp profile, as the engine's API takes it: the engine's default one, tightened.
func Seccomp() []byte { return seccomp }
