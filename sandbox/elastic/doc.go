// Package elastic is a buffered reader for streams that mostly say little: its buffer is small, is exchanged for a large one
// when much comes, and goes back when that has passed. A daemon reads hundreds of such streams, of which a few are busy.
package elastic
