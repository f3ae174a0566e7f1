package demo

import (
	"context"
	"errors"
	"time"
)

// Calendar is one side as its people use it, without any gateway. People are
// named by their login. Every method may be called concurrently.
type Calendar interface {
	// Events lists what a person sees between two instants, ordered by start, of
	// series their occurrences; archived records are left out.
	Events(ctx context.Context, login string, from, to time.Time) ([]Event, error)
	// Event is one of them, also an archived one; ErrGone when there is none. An
	// empty login reads with the eyes of somebody who sees all of it. In Outlook
	// a series has an id of its own, under which its first occurrence is shown.
	Event(ctx context.Context, login, id string) (Event, error)
	// Series lists the occurrences that are left of a series, ordered by start;
	// none when there is no such series.
	Series(ctx context.Context, login, series string) ([]Event, error)
	Create(ctx context.Context, login string, edit Edit) (id string, err error)
	// Update changes an event, or of a series the occurrences in the scope. A new
	// time of one occurrence moves those after it, or all, by as much.
	Update(ctx context.Context, login, id string, scope Scope, edit Edit) error
	Delete(ctx context.Context, login, id string, scope Scope) error
	// Answer replies to an invitation: accepted, tentative or declined.
	Answer(ctx context.Context, login, id string, scope Scope, answer Answer) error
	// Mails are all the mails that the side would have sent, oldest first.
	Mails() []Mail
	// GatewayWrites is how many writing calls the gateway has made.
	GatewayWrites() int
	// Watch registers an observer of every change, called after the change can be
	// read, one call at a time for each change but from any goroutine.
	Watch(func(Change))
}

// Archiver is a calendar whose people can archive an event and bring it back.
type Archiver interface {
	Calendar
	SetArchived(ctx context.Context, login, id string, archived bool) error
}

// ErrGone says that the event is not in that calendar (any more).
var ErrGone = errors.New("the event is not in this calendar any more")

// Change is one event changed on one side.
type Change struct {
	Side Side
	// Login is whose calendar it was; empty where records are shared.
	Login   string
	EventID string
	Deleted bool
	// ByGateway tells changes of the gateway, and what follows from them, from
	// those of people.
	ByGateway bool
	// Actor is who made it, for display.
	Actor string
	// Time is when the change could be read by others.
	Time time.Time
}

// Mail is a mail to one recipient that a side would have sent.
type Mail struct {
	Time      time.Time `json:"time"`
	To        string    `json:"to"`
	Kind      string    `json:"kind"`
	Subject   string    `json:"subject"`
	ByGateway bool      `json:"by_gateway"`
	Actor     string    `json:"actor"`
	// UID is the meeting's calendar-wide identity in Outlook.
	UID string `json:"-"`
	// EventID is the record in NightPOS.
	EventID string `json:"-"`
}

// Member is one of the people of the demo.
type Member struct {
	Login   string `json:"login"`
	Name    string `json:"name"`
	Address string `json:"address"`
	// Zone is the IANA name of the person's time zone, and OutlookZone what
	// Outlook calls it: it does not know every name of IANA's.
	Zone        string `json:"zone"`
	OutlookZone string `json:"-"`
	// Password is the one in NightPOS.
	Password string `json:"-"`
}

// Gateway is the running gateway as far as the demo needs it: it is closed at
// the end and asked how it is. It is never asked about events.
type Gateway interface {
	// Health is the state of the gateway and of what it depends on, at once.
	Health(ctx context.Context) []Health
	// Close stops it; it returns when everything has ended.
	Close() error
}

// Resetter is a gateway whose admin API the demo may use.
type Resetter interface {
	// Reset resets a person's account, leaving the events alone, and connects the
	// person again. It returns when that is done.
	Reset(ctx context.Context, member Member) error
}

// Health is the state of one thing the gateway needs.
type Health struct {
	Name string `json:"name"`
	// State is "ok", "warning" or "failed".
	State string `json:"state"`
	// Detail is one short sentence; it may be empty.
	Detail string `json:"detail"`
}
