package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// NightPOSCalendar is what a NightPOS calendar is made of.
type NightPOSCalendar struct {
	// URL is where NightPOS answers, without a trailing slash.
	URL      string
	Database string
	// Transport reaches it; nil means http.DefaultTransport.
	Transport http.RoundTripper
	// Members act with their own passwords, as from their own browsers.
	Members []Member
	// Mails, GatewayWrites and Watch are those of Calendar: what only the server
	// can tell.
	Mails         func() []Mail
	GatewayWrites func() int
	Watch         func(func(Change))
}

// NewNightPOS lets the members act in NightPOS, over the same calls that its own
// web client makes.
func NewNightPOS(parts NightPOSCalendar) Archiver {
	return &nightposCalendar{
		NightPOSCalendar: parts, members: parts.Members,
		calls: newNightPOSCalls(parts.URL, parts.Database, parts.Transport),
	}
}

type nightposCalendar struct {
	NightPOSCalendar
	members []Member
	calls   *nightposCalls
}

func (c *nightposCalendar) account(ctx context.Context, login string) (account, error) {
	index := slices.IndexFunc(c.members, func(m Member) bool { return m.Login == login })
	if index < 0 {
		return account{}, fmt.Errorf("there is nobody called %q in the demo", login)
	}
	return c.calls.signIn(ctx, c.members[index])
}

// Events implements Calendar.
func (c *nightposCalendar) Events(ctx context.Context, login string, from, to time.Time) ([]Event, error) {
	as, err := c.account(ctx, login)
	if err != nil {
		return nil, err
	}
	var records []nightposEvent
	domain := []any{
		[]any{"partner_ids", "in", []int{as.partner}},
		[]any{"start", "<", to.UTC().Format(time.DateTime)},
		// The last day of an all-day event is its midnight.
		[]any{"stop", ">=", from.UTC().AddDate(0, 0, -1).Format(time.DateTime)},
	}
	if err := c.calls.call(ctx, as, &records, "calendar.event", "search_read", []any{domain, eventFields}, nil); err != nil {
		return nil, err
	}
	events, err := c.shown(ctx, as, records)
	if err != nil {
		return nil, err
	}
	if err := c.markExceptions(ctx, as, records, events); err != nil {
		return nil, err
	}
	events = slices.DeleteFunc(events, func(e Event) bool { return !e.End.After(from) && !e.Start.Equal(from) })
	slices.SortStableFunc(events, func(a, b Event) int {
		return cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.Title, b.Title))
	})
	return events, nil
}

func (c *nightposCalendar) shown(ctx context.Context, as account, records []nightposEvent) ([]Event, error) {
	attendees, err := c.attendees(ctx, as, records)
	if err != nil {
		return nil, err
	}
	events := make([]Event, 0, len(records))
	for _, record := range records {
		event, err := c.show(ctx, as, record, attendees)
		if err != nil {
			return nil, err
		}
		events = append(events, event)
	}
	return events, nil
}

func (c *nightposCalendar) attendees(ctx context.Context, as account, records []nightposEvent) ([]nightposAttendee, error) {
	if len(records) == 0 {
		return nil, nil
	}
	ids := make([]int, 0, len(records))
	for _, record := range records {
		ids = append(ids, record.ID)
	}
	var attendees []nightposAttendee
	domain := []any{[]any{"event_id", "in", ids}}
	err := c.calls.call(ctx, as, &attendees, "calendar.attendee", "search_read", []any{domain, attendeeFields}, nil)
	return attendees, err
}

// record reads one event with one person's eyes.
func (c *nightposCalendar) record(ctx context.Context, as account, id string) (nightposEvent, error) {
	number, err := strconv.Atoi(id)
	if err != nil {
		return nightposEvent{}, ErrGone
	}
	var records []nightposEvent
	if err := c.calls.call(ctx, as, &records, "calendar.event", "read", []any{[]int{number}, eventFields}, nil); err != nil {
		return nightposEvent{}, err
	}
	if len(records) == 0 {
		return nightposEvent{}, ErrGone
	}
	return records[0], nil
}

// Event implements Calendar.
func (c *nightposCalendar) Event(ctx context.Context, login, id string) (Event, error) {
	if login == "" {
		return c.openly(ctx, id)
	}
	as, err := c.account(ctx, login)
	if err != nil {
		return Event{}, err
	}
	record, err := c.record(ctx, as, id)
	if err != nil {
		return Event{}, err
	}
	events, err := c.shown(ctx, as, []nightposEvent{record})
	if err != nil {
		return Event{}, err
	}
	return events[0], nil
}

// openly reads an event as the member whose it is, or who is invited: others may
// be shown a private one as busy only.
func (c *nightposCalendar) openly(ctx context.Context, id string) (Event, error) {
	var last Event
	for _, member := range c.members {
		as, err := c.account(ctx, member.Login)
		if err != nil {
			return Event{}, err
		}
		record, err := c.record(ctx, as, id)
		if err != nil {
			return Event{}, err
		}
		events, err := c.shown(ctx, as, []nightposEvent{record})
		if err != nil {
			return Event{}, err
		}
		last = events[0]
		if last.Mine || slices.Contains(record.Partners, as.partner) {
			break
		}
	}
	if last.ID == "" {
		return Event{}, ErrGone
	}
	return last, nil
}

