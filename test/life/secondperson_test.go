package life_test

import (
	"flag"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// The full size is -meetings=10000.
var meetings = flag.Int("meetings", 1000, "in how many meetings the second person of TestSecondPerson is")

// callsOfSecond is what the first connection of a second person may cost: 700 calls
// among 10,000 meetings.
func callsOfSecond(meetings int) int64 { return 50 + int64(meetings)*65/1000 }

// TestSecondPerson: the first connection of somebody who is in every meeting that the
// gateway knows already creates nothing and mails nobody.
func TestSecondPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.connect("alice", "")
		w.settle("alice", "connected")
		for index := range *meetings {
			title, days := fmt.Sprintf("Meeting %d", index), 3+index%600
			if index%2 == 0 {
				w.outlookEvent(alice, title, days, bob)
			} else {
				w.nightposEvent("alice", title, days, nil, bob)
			}
			if index%100 == 99 {
				// People do not make them all at once.
				time.Sleep(time.Minute)
			}
		}
		w.settle("alice", "connected")
		time.Sleep(time.Hour)
		records, copies, mailed := len(w.nightpos.Events()), len(w.outlook.Mailbox(bob).Events()), len(w.outlook.Mails())
		if records != *meetings || copies != *meetings {
			t.Fatalf("there are %d records and %d copies in Bob's mailbox, want %d", records, copies, *meetings)
		}
		counts, known, transactions := maps.Clone(w.outlook.Counts()), w.calls.Load(), w.nightpos.Counts()["door writing"]
		w.connect("bob", "")
		w.settle("bob", "connected")
		calls := w.calls.Load() - known
		t.Logf("the second person among %d meetings: %d calls, %d at most; of Graph %v", *meetings, calls, callsOfSecond(*meetings), fresh(counts, w.outlook.Counts()))
		if calls > callsOfSecond(*meetings) {
			t.Errorf("%d calls were made, want at most %d", calls, callsOfSecond(*meetings))
		}
		for call, count := range fresh(counts, w.outlook.Counts()) {
			if !strings.HasPrefix(call, "GET ") && strings.Contains(call, "/me/events") {
				t.Errorf("%d times %s", count, call)
			}
		}
		if made := w.nightpos.Counts()["door writing"] - transactions; made != 0 {
			t.Errorf("NightPOS was written to %d times", made)
		}
		if got := len(w.outlook.Mails()) - mailed; got != 0 {
			t.Errorf("%d people were mailed", got)
		}
		if now := len(w.nightpos.Events()); now != records {
			t.Errorf("there are %d records, there were %d", now, records)
		}
		if now := len(w.outlook.Mailbox(bob).Events()); now != copies {
			t.Errorf("there are %d copies, there were %d", now, copies)
		}
		linked := 0
		w.must(w.service.Store().AllLinks(t.Context(), fmt.Sprint(w.nightpos.Member("bob").ID), func(link reconciler.Link) error {
			if link.Role == reconciler.RoleAttendee && !link.Ended && link.GraphID != "" {
				linked++
			}
			return nil
		}))
		if linked != *meetings {
			t.Errorf("%d of %d meetings are known as Bob's", linked, *meetings)
		}
	})
}

// fresh is what was counted since.
func fresh(before, after map[string]int) map[string]int {
	since := map[string]int{}
	for call, count := range after {
		if count > before[call] {
			since[call] = count - before[call]
		}
	}
	return since
}
