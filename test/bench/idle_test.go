package bench_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/test/network"
)

// idle is what a day costs in which nobody does anything.
type idle struct {
	people, gateways int
	// graph are the calls to Graph, by method and path, and nightpos those to
	// NightPOS, by what they were for. NightPOS is asked for everybody at once.
	graph, nightpos map[string]int
	// refreshes are the calls to Microsoft's sign-in, told what Graph posted to the
	// gateways: with no changes, that a subscription is to be authorized anew.
	refreshes, told int
}

// each is how many calls of some kind a mailbox costs in a day.
func (i idle) each(calls int) float64 { return float64(calls) / float64(i.people) }

// renewals are those of all subscriptions, and looks the other calls to Graph.
func (i idle) renewals() int { return i.graph["PATCH /subscriptions/{subscription}"] }

func (i idle) looks() int { return sum(i.graph) - i.renewals() }

func sum(counts map[string]int) int {
	total := 0
	for _, count := range counts {
		total += count
	}
	return total
}

// idleDay lets a day pass, the second one after people connected, in virtual time
// and with tokens that live as long as Microsoft's. Unasked, Graph never says that
// a subscription is to be authorized anew.
func idleDay(t *testing.T, people, gateways int, unasked bool) (spent idle) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		memory := &network.Network{}
		w := newWorld(t, wishes{people: people, events: 5, network: memory, usualTokens: true, unasked: unasked})
		defer w.close()
		for number := range gateways - 1 {
			w.join(memory, fmt.Sprintf("gateway%d.sim", number+1))
		}
		time.Sleep(24 * time.Hour)
		graph, nightpos, refreshes, told := w.outlook.Counts(), w.nightpos.Counts(), w.traffic.signIns(), w.outlook.Delivery().Delivered
		time.Sleep(24 * time.Hour)
		spent = idle{
			people: people, gateways: gateways, graph: less(w.outlook.Counts(), graph), nightpos: less(w.nightpos.Counts(), nightpos),
			refreshes: w.traffic.signIns() - refreshes, told: w.outlook.Delivery().Delivered - told,
		}
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

// TestIdleDay holds that people who do nothing cost what COST.md says, one by one:
// more would make its numbers wrong, and so would less.
func TestIdleDay(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]struct {
		people, gateways           int
		unasked                    bool
		renewals, refreshes, asked float64
	}{
		"asked":     {4, 2, false, renewals, tokenRefreshes, lifecycleTold},
		"not asked": {2, 1, true, renewalsUnasked, renewalsUnasked, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spent := idleDay(t, one.people, one.gateways, one.unasked)
			for _, name := range slices.Sorted(maps.Keys(spent.graph)) {
				t.Logf("Graph: %d times %s", spent.graph[name], name)
			}
			for _, name := range slices.Sorted(maps.Keys(spent.nightpos)) {
				t.Logf("NightPOS: %d times %s", spent.nightpos[name], name)
			}
			for _, number := range []struct {
				what      string
				got, want float64
				// give is the part by which it may be another one: how long a token lives,
				// and so how many a day takes, is Microsoft's choice each time.
				give float64
			}{
				{"looks for changes, and sweeps, of a mailbox", spent.each(spent.looks()), graphLooks, 0.02},
				{"renewals of a subscription", spent.each(spent.renewals()), one.renewals, 0.1},
				{"refreshes of a token", spent.each(spent.refreshes), one.refreshes, 0.1},
				{"notifications about a subscription", spent.each(spent.told), one.asked, 0.1},
				{
					"calls to NightPOS", float64(sum(spent.nightpos)),
					nightposIdle + nightposIdleGateway*float64(one.gateways) + nightposIdlePerson*float64(one.people), 0.01,
				},
			} {
				t.Logf("%s: %.1f", number.what, number.got)
				if math.Abs(number.got-number.want) > number.give*number.want {
					t.Errorf("%s in an idle day: got %.2f, want %.2f give or take %.0f %%", number.what, number.got, number.want, 100*number.give)
				}
			}
		})
	}
}
