package meetings_test

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"

	"github.com/nightpos/outlook-gateway/test/world"
)

// TestSeriesOfOneAmongTen: what NightPOS tells of a rule names nobody, so that all ten
// lanes hear of it; nine of them have nothing to read of the series.
func TestSeriesOfOneAmongTen(t *testing.T) {
	for _, version := range staged {
		t.Run(fmt.Sprintf("NightPOS %d", version), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var others []string
				for index := range 8 {
					others = append(others, fmt.Sprintf("colleague%d", index))
				}
				w := world.New(t, world.Options{
					Version: version, Seed: uint64(version), Colleagues: others, Connect: append([]string{"alice", "bob"}, others...),
				})
				defer w.Close()
				s := &scene{World: w, T: t}
				s.Quiet()
				// reads are the readings of single events and of series.
				reads := func(do func()) (events, series int) {
					t.Helper()
					before := maps.Clone(s.NightPOS.Counts())
					do()
					s.Quiet()
					after := s.NightPOS.Counts()
					return after["door calendar.event.read"] - before["door calendar.event.read"],
						after["door calendar.recurrence.read"] - before["door calendar.recurrence.read"]
				}
				// Each lane looks once at the event that was told of, alice's alone at the series:
				// until it shows what it was told of, and where it was made anew once more.
				want := func(what string, events, series int) {
					t.Helper()
					if events > 15 || series > 5 {
						t.Errorf("%s cost %d readings of events and %d of series\n%s", what, events, series, s.Log())
					}
				}
				id := 0
				rule := map[string]any{
					"recurrency": true, "rrule_type": "weekly", "interval": 1, "end_type": "count", "count": 6,
					"mon": true, "tue": true, "wed": true, "thu": true, "fri": true, "sat": true, "sun": true,
				}
				events, series := reads(func() { id = s.plan("alice", "weekly", 5, rule) })
				want("making a series", events, series)
				s.wantShown("weekly", 6, map[string]int{alice: 6})
				events, series = reads(func() {
					s.write("alice", id, map[string]any{"recurrence_update": "all_events", "count": 4})
				})
				want("changing its rule", events, series)
				s.wantShown("weekly", 4, map[string]int{alice: 4})
			})
		})
	}
}
