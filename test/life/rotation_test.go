package life_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/service"
)

// TestTheWebhookSecretRotatesWithoutLosingAChange has people work on while the
// secret is rotated, twice. Nothing but webhooks tells of what they do.
func TestTheWebhookSecretRotatesWithoutLosingAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ordinaryWorld(t, func(config *service.Config) { config.SweepEvery, config.ChangesEvery = 1000*time.Hour, 1000*time.Hour })
		w.connect("alice", "")
		w.settle("alice", "connected")
		time.Sleep(time.Minute)
		senders, err := gateway.NewSenders(w.config.Settings.SecretKeys, "night", strings.NewReader(""))
		w.must(err)
		// Another replica takes both secrets as well.
		listener, err := w.network.Listen("replica.sim")
		w.must(err)
		config := w.config
		config.Listener, config.Engine = listener, w.engine
		replica, err := service.Start(context.WithoutCancel(t.Context()), config)
		w.must(err)
		defer func() { w.must(replica.Close()) }()
		taken := func(host string, generation int) bool {
			t.Helper()
			token, err := senders.TokenOf(generation)
			w.must(err)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+host+"/webhooks/nightpos/"+token+"?on=save", strings.NewReader("{}"))
			w.must(err)
			answer, err := w.network.Transport().RoundTrip(request)
			w.must(err)
			answer.Body.Close()
			return answer.StatusCode == http.StatusBadRequest // and not 404
		}
		number := 0
		work := func(long time.Duration) {
			t.Helper()
			for end := time.Now().Add(long); time.Now().Before(end); time.Sleep(17 * time.Second) {
				number++
				w.nightposEvent("alice", fmt.Sprintf("Meeting %d", number), 3, nil)
			}
		}
		for generation := 1; generation <= 2; generation++ {
			w.call(http.MethodPost, "/webhooks/rotate", "", http.StatusAccepted, nil)
			work(20 * time.Second)
			for _, host := range []string{"gateway.sim", "replica.sim"} {
				if !taken(host, generation-1) || !taken(host, generation) {
					t.Errorf("%s refuses one of both secrets before NightPOS has the new one", host)
				}
			}
			w.call(http.MethodPost, "/webhooks/rotate", "", http.StatusConflict, nil)
			work(10 * time.Minute)
			w.call(http.MethodPost, "/webhooks/rotate", "", http.StatusConflict, nil)
			work(8 * time.Minute)
			for _, host := range []string{"gateway.sim", "replica.sim"} {
				if taken(host, generation-1) || !taken(host, generation) {
					t.Errorf("%s: takes the former secret: %t, the new one: %t, want the new one alone", host, taken(host, generation-1), taken(host, generation))
				}
			}
		}
		w.restart()
		work(time.Minute)
		w.settle("alice", "connected")
		if lost := w.nightpos.Counts()["webhook lost"]; lost != 0 {
			t.Errorf("%d webhooks were refused, want none", lost)
		}
		if got := len(w.outlook.Mailbox(alice).Events()); got != number {
			t.Errorf("%d of %d meetings crossed", got, number)
		}
		// Who registers by hand does not know which secret is in use.
		if changed, err := service.Register(t.Context(), w.config); err != nil || len(changed) > 0 {
			t.Errorf("registering again: %q, %v, want nothing changed", changed, err)
		}
		if token, err := senders.TokenOf(0); err != nil || strings.Contains(fmt.Sprint(w.noted()), token) {
			t.Errorf("a secret stands in the activity, or %v", err)
		}
	})
}
