package bench_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/test/network"
)

// idle is what a day costs in which nobody does anything.
type idle struct {
	people int
	// graph are the calls to Graph and Microsoft's sign-in, by method and path, and
	// nightpos those to NightPOS, by what they were for. NightPOS is asked for
	// everybody at once.
	graph, nightpos map[string]int
}

// perMailbox is how many calls a mailbox costs Microsoft in a day.
func (i idle) perMailbox() float64 {
	total := 0
	for _, count := range i.graph {
		total += count
	}
	return float64(total) / float64(i.people)
}

// perDatabase is how many calls NightPOS gets in a day.
func (i idle) perDatabase() int {
	total := 0
	for _, count := range i.nightpos {
		total += count
	}
	return total
}

// idleDay lets a day pass, the second one after people connected, in virtual time.
func idleDay(t *testing.T, people int) (spent idle) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, wishes{people: people, events: 5, network: &network.Network{}})
		defer w.close()
		time.Sleep(24 * time.Hour)
		graph, nightpos := maps.Clone(w.outlook.Counts()), maps.Clone(w.nightpos.Counts())
		time.Sleep(24 * time.Hour)
		spent = idle{people: people, graph: less(w.outlook.Counts(), graph), nightpos: less(w.nightpos.Counts(), nightpos)}
		// What the calls of the door were for is counted beside them.
		maps.DeleteFunc(spent.nightpos, func(name string, _ int) bool { return strings.HasPrefix(name, "door ") })
	})
	return spent
}

func less(after, before map[string]int) map[string]int {
	spent := map[string]int{}
	for name, count := range after {
		if count -= before[name]; count > 0 {
			spent[name] = count
		}
	}
	return spent
}

// TestIdleDay holds that people who do nothing cost next to nothing.
func TestIdleDay(t *testing.T) {
	t.Parallel()
	spent := idleDay(t, 4)
	for _, name := range slices.Sorted(maps.Keys(spent.graph)) {
		t.Logf("Graph: %d times %s", spent.graph[name], name)
	}
	for _, name := range slices.Sorted(maps.Keys(spent.nightpos)) {
		t.Logf("NightPOS: %d times %s", spent.nightpos[name], name)
	}
	t.Logf("%.1f calls to each mailbox, %d to NightPOS", spent.perMailbox(), spent.perDatabase())
}
