package life_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// TestEditsOfPairsDuringAFirstSync: what a first sync has found on both sides, and
// has not brought together yet, is one meeting for whoever changes it meanwhile, on
// either side, also where Outlook shows no iCalUId.
func TestEditsOfPairsDuringAFirstSync(t *testing.T) {
	for name, switches := range map[string]simoutlook.Switches{"as usual": {}, "no iCalUId": {UIDNull: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { editPairs(t, switches) })
		})
	}
}

func editPairs(t *testing.T, switches simoutlook.Switches) {
	const pairs, changed, series = 120, 20, 30
	slow := new(atomic.Bool)
	wait := func(string, string) time.Duration {
		if slow.Load() {
			return latency
		}
		return 0
	}
	w := newWorldWith(t, simoutlook.Config{Latency: wait, Switches: switches}, simnightpos.Config{Latency: wait}, nil)
	records, copies := make([]int, pairs), make([]string, pairs)
	for index := range pairs {
		title := fmt.Sprintf("Pair %d", index)
		records[index] = w.nightposEvent("alice", title, 3+index, map[string]any{"location": "Here"})
		copies[index] = w.outlookEvent(alice, title, 3+index)
	}
	for index := range series {
		title, days := fmt.Sprintf("Series %d", index), 10+index
		w.nightposEvent("alice", title, days, map[string]any{
			"recurrency": true, "rrule_type": "weekly", "interval": 1, strings.ToLower(day(days).Format("Mon")): true, "end_type": "count", "count": seriesTimes, "event_tz": "UTC",
			"description": "<p>Here</p>",
		})
		w.differ("alice", title)
		w.outlookSeries(alice, title, days)
	}
	time.Sleep(time.Hour)
	slow.Store(true)
	w.connect("alice", "")
	for {
		if user := w.user("alice"); user.FirstSync != nil && user.FirstSync.Listed {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for index := series - 4; index < series; index++ {
		base := w.inOrder(fmt.Sprintf("Series %d", index))[0]["id"].(int)
		w.must(w.nightpos.Member("alice").Write(t.Context(), []int{base}, map[string]any{"description": "<p>Changed</p>", "recurrence_update": "all_events"}))
	}
	// The last ones are those that the first sync comes to last.
	for index := pairs - 1; index > pairs-changed; index -= 2 {
		w.must(w.nightpos.Member("alice").Write(t.Context(), []int{records[index]}, map[string]any{"location": "Moved here"}))
		_, err := w.outlook.Mailbox(alice).Update(t.Context(), copies[index-1], map[string]any{"location": map[string]any{"displayName": "Moved there"}})
		w.must(err)
	}
	w.settle("alice", "connected")
	if got := w.outlook.Counts()["POST /me/events"]; got != 0 {
		t.Errorf("the gateway made %d events in Outlook, want none", got)
	}
	for index := range series {
		w.sees("after the first sync", map[string]count{fmt.Sprintf("Series %d", index): both})
	}
	places := w.places()
	for index := range pairs {
		title, want := fmt.Sprintf("Pair %d", index), ""
		if index >= pairs-changed {
			want = []string{"Moved there", "Moved here"}[index%2]
		}
		w.shows(title, 1, 1)
		if found := places[title]; found[0] != found[1] || want != "" && found[0] != want {
			t.Errorf("%q takes place at %q in Outlook and at %q in NightPOS, want both %q", title, found[0], found[1], want)
		}
	}
}
