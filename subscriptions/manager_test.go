package subscriptions_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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
	live   []subscriptions.Subscription
	states map[string]string
	// certificates are what the content of each one's notifications is encrypted for.
	certificates map[string]string
	serial       int
	// failing fails every call; unmakable and undeletable fail only the makings and
	// the deletions.
	failing, unmakable, undeletable error
	// life is granted instead of what is asked for; token is how long the token
	// of a call is valid; single refuses a second subscription.
	life, token time.Duration
	single      bool
	// least is the smallest number of live subscriptions since the first.
	least   int
	renewed int
	created []time.Time
}

// longest is the life that Microsoft allows.
func longest(certificate string) time.Duration {
	if certificate != "" {
		return 1_440 * time.Minute
	}
	return 10_070 * time.Minute
}

func (m *microsoft) granted(asked time.Time) (expires, authorized time.Time) {
	if m.life > 0 {
		asked = time.Now().Add(m.life)
	}
	if m.token > 0 {
		authorized = time.Now().Add(m.token)
	}
	return asked, authorized
}

func (m *microsoft) Create(_ context.Context, _ reconciler.Member, request subscriptions.Request) (subscriptions.Subscription, error) {
	if err := errors.Join(m.failing, m.unmakable); err != nil {
		return subscriptions.Subscription{}, err
	}
	if m.single && m.alive() > 0 {
		return subscriptions.Subscription{}, fmt.Errorf("409: %w", subscriptions.ErrConflict)
	}
	if latest := time.Now().Add(longest(request.Certificate)); request.Expires.After(latest) {
		return subscriptions.Subscription{}, fmt.Errorf("asked for a life until %s, want at most until %s", request.Expires, latest)
	}
	m.serial++
	made := subscriptions.Subscription{ID: fmt.Sprint("s", m.serial), NotificationURL: request.NotificationURL}
	made.Expires, made.Authorized = m.granted(request.Expires)
	m.states[made.ID] = request.ClientState
	m.certificates[made.ID] = request.Certificate
	m.live = append(m.live, made)
	m.created = append(m.created, time.Now())
	if m.serial == 1 {
		m.least = 1
	}
	return made, nil
}

func (m *microsoft) Renew(_ context.Context, _ reconciler.Member, id string, expires time.Time, certificate string) (subscriptions.Subscription, error) {
	if m.failing != nil {
		return subscriptions.Subscription{}, m.failing
	}
	for index := range m.live {
		if m.live[index].ID == id && m.live[index].Expires.After(time.Now()) {
			if latest := time.Now().Add(longest(certificate)); expires.After(latest) || (certificate == "") != (m.certificates[id] == "") {
				return subscriptions.Subscription{}, fmt.Errorf("400: until %s with certificate %q in place of %q", expires, certificate, m.certificates[id])
			}
			m.certificates[id] = certificate
			m.renewed++
			m.live[index].Expires, m.live[index].Authorized = m.granted(expires)
			return m.live[index], nil
		}
	}
	return subscriptions.Subscription{}, fmt.Errorf("404: %w", reconciler.ErrGone)
}

func (m *microsoft) Delete(_ context.Context, _ reconciler.Member, id string) error {
	if err := errors.Join(m.failing, m.undeletable); err != nil {
		return err
	}
	m.live = slices.DeleteFunc(m.live, func(s subscriptions.Subscription) bool { return s.ID == id })
	m.least = min(m.least, m.alive())
	return nil
}

func (m *microsoft) List(context.Context, reconciler.Member) ([]subscriptions.Subscription, error) {
	return slices.Clone(m.live), m.failing
}

