package outlook_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

func kinds(received []map[string]any) []string {
	var found []string
	for _, n := range received {
		found = append(found, n["changeType"].(string))
	}
	slices.Sort(found)
	return found
}

func one(c *outlook.Config) {
	c.Switches.OneNotification = true
	c.Switches.LongLivedTokens = true
}

func TestNotification(t *testing.T) {
	withListener(t, one, func(t *testing.T, w *world, l *listener) {
		subscription := w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
		made := w.want(w.call(alice, "POST", "/me/events", meeting("x")), 201, "")
		if got := len(l.attempts()); got != 0 {
			t.Errorf("3: notified before the answer")
		}
		settle()
		received := l.take()
		if len(received) != 1 {
			t.Fatalf("got %d notifications, want 1", len(received))
		}
		oid := w.server.Mailbox(alice).Person().ObjectID
		path := "Users/" + oid + "/Events/" + made.text("id")
		if id, _ := received[0]["id"].(string); id == "" {
			t.Error("3.1: no id")
		}
		if tenant, _ := received[0]["tenantId"].(string); tenant == "" {
			t.Error("3.1: no tenant")
		}
		delete(received[0], "id")
		delete(received[0], "tenantId")
		want := map[string]any{
			"subscriptionId": subscription.text("id"), "subscriptionExpirationDateTime": "2000-01-01T01:00:00.0000000Z",
			"clientState": "shibboleth", "changeType": "created", "resource": path,
			"resourceData": map[string]any{"@odata.type": "#Microsoft.Graph.Event", "@odata.id": path, "@odata.etag": made.text("@odata.etag"), "id": made.text("id")},
		}
		if diff := cmp.Diff(want, received[0]); diff != "" {
			t.Errorf("3.1 (-want +got):\n%s", diff)
		}
		w.want(w.call(alice, "PATCH", "/me/events/"+made.text("id"), map[string]any{"subject": "y"}), 200, "")
		w.want(w.call(alice, "DELETE", "/me/events/"+made.text("id"), nil), 204, "")
		w.want(w.call(bob, "POST", "/me/events", meeting("x")), 201, "")
		settle()
		if diff := cmp.Diff([]string{"deleted", "updated"}, kinds(l.take())); diff != "" {
			t.Errorf("3.10 (-want +got):\n%s", diff)
		}
	})
}

func TestNotificationsOfOneChange(t *testing.T) {
	seen := map[int]bool{}
	for seed := range uint64(12) {
		withListener(t, func(c *outlook.Config) { c.Seed = seed }, func(t *testing.T, w *world, l *listener) {
			w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
			w.want(w.call(alice, "POST", "/me/events", meeting("x")), 201, "")
			settle()
			got := kinds(l.take())
			if got[0] != "created" || len(got) < 2 || len(got) > 4 || slices.Contains(got[1:], "created") {
				t.Errorf("3.11: a create told %v", got)
			}
			seen[len(got)] = true
		})
	}
	if len(seen) != 3 {
		t.Errorf("3.11: creates told %v notifications, want 2, 3 and 4", seen)
	}
}

func TestCopiesAndAnswersNotify(t *testing.T) {
	withListener(t, one, func(t *testing.T, w *world, l *listener) {
		w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
		theirs := subscribing(time.Hour)
		theirs["changeType"] = "created"
		w.want(w.call(bob, "POST", "/subscriptions", theirs, `Prefer: IdType="ImmutableId"`), 201, "")
		w.want(w.call(alice, "POST", "/me/events", meeting("x", bob)), 201, "")
		settle()
		received := l.take()
		if diff := cmp.Diff([]string{"created", "created"}, kinds(received)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		lengths := []int{}
		for _, n := range received {
			lengths = append(lengths, len(dig(n["resourceData"], "id").(string)))
		}
		slices.Sort(lengths)
		if diff := cmp.Diff([]int{68, 152}, lengths); diff != "" {
			t.Errorf("2.1: the subscription's header does not decide the form of ids (-want +got):\n%s", diff)
		}
		if err := w.server.Mailbox(bob).Respond(context.Background(), w.only(bob)["id"].(string), "accept"); err != nil {
			t.Fatal(err)
		}
		settle()
		if diff := cmp.Diff([]string{"updated"}, kinds(l.take())); diff != "" {
			t.Errorf("7.5: a tallied answer (-want +got):\n%s", diff)
		}
	})
}

func TestBatchedAndUnordered(t *testing.T) {
	withListener(t, one, func(t *testing.T, w *world, l *listener) {
		w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
		w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
		var made []string
		for range 60 {
			event, err := w.server.Mailbox(alice).Create(context.Background(), meeting("x"))
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, event["id"].(string))
		}
		settle()
		posts := len(l.attempts())
		received := l.take()
		if len(received) != 120 || posts >= 120 || posts < 2 {
			t.Errorf("3.3: %d notifications in %d posts, want 120 in fewer", len(received), posts)
		}
		var order []string
		for _, n := range received {
			order = append(order, dig(n["resourceData"], "id").(string))
		}
		first := slices.Compact(order)
		if slices.Equal(first, made) {
			t.Error("3.7: everything arrived in order")
		}
	})
}

