// Package configs owns what an operator may decide: the typed Config, its defaults, and how YAML, environment and flags
// become one that is known to be possible.
//
// Load is strict. A key that does not exist, a value without its unit and limits that cannot hold together are errors of
// one line each that name the key, say where it was set, and what is allowed. fastpyrepl.yaml documents every key and
// is tested to equal Default.
//
// The package knows nothing of the rest of the house: cmd/fastpyrepl turns a Config into what each part takes.
package configs