func (m *microsoft) ids() []string {
	ids := []string{}
	for _, live := range m.live {
		ids = append(ids, live.ID)
	}
	return ids
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

// manage makes a manager of the gateway at an address, with these keys.
func manage(t *testing.T, calls *microsoft, records *memory, at string, keys ...string) *subscriptions.Manager {
	t.Helper()
	manager, err := subscriptions.NewManager(subscriptions.Config{
		Calls: calls, Records: records, NotificationURL: at, LifecycleURL: at + "/lifecycle",
		ClientState: func(lane string) (string, error) { return "state of " + lane, nil }, Keys: keys,
		Gap:    func(context.Context, string) error { records.gaps++; return nil },
		Random: rand.New(rand.NewPCG(1, 2)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return manager
}

func newManager(t *testing.T) (*subscriptions.Manager, *microsoft, *memory) {
	t.Helper()
	calls, records := &microsoft{states: map[string]string{}, certificates: map[string]string{}}, &memory{kept: map[string]subscriptions.Subscription{}}
	return manage(t, calls, records, address, "k1"), calls, records
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
			next, err := manager.Ensure(t.Context(), alice, reconciler.Item{Key: reconciler.KeySubscription})
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

// ensure has the subscription looked after because of a signal.
func ensure(t *testing.T, manager *subscriptions.Manager, signal ...string) time.Time {
	t.Helper()
	next, err := manager.Ensure(t.Context(), alice, item(signal...))
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func item(signal ...string) reconciler.Item {
	return reconciler.Item{Key: reconciler.KeySubscription, Version: strings.Join(signal, " ")}
}

// TestTrap13_4TheTokenBehindASubscriptionIsNeverLeftToEnd: delivery stops with
// the token, and personal accounts (4.9, 13.17) send no word about it before.
func TestTrap13_4TheTokenBehindASubscriptionIsNeverLeftToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		calls.token = time.Hour
		for end := time.Now().AddDate(0, 0, 3); time.Now().Before(end); {
			time.Sleep(time.Until(ensure(t, manager)))
			if left := time.Until(calls.live[0].Authorized); left < 5*time.Minute {
				t.Fatalf("%s are left of the token at the renewal, want 5 minutes or more", left)
			}
		}
		if calls.renewed < 3*24 || calls.renewed > 3*36 {
			t.Errorf("%d renewals in three days of hourly tokens, want 24 to 36 a day", calls.renewed)
		}
		if records.gaps != 1 || calls.serial != 1 {
			t.Errorf("gaps %d, made %d; want one of each, at the start", records.gaps, calls.serial)
		}
	})
}

func TestAPauseOfDeliveryIsSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		calls.token = time.Hour
		ensure(t, manager)
		time.Sleep(2 * time.Hour)
		ensure(t, manager)
		if records.gaps != 2 || calls.serial != 1 {
			t.Errorf("gaps %d, made %d; want 2 (the start and the pause) and 1", records.gaps, calls.serial)
		}
	})
}

func TestReauthorizationIsGivenAtOnceAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		ensure(t, manager)
		time.Sleep(20 * time.Minute)
		for range 3 {
			ensure(t, manager, reconciler.SignalReauthorize, "s1")
		}
		if calls.renewed != 1 || records.gaps != 1 {
			t.Errorf("%d renewals, %d gaps; want 1 of each", calls.renewed, records.gaps)
		}
		time.Sleep(20 * time.Minute)
		due := records.kept[alice.ID].Due
		if next := ensure(t, manager, reconciler.SignalReauthorize, "another"); !next.Equal(due) || calls.renewed != 1 {
			t.Errorf("a word about a subscription that is not ours: next %s, %d renewals; want %s and 1", next, calls.renewed, due)
		}
	})
}

// TestASilentSubscriptionIsFoundGone: a change that no notification told of was
// found, and Microsoft had removed the subscription without saying so.
func TestASilentSubscriptionIsFoundGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		ensure(t, manager)
		time.Sleep(20 * time.Minute)
		calls.live = nil
		gaps := records.gaps
		ensure(t, manager, reconciler.SignalSilent, "")
		if len(calls.live) != 1 || records.gaps != gaps+1 {
			t.Errorf("live subscriptions: %d, sweeps of the gap: %d; want 1 of each", len(calls.live), records.gaps-gaps)
		}
	})
}

func TestAWordAboutAFormerSubscriptionChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		ensure(t, manager)
		calls.live = nil
		time.Sleep(time.Minute)
		for range 3 { // it comes twice and again
			ensure(t, manager, reconciler.SignalRemoved, "s1")
		}
		if got := calls.ids(); !slices.Equal(got, []string{"s2"}) || records.gaps != 2 || calls.renewed != 0 {
			t.Errorf("live %v, gaps %d, renewed %d; want s2, 2, 0", got, records.gaps, calls.renewed)
		}
	})
}

// Of two removals of one mailbox the last word may be about the other subscription.
func TestARemovalOfAnotherSubscriptionHasOursLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		ensure(t, manager)
		ensure(t, manager, reconciler.SignalRemoved, "another")
		if got := calls.ids(); !slices.Equal(got, []string{"s1"}) || records.gaps != 1 || calls.renewed != 0 {
			t.Errorf("live %v, gaps %d, renewed %d; want s1, 1, 0", got, records.gaps, calls.renewed)
		}
		calls.live = nil
		ensure(t, manager, reconciler.SignalRemoved, "another")
		if got := calls.ids(); !slices.Equal(got, []string{"s2"}) || records.gaps != 2 {
			t.Errorf("live %v, gaps %d; want s2, 2", got, records.gaps)
		}
	})
}

