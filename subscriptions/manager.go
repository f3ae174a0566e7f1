package subscriptions

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Subscription is one subscription as Microsoft has it and as the gateway
// remembers it.
type Subscription struct {
	ID              string    `json:"id"`
	NotificationURL string    `json:"notification_url"`
	Expires         time.Time `json:"expires"`
	// Authorized is when the token ends that Microsoft delivers with; zero when
	// that is not known.
	Authorized time.Time `json:"authorized,omitzero"`

	// Key names the key that the client state was made with.
	Key string `json:"key,omitempty"`
	// Certificate names what the content of its notifications is encrypted for;
	// empty for notifications without content.
	Certificate string `json:"certificate,omitempty"`
	// Renewed is when it was made or renewed last, Due when it is to be next.
	Renewed time.Time `json:"renewed,omitzero"`
	Due     time.Time `json:"due,omitzero"`
	// Former are subscriptions of ours that are still to be taken away; Unsearched
	// says that there may be others, which nobody remembers.
	Former     []string `json:"former,omitempty"`
	Unsearched bool     `json:"unsearched,omitempty"`
	// Asked is when a subscription was asked for and nobody knows what came of it:
	// Microsoft may still make it, after the caller has given up.
	Asked time.Time `json:"asked,omitzero"`
}

// ends is when delivery stops if nothing is done.
func (s Subscription) ends() time.Time {
	if !s.Authorized.IsZero() && s.Authorized.Before(s.Expires) {
		return s.Authorized
	}
	return s.Expires
}

// Live says that it delivers now.
func (s Subscription) Live(now time.Time) bool { return s.ID != "" && s.ends().After(now) }

// Request is what a new subscription is made with.
type Request struct {
	NotificationURL, LifecycleURL string
	// ClientState comes back in every notification.
	ClientState string
	Expires     time.Time
	// Certificate names what content is to be encrypted for; empty for none.
	Certificate string
}

// ErrConflict says that Microsoft allows no second subscription beside one that
// is there.
var ErrConflict = errors.New("there is such a subscription already")

// Calls are Microsoft's calls about the subscriptions of one mailbox.
type Calls interface {
	// Create answers an error that wraps ErrConflict when there is one already.
	// Microsoft need not say so: it may as well deliver everything twice.
	Create(ctx context.Context, member reconciler.Member, request Request) (Subscription, error)
	// Renew answers an error that wraps reconciler.ErrGone when there is no
	// such subscription. It also has Microsoft deliver with a fresh token, and
	// encrypt content for the certificate, which is empty where there is none.
	Renew(ctx context.Context, member reconciler.Member, id string, expires time.Time, certificate string) (Subscription, error)
	// Delete succeeds when there is no such subscription.
	Delete(ctx context.Context, member reconciler.Member, id string) error
	List(ctx context.Context, member reconciler.Member) ([]Subscription, error)
}

// Records remember the subscription of each lane.
type Records interface {
	// Subscription returns the zero value when there is none.
	Subscription(ctx context.Context, lane string) (Subscription, error)
	SaveSubscription(ctx context.Context, lane string, subscription Subscription) error
}

// Config is what a Manager needs; only Keys, Now and Random have defaults.
type Config struct {
	Calls   Calls
	Records Records
	// NotificationURL and LifecycleURL are where Microsoft posts to.
	NotificationURL, LifecycleURL string
	// ClientState makes the secret for a new subscription of a lane.
	ClientState func(lane string) (string, error)
	// Keys name the keys whose client states are accepted; the first makes new
	// ones. A subscription made with another one is made anew in time, since its
	// client state cannot be changed.
	Keys []string
	// Certificate names what the content of notifications is to be encrypted for
	// now; nil, or an empty name, for notifications without content. Subscriptions
	// of the other kind are made anew in time.
	Certificate func(ctx context.Context) (string, error)
	// Gap is told when changes of a mailbox may have gone untold for a while, so
	// that they are looked for.
	Gap func(ctx context.Context, lane string) error
	// Now tells the time; default time.Now.
	Now func() time.Time
	// Random spreads renewals; default seeded from the system.
	Random *rand.Rand
}

// Manager looks after subscriptions. It is safe for concurrent use; that one
// lane is looked after by one worker at a time is the queue's promise.
type Manager struct {
	config   Config
	schedule *schedule
}

