package recurrence

import (
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/outlook/zones"
	"github.com/nightpos/outlook-gateway/reconciler"
)

var (
	seed   = flag.Uint64("seed", 1, "seed of the random rules")
	number = flag.Int("rules", usualRules, "how many random rules")
)

// mostCompared is how many occurrences of one rule are compared at most. Most
// rules that end are compared whole, and Rule.Same compares the whole of all.
const mostCompared = 100

// endlessCompared is how many of a rule without an end are.
const endlessCompared = 24

// startLayout is the oracle's.
const startLayout = "2006-01-02T15:04"

// share counts how many rules of a pattern a side refused.
type share struct{ refused, drawn int }

type shares map[string]*share

func (s shares) count(pattern string, refused bool) {
	if s[pattern] == nil {
		s[pattern] = &share{}
	}
	s[pattern].drawn++
	if refused {
		s[pattern].refused++
	}
}

// print tells the shares and holds them against what each side can say.
func (s shares) print(t *testing.T, side string, sometimes ...string) {
	for _, pattern := range slices.Sorted(maps.Keys(s)) {
		got := s[pattern]
		t.Logf("%-8s refuses %5.1f %% of %4d: %s", side, 100*float64(got.refused)/float64(got.drawn), got.drawn, pattern)
		if got.refused > 0 && !slices.Contains(sometimes, pattern) || got.refused == got.drawn {
			t.Errorf("%s refused %d of %d rules of the pattern %q", side, got.refused, got.drawn, pattern)
		}
	}
}

// TestThereAndBack holds random rules against python-dateutil.
func TestThereAndBack(t *testing.T) {
	random := rand.New(rand.NewPCG(*seed, 0))
	var questions []question
	var checks []func(answer)
	inOutlook, inNightPOS := shares{}, shares{}
	for range *number {
		drawn := randomSample(random)
		asked, check := askOutlook(t, drawn)
		inOutlook.count(drawn.pattern, asked == nil)
		if asked != nil {
			questions, checks = append(questions, *asked), append(checks, check)
		}
		asked, check = askNightPOS(t, drawn)
		inNightPOS.count(drawn.pattern, asked == nil)
		if asked != nil {
			questions, checks = append(questions, *asked), append(checks, check)
		}
	}
	for i, got := range ask(t, questions) {
		if got.Error != "" {
			asked, err := json.Marshal(questions[i])
			t.Errorf("the oracle fails at %s (%v): %s", asked, err, got.Error)
			continue
		}
		checks[i](got)
	}
	inOutlook.print(t, "Outlook", monthEndSkip, yearEndSkip)
	inNightPOS.print(t, "NightPOS", weekly, monthEndClamp, monthLast, monthPositions, yearEndClamp, yearLast, yearPositions)
}

// refused says whether a side cannot say a rule. Every other error is a fault.
func refused(t *testing.T, drawn sample, err error) bool {
	t.Helper()
	var cannot *reconciler.InexpressibleError
	if err != nil && (!errors.As(err, &cannot) || cannot.Side == "" || cannot.Reason == "") {
		t.Errorf("%s: %v", drawn.rule.Describe(), err)
	}
	return err != nil
}

func compared(rule reconciler.Rule) int {
	if rule.Endless() {
		return endlessCompared
	}
	return mostCompared
}

// starts are the occurrences as the domain sees them.
func starts(rule reconciler.Rule, first reconciler.When, limit int, at func(reconciler.Date, reconciler.When) reconciler.When) []string {
	var found []string
	for _, slot := range rule.Slots(reconciler.Date{}, reconciler.Date{}, limit) {
		found = append(found, at(slot, first).Start.Format(startLayout))
	}
	return found
}

// askOutlook says a rule to Graph, reads it back, and asks what it means there.
func askOutlook(t *testing.T, drawn sample) (*question, func(answer)) {
	recurrence, err := outlook.RecurrenceOf(drawn.rule, drawn.first)
	if refused(t, drawn, err) {
		return nil, nil
	}
	wire, err := json.Marshal(recurrence)
	if err != nil {
		t.Fatal(err)
	}
	var back outlook.Recurrence
	if err := json.Unmarshal(wire, &back); err != nil {
		t.Fatal(err)
	}
	rule, zone, err := back.Rule()
	if err != nil || !rule.Same(drawn.rule) {
		t.Errorf("%s comes back from Outlook as %s (%v): %s", drawn.rule.Describe(), rule.Describe(), err, wire)
	}
	if recurrence.Range.StartDate != reconciler.SlotDate(drawn.first).String() {
		t.Errorf("%s begins on %s, its first occurrence on %s", drawn.rule.Describe(), recurrence.Range.StartDate, reconciler.SlotDate(drawn.first))
	}
	asked := &question{Side: "outlook", Recurrence: &recurrence, Limit: compared(drawn.rule)}
	if !drawn.first.AllDay {
		location, _ := zones.Load(zone)
		asked.Zone, asked.Clock = zone, drawn.first.Start.In(location).Format("15:04")
	}
	return asked, func(got answer) {
		want := starts(drawn.rule, drawn.first, asked.Limit, reconciler.SlotTime)
		if difference := cmp.Diff(want, got.Starts); difference != "" {
			t.Errorf("%s in %s, said as %s, is in Outlook (-want +got):\n%s", drawn.rule.Describe(), drawn.first.Zone, wire, difference)
		}
	}
}

// askNightPOS says a rule in NightPOS's fields, asks what NightPOS makes of them,
// and reads what it then shows.
func askNightPOS(t *testing.T, drawn sample) (*question, func(answer)) {
	values, err := nightpos.RecurrenceValues(drawn.rule, drawn.first.Zone, drawn.dialect)
	if refused(t, drawn, err) {
		return nil, nil
	}
	asked := &question{
		Side: "nightpos", Values: values, Start: drawn.first.Start.Format(startLayout), AllDay: drawn.first.AllDay,
		Wkst: (int(drawn.dialect.WeekStart) + 6) % 7, Version: drawn.version, Limit: compared(drawn.rule),
	}
	return asked, func(got answer) {
		want := starts(drawn.rule, drawn.first, asked.Limit, nightpos.SlotTime)
		if difference := cmp.Diff(want, got.Starts); difference != "" {
			t.Errorf("%s in %s, said as %v, is in NightPOS (-want +got):\n%s", drawn.rule.Describe(), drawn.first.Zone, values, difference)
		}
		var row nightpos.Recurrence
		if err := json.Unmarshal(got.Row, &row); err != nil {
			t.Fatal(err)
		}
		meant := nightpos.ProjectRule(drawn.rule)
		back, err := row.Rule(drawn.first.AllDay)
		if err != nil || !back.Same(meant) {
			t.Errorf("%s comes back from NightPOS %d as %s (%v): %s", meant.Describe(), drawn.version, back.Describe(), err, got.Row)
		}
		if drawn.first.AllDay {
			return
		}
		if _, err := time.LoadLocation(string(row.Zone)); err != nil || string(row.Zone) != drawn.first.Zone {
			t.Errorf("zone %s comes back as %s", drawn.first.Zone, row.Zone)
		}
	}
}