// Also when its renewal is overdue, as after an outage, ours is looked for.
func TestARemovalOfAnotherSubscriptionWhileTheRenewalIsOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, _ := newManager(t)
		next := ensure(t, manager)
		time.Sleep(time.Until(next) + time.Hour)
		calls.live = nil
		next = ensure(t, manager, reconciler.SignalRemoved, "another")
		if got := calls.ids(); !slices.Equal(got, []string{"s2"}) {
			t.Errorf("live %v, want s2; next look in %s", got, time.Until(next))
		}
	})
}

func TestARemovalThatNobodyHeardOfIsFoundAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		ensure(t, manager)
		calls.live = nil
		ensure(t, manager, reconciler.SignalStarted)
		if got := calls.ids(); !slices.Equal(got, []string{"s2"}) || records.gaps != 2 {
			t.Errorf("live %v, gaps %d; want s2, 2", got, records.gaps)
		}
	})
}

func TestARemovalThatIsNotTrueIsSweptAllTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		ensure(t, manager)
		ensure(t, manager, reconciler.SignalRemoved, "s1")
		if calls.serial != 1 || records.gaps != 2 {
			t.Errorf("made %d, gaps %d; want 1, 2", calls.serial, records.gaps)
		}
	})
}

func TestAReconnectedPersonsTokenIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, _ := newManager(t)
		ensure(t, manager, reconciler.SignalConnected)
		ensure(t, manager, reconciler.SignalConnected)
		if calls.serial != 1 || calls.renewed != 1 {
			t.Errorf("made %d, renewed %d; want 1, 1", calls.serial, calls.renewed)
		}
	})
}

func TestWhatMicrosoftDroppedIsMadeAnewAndTheGapSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		next := ensure(t, manager)
		calls.live = nil
		time.Sleep(time.Until(next))
		ensure(t, manager)
		if calls.alive() != 1 || records.gaps != 2 || records.kept[alice.ID].ID != "s2" {
			t.Errorf("live %d, gaps %d, kept %q; want 1, 2, s2", calls.alive(), records.gaps, records.kept[alice.ID].ID)
		}
	})
}

// TestTrap13_19StraysGoAndForeignSubscriptionsStay: they cannot be filtered, and
// duplicates are accepted.
func TestTrap13_19StraysGoAndForeignSubscriptionsStay(t *testing.T) {
	for name, signal := range map[string]string{"at the first": reconciler.SignalConnected, "at a start": reconciler.SignalStarted} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				manager, calls, _ := newManager(t)
				want := []string{"foreign", "s1"}
				if signal == reconciler.SignalStarted {
					ensure(t, manager)
					want = []string{"s1", "foreign"}
				}
				later := time.Now().Add(time.Hour)
				calls.live = append(calls.live,
					subscriptions.Subscription{ID: "stray", NotificationURL: address, Expires: later},
					subscriptions.Subscription{ID: "foreign", NotificationURL: "https://other.example/webhooks/graph", Expires: later})
				ensure(t, manager, signal)
				if got := calls.ids(); !slices.Equal(got, want) {
					t.Errorf("subscriptions %v, want %v", got, want)
				}
				if calls.renewed != 0 {
					t.Errorf("%d renewals, want none before the time", calls.renewed)
				}
				if err := manager.Remove(t.Context(), alice); err != nil {
					t.Fatal(err)
				}
				if got := calls.ids(); !slices.Equal(got, []string{"foreign"}) {
					t.Errorf("after removal there is %v, want the foreign one only", got)
				}
			})
		})
	}
}

func TestAMovedGatewayIsSubscribedUnderItsNewAddressWithoutAGap(t *testing.T) {
	for _, single := range []bool{false, true} {
		t.Run(fmt.Sprintf("single=%v", single), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				manager, calls, records := newManager(t)
				ensure(t, manager)
				calls.single = single
				moved := manage(t, calls, records, "https://new.example/webhooks/graph", "k1")
				ensure(t, moved, reconciler.SignalStarted)
				if got := calls.live; len(got) != 1 || got[0].NotificationURL != "https://new.example/webhooks/graph" {
					t.Errorf("live %+v, want one at the new address", got)
				}
				if got := records.kept[alice.ID]; got.ID != "s2" || len(got.Former) != 0 || records.gaps != 2 {
					t.Errorf("kept %+v, gaps %d; want s2, nothing former, 2", got, records.gaps)
				}
				// Where Microsoft allows two, there was one at every moment.
				if want := map[bool]int{false: 1, true: 0}[single]; calls.least != want {
					t.Errorf("at least %d subscriptions at every moment, want %d", calls.least, want)
				}
			})
		})
	}
}

