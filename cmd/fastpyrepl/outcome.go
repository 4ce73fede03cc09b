package main

import (
	"strconv"

	"github.com/gjyotin305/fastpyrepl/client"
)

// exitStatus ends the program with a status, and says nothing.
type exitStatus int

func (s exitStatus) Error() string { return "exit status " + strconv.Itoa(int(s)) }

// exitCodes are what run and exec exit with, by the outcome of the code. Those above 2 are what timeout(1) and shells use
// for the like.
var exitCodes = map[string]int{
	client.OutcomeOK:          0,
	client.OutcomeError:       exitFailure,
	client.OutcomeTimeout:     124,
	client.OutcomeInterrupted: 130,
	client.OutcomeCrashed:     134,
	client.OutcomeOOM:         137,
	client.OutcomeCancelled:   143,
}

const exitCodesHelp = `Exit status: 0, the code ended well; 1, it raised, or what it gave to exit(); 2, the command line is wrong; 124, timeout;
125, the daemon was not reached, or refused; 130, interrupted; 134, its process crashed; 137, out of memory; 143, its
session was ended meanwhile.`

// exitCode is what a run of code exits with. What raised last, if anything, tells the status of exit().
func exitCode(end client.Ending, raised *client.Exception) int {
	if end.Outcome == client.OutcomeError && raised != nil && raised.Type == "SystemExit" {
		if n, err := strconv.ParseInt(raised.Message, 10, 64); err == nil {
			return int(n & 0xff) // as the system does
		}
	}
	if code, ok := exitCodes[end.Outcome]; ok {
		return code
	}
	return exitFailure
}
