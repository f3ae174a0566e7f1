package bench_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
	"github.com/nightpos/outlook-gateway/test/network"
)

// cost is what a burst of changes cost each side, in requests.
type cost struct {
	// graph are the requests to Graph. A batch is one of them, and what it asks
	// of events counts in graphReads or graphWrites as each of its parts.
	graph, graphReads, graphWrites int
	// nightposReads and nightposWrites are the requests to NightPOS, each for any
	// number of events.
	nightposReads, nightposWrites int
}

func (c cost) minus(other cost) cost {
	return cost{
		graph: c.graph - other.graph, graphReads: c.graphReads - other.graphReads, graphWrites: c.graphWrites - other.graphWrites,
		nightposReads: c.nightposReads - other.nightposReads, nightposWrites: c.nightposWrites - other.nightposWrites,
	}
}

// cost is what everything so far cost.
func (w *world) cost() cost {
	var total cost
	parts := 0
	for call, count := range w.outlook.Counts() {
		method, path, _ := strings.Cut(call, " ")
		switch {
		case !strings.HasPrefix(path, "/me/events"):
		case method == http.MethodGet:
			total.graphReads += count
		default:
			total.graphWrites += count
		}
		total.graph += count
	}
	for _, call := range w.outlook.Calls() {
		if call.BatchItem {
			parts++
		}
	}
	total.graph -= parts
	counts := w.nightpos.Counts()
	total.nightposReads, total.nightposWrites = counts["door reading"], counts["door writing"]
	return total
}

// calendar is one person's events, the same on both sides.
type calendar struct {
	graphIDs []string
	records  []int
}

// fill gives the first person events and has them brought to the other side.
func (w *world) fill(count int) calendar {
	w.t.Helper()
	box := w.outlook.Mailbox(mailbox(0))
	w.enter(0, count)
	// A new calendar is swept once more after this long.
	time.Sleep(2*redis.MemberLife + time.Second)
	w.settle()
	var filled calendar
	for _, event := range box.Events() {
		filled.graphIDs = append(filled.graphIDs, event["id"].(string))
	}
	for _, event := range w.nightpos.Events() {
		filled.records = append(filled.records, event["id"].(int))
	}
	if len(filled.graphIDs) != count || len(filled.records) != count {
		w.t.Fatalf("after the first sync: got %d events in Outlook and %d in NightPOS, want %d in each", len(filled.graphIDs), len(filled.records), count)
	}
	slices.Sort(filled.records)
	return filled
}

// burst has the first person rename that many events on one side, one right
// after the other, and returns what it cost until all was quiet. It fails unless
// every new name has arrived.
func (w *world) burst(from reconciler.Side, of calendar, count int, name string) cost {
	w.t.Helper()
	before := w.cost()
	for number := range count {
		title := fmt.Sprintf("%s %d", name, number)
		var err error
		if from == reconciler.SideOutlook {
			_, err = w.outlook.Mailbox(mailbox(0)).Update(w.t.Context(), of.graphIDs[number], map[string]any{"subject": title})
		} else {
			err = w.nightpos.Member(login(0)).Write(w.t.Context(), of.records[number:number+1], map[string]any{"name": title})
		}
		w.must(err)
		// Graph drops what waits too long a line; a person is not that fast.
		for w.outlook.Delivery().Waiting > 500 {
			time.Sleep(settleStep)
		}
	}
	w.settle()
	w.sameTitles(name, count)
	return w.cost().minus(before)
}