func TestDuplicatesAndShapes(t *testing.T) {
	withListener(t, func(c *outlook.Config) {
		one(c)
		c.Switches.Duplicates, c.Switches.VaryShapes = 1, true
	}, func(t *testing.T, w *world, l *listener) {
		w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
		for i := range 20 {
			w.want(w.call(alice, "POST", "/me/events", meeting(fmt.Sprint(i))), 201, "")
		}
		settle()
		received := l.take()
		if len(received) != 40 {
			t.Errorf("3.7: %d notifications, want each twice: 40", len(received))
		}
		shapes := map[string]bool{}
		for _, n := range received {
			shapes[fmt.Sprint("id ", n["id"] != nil)] = true
			shapes[dig(n["resourceData"], "@odata.type").(string)] = true
			expires := n["subscriptionExpirationDateTime"].(string)
			shapes[expires[len(expires)-1:]] = true
			if at, err := time.Parse(time.RFC3339Nano, expires); err != nil || !at.Equal(time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC)) {
				t.Errorf("3.2: expires %q", expires)
			}
			resource := n["resource"].(string)
			shapes[fmt.Sprint("@ ", strings.Contains(resource, "@"), " (' ", strings.Contains(resource, "('"))] = true
		}
		if len(shapes) != 9 {
			t.Errorf("3.2: shapes seen: %v, want 9", shapes)
		}
	})
}

func TestRetries(t *testing.T) {
	withListener(t, one, func(t *testing.T, w *world, l *listener) {
		w.want(w.call(alice, "POST", "/subscriptions", subscribing(100*time.Hour)), 201, "")
		failing := true
		l.answer = func(rw http.ResponseWriter, _ *http.Request) bool {
			l.mutex.Lock()
			defer l.mutex.Unlock()
			if failing {
				rw.WriteHeader(http.StatusServiceUnavailable)
			}
			return failing
		}
		w.want(w.call(alice, "POST", "/me/events", meeting("x")), 201, "")
		time.Sleep(time.Minute)
		synctest.Wait()
		attempts := l.attempts()
		var pauses []time.Duration
		for i := range attempts[1:] {
			pauses = append(pauses, attempts[i+1].Sub(attempts[i]).Truncate(time.Second))
		}
		if diff := cmp.Diff([]time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second}, pauses); diff != "" {
			t.Errorf("3.5 pauses (-want +got):\n%s", diff)
		}
		l.mutex.Lock()
		failing = false
		l.mutex.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.server.Delivery(); got.Delivered != 1 || got.Failed != 4 || got.Waiting != 0 || got.Lost != 0 {
			t.Errorf("3.5: %+v", got)
		}
		l.mutex.Lock()
		failing = true
		l.mutex.Unlock()
		w.want(w.call(alice, "POST", "/me/events", meeting("y")), 201, "")
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		if got := w.server.Delivery(); got.Lost != 1 || got.Waiting != 0 {
			t.Errorf("3.5 after four hours: %+v", got)
		}
		attempts = l.attempts()
		if latest := attempts[len(attempts)-1]; time.Since(latest) > 3*time.Hour {
			t.Errorf("3.5: the last attempt was %v ago", time.Since(latest))
		}
	})
}

