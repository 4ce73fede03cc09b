// Package openapi documents the daemon: it makes an OpenAPI 3.1 document of the tables of routes, and serves it with a page
// that shows it and one that explains the errors. Nothing it serves loads anything from elsewhere.
//
// What the document says is in the table (daemon.Route), in the Go types named there with their json and jsonschema tags,
// and in the daemon.Schemas of each dialect. Adding a route to a table is all that it takes to document it.
//
// The schemas are made here, as JSON Schema 2020-12, rather than by one of the libraries that reflect on Go types: those
// that were tried inline every type (google/jsonschema-go), lose null at references (swaggest, invopop) or say it as
// OpenAPI 3.0 did (kin-openapi), and none tells what is left out from what is null, which this API does. The first of them
// lends its type for schemas. Swagger UI comes as a Go module, too (swaggest/swgui); its own page needs inline scripts,
// which the policy of ours does without.
package openapi