// Microsoft may carry out a request whose caller has given up, and after the next
// one: nobody ever tells the gateway of that subscription.
func TestASubscriptionThatWasMadeLateGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		calls.unmakable = &reconciler.RetryError{Cause: "outlook_timeout", Err: context.DeadlineExceeded}
		if _, err := manager.Ensure(t.Context(), alice, item(reconciler.SignalConnected)); err == nil {
			t.Fatal("no error, want one that has it tried again")
		}
		calls.unmakable = nil
		time.Sleep(10 * time.Second)
		again := ensure(t, manager)
		if wait := time.Until(again); wait > 10*time.Minute {
			t.Errorf("wants to be called again after %s, want it soon after what came of the first request is settled", wait)
		}
		calls.live = append(calls.live, subscriptions.Subscription{ID: "late", NotificationURL: address, Expires: time.Now().Add(time.Hour)})
		time.Sleep(time.Until(again))
		again = ensure(t, manager)
		if got := calls.ids(); !slices.Equal(got, []string{"s1"}) || calls.renewed != 0 {
			t.Errorf("live %v, renewed %d; want s1 and 0", got, calls.renewed)
		}
		if kept := records.kept[alice.ID]; kept.Unsearched || !kept.Asked.IsZero() || !again.Equal(kept.Due) {
			t.Errorf("kept %+v and called again at %s, want nothing left to look for", kept, again)
		}
	})
}

func TestWhatCouldNotBeTakenAwayGoesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		ensure(t, manager)
		calls.undeletable = &reconciler.RetryError{Cause: "outlook_unavailable"}
		moved := manage(t, calls, records, "https://new.example/webhooks/graph", "k1")
		if _, err := moved.Ensure(t.Context(), alice, item(reconciler.SignalStarted)); err == nil {
			t.Error("no error, want one that has it tried again")
		}
		if got := records.kept[alice.ID].ID; got != "s2" {
			t.Errorf("kept %s, want the new one in spite of the failure", got)
		}
		calls.undeletable = nil
		time.Sleep(time.Minute)
		ensure(t, moved)
		if got := calls.ids(); !slices.Equal(got, []string{"s2"}) || calls.renewed != 0 {
			t.Errorf("live %v, renewed %d; want s2 and 0", got, calls.renewed)
		}
	})
}

// A client state cannot be changed, and one under a key that is no longer
// accepted would have every notification dropped.
func TestAFormerKeysSubscriptionIsMadeAnewInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		due := ensure(t, manager)
		rotated := manage(t, calls, records, address, "k2", "k1")
		if next := ensure(t, rotated, reconciler.SignalStarted); !next.Equal(due) || calls.serial != 1 {
			t.Errorf("next %s, made %d; want %s and 1: the former key is still accepted", next, calls.serial, due)
		}
		time.Sleep(time.Until(due))
		ensure(t, rotated)
		if got := records.kept[alice.ID]; got.ID != "s2" || got.Key != "k2" || calls.least != 1 || calls.alive() != 1 {
			t.Errorf("kept %+v, at least %d live, now %d; want s2 under k2, always one", got, calls.least, calls.alive())
		}
		replaced := manage(t, calls, records, address, "k3")
		ensure(t, replaced, reconciler.SignalStarted)
		if got := records.kept[alice.ID]; got.ID != "s3" || got.Key != "k3" {
			t.Errorf("kept %+v, want s3 under k3 at once: nobody accepts k2 any more", got)
		}
	})
}

func TestTroubleIsReportedAndNothingIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		time.Sleep(time.Until(ensure(t, manager)))
		before := fmt.Sprint(records.kept[alice.ID])
		calls.failing = &reconciler.RetryError{Cause: "throttled", After: 7 * time.Hour}
		_, err := manager.Ensure(t.Context(), alice, item())
		var retry *reconciler.RetryError
		if !errors.As(err, &retry) || retry.After != 7*time.Hour || retry.Cause != "throttled" {
			t.Errorf("error %v, want the retry that Microsoft asked for", err)
		}
		if got := fmt.Sprint(records.kept[alice.ID]); got != before {
			t.Errorf("kept %s, want %s", got, before)
		}
		calls.failing = fmt.Errorf("a grant that is over: %w", reconciler.ErrReconnect)
		if _, err = manager.Ensure(t.Context(), alice, item()); !errors.Is(err, reconciler.ErrReconnect) || errors.As(err, &retry) {
			t.Errorf("error %v, want the need to connect again as it is", err)
		}
	})
}

