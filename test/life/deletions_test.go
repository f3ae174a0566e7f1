package life_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/service"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// TestDeletionsWithoutAWebhookAreFoundSoon deletes in NightPOS what no webhook tells
// of, between sweeps that are far away: it leaves no trace but that it is not there.
func TestDeletionsWithoutAWebhookAreFoundSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		suite := simnightpos.Config{Webhook: func(address string, _ []byte) simnightpos.WebhookFate {
			return simnightpos.WebhookFate{Drop: strings.HasSuffix(address, "on=unlink")}
		}}
		w := newWorldWith(t, simoutlook.Config{}, suite, func(config *service.Config) {
			config.SweepEvery, config.ChangesEvery = 1000*time.Hour, 1000*time.Hour
		})
		w.connect("alice", "")
		w.connect("bob", "")
		var ids []int
		for index := range 12 {
			ids = append(ids, w.nightposEvent("alice", fmt.Sprintf("Event %d", index), 3+index, nil, bob))
		}
		w.nightposEvent("alice", "Series", 20, map[string]any{
			"recurrency": true, "rrule_type": "weekly", "interval": 1, strings.ToLower(day(20).Format("Mon")): true, "end_type": "count", "count": seriesTimes, "event_tz": "UTC",
		})
		w.settle("alice", "connected")
		w.settle("bob", "connected")
		w.shows("Series", 1, seriesTimes)
		time.Sleep(time.Hour)
		calls := func() int { return w.nightpos.Counts()["door calendar.event.read"] }
		before, asked := calls(), w.nightpos.Counts()["door calendar.event.exists"]
		time.Sleep(time.Hour)
		if got := calls() - before; got != 0 {
			t.Errorf("in an hour of nothing NightPOS was read %d times, want none", got)
		}
		if got := w.nightpos.Counts()["door calendar.event.exists"] - asked; got != 4 {
			t.Errorf("in an hour of nothing NightPOS was asked %d times what there is, want 4 times, for both together", got)
		}
		w.must(w.nightpos.Member("alice").Unlink(t.Context(), ids[0], ids[1]))
		w.must(w.nightpos.Member("alice").Unlink(t.Context(), w.inOrder("Series")[3]["id"].(int)))
		time.Sleep(20 * time.Minute)
		w.settle("alice", "connected")
		w.settle("bob", "connected")
		for index := range 12 {
			want := 1
			if index < 2 {
				want = 0
			}
			w.shows(fmt.Sprintf("Event %d", index), want, want)
			if got := w.inOutlook(bob, fmt.Sprintf("Event %d", index)); got != want {
				t.Errorf("event %d is %d times in Bob's Outlook, want %d", index, got, want)
			}
		}
		left := 0
		for _, event := range w.outlook.Mailbox(alice).View(day(0), day(100)) {
			if event["subject"] == "Series" {
				left++
			}
		}
		if left != seriesTimes-1 {
			t.Errorf("the series shows %d times in Alice's Outlook, want %d", left, seriesTimes-1)
		}
		time.Sleep(time.Hour)
		before = calls()
		time.Sleep(time.Hour)
		if got := calls() - before; got != 0 {
			t.Errorf("in an hour of nothing after that NightPOS was read %d times, want none", got)
		}
		// So many at once are not deleted without being asked for.
		w.must(w.nightpos.Member("alice").Unlink(t.Context(), ids[2:]...))
		time.Sleep(time.Hour)
		if user := w.user("alice"); user.Question == nil || user.Question.Count != 10 || w.inOutlook(alice, "Event 5") != 1 {
			t.Errorf("with ten of eleven gone: it asks %+v, and Outlook shows %d of one of them", user.Question, w.inOutlook(alice, "Event 5"))
		}
		w.call(http.MethodPost, "/users/alice/answer", `{"deletions":"apply"}`, http.StatusAccepted, nil)
		w.settle("alice", "connected")
		w.shows("Event 5", 0, 0)
	})
}
