// Package house tests what the design says of the code: arrows point inward, each external library lives in one place,
// and every package says what it owns. A rule that matters is a test, or it is forgotten.
package house
