// Package rest speaks the fastpyrepl contract: GET /health, POST /execute and POST /reset.
//
// The first six fields of an answer, and their order, are what clients of the first fastpyrepl know; all others follow
// them. Code that raised is a 200. A client that leaves a blocking /execute does not stop it: it runs to its deadline.
package rest
