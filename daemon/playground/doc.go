// Package playground is a page for people: sessions, an editor, output as it comes, variables and files. It is a client of the API
// like any other, written by hand in JavaScript modules, and needs no step that builds it.
//
// The page asks nobody but this daemon, and runs nothing but its own scripts: its policy forbids all else, inline scripts and HTML
// made from text (Trusted Types) included. What user code says is shown as text. HTML that it displays goes into a frame of
// its own, of no origin, that can neither reach the page nor load anything.
//
// The API key is asked for by the page, so its own files are open to all. It is kept in the tab, and sent in headers alone.
package playground
