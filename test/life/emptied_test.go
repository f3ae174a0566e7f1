package life_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The load under which the store is emptied: while each call takes 100 ms, it never
// runs out of work.
const (
	loadEvery = 150 * time.Millisecond
	loadFor   = 30 * time.Second
	loaded    = 24
	// bornPrefix begins the titles of what is made under load.
	bornPrefix = "Born "
	// nowhere is the place of what is not on a side.
	nowhere = "nowhere"
)

// TestEmptiedStoreUnderLoad: Redis loses everything while people edit and the gateway
// is in the middle of writing. It writes nothing more; and once people have
// connected again, every pair is found: nothing is created but what was on one side
// alone, nothing deleted or mailed, and what was changed meanwhile is on both sides.
func TestEmptiedStoreUnderLoad(t *testing.T) {
	for seed, order := range [][]string{{"alice", "bob"}, {"bob", "alice"}, {"alice", "bob"}} {
		t.Run(fmt.Sprintf("seed=%d %s first", seed, order[0]), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { emptyUnderLoad(t, uint64(seed), order) })
		})
	}
}

func emptyUnderLoad(t *testing.T, seed uint64, order []string) {
	slow := new(atomic.Bool)
	w := newWorldSlow(t, func() time.Duration {
		if slow.Load() {
			return latency
		}
		return 0
	})
	w.connect("alice", "")
	w.connect("bob", "")
	w.settle("alice", "connected")
	// Every third has guests.
	for index := range loaded {
		var people []string
		if index%3 == 0 {
			people = []string{bob, guest}
		}
		if title := fmt.Sprintf("Event %d", index); index%2 == 0 {
			w.nightposEvent("alice", title, 3+index, nil, people...)
		} else {
			w.outlookEvent(alice, title, 3+index, people...)
		}
	}
	w.nightposSeries("alice", "Series here", 10, bob)
	w.outlookSeries(alice, "Series there", 11, bob, guest)
	w.settle("alice", "connected")
	w.settle("bob", "connected")
	kept := w.active()

	slow.Store(true)
	var load sync.WaitGroup
	load.Go(func() { w.edit(rand.New(rand.NewPCG(seed, 0))) })
	// In the middle, and at any moment of what the gateway is at.
	time.Sleep(loadFor/2 + time.Duration(seed)*37*time.Millisecond)
	if quiet, err := w.service.Quiet(t.Context()); err != nil || quiet {
		t.Errorf("there was nothing to do when the store was emptied, %v", err)
	}
	w.empty()
	// What was on its way arrives.
	time.Sleep(2 * time.Second)
	calls, mails := w.outlook.Counts(), w.mails()
	load.Wait()
	time.Sleep(time.Minute)
	noMore := func(when string, created int) {
		t.Helper()
		for call, want := range map[string]int{"POST /me/events": created, "DELETE /me/events/{event}": 0} {
			if got := w.outlook.Counts()[call] - calls[call]; got != want {
				t.Errorf("%s, the gateway made %d calls of %s, want %d", when, got, call, want)
			}
		}
		if got := w.mails() - mails; got != 0 {
			t.Errorf("%s, the gateway mailed %d people: %+v", when, got, w.outlook.Mails()[len(w.outlook.Mails())-got:])
		}
	}
	noMore("with nobody known", 0)
	w.call(http.MethodGet, "/users/alice", "", http.StatusNotFound, nil)
	slow.Store(false)

	born, absent := 0, [2]int{}
	for title, found := range w.places() {
		if strings.HasPrefix(title, bornPrefix) {
			born++
		}
		for side, place := range found {
			if place == nowhere {
				absent[side]++
			}
		}
	}
	if absent[0] == 0 || absent[1] == 0 || born == absent[0]+absent[1] {
		t.Errorf("of %d new events, %v are missing in Outlook and in NightPOS: some on either side should be, and not all", born, absent)
	}
	before := w.active()
	for _, login := range order {
		w.connect(login, "")
		w.settle(login, "connected")
	}
	w.settle("alice", "connected")
	noMore("connected again", absent[0])
	if got, want := w.active(), before+absent[1]; got != want || before < kept {
		t.Errorf("connected again, there are %d records, there were %d and before that %d, and %d were missing", got, before, kept, absent[1])
	}
	w.sees("connected again", map[string]count{"Series here": both, "Series there": both})
	guests := map[string]bool{}
	for index := 0; index < loaded; index += 3 {
		guests[fmt.Sprintf("Event %d", index)] = true
	}
	for title, found := range w.places() {
		if strings.HasPrefix(title, "Series") {
			continue
		}
		w.shows(title, 1, 1)
		if !guests[title] && found[0] != found[1] {
			t.Errorf("%q takes place at %q in Outlook and at %q in NightPOS", title, found[0], found[1])
		}
	}
	stood := w.standing()
	for _, login := range order {
		w.call(http.MethodPost, "/users/"+login+"/sync", "", http.StatusAccepted, nil)
		w.settle(login, "connected")
	}
	if got := w.standing(); got != stood {
		t.Errorf("another sweep changed what stands:\n%s\nwant\n%s", got, stood)
	}
}

