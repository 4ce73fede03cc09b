package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// counts are a suite's tests. A test with subtests counts as these.
type counts struct{ passed, failed int }

// errFailed says that tests failed, which has been printed by then.
var errFailed = errors.New("tests failed")

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, errFailed) {
		fmt.Fprintln(os.Stderr, "tally:", err)
	}
	if err != nil {
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("tally", flag.ContinueOnError)
	flags.SetOutput(stderr)
	sum := flags.String("sum", "", "`file` to add the suite's counts to")
	report := flags.String("report", "", "`file` with the counts to report")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case *report != "" && *sum == "" && flags.NArg() == 0:
		return printReport(*report, stdout)
	case *sum != "" && *report == "" && flags.NArg() > 0:
		return runSuite(*sum, flags.Args(), stdout, stderr)
	}
	return errors.New("usage: tally -sum FILE -- COMMAND... | tally -report FILE")
}

// runSuite fails when the suite does.
func runSuite(sumPath string, command []string, stdout, stderr io.Writer) error {
	cmd := exec.Command(command[0], command[1:]...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout // unittest reports on stderr; the same pipe keeps the order
	if err := cmd.Start(); err != nil {
		return errors.Join(err, addCounts(sumPath, counts{failed: 1}))
	}
	c := count(out, stdout)
	exit := cmd.Wait()
	switch {
	case exit != nil && c.failed == 0:
		c.failed = 1
		fmt.Fprintf(stdout, "the suite failed outside its tests: %v\n", exit)
	case c == counts{}:
		c.failed = 1
		fmt.Fprintln(stdout, "the suite ran no test")
	}
	fmt.Fprintf(stdout, "    %d passed, %d failed\n", c.passed, c.failed)
	if err := addCounts(sumPath, c); err != nil || c.failed == 0 {
		return err
	}
	return errFailed
}

func addCounts(path string, c counts) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, c.passed, c.failed)
	return errors.Join(err, file.Close())
}

func printReport(path string, stdout io.Writer) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var total counts
	for {
		var c counts
		_, err := fmt.Fscanln(file, &c.passed, &c.failed)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		total.passed += c.passed
		total.failed += c.failed
	}
	fmt.Fprintf(stdout, "%d passed, %d failed\n", total.passed, total.failed)
	if total.failed > 0 || total.passed == 0 {
		return errFailed
	}
	return nil
}
