package outlook_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// listener is a notification endpoint.
type listener struct {
	mutex       sync.Mutex
	validations []string
	posts       []time.Time
	received    []map[string]any
	tokens      []string                                          // the validation tokens of the last post
	answer      func(w http.ResponseWriter, r *http.Request) bool // true: it has answered a notification itself
	validate    http.HandlerFunc                                  // replaces the right answer to a validation
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if token := r.URL.Query().Get("validationToken"); token != "" {
		l.mutex.Lock()
		l.validations = append(l.validations, r.Method+" "+r.URL.Path+" "+r.URL.Query().Get("own")+" "+r.Header.Get("Content-Type"))
		l.mutex.Unlock()
		if l.validate != nil {
			l.validate(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, token)
		return
	}
	l.mutex.Lock()
	l.posts = append(l.posts, time.Now())
	l.mutex.Unlock()
	if l.answer != nil && l.answer(w, r) {
		return
	}
	var body struct {
		Value            []map[string]any
		ValidationTokens []string
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	l.mutex.Lock()
	l.received = append(l.received, body.Value...)
	l.tokens = body.ValidationTokens
	l.mutex.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

// take returns what arrived and forgets it.
func (l *listener) take() []map[string]any {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	received := l.received
	l.received, l.posts = nil, nil
	return received
}

func (l *listener) validationTokens() []string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.tokens
}

func (l *listener) attempts() []time.Time {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return append([]time.Time{}, l.posts...)
}

func subscribing(lifetime time.Duration) map[string]any {
	return map[string]any{
		"changeType": "created,updated,deleted", "notificationUrl": "http://gateway.sim/graph?own=1", "resource": "/me/events",
		"expirationDateTime": time.Now().Add(lifetime).UTC().Format(time.RFC3339), "clientState": "shibboleth",
	}
}

// withListener runs a test with a notification endpoint at gateway.sim.
func withListener(t *testing.T, adjust func(*outlook.Config), run func(*testing.T, *world, *listener)) {
	t.Helper()
	inBubble(t, adjust, func(t *testing.T, w *world) {
		l := &listener{}
		defer w.serve("gateway.sim", l)()
		run(t, w, l)
		w.server.Close() // before its endpoint goes
	})
}

func TestSubscriptionLife(t *testing.T) {
	withListener(t, nil, func(t *testing.T, w *world, l *listener) {
		wanted := subscribing(time.Hour)
		wanted["lifecycleNotificationUrl"] = "http://gateway.sim/lifecycle"
		made := w.want(w.call(alice, "POST", "/subscriptions", wanted), 201, "")
		if diff := cmp.Diff([]string{"POST /graph 1 text/plain; charset=utf-8", "POST /lifecycle  text/plain; charset=utf-8"}, l.validations); diff != "" {
			t.Errorf("2.10 validations (-want +got):\n%s", diff)
		}
		for name, want := range map[string]any{
			"clientState": "shibboleth", "resource": "me/events", "changeType": "created,updated,deleted", "expirationDateTime": "2000-01-01T01:00:00Z",
			"applicationId": outlook.DefaultApplication.ID, "creatorId": w.server.Mailbox(alice).Person().ObjectID, "latestSupportedTlsVersion": "v1_2",
		} {
			if made.body[name] != want {
				t.Errorf("2.1 %s: got %v, want %v", name, made.body[name], want)
			}
		}
		path := "/subscriptions/" + made.text("id")
		if seen := w.want(w.call(alice, "GET", path, nil), 200, ""); seen.body["clientState"] != nil {
			t.Errorf("2.8: clientState is shown: %v", seen.body["clientState"])
		}
		w.want(w.call(bob, "GET", path, nil), 404, "ResourceNotFound")
		w.want(w.call(alice, "PATCH", path, map[string]any{"lifecycleNotificationUrl": "http://gateway.sim/x"}), 400, "InvalidRequest")
		renewed := w.want(w.call(alice, "PATCH", path, map[string]any{"expirationDateTime": time.Now().Add(50 * time.Minute).UTC().Format(time.RFC3339)}), 200, "")
		if renewed.text("expirationDateTime") != "2000-01-01T00:50:00Z" {
			t.Errorf("2.12: renewed to %v", renewed.text("expirationDateTime"))
		}
		w.want(w.call(alice, "POST", path+"/reauthorize", nil), 204, "")
		double := w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Minute)), 201, "") // 2.16
		if double.text("expirationDateTime") != "2000-01-01T00:45:00Z" {
			t.Errorf("2.4: raised to %v", double.text("expirationDateTime"))
		}
		if got := len(w.want(w.call(alice, "GET", "/subscriptions", nil), 200, "").values()); got != 2 {
			t.Errorf("2.14: %d listed, want 2", got)
		}
		w.want(w.call(alice, "DELETE", path, nil), 204, "")
		w.want(w.call(alice, "DELETE", path, nil), 404, "ResourceNotFound")
		time.Sleep(45 * time.Minute)
		w.want(w.call(alice, "PATCH", "/subscriptions/"+double.text("id"), map[string]any{"expirationDateTime": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}), 404, "ResourceNotFound")
	})
}