func TestSlowEndpoint(t *testing.T) {
	withListener(t, one, func(t *testing.T, w *world, l *listener) {
		w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
		l.answer = func(http.ResponseWriter, *http.Request) bool {
			time.Sleep(5 * time.Second) // 202, but late the first time
			return false
		}
		w.want(w.call(alice, "POST", "/me/events", meeting("x")), 201, "")
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := w.server.Delivery(); got.Failed != 1 || got.Delivered != 1 || got.Posts != 2 {
			t.Errorf("3.4, 3.5: %+v, want one attempt of 3 s failed and one of up to 10 s delivered", got)
		}
		if got := len(l.take()); got != 2 {
			t.Errorf("3.7: the endpoint took it %d times, want 2", got)
		}
	})
}

func TestBoundedQueue(t *testing.T) {
	withListener(t, one, func(t *testing.T, w *world, l *listener) {
		w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
		for range 1100 {
			if _, err := w.server.Mailbox(alice).Create(context.Background(), meeting("x")); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.server.Delivery(); got.Waiting != 1000 || got.Lost != 100 {
			t.Errorf("got %+v, want 1000 waiting and 100 lost", got)
		}
		settle()
		if got := len(l.take()); got != 1000 {
			t.Errorf("%d arrived, want 1000", got)
		}
	})
}

func TestExpiredTokenPausesDelivery(t *testing.T) {
	for _, c := range []struct {
		name     string
		switches outlook.Switches
		paused   int // arrived while the token was expired
		after    int // arrived once it was renewed
	}{
		{"2.17, 3.9", outlook.Switches{OneNotification: true}, 0, 1},
		{"4.3 lost", outlook.Switches{OneNotification: true, PauseLoses: true}, 0, 0},
		{"ignored", outlook.Switches{OneNotification: true, TokensIgnored: true}, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			withListener(t, func(config *outlook.Config) { config.Switches = c.switches }, func(t *testing.T, w *world, l *listener) {
				subscription := w.want(w.call(alice, "POST", "/subscriptions", subscribing(24*time.Hour)), 201, "")
				time.Sleep(90 * time.Minute)
				if _, err := w.server.Mailbox(alice).Create(context.Background(), meeting("x")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				if got := len(l.take()); got != c.paused {
					t.Errorf("%d arrived during the pause, want %d", got, c.paused)
				}
				delete(w.tokens, alice)
				w.want(w.call(alice, "POST", "/subscriptions/"+subscription.text("id")+"/reauthorize", nil), 204, "")
				settle()
				if got := len(l.take()); got != c.after {
					t.Errorf("%d arrived after reauthorizing, want %d", got, c.after)
				}
				time.Sleep(90 * time.Minute)
				if _, err := w.server.Mailbox(alice).Create(context.Background(), meeting("y")); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Hour)
				delete(w.tokens, alice)
				w.want(w.call(alice, "POST", "/subscriptions/"+subscription.text("id")+"/reauthorize", nil), 204, "")
				settle()
				if got := len(l.take()); got != c.paused {
					t.Errorf("3.9: %d arrived after more than four hours, want %d", got, c.paused)
				}
				if got := w.server.Delivery(); got.Waiting != 0 {
					t.Errorf("still waiting: %+v", got)
				}
			})
		})
	}
}

func TestNothingAfterTheEnd(t *testing.T) {
	withListener(t, one, func(t *testing.T, w *world, l *listener) {
		made := w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
		w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
		w.want(w.call(alice, "POST", "/me/events", meeting("x")), 201, "")
		w.want(w.call(alice, "DELETE", "/subscriptions/"+made.text("id"), nil), 204, "")
		settle()
		if got := l.take(); len(got) != 1 || got[0]["subscriptionId"] == made.text("id") {
			t.Errorf("got %v, want one, not of the deleted subscription", got)
		}
		time.Sleep(time.Hour)
		w.want(w.call(alice, "POST", "/me/events", meeting("y")), 201, "")
		settle()
		if got := len(l.take()); got != 0 {
			t.Errorf("2.13: %d arrived after the expiry", got)
		}
	})
}