// pauses makes attempts that fail until the end and returns the waits.
func pauses(t *testing.T, manager *subscriptions.Manager, end time.Time) []time.Duration {
	t.Helper()
	var waits []time.Duration
	for attempts := 0; time.Now().Before(end); attempts++ {
		again := item()
		again.Attempts = attempts
		_, err := manager.Ensure(t.Context(), alice, again)
		var retry *reconciler.RetryError
		if !errors.As(err, &retry) || retry.After <= 0 {
			t.Fatalf("error %v, want one that says when to try again", err)
		}
		waits = append(waits, retry.After)
		time.Sleep(retry.After)
	}
	return waits
}

// What is recorded of a subscription that is gone must not put the next attempt off:
// nothing is delivered meanwhile.
func TestASubscriptionThatIsGoneIsReplacedSoonAfterAnOutage(t *testing.T) {
	down := &reconciler.RetryError{Cause: "outlook_unavailable"}
	for name, one := range map[string]struct {
		signal []string
		fail   func(*microsoft)
	}{
		"Microsoft says so":           {[]string{reconciler.SignalRemoved, "s1"}, func(calls *microsoft) { calls.failing = down }},
		"it is found at the renewal":  {nil, func(calls *microsoft) { calls.unmakable = down }},
		"it is missing after a start": {[]string{reconciler.SignalStarted}, func(calls *microsoft) { calls.unmakable = down }},
		// The token behind it may have ended long before.
		"the person has signed in again": {[]string{reconciler.SignalConnected}, func(calls *microsoft) { calls.failing = down }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				manager, calls, _ := newManager(t)
				due := ensure(t, manager)
				if one.signal == nil {
					time.Sleep(time.Until(due))
				}
				calls.live = nil
				one.fail(calls)
				again := item(one.signal...)
				again.Attempts = 12
				_, err := manager.Ensure(t.Context(), alice, again)
				var retry *reconciler.RetryError
				if !errors.As(err, &retry) || retry.Cause != down.Cause || retry.After > 5*time.Minute {
					t.Errorf("error %v, want one that has it tried again within 5 minutes", err)
				}
			})
		})
	}
}

func TestFailuresAreTriedAgainAsFastAsTheLifeThatIsLeftNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, records := newManager(t)
		time.Sleep(time.Until(ensure(t, manager)))
		calls.failing = &reconciler.RetryError{Cause: "outlook_unavailable"}
		expires := records.kept[alice.ID].Expires
		waits := pauses(t, manager, expires.Add(12*time.Hour))
		if waits[0] > 30*time.Second {
			t.Errorf("the first pause is %s, want 30 s at most", waits[0])
		}
		at := expires.Add(12 * time.Hour)
		last := waits[len(waits)-1]
		if last > 5*time.Minute {
			t.Errorf("without a subscription it is tried every %s, want every 5 minutes at least", last)
		}
		before := 0
		for _, wait := range waits {
			if wait > 6*time.Hour {
				t.Errorf("a pause of %s, want 6 h at most", wait)
			}
			if wait > 5*time.Minute {
				before++
			}
		}
		if total := len(waits); total > 400 || before < 20 {
			t.Errorf("%d attempts, %d of them at leisure; want at most 400 and 20 or more until %s", total, before, at)
		}
		// The service comes back: the person has a subscription within minutes.
		calls.failing = nil
		again := item()
		again.Attempts = len(waits)
		if _, err := manager.Ensure(t.Context(), alice, again); err != nil || calls.alive() != 1 {
			t.Errorf("error %v, %d live; want none and 1", err, calls.alive())
		}
	})
}

func TestWhatIsRefusedIsNotTriedEveryFewMinutesForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, _ := newManager(t)
		calls.failing = errors.New("Graph answered 403 ExtensionError")
		if waits := pauses(t, manager, time.Now().AddDate(0, 0, 1)); len(waits) > 40 || waits[len(waits)-1] > time.Hour {
			t.Errorf("%d attempts in a day, the last after %s; want at most 40, an hour at most", len(waits), waits[len(waits)-1])
		}
	})
}

func TestAShortLifeIsRenewedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		manager, calls, _ := newManager(t)
		calls.life = time.Hour
		time.Sleep(time.Until(ensure(t, manager)))
		next := ensure(t, manager)
		if wait := time.Until(next); wait > 24*time.Minute || wait < 16*time.Minute {
			t.Errorf("renewal in %s, want about 20 minutes for a life of an hour", wait)
		}
	})
}
