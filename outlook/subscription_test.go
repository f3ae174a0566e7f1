package outlook_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/subscriptions"
	sim "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// hearing is the gateway's side of the validation handshake, in place of it.
func hearing(status int, err error) func(*sim.Config) {
	return func(config *sim.Config) {
		config.Transport = roundTripper(func(request *http.Request) (*http.Response, error) {
			if err != nil {
				return nil, err
			}
			return &http.Response{
				StatusCode: status, Header: http.Header{"Content-Type": {"text/plain"}}, Request: request,
				Body: io.NopCloser(strings.NewReader(request.URL.Query().Get("validationToken"))),
			}, nil
		})
	}
}

func subscribe(w *world, life time.Duration) (outlook.Subscription, error) {
	return w.client.CreateSubscription(w.Context(), alice, outlook.SubscriptionRequest{
		NotificationURL: "https://gateway.example/webhooks/graph", LifecycleURL: "https://gateway.example/webhooks/graph/lifecycle",
		ClientState: "state", Expires: time.Now().Add(life),
	})
}

func TestASubscriptionTellsUntilWhenItIsAuthorized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, hearing(http.StatusOK, nil))
		made, err := subscribe(w, 7*24*time.Hour-time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(made.Authorized); left < 45*time.Minute || left > 90*time.Minute {
			t.Errorf("authorized for %s, want what is left of the token, 45 to 90 minutes", left)
		}
		time.Sleep(40 * time.Minute)
		renewed, err := w.client.RenewSubscription(t.Context(), alice, made.ID, time.Now().Add(100*time.Hour), nil)
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(renewed.Authorized); left < 45*time.Minute || left > 90*time.Minute {
			t.Errorf("authorized for %s after the renewal, want a fresh token's 45 to 90 minutes", left)
		}
		if want := w.sim.Delivering()[alice.Address]; !renewed.Authorized.Round(time.Second).Equal(want.Round(time.Second)) {
			t.Errorf("authorized until %s, want %s: what Microsoft delivers with", renewed.Authorized, want)
		}
	})
}

// A way to the gateway that is out for a while is no reason to give up on the
// subscription (2.11).
func TestASubscriptionThatCouldNotBeValidatedIsWorthAnotherTry(t *testing.T) {
	for name, hearing := range map[string]func(*sim.Config){
		"no way": hearing(0, errors.New("no route")), "an error page": hearing(http.StatusBadGateway, nil),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := subscribe(newWorld(t, hearing), 24*time.Hour)
				var retry *reconciler.RetryError
				if !errors.As(err, &retry) || retry.Cause != "gateway_unreachable" {
					t.Errorf("error %v, want a reason to try again", err)
				}
			})
		})
	}
	t.Run("asked for too long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			_, err := subscribe(newWorld(t, hearing(http.StatusOK, nil)), 8*24*time.Hour)
			var retry *reconciler.RetryError
			if err == nil || errors.As(err, &retry) {
				t.Errorf("error %v, want a refusal that trying again does not mend", err)
			}
		})
	})
}

// looked has a mailbox looked after with the client under test, for one lane.
type looked struct {
	client *outlook.Client
	kept   subscriptions.Subscription
}

func (l *looked) Create(ctx context.Context, member reconciler.Member, request subscriptions.Request) (subscriptions.Subscription, error) {
	made, err := l.client.CreateSubscription(ctx, member, outlook.SubscriptionRequest{
		NotificationURL: request.NotificationURL, LifecycleURL: request.LifecycleURL, ClientState: request.ClientState, Expires: request.Expires,
	})
	return l.translated(made), err
}

func (l *looked) Renew(ctx context.Context, member reconciler.Member, id string, expires time.Time, _ string) (subscriptions.Subscription, error) {
	renewed, err := l.client.RenewSubscription(ctx, member, id, expires, nil)
	return l.translated(renewed), err
}

func (l *looked) Delete(ctx context.Context, member reconciler.Member, id string) error {
	return l.client.DeleteSubscription(ctx, member, id)
}

func (l *looked) List(ctx context.Context, member reconciler.Member) ([]subscriptions.Subscription, error) {
	listed, err := l.client.Subscriptions(ctx, member)
	var found []subscriptions.Subscription
	for _, one := range listed {
		found = append(found, l.translated(one))
	}
	return found, err
}

func (l *looked) Subscription(context.Context, string) (subscriptions.Subscription, error) {
	return l.kept, nil
}

func (l *looked) SaveSubscription(_ context.Context, _ string, subscription subscriptions.Subscription) error {
	l.kept = subscription
	return nil
}

func (l *looked) translated(one outlook.Subscription) subscriptions.Subscription {
	return subscriptions.Subscription{ID: one.ID, NotificationURL: one.NotificationURL, Expires: one.Expires, Authorized: one.Authorized}
}

// A second subscription, which nobody knows of, would tell of every change again for
// a week.
func TestASubscriptionWhoseAnswerIsLostIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		w := newWorld(t, func(config *sim.Config) {
			hearing(http.StatusOK, nil)(config)
			config.Faults = func(call sim.CallInfo) *sim.Fault {
				if call.Method == http.MethodPost && call.Template == "/subscriptions" && asked.Add(1) == 1 {
					return &sim.Fault{AfterCommit: true, Drop: true}
				}
				return nil
			}
		})
		mailbox := &looked{client: w.client}
		manager, err := subscriptions.NewManager(subscriptions.Config{
			Calls: mailbox, Records: mailbox, NotificationURL: "https://gateway.example/webhooks/graph", LifecycleURL: "https://gateway.example/webhooks/graph/lifecycle",
			ClientState: func(string) (string, error) { return "state", nil }, Gap: func(context.Context, string) error { return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		live := func() []outlook.Subscription {
			t.Helper()
			listed, err := w.client.Subscriptions(t.Context(), alice)
			if err != nil {
				t.Fatal(err)
			}
			return listed
		}
		var retry *reconciler.RetryError
		if _, err := manager.Ensure(t.Context(), alice, reconciler.Item{}); !errors.As(err, &retry) {
			t.Fatalf("error %v, want a reason to try again", err)
		}
		if there := live(); asked.Load() != 1 || len(there) != 1 {
			t.Errorf("asked %d times, %d subscriptions, want one and one", asked.Load(), len(there))
		}
		time.Sleep(retry.After)
		if _, err := manager.Ensure(t.Context(), alice, reconciler.Item{Attempts: 1}); err != nil {
			t.Fatal(err)
		}
		if there := live(); len(there) != 1 || there[0].ID != mailbox.kept.ID {
			t.Errorf("subscriptions %v, want the one that is known: %s", there, mailbox.kept.ID)
		}
	})
}
