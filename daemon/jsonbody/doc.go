// Package jsonbody decodes the JSON object of a request strictly, and says what is wrong with it in FastAPI's words.
//
// What it accepts means the same to every other JSON parser: duplicate names, invalid UTF-8, lone surrogates, trailing
// data and names in the wrong case are refused, so that no other code can run than the client sent. Nesting, the number
// of values and the length of names are bounded in a pass that allocates nothing, and every string is measured before
// it is decoded. No error repeats what the client sent in a value.
package jsonbody
