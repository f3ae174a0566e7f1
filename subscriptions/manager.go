package subscriptions

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Subscription is one subscription as Microsoft has it.
type Subscription struct {
	ID              string    `json:"id"`
	NotificationURL string    `json:"notification_url"`
	Expires         time.Time `json:"expires"`
}

// Request is what a new subscription is made with.
type Request struct {
	NotificationURL, LifecycleURL string
	// ClientState comes back in every notification.
	ClientState string
	Expires     time.Time
}

// Calls are Microsoft's calls about the subscriptions of one mailbox.
type Calls interface {
	Create(ctx context.Context, member reconciler.Member, request Request) (Subscription, error)
	// Renew answers an error that wraps reconciler.ErrGone when there is no
	// such subscription. It also answers a demand for reauthorization.
	Renew(ctx context.Context, member reconciler.Member, id string, expires time.Time) (Subscription, error)
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

// Life is how long a subscription is asked for: 10,065 minutes, 15 less than
// what Graph allows for events, so that clocks may differ.
const Life = 10_065 * time.Minute

// Config is what a Manager needs; only Now and Random have defaults.
type Config struct {
	Calls   Calls
	Records Records
	// NotificationURL and LifecycleURL are where Microsoft posts to.
	NotificationURL, LifecycleURL string
	// ClientState makes the secret for a new subscription of a lane.
	ClientState func(lane string) (string, error)
	// Gap is told when a mailbox may have had no subscription for a while, so
	// that what happened meanwhile is looked for.
	Gap func(ctx context.Context, lane string) error
	// Now tells the time; default time.Now.
	Now func() time.Time
	// Random spreads renewals; default seeded from the system.
	Random *rand.Rand
}

// Manager looks after subscriptions. It is safe for concurrent use; that one
// lane is looked after by one worker at a time is the queue's promise.
type Manager struct {
	config Config
	random sync.Mutex
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
	return &Manager{config: config}, nil
}

// Ensure sees to it that the member's mailbox has one live subscription with a
// full life before it, and returns when it wants to be called again. It is
// called when that time has come, and whenever Microsoft says something about
// the subscription: renewing is the right answer to all of it, and making a new
// one the right answer when there is nothing to renew.
//
// Its signature is that of a reconciler.Chore.
func (m *Manager) Ensure(ctx context.Context, member reconciler.Member) (time.Time, error) {
	known, err := m.config.Records.Subscription(ctx, member.ID)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading which subscription there is: %w", err)
	}
	if known.ID != "" && known.NotificationURL == m.config.NotificationURL {
		next, err := m.renew(ctx, member, known)
		if err == nil || !errors.Is(err, reconciler.ErrGone) {
			return next, err
		}
	}
	return m.recreate(ctx, member)
}

func (m *Manager) expiry() time.Time { return m.config.Now().UTC().Add(Life).Truncate(time.Second) }

func (m *Manager) renew(ctx context.Context, member reconciler.Member, known Subscription) (time.Time, error) {
	renewed, err := m.config.Calls.Renew(ctx, member, known.ID, m.expiry())
	if err != nil {
		return time.Time{}, fmt.Errorf("renewing the subscription: %w", err)
	}
	// An answer without an address is no reason to forget ours.
	renewed.NotificationURL = known.NotificationURL
	return m.keep(ctx, member, renewed)
}

// recreate takes away what is left of former subscriptions first: two would
// tell everything twice.
func (m *Manager) recreate(ctx context.Context, member reconciler.Member) (time.Time, error) {
	existing, err := m.config.Calls.List(ctx, member)
	if err != nil {
		return time.Time{}, fmt.Errorf("listing subscriptions: %w", err)
	}
	for _, stray := range existing {
		if stray.NotificationURL != m.config.NotificationURL {
			continue
		}
		if err := m.config.Calls.Delete(ctx, member, stray.ID); err != nil {
			return time.Time{}, fmt.Errorf("removing a stray subscription: %w", err)
		}
	}
	state, err := m.config.ClientState(member.ID)
	if err != nil {
		return time.Time{}, fmt.Errorf("making a subscription: %w", err)
	}
	created, err := m.config.Calls.Create(ctx, member, Request{
		NotificationURL: m.config.NotificationURL, LifecycleURL: m.config.LifecycleURL, ClientState: state, Expires: m.expiry(),
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("making a subscription: %w", err)
	}
	created.NotificationURL = m.config.NotificationURL
	next, err := m.keep(ctx, member, created)
	if err != nil {
		return time.Time{}, err
	}
	if err := m.config.Gap(ctx, member.ID); err != nil {
		return time.Time{}, fmt.Errorf("having the gap swept: %w", err)
	}
	return next, nil
}

// keep records a subscription and says when to renew it: when a third of what
// it has left is over, give or take a tenth of that, so that a thousand people
// who connected in one hour do not renew in one hour.
func (m *Manager) keep(ctx context.Context, member reconciler.Member, subscription Subscription) (time.Time, error) {
	if err := m.config.Records.SaveSubscription(ctx, member.ID, subscription); err != nil {
		return time.Time{}, fmt.Errorf("recording the subscription: %w", err)
	}
	now := m.config.Now()
	left := max(subscription.Expires.Sub(now), time.Minute)
	third := left / 3
	m.random.Lock()
	defer m.random.Unlock()
	return now.Add(third - third/10 + time.Duration(m.config.Random.Int64N(int64(third/5)+1))), nil
}

// Remove takes every subscription of this gateway away from a mailbox, for
// somebody who disconnects.
func (m *Manager) Remove(ctx context.Context, member reconciler.Member) error {
	existing, err := m.config.Calls.List(ctx, member)
	if err != nil {
		return fmt.Errorf("listing subscriptions: %w", err)
	}
	existing = slices.DeleteFunc(existing, func(s Subscription) bool { return s.NotificationURL != m.config.NotificationURL })
	for _, subscription := range existing {
		err = errors.Join(err, m.config.Calls.Delete(ctx, member, subscription.ID))
	}
	if err != nil {
		return fmt.Errorf("removing subscriptions: %w", err)
	}
	return nil
}
