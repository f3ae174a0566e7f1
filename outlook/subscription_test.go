package outlook_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
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
