package life_test

import (
	"flag"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/service"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// The full size is -pairs=9000 -alone=1000.
var (
	pairs = flag.Int("pairs", 180, "how many events are on both sides already")
	alone = flag.Int("alone", 20, "how many are on each side alone")
)

// latency is how long both simulators take for every call.
const latency = 100 * time.Millisecond

// mostCalls is what a first sync of a few events may cost; more cost an eighth of a
// call each.
const mostCalls = 100

// lease is how long the store leaves a lane to a worker that gives no sign of life.
const lease = 30 * time.Second

// TestLargeFirstSync: with most events on both sides already, the rest is created
// and nobody mailed, although the gateway is killed in the middle, and what people
// change meanwhile is quick.
func TestLargeFirstSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dataDir, slow := t.TempDir(), new(atomic.Bool)
		w := newWorldSlow(t, func() time.Duration {
			if slow.Load() {
				return latency
			}
			return 0
		})
		w.dataDir = dataDir
		w.renew()
		for index := range *pairs {
			days := 3 + index%300
			w.nightposEvent("alice", fmt.Sprintf("Both %d", index), days, nil)
			w.outlookEvent(alice, fmt.Sprintf("Both %d", index), days)
		}
		for index := range *alone {
			w.nightposEvent("alice", fmt.Sprintf("Here %d", index), 5+index%300, nil)
			w.outlookEvent(alice, fmt.Sprintf("There %d", index), 6+index%300)
		}
		time.Sleep(time.Hour)
		known := w.calls.Load()
		slow.Store(true)
		w.connect("alice", "")
		began := time.Now()

		// Somebody works on while it runs.
		var mutex sync.Mutex
		made, arrived := map[string]time.Time{}, map[int]time.Time{}
		w.nightpos.OnChange(func(change simnightpos.Change) {
			mutex.Lock()
			defer mutex.Unlock()
			if arrived[change.Event].IsZero() {
				arrived[change.Event] = change.Time
			}
		})
		var killed time.Time
		for count := 0; ; count++ {
			user := w.user("alice")
			if user.State == "connected" {
				break
			}
			if first := user.FirstSync; killed.IsZero() && first != nil && first.Listed && first.Done < first.Total {
				killed = time.Now() // and not when the next one is ready, calls later
				w.kill()
			}
			if time.Since(began) > 2*time.Hour {
				t.Fatalf("after two hours Alice is %s, %+v", user.State, user.FirstSync)
			}
			title := fmt.Sprintf("Meanwhile %d", count)
			made[title] = time.Now()
			w.outlookEvent(alice, title, 2)
			time.Sleep(1700 * time.Millisecond)
		}
		took := time.Since(began)
		w.settle("alice", "connected")
		if killed.IsZero() {
			t.Fatal("it was over before it could be killed")
		}
		var lags []time.Duration
		arrivals := 0
		mutex.Lock()
		for _, shown := range w.nightpos.Events() {
			title, _ := shown["name"].(string)
			at := made[title]
			if at.IsZero() {
				continue
			}
			arrivals++
			// What a killed gateway had begun is left to it until its lease is over.
			if id, _ := shown["id"].(int); at.Before(killed.Add(-latency*20)) || at.After(killed.Add(lease)) {
				lags = append(lags, arrived[id].Sub(at))
			}
		}
		mutex.Unlock()
		slices.Sort(lags)
		if arrivals != len(made) || len(lags) == 0 {
			t.Fatalf("%d changes of %d arrived, %d of them while nothing was in the way", arrivals, len(made), len(lags))
		}
		median := lags[len(lags)/2]
		calls := w.calls.Load() - known
		t.Logf("%d pairs, %d alone on each side: %s, %d calls; %d changes meanwhile with a median lag of %s; Graph counted %v",
			*pairs, *alone, took.Round(time.Second), calls, len(made), median, w.outlook.Counts())
		if most := mostCalls + int64(*pairs+2**alone)/8; calls > most {
			t.Errorf("%d calls were made, want at most %d", calls, most)
		}
		here, there := map[any]int{}, map[any]int{}
		for _, shown := range w.nightpos.Events() {
			here[shown["name"]]++
		}
		for _, shown := range w.outlook.Mailbox(alice).Events() {
			there[shown["subject"]]++
		}
		for index := range *alone {
			for _, title := range []string{fmt.Sprintf("Here %d", index), fmt.Sprintf("There %d", index)} {
				if here[title] != 1 || there[title] != 1 {
					t.Errorf("%q is %d times in Outlook and %d times in NightPOS, want once", title, there[title], here[title])
				}
			}
		}
		if got := w.outlook.Counts()["POST /me/events"]; got != *alone {
			t.Errorf("%d events were made in Outlook, want %d", got, *alone)
		}
		if got, want := len(w.nightpos.Events()), *pairs+2**alone+arrivals; got != want {
			t.Errorf("NightPOS has %d records, want %d", got, want)
		}
		if got := len(w.outlook.Mails()); got != 0 {
			t.Errorf("%d people were mailed, want nobody", got)
		}
		if median > 2*time.Second {
			t.Errorf("the median lag meanwhile is %s, want at most 2 s", median)
		}
		w.call(http.MethodGet, "/users/alice", "", http.StatusOK, nil)
	})
}

// newWorldSlow is a world whose simulators take their time.
func newWorldSlow(t *testing.T, pause func() time.Duration) *world {
	t.Helper()
	wait := func(string, string) time.Duration { return pause() }
	return newWorldWith(t, simoutlook.Config{Latency: wait}, simnightpos.Config{Latency: wait}, func(*service.Config) {})
}
