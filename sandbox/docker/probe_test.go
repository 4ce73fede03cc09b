package docker

import (
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

func TestProbeReport_CheckRefusesWhatIsNotConfined(t *testing.T) {
	limits := sandbox.Limits{Memory: 1 << 28, Pids: 64}
	good := func() probeReport {
		return probeReport{
			Status: map[string]string{
				"CapInh": noCapabilities, "CapPrm": noCapabilities, "CapEff": noCapabilities, "CapBnd": noCapabilities,
				"NoNewPrivs": "1", "Seccomp": "2", "Uid": "7\t7\t7\t7", "Gid": "7\t7\t7\t7",
			},
			Interfaces: []string{"lo"}, Memory: "268435456", Pids: "64",
		}
	}
	report := good()
	if err := report.check(limits, 7, false); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*probeReport){
		"CapEff":     func(p *probeReport) { p.Status["CapEff"] = "00000000a80425fb" },
		"CapBnd":     func(p *probeReport) { p.Status["CapBnd"] = "000001ffffffffff" },
		"NoNewPrivs": func(p *probeReport) { p.Status["NoNewPrivs"] = "0" },
		"Seccomp":    func(p *probeReport) { p.Status["Seccomp"] = "0" },
		"Uid":        func(p *probeReport) { p.Status["Uid"] = "0\t0\t0\t0" },
		"Gid":        func(p *probeReport) { delete(p.Status, "Gid") },
		"eth0":       func(p *probeReport) { p.Interfaces = append(p.Interfaces, "eth0") },
		"writable":   func(p *probeReport) { p.RootWrites = true },
		"memory":     func(p *probeReport) { p.Memory = "max" },
		"processes":  func(p *probeReport) { p.Pids = "max" },
	} {
		report := good()
		change(&report)
		if err := report.check(limits, 7, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	sentry := good()
	delete(sentry.Status, "NoNewPrivs")
	sentry.Status["Seccomp"] = "0"
	sentry.Pids = "max"
	if err := sentry.check(limits, 7, true); err != nil {
		t.Errorf("under gVisor: got %v", err)
	}
}

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestLabels_TellTheSpecAgain(t *testing.T) {
	if _, _, err := parseLabels(map[string]string{}); err == nil {
		t.Error("no labels: got no error")
	}
	for _, broken := range []map[string]string{
		{LabelUID: "0", LabelSpec: "{}"},
		{LabelUID: "x", LabelSpec: "{}"},
		{LabelUID: "7", LabelSpec: ""},
		{LabelUID: "7", LabelSpec: `{"lease":"soon"}`},
		{LabelUID: "7", LabelSpec: `{"lease":"1s","memory":"much"}`},
		{LabelUID: "7", LabelSpec: strings.Repeat(" ", maxSpecLabel) + `{"lease":"1s"}`},
	} {
		if _, _, err := parseLabels(broken); err == nil {
			t.Errorf("%.100v: got no error", broken)
		}
	}
	large := probeSpec()
	large.Env = map[string]string{"A": strings.Repeat("x", maxEnvText), "B": strings.Repeat("x", maxEnvText)}
	if _, err := labels(large, "owner", 7, testTime); sandbox.ErrorCode(err) != sandbox.CodeInvalid {
		t.Errorf("a large spec: got %v, want code %s", err, sandbox.CodeInvalid)
	}
	notText := probeSpec()
	notText.Env = map[string]string{"A": "\xff"}
	if _, err := labels(notText, "owner", 7, testTime); sandbox.ErrorCode(err) != sandbox.CodeInvalid {
		t.Errorf("a spec that is not UTF-8: got %v, want code %s", err, sandbox.CodeInvalid)
	}
}