// NewManager checks the configuration.
func NewManager(config Config) (*Manager, error) {
	if config.Calls == nil || config.Records == nil || config.ClientState == nil || config.Gap == nil ||
		config.NotificationURL == "" || config.LifecycleURL == "" {
		return nil, errors.New("a subscription manager needs calls, records, both addresses, a client state and somebody to tell of gaps")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Random == nil {
		config.Random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // spreads renewals only
	}
	if len(config.Keys) == 0 {
		config.Keys = []string{""}
	}
	if config.Certificate == nil {
		config.Certificate = func(context.Context) (string, error) { return "", nil }
	}
	return &Manager{config: config, schedule: newSchedule(config.Random.Float64)}, nil
}

// Ensure sees to it that the member's mailbox has one live subscription with
// plenty of life before it, and returns when it wants to be called again. It is
// called when that time has come, and whenever somebody says something about the
// subscription: the item's Version is a reconciler.Signal, with the id of the
// subscription that was spoken of behind it if one was named. Its errors say
// when to try again.
//
// Its signature is that of a reconciler.Chore.
func (m *Manager) Ensure(ctx context.Context, member reconciler.Member, item reconciler.Item) (time.Time, error) {
	known, err := m.config.Records.Subscription(ctx, member.ID)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading which subscription there is: %w", err)
	}
	next, err := m.ensure(ctx, member, known, item)
	if err != nil {
		return time.Time{}, m.again(member.ID, known, item, err)
	}
	return next, nil
}

func (m *Manager) ensure(ctx context.Context, member reconciler.Member, known Subscription, item reconciler.Item) (time.Time, error) {
	now := m.config.Now()
	if known.ID == "" {
		return m.create(ctx, member, known)
	}
	switch signal := signalAbout(known, item); signal {
	case reconciler.SignalConnected, reconciler.SignalRemoved:
		return m.prolong(ctx, member, known, signal == reconciler.SignalRemoved)
	case reconciler.SignalReauthorize, reconciler.SignalSilent:
		if now.Sub(known.Renewed) >= leastPause { // otherwise it is answered already
			return m.prolong(ctx, member, known, false)
		}
	case reconciler.SignalStarted:
		if m.astray(known) || !known.ends().After(now) {
			return m.prolong(ctx, member, known, false)
		}
		known.Unsearched = true
		if known.Due.After(now) {
			return m.search(ctx, member, known)
		}
	case signalRemovedOther:
		if known.Due.After(now) {
			return m.search(ctx, member, known)
		}
		return m.prolong(ctx, member, known, false)
	}
	switch waited := now.Sub(known.Due); {
	case waited < 0:
		return m.upTo(known), m.tidy(ctx, member, known)
	case waited > punctual && item.Attempts == 0 && !known.Due.IsZero():
		if at := m.schedule.late(known.ends().Sub(now), now); at.After(now) {
			known.Due = at
			return at, m.save(ctx, member, known)
		}
	}
	return m.prolong(ctx, member, known, false)
}

// signalAbout is what an item says about a subscription.
func signalAbout(known Subscription, item reconciler.Item) string {
	signal, about, _ := strings.Cut(item.Version, " ")
	switch {
	case about == "" || about == known.ID:
		return signal
	case signal == reconciler.SignalRemoved:
		return signalRemovedOther
	}
	return reconciler.SignalNone // about one that is not ours any more
}

// signalRemovedOther says that one was removed that is not the known one. Microsoft
// removes all of a mailbox at once, and of what it says about each only the last word
// may be left.
const signalRemovedOther = "removed another"

// astray says that a subscription delivers to where nobody of ours may be, or
// what nobody of ours believes.
func (m *Manager) astray(known Subscription) bool {
	return known.NotificationURL != m.config.NotificationURL || !slices.Contains(m.config.Keys, known.Key)
}

// prolong renews the subscription, or makes a new one where that is needed.
func (m *Manager) prolong(ctx context.Context, member reconciler.Member, known Subscription, gap bool) (time.Time, error) {
	if m.astray(known) || known.Key != m.config.Keys[0] {
		return m.create(ctx, member, known)
	}
	certificate, err := m.config.Certificate(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("looking what content is to be encrypted for: %w", err)
	}
	if (certificate == "") != (known.Certificate == "") {
		return m.create(ctx, member, known)
	}
	now := m.config.Now()
	renewed, err := m.config.Calls.Renew(ctx, member, known.ID, m.expiry(certificate), certificate)
	if errors.Is(err, reconciler.ErrGone) {
		return m.replace(ctx, member, known)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("renewing the subscription: %w", err)
	}
	// What happened since delivery stopped may never be told.
	if gap || !known.ends().After(now) {
		if err := m.gap(ctx, member); err != nil {
			return time.Time{}, err
		}
	}
	known.Expires, known.Authorized, known.Certificate = renewed.Expires, renewed.Authorized, certificate
	return m.keep(ctx, member, known, false)
}

