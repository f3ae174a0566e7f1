package bench_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/test/network"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// busyLags are measured from the moment a person's edit can be read on one side
// to the moment the gateway's can be read on the other, while somebody's first
// sync runs.
type busyLags struct {
	// others are those of people who connected before, own those of the person
	// whose first sync it is.
	others, own lags
	// first is how many events the first sync brought across, and took how long it
	// took.
	first int
	took  time.Duration
}

// watched finds for each edit the gateway's write that follows it.
type watched struct {
	mutex sync.Mutex
	// edits are those on their way, by the event on the other side.
	edits map[string]edit
}

type edit struct {
	at   time.Time
	into *latencies
}

func (w *watched) expect(event string, into *latencies) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.edits[event] = edit{at: time.Now(), into: into}
}

func (w *watched) arrived(event string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if found, expected := w.edits[event]; expected {
		found.into.add(time.Since(found.at))
		delete(w.edits, event)
	}
}

func (w *watched) waiting() int {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return len(w.edits)
}

// pair is one event on both sides.
type pair struct {
	// graphID is the id that its owner sees.
	graphID string
	record  int
}

// pairs are a person's, by title.
func (w *world) pairs(number int) map[string]pair {
	w.t.Helper()
	found := map[string]pair{}
	for _, event := range w.outlook.Mailbox(mailbox(number)).Events() {
		found[event["subject"].(string)] = pair{graphID: event["id"].(string)}
	}
	partner := int(w.members[number].PartnerID)
	for _, event := range w.nightpos.Events() {
		title, _ := event["name"].(string)
		known, there := found[title]
		people, _ := event["partner_ids"].([]int)
		if there && len(people) == 1 && people[0] == partner {
			known.record = event["id"].(int)
			found[title] = known
		}
	}
	maps.DeleteFunc(found, func(_ string, one pair) bool { return one.record == 0 })
	return found
}

// lagMeanwhile connects the last person, who has that many events on each side
// alone, and until that first sync is over has the first person rename an event on
// each side at every turn, and the last one make some.
func (w *world) lagMeanwhile(alone int, every time.Duration) busyLags {
	w.t.Helper()
	measured := busyLags{
		others: lags{fromOutlook: newLatencies(), fromNightPOS: newLatencies()},
		own:    lags{fromOutlook: newLatencies(), fromNightPOS: newLatencies()},
		first:  2 * alone,
	}
	late := len(w.members)
	w.enter(late, alone)
	for number := range alone {
		w.record(late, number, fmt.Sprintf("Record %d", number))
	}
	known := slices.Collect(maps.Values(w.pairs(0)))
	w.settle()

	renamed, made := &watched{edits: map[string]edit{}}, &arrivals{first: map[string]time.Time{}}
	w.outlook.OnChange(func(change simoutlook.Change) {
		if change.Actor == "app:"+simoutlook.DefaultApplication.ID {
			renamed.arrived(change.EventID)
			made.note(change.EventID)
		}
	})
	account := w.nightpos.Member(accountLogin).ID
	w.nightpos.OnChange(func(change simnightpos.Change) {
		if change.User == account {
			renamed.arrived(fmt.Sprint(change.Event))
			made.note(fmt.Sprint(change.Event))
		}
	})
	w.connect(late)
	began := time.Now()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	own := map[string]edit{}
	for turn := 0; ; turn++ {
		first, err := w.gateway.Quiet(w.t.Context())
		w.must(err)
		if first && turn > 0 {
			break
		}
		measured.took = time.Since(began)
		there, here := known[2*turn%len(known)], known[(2*turn+1)%len(known)]
		renamed.expect(fmt.Sprint(there.record), measured.others.fromOutlook)
		_, err = w.outlook.Mailbox(mailbox(0)).Update(w.t.Context(), there.graphID, map[string]any{"subject": fmt.Sprintf("In Outlook %d", turn)})
		w.must(err)
		title := fmt.Sprintf("Made in Outlook %d", turn)
		own[title] = edit{at: time.Now(), into: measured.own.fromOutlook}
		w.enterOne(late, turn, title)
		// An edit that comes while another of the same calendar is worked on waits for
		// that; people are not so quick.
		<-ticker.C
		// The simulator takes its time for an edit in NightPOS too, and the gateway
		// cannot have carried it over before it has read it.
		w.must(w.nightpos.Member(login(0)).Write(w.t.Context(), []int{here.record}, map[string]any{"name": fmt.Sprintf("In NightPOS %d", turn)}))
		renamed.expect(here.graphID, measured.others.fromNightPOS)
		title = fmt.Sprintf("Made in NightPOS %d", turn)
		w.record(late, turn, title)
		own[title] = edit{at: time.Now(), into: measured.own.fromNightPOS}
		<-ticker.C
	}
	w.settle()
	if left := renamed.waiting(); left > 0 {
		w.t.Errorf("%d edits made during a first sync have not arrived", left)
	}
	found := w.pairs(late)
	if got, want := len(found), 2*alone+len(own); got != want {
		w.t.Errorf("pairs after a first sync: got %d, want %d", got, want)
	}
	for title, one := range own {
		id := found[title].graphID
		if one.into == measured.own.fromOutlook {
			id = fmt.Sprint(found[title].record)
		}
		if at, arrived := made.first[id]; arrived {
			one.into.add(at.Sub(one.at))
		} else {
			w.t.Errorf("%q, made during the first sync, has not arrived", title)
		}
	}
	return measured
}

// arrivals are when the gateway first wrote each event.
type arrivals struct {
	mutex sync.Mutex
	first map[string]time.Time
}

func (a *arrivals) note(event string) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.first[event].IsZero() {
		a.first[event] = time.Now()
	}
}

// TestLagMeanwhile has people work on while somebody's first sync runs: what they
// do arrives, and the first sync ends.
func TestLagMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, wishes{people: 2, late: 1, events: 10, network: &network.Network{}, graphTime: busyTime, nightposTime: busyTime})
		defer w.close()
		measured := w.lagMeanwhile(40, 500*time.Millisecond)
		for what, one := range map[string]*latencies{
			"others, from Outlook": measured.others.fromOutlook, "others, from NightPOS": measured.others.fromNightPOS,
			"own, from Outlook": measured.own.fromOutlook, "own, from NightPOS": measured.own.fromNightPOS,
		} {
			if one.count() == 0 {
				t.Errorf("edits during a first sync: none of %s arrived", what)
			}
			t.Logf("%s: %d, p50 %s, p95 %s, p99 %s", what, one.count(), one.at(50), one.at(95), one.at(99))
		}
	})
}