// Create implements Calendar.
func (c *nightposCalendar) Create(ctx context.Context, login string, edit Edit) (string, error) {
	as, err := c.account(ctx, login)
	if err != nil {
		return "", err
	}
	if edit.When == nil {
		return "", errors.New("a new event needs a time")
	}
	values, err := c.values(ctx, as, edit, []int{as.partner}, nil)
	if err != nil {
		return "", err
	}
	var id int
	if err := c.calls.call(ctx, as, &id, "calendar.event", "create", []any{values}, nil); err != nil {
		return "", err
	}
	return strconv.Itoa(id), nil
}

// Update implements Calendar.
func (c *nightposCalendar) Update(ctx context.Context, login, id string, scope Scope, edit Edit) error {
	part, err := scopeWord(scope)
	if err != nil {
		return err
	}
	as, err := c.account(ctx, login)
	if err != nil {
		return err
	}
	record, err := c.record(ctx, as, id)
	if err != nil {
		return err
	}
	var organizer []int
	invited := map[string]int{}
	if edit.People != nil {
		attendees, err := c.attendees(ctx, as, []nightposEvent{record})
		if err != nil {
			return err
		}
		shown, err := c.show(ctx, as, record, attendees)
		if err != nil {
			return err
		}
		for _, attendee := range attendees {
			invited[strings.ToLower(string(attendee.Email))] = attendee.Partner.id
			if strings.EqualFold(string(attendee.Email), shown.Organizer.Address) {
				organizer = append(organizer, attendee.Partner.id)
			}
		}
	}
	values, err := c.values(ctx, as, edit, organizer, invited)
	if err != nil {
		return err
	}
	if record.Recurrence.id != 0 {
		values["recurrence_update"] = part
	}
	return c.calls.call(ctx, as, nil, "calendar.event", "write", []any{[]int{record.ID}, values}, nil)
}

// run calls a method of one event without arguments.
func (c *nightposCalendar) run(ctx context.Context, login, id, method string) error {
	as, err := c.account(ctx, login)
	if err != nil {
		return err
	}
	record, err := c.record(ctx, as, id)
	if err != nil {
		return err
	}
	return c.calls.call(ctx, as, nil, "calendar.event", method, []any{[]int{record.ID}}, nil)
}

// Delete implements Calendar.
func (c *nightposCalendar) Delete(ctx context.Context, login, id string, scope Scope) error {
	part, err := scopeWord(scope)
	if err != nil {
		return err
	}
	as, err := c.account(ctx, login)
	if err != nil {
		return err
	}
	record, err := c.record(ctx, as, id)
	if err != nil {
		return err
	}
	if record.Recurrence.id == 0 || part == nightposScopes[One] {
		return c.calls.call(ctx, as, nil, "calendar.event", "unlink", []any{[]int{record.ID}}, nil)
	}
	return c.calls.call(ctx, as, nil, "calendar.event", "action_mass_deletion", []any{[]int{record.ID}, part}, nil)
}

// SetArchived implements Archiver.
func (c *nightposCalendar) SetArchived(ctx context.Context, login, id string, archived bool) error {
	if archived {
		return c.run(ctx, login, id, "action_archive")
	}
	return c.run(ctx, login, id, "action_unarchive")
}

// Answer implements Calendar.
func (c *nightposCalendar) Answer(ctx context.Context, login, id string, scope Scope, answer Answer) error {
	part, err := scopeWord(scope)
	if err != nil {
		return err
	}
	methods := map[Answer]string{Accepted: "do_accept", Tentative: "do_tentative", Declined: "do_decline"}
	method, known := methods[answer]
	if !known {
		return fmt.Errorf("%q is not an answer", answer)
	}
	as, err := c.account(ctx, login)
	if err != nil {
		return err
	}
	record, err := c.record(ctx, as, id)
	if err != nil {
		return err
	}
	attendees, err := c.attendees(ctx, as, []nightposEvent{record})
	if err != nil {
		return err
	}
	index := slices.IndexFunc(attendees, func(a nightposAttendee) bool { return a.Partner.id == as.partner })
	if index < 0 {
		return fmt.Errorf("%s is not invited", as.Name)
	}
	if record.Recurrence.id != 0 && part != nightposScopes[One] {
		return c.calls.call(ctx, as, nil, "calendar.event", "change_attendee_status", []any{[]int{record.ID}, string(answer), part}, nil)
	}
	return c.calls.call(ctx, as, nil, "calendar.attendee", method, []any{[]int{attendees[index].ID}}, nil)
}

// Mails implements Calendar.
func (c *nightposCalendar) Mails() []Mail { return c.NightPOSCalendar.Mails() }

// GatewayWrites implements Calendar.
func (c *nightposCalendar) GatewayWrites() int { return c.NightPOSCalendar.GatewayWrites() }

// Watch implements Calendar.
func (c *nightposCalendar) Watch(observer func(Change)) { c.NightPOSCalendar.Watch(observer) }