// edit moves events to other places for a while, and makes new ones, on either side
// as it comes.
func (w *world) edit(random *rand.Rand) {
	ids := map[string]string{}
	for _, shown := range w.outlook.Mailbox(alice).Events() {
		ids[fmt.Sprint(shown["subject"])] = fmt.Sprint(shown["id"])
	}
	records := map[string]int{}
	for _, shown := range w.nightpos.Events() {
		records[fmt.Sprint(shown["name"])], _ = shown["id"].(int)
	}
	for count := range int(loadFor / loadEvery) {
		title, place := fmt.Sprintf("Event %d", random.IntN(loaded)), fmt.Sprintf("Place %d", count)
		here := random.IntN(2) == 0
		switch {
		case random.IntN(4) == 0 && here:
			w.nightposEvent("alice", fmt.Sprint(bornPrefix, count), 40+count, nil)
		case random.IntN(4) == 0:
			w.outlookEvent(alice, fmt.Sprint(bornPrefix, count), 40+count)
		case here:
			w.must(w.nightpos.Member("alice").Write(w.Context(), []int{records[title]}, map[string]any{"location": place}))
		default:
			_, err := w.outlook.Mailbox(alice).Update(w.Context(), ids[title], map[string]any{"location": map[string]any{"displayName": place}})
			w.must(err)
		}
		time.Sleep(loadEvery)
	}
}

// empty has the store lose everything, under a gateway that runs.
func (w *world) empty() {
	w.Helper()
	connection, err := w.engine.Dial(w.Context(), "", "")
	w.must(err)
	defer connection.Close()
	_, err = connection.Write([]byte("*1\r\n$8\r\nFLUSHALL\r\n"))
	w.must(err)
	if said, err := bufio.NewReader(connection).ReadString('\n'); err != nil || strings.TrimSpace(said) != "+OK" {
		w.Fatalf("emptying the store: %q, %v", said, err)
	}
}

// active counts the records that are not archived.
func (w *world) active() int {
	count := 0
	for _, shown := range w.nightpos.Events() {
		if shown["active"] == true {
			count++
		}
	}
	return count
}

// places is where each event takes place, in Alice's Outlook and in NightPOS.
func (w *world) places() map[string][2]string {
	places := map[string][2]string{}
	for _, shown := range w.outlook.Mailbox(alice).Events() {
		place, _ := shown["location"].(map[string]any)
		name, _ := place["displayName"].(string)
		places[fmt.Sprint(shown["subject"])] = [2]string{name, nowhere}
	}
	for _, shown := range w.nightpos.Events() {
		title := fmt.Sprint(shown["name"])
		found, there := places[title]
		if !there {
			found[0] = nowhere
		}
		found[1], _ = shown["location"].(string)
		places[title] = found
	}
	return places
}
