package demo

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// NightPOSServer is the simulated NightPOS: a server, and what a real one would
// not tell about itself.
type NightPOSServer interface {
	Handler() http.Handler
	// Observe registers an observer of committed changes to events and to their
	// attendees, called after the commit.
	Observe(func(NightPOSChange))
	// SentMails are all the mails it would have sent, oldest first.
	SentMails() []NightPOSMail
	// Close ends all deliveries.
	Close()
}

// NightPOSChange is one event changed in one transaction, by itself or through
// its attendees.
type NightPOSChange struct {
	Event   int
	Deleted bool
	// User is the user id of who did it.
	User int
	// Time is that of the commit.
	Time time.Time
}

// NightPOSMail is one mail to one recipient.
type NightPOSMail struct {
	Time     time.Time
	To, Kind string
	Event    int
	// Subject is empty where the server does not keep it.
	Subject string
	User    int
}

// NightPOSStart is what a simulated NightPOS is started with.
type NightPOSStart struct {
	// URL is its own address.
	URL      string
	Database string
	Now      func() time.Time
	Seed     uint64
}

// The accounts that every simulated NightPOS has or gets.
const (
	nightposDatabase = "night"
	adminLogin       = "admin"
	gatewayLogin     = "outlook.gateway"
	gatewayPassword  = "the gateway's own password" // #nosec G101 -- of a simulated server on loopback
)

// ledger tells who did what in NightPOS by user ids, and counts the gateway's
// writes.
type ledger struct {
	server  NightPOSServer
	names   map[int]string // of the members; fixed before the first change
	gateway int

	mutex  sync.Mutex
	writes int
	latest NightPOSChange
}

// newLedger signs the members in, makes the gateway's account and starts to count.
func newLedger(ctx context.Context, server NightPOSServer, calls *nightposCalls, members []Member) (*ledger, error) {
	l := &ledger{server: server, names: map[int]string{}}
	for _, member := range members {
		as, err := calls.signIn(ctx, member)
		if err != nil {
			return nil, err
		}
		l.names[as.user] = member.Name
	}
	admin, err := calls.signIn(ctx, Member{Login: adminLogin, Password: adminLogin})
	if err != nil {
		return nil, err
	}
	values := map[string]any{"name": "Outlook gateway", "login": gatewayLogin, "email": gatewayLogin + "@nightpos.example", "password": gatewayPassword, "tz": "UTC"}
	if err := calls.call(ctx, admin, &l.gateway, "res.users", "create", []any{values}, nil); err != nil {
		return nil, fmt.Errorf("making the gateway's account in NightPOS: %w", err)
	}
	server.Observe(func(change NightPOSChange) {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		// One transaction may change many events and their attendees, all at the
		// time of its commit.
		if change.User == l.gateway && (change.User != l.latest.User || !change.Time.Equal(l.latest.Time)) {
			l.writes++
		}
		l.latest = change
	})
	return l, nil
}

func (l *ledger) gatewayWrites() int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.writes
}

func (l *ledger) watch(observer func(Change)) {
	l.server.Observe(func(change NightPOSChange) {
		observer(Change{
			Side: NightPOS, EventID: strconv.Itoa(change.Event), Deleted: change.Deleted, Time: change.Time,
			ByGateway: change.User == l.gateway, Actor: l.names[change.User],
		})
	})
}

func (l *ledger) mails() []Mail {
	sent := l.server.SentMails()
	mails := make([]Mail, 0, len(sent))
	for _, mail := range sent {
		shown := Mail{
			Time: mail.Time, To: mail.To, Kind: mail.Kind, Subject: mail.Subject,
			ByGateway: mail.User == l.gateway, Actor: l.names[mail.User], EventID: strconv.Itoa(mail.Event),
		}
		if shown.ByGateway {
			shown.Actor = "Gateway"
		}
		mails = append(mails, shown)
	}
	return mails
}
