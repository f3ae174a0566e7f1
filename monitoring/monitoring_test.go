package monitoring_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"gopkg.in/yaml.v3"
)

// query is an expression and where it stands.
type query struct{ place, expression string }

type rules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

func readRules(t *testing.T) rules {
	t.Helper()
	content, err := os.ReadFile("alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var read rules
	decoder := yaml.NewDecoder(strings.NewReader(string(content)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&read); err != nil {
		t.Fatal(err)
	}
	return read
}

type dashboard struct {
	UID, Title string
	Templating struct {
		List []struct {
			Name  string
			Query any
		}
	}
	Panels []struct {
		ID                       int
		Type, Title, Description string
		GridPos                  struct{ X, Y, W, H int }
		FieldConfig              struct{ Defaults struct{ Unit string } }
		Targets                  []struct{ Expr, RefID string }
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	content, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var read dashboard
	if err := json.Unmarshal(content, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

// queries are all expressions, with Grafana's own variables filled in.
func queries(t *testing.T) []query {
	var all []query
	for _, group := range readRules(t).Groups {
		for _, rule := range group.Rules {
			all = append(all, query{rule.Alert, rule.Expr})
		}
	}
	for _, panel := range readDashboard(t).Panels {
		for _, target := range panel.Targets {
			all = append(all, query{panel.Title, strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(target.Expr)})
		}
	}
	if len(all) < 30 {
		t.Fatalf("only %d expressions were found", len(all))
	}
	return all
}

// TestEveryExpressionIsAboutMetricsThatThereAre parses each as Prometheus does, and
// looks up every metric and label in what the gateway exports.
func TestEveryExpressionIsAboutMetricsThatThereAre(t *testing.T) {
	exported := exported(t)
	used := map[string]bool{}
	for _, one := range queries(t) {
		expression, err := parser.ParseExpr(one.expression)
		if err != nil {
			t.Errorf("%s: %v in %s", one.place, err, one.expression)
			continue
		}
		parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
			switch node := node.(type) {
			case *parser.VectorSelector:
				used[family(node.Name)] = true
				known, there := exported[node.Name]
				if !there {
					t.Errorf("%s: the gateway exports no %s", one.place, node.Name)
				}
				for _, matcher := range node.LabelMatchers {
					if matcher.Name != model.MetricNameLabel && !has(known, matcher.Name) {
						t.Errorf("%s: %s has no label %s", one.place, node.Name, matcher.Name)
					}
				}
			case *parser.AggregateExpr:
				for _, label := range node.Grouping {
					if selected := selectors(node.Expr); !slices.ContainsFunc(selected, func(name string) bool { return has(exported[name], label) }) {
						t.Errorf("%s: by %s, and %v have no such label", one.place, label, selected)
					}
				}
			}
			return nil
		})
	}
	for name := range exported {
		if strings.HasPrefix(name, "outlook_gateway_") && !used[family(name)] {
			t.Errorf("neither the dashboard nor an alert shows %s", name)
		}
	}
}

// family is a metric's name without what a histogram appends.
func family(name string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		name = strings.TrimSuffix(name, suffix)
	}
	return name
}

// has says whether a metric has a label; Prometheus adds the instance and the job.
func has(known []string, label string) bool {
	return slices.Contains(known, label) || label == "instance" || label == "job"
}

func selectors(expression parser.Expr) (names []string) {
	parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
		if selector, is := node.(*parser.VectorSelector); is {
			names = append(names, selector.Name)
		}
		return nil
	})
	return names
}

func TestEveryAlertSaysWhatToDo(t *testing.T) {
	seen := map[string]bool{}
	for _, group := range readRules(t).Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || seen[rule.Alert] {
				t.Errorf("the name %q is empty or not the only one", rule.Alert)
			}
			seen[rule.Alert] = true
			for _, annotation := range []string{"summary", "description", "remedy"} {
				if !strings.HasSuffix(rule.Annotations[annotation], ".") {
					t.Errorf("%s: the %s is %q, want a sentence", rule.Alert, annotation, rule.Annotations[annotation])
				}
			}
			if severity := rule.Labels["severity"]; severity != "warning" && severity != "critical" {
				t.Errorf("%s: the severity is %q", rule.Alert, severity)
			}
			if _, err := time.ParseDuration(rule.For); rule.For != "" && err != nil {
				t.Errorf("%s: %v", rule.Alert, err)
			}
		}
	}
}

func TestTheDashboardIsWhole(t *testing.T) {
	read := readDashboard(t)
	if read.UID == "" || read.Title == "" {
		t.Error("the dashboard has no name")
	}
	ids := map[int]bool{}
	taken := map[[2]int]string{}
	for _, panel := range read.Panels {
		if panel.ID == 0 || ids[panel.ID] {
			t.Errorf("%s: the id %d is not the only one", panel.Title, panel.ID)
		}
		ids[panel.ID] = true
		for x := panel.GridPos.X; x < panel.GridPos.X+panel.GridPos.W; x++ {
			for y := panel.GridPos.Y; y < panel.GridPos.Y+panel.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s lies on %s, or beyond the edge", panel.Title, other)
				}
				taken[[2]int{x, y}] = panel.Title
			}
		}
		if panel.Type == "row" {
			continue
		}
		refs := map[string]bool{}
		for _, target := range panel.Targets {
			if refs[target.RefID] || target.RefID == "" {
				t.Errorf("%s: two queries are called %q", panel.Title, target.RefID)
			}
			refs[target.RefID] = true
		}
		if len(panel.Targets) == 0 || panel.FieldConfig.Defaults.Unit == "" || !strings.HasSuffix(panel.Description, ".") {
			t.Errorf("%s: %d queries in %q, explained as %q", panel.Title, len(panel.Targets), panel.FieldConfig.Defaults.Unit, panel.Description)
		}
	}
	if names := fmt.Sprint(read.Templating.List); !strings.Contains(names, "datasource") || !strings.Contains(names, "instance") {
		t.Errorf("the variables are %s", names)
	}
}