// echo posts a notification of every event of the first person's mailbox as it is
// now, which is as the gateway wrote it last, and returns what that cost.
func (w *world) echo() (echoes int, spent cost) {
	w.t.Helper()
	before := w.cost()
	made := newPosts(w.t, w)
	// Applications know events by other ids than their owner.
	ids := map[string]string{}
	w.must(w.gateway.Store().AllLinks(w.t.Context(), w.members[0].ID, func(link reconciler.Link) error {
		ids[link.ICalUID] = link.GraphID
		return nil
	}))
	for _, event := range w.outlook.Mailbox(mailbox(0)).Events() {
		body := made.notification(0, ids[event["iCalUId"].(string)], event["@odata.etag"].(string))
		request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, made.base+"/webhooks/graph", bytes.NewReader(body))
		w.must(err)
		answer, err := (&http.Client{Transport: w.config.Transport}).Do(request)
		w.must(err)
		answer.Body.Close()
		if answer.StatusCode != http.StatusAccepted {
			w.t.Fatalf("an echo: got status %d, want 202", answer.StatusCode)
		}
		echoes++
	}
	w.settle()
	return echoes, w.cost().minus(before)
}

// sameTitles fails unless both sides show the given number of events under
// titles that begin with the name, and the same ones.
func (w *world) sameTitles(name string, count int) {
	w.t.Helper()
	inOutlook, inNightPOS := map[string]bool{}, map[string]bool{}
	for _, event := range w.outlook.Mailbox(mailbox(0)).Events() {
		if title := event["subject"].(string); strings.HasPrefix(title, name+" ") {
			inOutlook[title] = true
		}
	}
	for _, event := range w.nightpos.Events() {
		if title, _ := event["name"].(string); strings.HasPrefix(title, name+" ") {
			inNightPOS[title] = true
		}
	}
	if len(inOutlook) != count || !maps.Equal(inOutlook, inNightPOS) {
		w.t.Errorf("events called %q: got %d in Outlook and %d in NightPOS, want the same %d in each", name, len(inOutlook), len(inNightPOS), count)
	}
}

// checkEconomy fails unless a burst wrote nothing back, and each change once.
func checkEconomy(t testing.TB, from reconciler.Side, changes int, got cost) {
	t.Helper()
	switch from {
	case reconciler.SideOutlook:
		// One request writes many events.
		if got.graphWrites != 0 || got.nightposWrites < 1 || got.nightposWrites > changes {
			t.Errorf("%d changes in Outlook: got %+v, want no write there, and from 1 to %d requests that write in NightPOS", changes, got, changes)
		}
	case reconciler.SideNightPOS:
		if got.nightposWrites != 0 || got.graphWrites != changes {
			t.Errorf("%d changes in NightPOS: got %+v, want no write there and %d in Outlook", changes, got, changes)
		}
	}
}

// TestCallsOfOneChange holds that a change costs each side one read and the
// other side one write, and that an echo costs nothing; and that the changes of a burst share their calls. NightPOS
// tells of a change some milliseconds before it can be read.
func TestCallsOfOneChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, wishes{
			people: 2, network: &network.Network{}, commitDelay: func() time.Duration { return 4 * time.Millisecond },
		})
		defer w.close()
		filled := w.fill(20)
		for _, one := range []struct {
			from reconciler.Side
			want cost
		}{
			{from: reconciler.SideOutlook, want: cost{graph: 1, graphReads: 1, nightposReads: 1, nightposWrites: 1}},
			{from: reconciler.SideNightPOS, want: cost{graph: 2, graphReads: 1, graphWrites: 1, nightposReads: 1}},
		} {
			got := w.burst(one.from, filled, 1, "Once in "+string(one.from))
			checkEconomy(t, one.from, 1, got)
			if got != one.want {
				t.Errorf("one change in %s: got %+v, want %+v", one.from, got, one.want)
			}
			got = w.burst(one.from, filled, len(filled.records), "Burst in "+string(one.from))
			checkEconomy(t, one.from, len(filled.records), got)
			t.Logf("%d changes in %s: %+v", len(filled.records), one.from, got)
			echoes, spent := w.echo()
			if echoes != len(filled.records) || spent != (cost{}) {
				t.Errorf("%d echoes: got %+v, want %d and no requests", echoes, spent, len(filled.records))
			}
		}
	})
}