// errGone says that Microsoft does not have the subscription any more.
var errGone = errors.New("the subscription is gone")

// replace makes a new subscription for one that Microsoft does not have any more.
func (m *Manager) replace(ctx context.Context, member reconciler.Member, known Subscription) (time.Time, error) {
	next, err := m.create(ctx, member, Subscription{Former: known.Former, Asked: known.Asked})
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", errGone, err)
	}
	return next, nil
}

// create makes a subscription and takes away what is left of former ones, in
// this order: what both of them tell meanwhile is no harm, what neither tells is.
func (m *Manager) create(ctx context.Context, member reconciler.Member, known Subscription) (time.Time, error) {
	former := known.Former
	if known.ID != "" {
		former = append(slices.Clone(former), known.ID)
	}
	existing, err := m.config.Calls.List(ctx, member)
	if err != nil {
		return time.Time{}, fmt.Errorf("listing subscriptions: %w", err)
	}
	former = append(slices.Clone(former), m.strays(existing, Subscription{Former: former})...)
	doubtful := known.Asked
	known.Asked = m.config.Now()
	if err := m.save(ctx, member, known); err != nil {
		return time.Time{}, err
	}
	made, err := m.request(ctx, member)
	if errors.Is(err, ErrConflict) && len(former) > 0 {
		if err := m.take(ctx, member, former); err != nil {
			return time.Time{}, err
		}
		former = nil
		made, err = m.request(ctx, member)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("making a subscription: %w", err)
	}
	if err := m.gap(ctx, member); err != nil {
		return time.Time{}, err
	}
	made.NotificationURL, made.Key, made.Former = m.config.NotificationURL, m.config.Keys[0], former
	made.Asked, made.Unsearched = doubtful, !doubtful.IsZero()
	return m.keep(ctx, member, made, true)
}

func (m *Manager) request(ctx context.Context, member reconciler.Member) (Subscription, error) {
	state, err := m.config.ClientState(member.ID)
	if err != nil {
		return Subscription{}, err
	}
	certificate, err := m.config.Certificate(ctx)
	if err != nil {
		return Subscription{}, fmt.Errorf("looking what content is to be encrypted for: %w", err)
	}
	made, err := m.config.Calls.Create(ctx, member, Request{
		NotificationURL: m.config.NotificationURL, LifecycleURL: m.config.LifecycleURL, ClientState: state, Expires: m.expiry(certificate),
		Certificate: certificate,
	})
	made.Certificate = certificate
	return made, err
}

func (m *Manager) expiry(certificate string) time.Time {
	life := Life
	if certificate != "" {
		life = LifeWithContent
	}
	return m.config.Now().UTC().Add(life).Truncate(time.Second)
}

func (m *Manager) gap(ctx context.Context, member reconciler.Member) error {
	if err := m.config.Gap(ctx, member.ID); err != nil {
		return fmt.Errorf("having a gap swept: %w", err)
	}
	return nil
}

// keep records a subscription that was just made or renewed, takes away what it
// replaced, and returns when it is due.
func (m *Manager) keep(ctx context.Context, member reconciler.Member, subscription Subscription, first bool) (time.Time, error) {
	m.schedule.succeeded()
	subscription.Renewed = m.config.Now()
	subscription.Due = m.schedule.renewal(subscription, first, subscription.Renewed)
	if err := m.save(ctx, member, subscription); err != nil {
		return time.Time{}, err
	}
	return m.upTo(subscription), m.tidy(ctx, member, subscription)
}

// upTo is when a subscription wants to be looked at next: when it is due, or when
// what came of an earlier request can be known.
func (m *Manager) upTo(subscription Subscription) time.Time {
	if settled := subscription.Asked.Add(settledAfter); subscription.Unsearched && settled.After(m.config.Now()) && settled.Before(subscription.Due) {
		return settled
	}
	return subscription.Due
}

func (m *Manager) save(ctx context.Context, member reconciler.Member, subscription Subscription) error {
	if err := m.config.Records.SaveSubscription(ctx, member.ID, subscription); err != nil {
		return fmt.Errorf("recording the subscription: %w", err)
	}
	return nil
}

