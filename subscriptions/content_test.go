package subscriptions_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/subscriptions"
)

// manageContent is manage with content encrypted for what certificate names.
func manageContent(t *testing.T, calls *microsoft, records *memory, certificate *string) *subscriptions.Manager {
	t.Helper()
	manager, err := subscriptions.NewManager(subscriptions.Config{
		Calls: calls, Records: records, NotificationURL: address, LifecycleURL: address + "/lifecycle",
		ClientState: func(lane string) (string, error) { return "state of " + lane, nil }, Keys: []string{"k1"},
		Certificate: func(context.Context) (string, error) { return *certificate, nil },
		Gap:         func(context.Context, string) error { records.gaps++; return nil },
		Random:      rand.New(rand.NewPCG(1, 2)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return manager
}

// With content a subscription lives for less than a day, and is one all the same.
func TestASubscriptionWithContentIsRenewedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, calls, records := newManager(t)
		certificate := "c1"
		manager := manageContent(t, calls, records, &certificate)
		for end := time.Now().AddDate(0, 0, 20); time.Now().Before(end); {
			next := ensure(t, manager)
			if left := records.kept[alice.ID].Expires.Sub(next); left < 12*time.Hour {
				t.Fatalf("%s are left when it is renewed, want most of a day", left)
			}
			time.Sleep(time.Until(next))
			if time.Until(end) < 240*time.Hour {
				certificate = "c2"
			}
		}
		if calls.serial != 1 || calls.alive() != 1 || records.gaps != 1 {
			t.Errorf("made %d, %d live, %d gaps; want one of each", calls.serial, calls.alive(), records.gaps)
		}
		if got := records.kept[alice.ID].Certificate; got != "c2" || calls.certificates["s1"] != "c2" {
			t.Errorf("encrypted for %q as recorded and %q in truth, want c2", got, calls.certificates["s1"])
		}
	})
}

// Whether there is content cannot be changed: such a subscription is made anew when
// it is due, and never missing.
func TestContentIsSwitchedOnAndOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		due := ensure(t, manager)
		certificate := "c1"
		for index, want := range []string{"c1", ""} {
			certificate = want
			manager = manageContent(t, calls, records, &certificate)
			if next := ensure(t, manager, reconciler.SignalStarted); !next.Equal(due) {
				t.Errorf("looked at again at %s, want %s", next, due)
			}
			time.Sleep(time.Until(due))
			due = ensure(t, manager)
			if got := records.kept[alice.ID]; got.Certificate != want || calls.certificates[got.ID] != want || calls.serial != index+2 || calls.alive() != 1 || calls.least != 1 {
				t.Errorf("kept %+v of %d made, %d live and %d at least; want one always, with certificate %q", got, calls.serial, calls.alive(), calls.least, want)
			}
		}
	})
}