func TestRefusedSubscriptions(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(map[string]any)
		code    string
		message string
	}{
		{"2.3 too long", func(c map[string]any) {
			c["expirationDateTime"] = time.Now().Add(10071 * time.Minute).Format(time.RFC3339)
		}, "ExtensionError", "Operation: Create; Exception: [Status Code: BadRequest; Reason: Subscription expiration can only be 10070 minutes in the future.]"},
		{"in the past", func(c map[string]any) { c["expirationDateTime"] = time.Now().Add(-time.Minute).Format(time.RFC3339) }, "InvalidRequest", ""},
		{"2.18 http", func(c map[string]any) { c["notificationUrl"] = "http://gateway.example/graph" }, "InvalidRequest", ""},
		{"2.5 single event", func(c map[string]any) { c["resource"] = "/me/events/42" }, "ExtensionError", ""},
		{"2.8 long client state", func(c map[string]any) { c["clientState"] = strings.Repeat("x", 129) }, "InvalidRequest", ""},
		{"2.9 change type", func(c map[string]any) { c["changeType"] = "moved" }, "InvalidRequest", ""},
		{"no resource", func(c map[string]any) { delete(c, "resource") }, "InvalidRequest", ""},
		{"unknown property", func(c map[string]any) { c["url"] = "x" }, "BadRequest", ""},
		{"nobody listens", func(c map[string]any) { c["notificationUrl"] = "http://closed.sim/" }, "ValidationError", "Subscription validation request failed. Notification endpoint must respond with 200 OK to validation request."},
	} {
		t.Run(c.name, func(t *testing.T) {
			withListener(t, nil, func(t *testing.T, w *world, _ *listener) {
				wanted := subscribing(time.Hour)
				c.change(wanted)
				given := w.want(w.call(alice, "POST", "/subscriptions", wanted), 400, c.code)
				if c.message != "" && given.message() != c.message {
					t.Errorf("got %q, want %q", given.message(), c.message)
				}
			})
		})
	}
	t.Run("2.6 other mailbox", func(t *testing.T) {
		withListener(t, nil, func(t *testing.T, w *world, _ *listener) {
			wanted := subscribing(time.Hour)
			wanted["resource"] = "/users/" + bob + "/events"
			w.want(w.call(alice, "POST", "/subscriptions", wanted), 403, "ErrorAccessDenied")
		})
	})
	t.Run("2.16 duplicate conflict switch", func(t *testing.T) {
		withListener(t, func(c *outlook.Config) { c.Switches.DuplicateConflict = true }, func(t *testing.T, w *world, _ *listener) {
			w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
			w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 409, "Conflict")
			w.want(w.call(bob, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
		})
	})
}

func TestFailedValidation(t *testing.T) {
	for _, c := range []struct {
		name, message string
		answer        http.HandlerFunc
	}{
		{"forbidden", "Subscription validation request failed. HTTP status code is 'Forbidden'. Notification endpoint must respond with 200 OK to validation request.", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
		}},
		{"202", "Subscription validation request failed. HTTP status code is 'Accepted'. Notification endpoint must respond with 200 OK to validation request.", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
		}},
		{"still encoded", "Subscription validation request failed. The answer must be the validation token as text/plain.", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, strings.TrimPrefix(r.URL.RawQuery, "own=1&validationToken="))
		}},
		{"json", "Subscription validation request failed. The answer must be the validation token as text/plain.", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, r.URL.Query().Get("validationToken"))
		}},
		{"too slow", "Subscription validation request timed out.", func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}},
	} {
		t.Run("2.11 "+c.name, func(t *testing.T) {
			withListener(t, nil, func(t *testing.T, w *world, l *listener) {
				l.validate = c.answer
				started := time.Now()
				given := w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 400, "ValidationError")
				if given.message() != c.message {
					t.Errorf("got %q, want %q", given.message(), c.message)
				}
				if waited := time.Since(started); (waited == 10*time.Second) != (c.name == "too slow") {
					t.Errorf("2.10: waited %v", waited)
				}
				if got := len(w.want(w.call(alice, "GET", "/subscriptions", nil), 200, "").values()); got != 0 {
					t.Errorf("%d subscriptions were made", got)
				}
			})
		})
	}
}

func TestValidationMayCallGraph(t *testing.T) {
	withListener(t, nil, func(t *testing.T, w *world, l *listener) {
		token := w.token(alice)
		l.validate = func(rw http.ResponseWriter, r *http.Request) {
			if given, err := w.try(token, "GET", "/me/events", nil); err != nil || given.status != 200 {
				t.Errorf("2.10: a call during validation got %d, %v", given.status, err)
			}
			rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = io.WriteString(rw, r.URL.Query().Get("validationToken"))
		}
		w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
	})
}

func TestSubscriptionLimit(t *testing.T) {
	withListener(t, func(c *outlook.Config) { c.Switches.LongLivedTokens = true }, func(t *testing.T, w *world, _ *listener) {
		for range 1000 {
			w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
		}
		w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 403, "ExtensionError")
		time.Sleep(2 * time.Hour)
		w.want(w.call(alice, "POST", "/subscriptions", subscribing(time.Hour)), 201, "")
	})
}

func TestPersonWithoutToken(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		if w.server.Mailbox("nobody@x.example") != nil {
			t.Error("a mailbox for nobody")
		}
		if _, err := w.server.Mailbox(alice).Event("42"); err == nil {
			t.Error("an event for a malformed id")
		}
		if _, err := w.server.Mailbox(alice).Create(context.Background(), map[string]any{"subject": "x"}); err == nil {
			t.Error("an event without times")
		}
	})
}
