package outlook_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// lifecycleEvents names the lifecycle events among notifications.
func lifecycleEvents(received []map[string]any) []string {
	var events []string
	for _, n := range received {
		if event, ok := n["lifecycleEvent"].(string); ok {
			events = append(events, event)
		}
	}
	return events
}

func withLifecycle(lifetime time.Duration) map[string]any {
	wanted := subscribing(lifetime)
	wanted["lifecycleNotificationUrl"] = "http://gateway.sim/lifecycle"
	return wanted
}

func TestReauthorizationIsAskedFor(t *testing.T) {
	for _, c := range []struct {
		name     string
		switches outlook.Switches
		lifetime time.Duration
		events   int // in the first three hours
	}{
		{"4.4 token ends", outlook.Switches{}, 48 * time.Hour, 4},
		{"4.4 subscription ends", outlook.Switches{LongLivedTokens: true}, 2 * time.Hour, 4},
		{"far from the end", outlook.Switches{LongLivedTokens: true}, 48 * time.Hour, 0},
		{"4.9", outlook.Switches{NoLifecycle: true}, 2 * time.Hour, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			withListener(t, func(config *outlook.Config) { config.Switches = c.switches }, func(t *testing.T, w *world, l *listener) {
				w.want(w.call(alice, "POST", "/subscriptions", withLifecycle(c.lifetime)), 201, "")
				time.Sleep(3 * time.Hour)
				synctest.Wait()
				received := l.take()
				events := lifecycleEvents(received)
				if len(events) != c.events && (c.events != 4 || len(events) != 3) { // tokens live for 60 to 90 minutes
					t.Errorf("got %v, want %d", events, c.events)
				}
				for _, n := range received {
					if n["lifecycleEvent"] != "reauthorizationRequired" || n["clientState"] != "shibboleth" || n["resource"] != nil || n["tenantId"] == nil || n["subscriptionId"] == nil {
						t.Errorf("4.1: %v", n)
					}
				}
			})
		})
	}
}

func TestReauthorizingEndsTheReminders(t *testing.T) {
	withListener(t, nil, func(t *testing.T, w *world, l *listener) {
		made := w.want(w.call(alice, "POST", "/subscriptions", withLifecycle(100*time.Hour)), 201, "")
		reminders := 0
		for range 100 { // an application that reauthorizes whenever it is asked
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			if events := lifecycleEvents(l.take()); len(events) > 0 {
				if diff := cmp.Diff([]string{"reauthorizationRequired"}, events); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				reminders++
				delete(w.tokens, alice)
				w.want(w.call(alice, "POST", "/subscriptions/"+made.text("id")+"/reauthorize", nil), 204, "")
			}
		}
		if reminders < 12 || reminders > 33 { // at most every quarter of an hour
			t.Errorf("asked %d times in 500 minutes", reminders)
		}
		if _, err := w.server.Mailbox(alice).Create(context.Background(), meeting("x")); err != nil {
			t.Fatal(err)
		}
		settle()
		if got := len(l.take()); got == 0 {
			t.Error("delivery is paused in spite of reauthorizing")
		}
	})
}

func TestRemovedSubscription(t *testing.T) {
	withListener(t, one, func(t *testing.T, w *world, l *listener) {
		made := w.want(w.call(alice, "POST", "/subscriptions", withLifecycle(time.Hour)), 201, "")
		if got := w.server.RemoveSubscriptions(bob); got != 0 {
			t.Errorf("bob had %d subscriptions", got)
		}
		if got := w.server.RemoveSubscriptions(alice); got != 1 {
			t.Errorf("alice had %d subscriptions, want 1", got)
		}
		w.want(w.call(alice, "GET", "/subscriptions/"+made.text("id"), nil), 404, "ResourceNotFound")
		w.want(w.call(alice, "POST", "/me/events", meeting("x")), 201, "")
		settle()
		received := l.take()
		if diff := cmp.Diff([]string{"subscriptionRemoved"}, lifecycleEvents(received)); diff != "" || len(received) != 1 {
			t.Errorf("4.5: %d notifications, lifecycle (-want +got):\n%s", len(received), diff)
		}
	})
}

func TestMissed(t *testing.T) {
	withListener(t, one, func(t *testing.T, w *world, l *listener) {
		w.want(w.call(alice, "POST", "/subscriptions", withLifecycle(100*time.Hour)), 201, "")
		l.answer = func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/graph" {
				rw.WriteHeader(http.StatusInternalServerError)
			}
			return r.URL.Path == "/graph"
		}
		for range 3 {
			w.want(w.call(alice, "POST", "/me/events", meeting("x")), 201, "")
		}
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		if diff := cmp.Diff([]string{"missed"}, lifecycleEvents(l.take())); diff != "" {
			t.Errorf("4.6 (-want +got):\n%s", diff)
		}
		if got := w.server.Delivery(); got.Lost != 3 || got.Waiting != 0 {
			t.Errorf("got %+v", got)
		}
	})
}
