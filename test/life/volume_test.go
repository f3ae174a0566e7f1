package life_test

import (
	"flag"
	"fmt"
	"net/http"
	"slices"
	"sync"
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

// TestLargeFirstSync: with most events on both sides already, the rest is created
// and nobody mailed, across a restart, and what people change meanwhile is quick.
func TestLargeFirstSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := false
		w := newWorldSlow(t, func() time.Duration {
			if slow {
				return latency
			}
			return 0
		})
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
		before, known := w.outlook.Counts(), w.nightpos.Counts()
		slow = true
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
		restarted := false
		for count := 0; ; count++ {
			user := w.user("alice")
			if user.State == "connected" {
				break
			}
			if first := user.FirstSync; !restarted && first != nil && first.Listed && first.Done < first.Total {
				w.restart()
				restarted = true
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
		var lags []time.Duration
		mutex.Lock()
		for _, shown := range w.nightpos.Events() {
			title, _ := shown["name"].(string)
			if id, _ := shown["id"].(int); !made[title].IsZero() {
				lags = append(lags, arrived[id].Sub(made[title]))
			}
		}
		mutex.Unlock()
		slices.Sort(lags)
		if len(lags) != len(made) {
			t.Fatalf("%d changes of %d arrived", len(lags), len(made))
		}
		median := lags[len(lags)/2]
		calls := 0
		for call, count := range w.outlook.Counts() {
			calls += count - before[call]
		}
		doors := w.nightpos.Counts()
		t.Logf("%d pairs, %d alone on each side: %s; %d changes meanwhile with a median lag of %s; Graph counted %d requests (%v), NightPOS %d calls",
			*pairs, *alone, took.Round(time.Second), len(lags), median, calls, w.outlook.Counts(),
			doors["door reading"]+doors["door writing"]-known["door reading"]-known["door writing"])
		for index := range *alone {
			w.shows(fmt.Sprintf("Here %d", index), 1, 1)
			w.shows(fmt.Sprintf("There %d", index), 1, 1)
		}
		if got := w.outlook.Counts()["POST /me/events"]; got != *alone {
			t.Errorf("%d events were made in Outlook, want %d", got, *alone)
		}
		if got, want := len(w.nightpos.Events()), *pairs+2**alone+len(lags); got != want {
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