// tidy takes away former subscriptions that are still there, and strays. When it
// fails, the present one is in order all the same.
func (m *Manager) tidy(ctx context.Context, member reconciler.Member, known Subscription) error {
	former := known.Former
	unsettled := known.Unsearched && m.config.Now().Before(known.Asked.Add(settledAfter))
	if known.Unsearched && !unsettled {
		existing, err := m.config.Calls.List(ctx, member)
		if err != nil {
			return fmt.Errorf("listing subscriptions: %w", err)
		}
		former = append(slices.Clone(former), m.strays(existing, known)...)
	}
	if unsettled && len(former) == 0 {
		return nil
	}
	return m.clear(ctx, member, known, former, unsettled)
}

// clear takes away what is not needed any more, and notes that it is gone.
func (m *Manager) clear(ctx context.Context, member reconciler.Member, known Subscription, former []string, unsettled bool) error {
	if len(former) == 0 && !known.Unsearched {
		return nil
	}
	if err := m.take(ctx, member, former); err != nil {
		return err
	}
	known.Former = nil
	if !unsettled {
		known.Unsearched, known.Asked = false, time.Time{}
	}
	return m.save(ctx, member, known)
}

// search looks whether the subscription is still there, and for strays, before
// it is due: a gateway that was off may not have heard of its removal.
func (m *Manager) search(ctx context.Context, member reconciler.Member, known Subscription) (time.Time, error) {
	existing, err := m.config.Calls.List(ctx, member)
	if err != nil {
		return time.Time{}, fmt.Errorf("listing subscriptions: %w", err)
	}
	if !slices.ContainsFunc(existing, func(one Subscription) bool { return one.ID == known.ID }) {
		return m.replace(ctx, member, known)
	}
	return known.Due, m.clear(ctx, member, known, append(slices.Clone(known.Former), m.strays(existing, known)...), m.config.Now().Before(known.Asked.Add(settledAfter)))
}

// strays are the subscriptions that lead here and are not the known one. Those
// that lead elsewhere are another application's or another gateway's.
func (m *Manager) strays(existing []Subscription, known Subscription) []string {
	var ids []string
	for _, one := range existing {
		if one.NotificationURL == m.config.NotificationURL && one.ID != known.ID && !slices.Contains(known.Former, one.ID) {
			ids = append(ids, one.ID)
		}
	}
	return ids
}

func (m *Manager) take(ctx context.Context, member reconciler.Member, ids []string) error {
	var err error
	for _, id := range ids {
		err = errors.Join(err, m.config.Calls.Delete(ctx, member, id))
	}
	if err != nil {
		return fmt.Errorf("removing subscriptions that are not needed any more: %w", err)
	}
	return nil
}

// again says when to try after a failure. What is recorded of a subscription that is
// gone, or of one behind which the token ended before the person signed in again, says
// nothing about how long that may take.
func (m *Manager) again(lane string, known Subscription, item reconciler.Item, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, reconciler.ErrReconnect) || errors.Is(err, reconciler.ErrLeaseLost) {
		return err // nothing that trying again mends
	}
	now := m.config.Now()
	retry, cause := &reconciler.RetryError{}, "subscription"
	asked := errors.As(err, &retry)
	var least time.Duration
	if asked {
		least, cause = retry.After, retry.Cause
	}
	var left time.Duration
	signal := signalAbout(known, item)
	dead := errors.Is(err, errGone) || signal == reconciler.SignalRemoved || signal == reconciler.SignalConnected
	if known.ID != "" && !m.astray(known) && !dead {
		left = known.ends().Sub(now)
	}
	return &reconciler.RetryError{After: max(least, m.schedule.retry(lane, item.Attempts, left, !asked, now)), Cause: cause, Err: err}
}

// Remove takes every subscription of this gateway away from a mailbox, for
// somebody who disconnects.
func (m *Manager) Remove(ctx context.Context, member reconciler.Member) error {
	known, err := m.config.Records.Subscription(ctx, member.ID)
	if err != nil {
		return fmt.Errorf("reading which subscription there is: %w", err)
	}
	ids := known.Former
	if known.ID != "" {
		ids = append(slices.Clone(ids), known.ID)
	}
	existing, err := m.config.Calls.List(ctx, member)
	if err != nil {
		return fmt.Errorf("listing subscriptions: %w", err)
	}
	return m.take(ctx, member, append(slices.Clone(ids), m.strays(existing, Subscription{Former: ids})...))
}
