package drift_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	"github.com/nightpos/outlook-gateway/test/world"
)

// metric is the sum of a metric's lines.
func metric(t *testing.T, w *world.World, name string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, world.GatewayURL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := w.Transport().RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\d+)$`).FindStringSubmatch(string(content))
	if found == nil {
		t.Fatalf("there is no metric %s", name)
	}
	value, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// deaf is a world in which NightPOS's webhooks are lost once silent is set, with
// some meetings in it.
func deaf(t *testing.T, silent *atomic.Bool, perHour, meetings int) (w *world.World, records []int) {
	t.Helper()
	w = world.New(t, world.Options{Connect: []string{"alice"}, ChecksPerHour: perHour, NightPOS: func(config *simnightpos.Config) {
		config.Webhook = func(string, []byte) simnightpos.WebhookFate { return simnightpos.WebhookFate{Drop: silent.Load()} }
	}})
	w.Quiet()
	start := time.Now().UTC().Truncate(time.Hour).AddDate(0, 0, 3)
	for index := range meetings {
		id, err := w.NightPOS.Member("alice").Create(context.Background(), map[string]any{
			"name": fmt.Sprint("Meeting ", index), "start": start.Format(time.DateTime), "stop": start.Add(time.Hour).Format(time.DateTime),
		})
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, id)
	}
	w.Quiet()
	return w, records
}

// places are where Outlook shows meetings to be.
func places(w *world.World) map[string]int {
	found := map[string]int{}
	for _, shown := range w.Outlook.Mailbox(world.Alice).Events() {
		location, _ := shown["location"].(map[string]any)
		name, _ := location["displayName"].(string)
		found[name]++
	}
	return found
}

// TestDriftIsFoundCountedAndMended: a change that nobody told of is found by a
// sample, long before the next round of changes.
func TestDriftIsFoundCountedAndMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent atomic.Bool
		w, records := deaf(t, &silent, 600, 5)
		defer w.Close()
		// The first rounds of changes have been made.
		time.Sleep(time.Hour)
		silent.Store(true)
		if err := w.NightPOS.Member("alice").Write(context.Background(), records[2:3], map[string]any{"location": "Room 2"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Minute)
		if got := places(w); got["Room 2"] != 1 {
			t.Errorf("Outlook shows %v, want one in Room 2", got)
		}
		if got := metric(t, w, `outlook_gateway_drift_total{cause="not_carried"}`); got != 1 {
			t.Errorf("drift was counted %d times, want once", got)
		}
		time.Sleep(2 * time.Hour)
		for _, cause := range []string{"only_in_outlook", "only_in_nightpos", "differs", "not_linked"} {
			if got := metric(t, w, `outlook_gateway_drift_total{cause="`+cause+`"}`); got != 0 {
				t.Errorf("drift %s was counted %d times, want never", cause, got)
			}
		}
		if got := metric(t, w, `outlook_gateway_drift_total{cause="not_carried"}`); got != 1 {
			t.Errorf("drift was counted %d times after it was mended, want once", got)
		}
	})
}

// TestSamplesAreBounded: they cost no more calls than was asked for, and none when
// they are off; and equal calendars are never written.
func TestSamplesAreBounded(t *testing.T) {
	for _, perHour := range []int{0, 120} {
		t.Run(strconv.Itoa(perHour), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _ := deaf(t, new(atomic.Bool), perHour, 40)
				defer w.Close()
				time.Sleep(time.Hour)
				reads, writes, compared := w.Outlook.Counts()["GET /me/events/{event}"], w.Writes(), metric(t, w, "outlook_gateway_compared_total")
				const hours = 3
				time.Sleep(hours * time.Hour)
				got := w.Outlook.Counts()["GET /me/events/{event}"] - reads
				if most := perHour * (hours + 1); got > most || got < perHour*hours/3 {
					t.Errorf("%d copies were read in %d hours, want at most %d", got, hours, most)
				}
				if got := metric(t, w, "outlook_gateway_compared_total") - compared; got < perHour*hours/3 || got > perHour*(hours+1) {
					t.Errorf("%d pairs were compared in %d hours, want about %d an hour", got, hours, perHour)
				}
				if got := w.Writes() - writes; got != 0 {
					t.Errorf("comparing wrote %d times", got)
				}
			})
		})
	}
}

// TestSamplesLeaveMassDeletionsToASweep: where more than half of a calendar is gone
// a sweep stops and asks, and no sample deletes the other half piece by piece.
func TestSamplesLeaveMassDeletionsToASweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent atomic.Bool
		w, records := deaf(t, &silent, 3600, 12)
		defer w.Close()
		time.Sleep(time.Hour)
		silent.Store(true)
		if err := w.NightPOS.Member("alice").Unlink(context.Background(), records[:10]...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		if got := places(w)[""]; got != 12 {
			t.Errorf("Outlook shows %d meetings, want all 12 until somebody answers", got)
		}
		if got := metric(t, w, `outlook_gateway_drift_total{cause="only_in_outlook"}`); got == 0 {
			t.Error("what is missing was not counted")
		}
	})
}
