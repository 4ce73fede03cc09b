// Package browser plays in the page with a real Chromium: a daemon in a process of its own, on a real engine and with the default
// image, and a browser without a window, whose every connection goes through a proxy that notes where it leads.
//
// Whatever a test does, at its end the page has asked nobody but its daemon, broken no policy, thrown no error, and run no script
// of anybody else's. Screenshots are kept in $FASTPYREPL_TEST_ARTEFACTS, or in artefacts beside the tests.
package browser
