// Package e2e tests what a user does: `make up`, requests, `make down`, on a real engine and through compose, as a deployment of its own
// beside any other. Its test carries the build tag e2e, because it builds images; `make e2e` and `make test` run it.
package e2e
