package subscriptions_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/subscriptions"
)

const address = "https://gateway.example/webhooks/graph"

var alice = reconciler.Member{ID: "6", UserID: 6}

// microsoft is Microsoft's side, in memory.
type microsoft struct {
	live    []subscriptions.Subscription
	states  map[string]string
	serial  int
	failing error
	life    time.Duration
}

func (m *microsoft) Create(_ context.Context, _ reconciler.Member, request subscriptions.Request) (subscriptions.Subscription, error) {
	if m.failing != nil {
		return subscriptions.Subscription{}, m.failing
	}
	m.serial++
	made := subscriptions.Subscription{ID: fmt.Sprint("s", m.serial), NotificationURL: request.NotificationURL, Expires: request.Expires}
	if m.life > 0 {
		made.Expires = time.Now().Add(m.life)
	}
	m.states[made.ID] = request.ClientState
	m.live = append(m.live, made)
	return made, nil
}

func (m *microsoft) Renew(_ context.Context, _ reconciler.Member, id string, expires time.Time) (subscriptions.Subscription, error) {
	if m.failing != nil {
		return subscriptions.Subscription{}, m.failing
	}
	for index := range m.live {
		if m.live[index].ID == id && m.live[index].Expires.After(time.Now()) {
			m.live[index].Expires = expires
			return m.live[index], nil
		}
	}
	return subscriptions.Subscription{}, fmt.Errorf("404: %w", reconciler.ErrGone)
}

func (m *microsoft) Delete(_ context.Context, _ reconciler.Member, id string) error {
	m.live = slices.DeleteFunc(m.live, func(s subscriptions.Subscription) bool { return s.ID == id })
	return m.failing
}

func (m *microsoft) List(context.Context, reconciler.Member) ([]subscriptions.Subscription, error) {
	return slices.Clone(m.live), m.failing
}

// memory is the store.
type memory struct {
	kept map[string]subscriptions.Subscription
	gaps int
}

func (m *memory) Subscription(_ context.Context, lane string) (subscriptions.Subscription, error) {
	return m.kept[lane], nil
}

func (m *memory) SaveSubscription(_ context.Context, lane string, subscription subscriptions.Subscription) error {
	m.kept[lane] = subscription
	return nil
}

func newManager(t *testing.T) (*subscriptions.Manager, *microsoft, *memory) {
	t.Helper()
	calls, records := &microsoft{states: map[string]string{}}, &memory{kept: map[string]subscriptions.Subscription{}}
	manager, err := subscriptions.NewManager(subscriptions.Config{
		Calls: calls, Records: records, NotificationURL: address, LifecycleURL: address + "/lifecycle",
		ClientState: func(lane string) (string, error) { return "state of " + lane, nil },
		Gap:         func(context.Context, string) error { records.gaps++; return nil },
		Random:      rand.New(rand.NewPCG(1, 2)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return manager, calls, records
}

// alive counts the subscriptions that still deliver.
func (m *microsoft) alive() int {
	return len(slices.DeleteFunc(slices.Clone(m.live), func(s subscriptions.Subscription) bool { return !s.Expires.After(time.Now()) }))
}

func TestTenWeeksHaveOneLiveSubscriptionAtEveryMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		end := time.Now().AddDate(0, 0, 70)
		renewals := 0
		for time.Now().Before(end) {
			next, err := manager.Ensure(t.Context(), alice)
			if err != nil {
				t.Fatal(err)
			}
			renewals++
			if got := calls.alive(); got != 1 {
				t.Fatalf("%d live subscriptions, want 1", got)
			}
			time.Sleep(time.Until(next) - time.Second)
			if got := calls.alive(); got != 1 {
				t.Fatalf("%d live subscriptions just before the renewal, want 1", got)
			}
			time.Sleep(time.Second)
		}
		if renewals < 25 || renewals > 40 {
			t.Errorf("%d renewals in ten weeks, want one about every 2.3 days", renewals)
		}
		if records.gaps != 1 || calls.serial != 1 {
			t.Errorf("gaps %d, subscriptions made %d; want one of each, at the start", records.gaps, calls.serial)
		}
		if got, want := calls.states["s1"], "state of 6"; got != want {
			t.Errorf("client state %q, want %q", got, want)
		}
	})
}

func TestWhatMicrosoftDroppedIsMadeAnewAndTheGapSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		ensure(t, manager)
		calls.live = nil
		ensure(t, manager)
		if calls.alive() != 1 || records.gaps != 2 || records.kept[alice.ID].ID != "s2" {
			t.Errorf("live %d, gaps %d, kept %q; want 1, 2, s2", calls.alive(), records.gaps, records.kept[alice.ID].ID)
		}
	})
}

func TestStraysGoAndForeignSubscriptionsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, _ := newManager(t)
		later := time.Now().Add(time.Hour)
		calls.live = []subscriptions.Subscription{
			{ID: "stray", NotificationURL: address, Expires: later},
			{ID: "foreign", NotificationURL: "https://other.example", Expires: later},
		}
		ensure(t, manager)
		var ids []string
		for _, live := range calls.live {
			ids = append(ids, live.ID)
		}
		if want := []string{"foreign", "s1"}; !slices.Equal(ids, want) {
			t.Errorf("subscriptions %v, want %v", ids, want)
		}
		if err := manager.Remove(t.Context(), alice); err != nil {
			t.Fatal(err)
		}
		if len(calls.live) != 1 || calls.live[0].ID != "foreign" {
			t.Errorf("after removal there is %v, want the foreign one only", calls.live)
		}
	})
}

func TestAMovedGatewayIsSubscribedUnderItsNewAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		records.kept[alice.ID] = subscriptions.Subscription{ID: "old", NotificationURL: "https://former.example", Expires: time.Now().Add(time.Hour)}
		ensure(t, manager)
		if got := records.kept[alice.ID]; got.ID != "s1" || got.NotificationURL != address {
			t.Errorf("kept %+v, want a new one at %s", got, address)
		}
		if calls.serial != 1 {
			t.Errorf("%d made, want 1", calls.serial)
		}
	})
}

func TestTroubleIsReportedAndNothingIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		ensure(t, manager)
		before := records.kept[alice.ID]
		calls.failing = &reconciler.RetryError{Cause: "throttled"}
		var retry *reconciler.RetryError
		if _, err := manager.Ensure(t.Context(), alice); !errors.As(err, &retry) {
			t.Errorf("error %v, want the retry that Microsoft asked for", err)
		}
		if got := records.kept[alice.ID]; got != before {
			t.Errorf("kept %+v, want %+v", got, before)
		}
	})
}

func TestAShortLifeIsRenewedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, _ := newManager(t)
		calls.life = time.Hour
		next := ensure(t, manager)
		if wait := time.Until(next); wait > 25*time.Minute || wait < 15*time.Minute {
			t.Errorf("renewal in %s, want about 20 minutes for a life of an hour", wait)
		}
	})
}

func ensure(t *testing.T, manager *subscriptions.Manager) time.Time {
	t.Helper()
	next, err := manager.Ensure(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	return next
}
