package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"go.yaml.in/yaml/v3"
)

// target are the labels that Prometheus adds to all that it scrapes.
var target = []string{"instance", "job"}

var (
	labelName  = regexp.MustCompile(`(\w+)="([^"]*)"`)
	listedName = regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
)

// has tells whether a scrape has a metric.
func (s series) has(metric string) bool {
	for name := range s {
		if base, _, _ := strings.Cut(name, "{"); base == metric {
			return true
		}
	}
	return false
}

// values are those that a scrape has for a label of a metric, nil for a label that it does not have.
func (s series) values(metric, label string) (values []string) {
	for name := range s {
		base, in, _ := strings.Cut(name, "{")
		if base != metric {
			continue
		}
		for _, pair := range labelName.FindAllStringSubmatch(in, -1) {
			if pair[1] == label {
				values = append(values, pair[2])
			}
		}
	}
	return values
}

// check fails where an expression has something wrong.
func (s series) check(t *testing.T, where, expr string) {
	t.Helper()
	for _, wrong := range s.wrong(expr) {
		t.Errorf("%s: %s in %s", where, wrong, expr)
	}
}

// wrong is what is wrong with an expression: a metric, a label, or a value of a label that the daemon does not have.
func (s series) wrong(expr string) (wrong []string) {
	tree, err := metricsql.Parse(expr)
	if err != nil {
		return []string{err.Error()}
	}
	var metrics, by []string // which it is about, and the labels that it groups or matches by
	metricsql.VisitAll(tree, func(e metricsql.Expr) {
		switch e := e.(type) {
		case *metricsql.MetricExpr:
			metric, problems := s.wrongMetric(e)
			metrics, wrong = append(metrics, metric), append(wrong, problems...)
		case *metricsql.AggrFuncExpr:
			by = append(by, e.Modifier.Args...)
		case *metricsql.BinaryOpExpr:
			by = append(by, e.GroupModifier.Args...)
		case *metricsql.FuncExpr: // Prometheus itself wants a range to be said
			if rollup, ok := e.Args[0].(*metricsql.RollupExpr); overRange[e.Name] && (!ok || rollup.Window == nil) {
				wrong = append(wrong, e.Name+" of no range")
			}
		}
	})
	if len(metrics) == 0 {
		wrong = append(wrong, "no metric")
	}
	for _, label := range by {
		if !slices.Contains(target, label) && !slices.ContainsFunc(metrics, func(metric string) bool { return s.values(metric, label) != nil }) {
			wrong = append(wrong, "an unknown label "+label)
		}
	}
	return wrong
}

// overRange are functions of what was in a time.
var overRange = map[string]bool{"rate": true, "increase": true, "min_over_time": true, "max_over_time": true}

// wrongMetric is wrong for one metric, whose name it returns.
func (s series) wrongMetric(e *metricsql.MetricExpr) (name string, wrong []string) {
	for _, filter := range e.LabelFilterss[0] {
		switch values := s.values(name, filter.Label); {
		case filter.Label == "__name__":
			name = filter.Value
			if !s.has(name) {
				wrong = append(wrong, "an unknown metric "+name)
			}
		case slices.Contains(target, filter.Label):
		case len(values) == 0:
			wrong = append(wrong, "an unknown label "+filter.Label)
		case filter.IsRegexp || filter.IsNegative || filter.Label == "code": // of codes there are those alone that came
		case !slices.Contains(values, filter.Value):
			wrong = append(wrong, "an unknown value "+filter.Value)
		}
	}
	return name, wrong
}

// The check would be worth little if it let all pass.
func TestSeries_WhatIsWrongIsNoticed(t *testing.T) {
	s := series{`up_total{state="idle"}`: 1, `up_total{state="busy"}`: 1, "queued": 0, `took_bucket{le="1"}`: 1}
	for expr, want := range map[string]string{
		`sum by (state) (rate(up_total{state="idle", job="x"}[5m])) / on (instance) queued`: "",
		`histogram_quantile(0.5, sum by (le) (rate(took_bucket[5m])))`:                      "",
		`down_total`:                  "an unknown metric down_total",
		`up_total{mood="good"}`:       "an unknown label mood",
		`up_total{state="asleep"}`:    "an unknown value asleep",
		`sum by (mood) (up_total)`:    "an unknown label mood",
		`up_total * on (mood) queued`: "an unknown label mood",
		`rate(up_total)`:              "rate of no range",
		`1 + 1`:                       "no metric",
		`up_total{`:                   "unexpected token",
	} {
		if got := strings.Join(s.wrong(expr), "; "); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", expr, got, want)
		}
	}
}

func (s series) checkRules(t *testing.T) {
	t.Helper()
	file, err := os.Open("../../configs/prometheus-rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	dec := yaml.NewDecoder(file)
	dec.KnownFields(true)
	if err := dec.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile("../../docs/OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			n++
			s.check(t, rule.Alert, rule.Expr)
			if rule.Annotations["summary"] == "" || rule.Labels["severity"] == "" {
				t.Errorf("%s has no summary, or no severity", rule.Alert)
			}
			if !strings.Contains(string(manual), "`"+rule.Alert+"`") {
				t.Errorf("docs/OPERATIONS.md does not tell what to do about %s", rule.Alert)
			}
		}
	}
	if n < 8 {
		t.Errorf("there are %d rules", n)
	}
}

func (s series) checkDashboard(t *testing.T) {
	t.Helper()
	file, err := os.Open("../../configs/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var board struct {
		Title      string
		Templating struct {
			List []struct{ Name, Query string }
		}
		Panels []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	if err := json.NewDecoder(file).Decode(&board); err != nil {
		t.Fatal(err)
	}
	for _, variable := range board.Templating.List[1:] { // the first is the data source
		listed := listedName.FindStringSubmatch(variable.Query)
		if listed == nil {
			t.Errorf("variable %s: %s", variable.Name, variable.Query)
		} else if !s.has(listed[1]) || !slices.Contains(target, listed[2]) {
			t.Errorf("variable %s: there is no %s of %s", variable.Name, listed[2], listed[1])
		}
	}
	ids := map[int]bool{}
	fill := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*", "$job", ".*")
	for _, panel := range board.Panels {
		if ids[panel.ID] || panel.GridPos.X+panel.GridPos.W > 24 {
			t.Errorf("panel %q has another's id, or reaches beyond the edge", panel.Title)
		}
		ids[panel.ID] = true
		if (panel.Type == "row") != (len(panel.Targets) == 0) {
			t.Errorf("panel %q shows nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			s.check(t, panel.Title, fill.Replace(target.Expr))
		}
	}
}
