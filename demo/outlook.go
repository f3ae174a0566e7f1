package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// outlookCalendar is the simulated Outlook as its people use it.
type outlookCalendar struct {
	server  *simoutlook.Server
	members []Member
}

// NewOutlook lets the members act in their simulated mailboxes.
func NewOutlook(server *simoutlook.Server, members []Member) Calendar {
	return &outlookCalendar{server: server, members: members}
}

func (c *outlookCalendar) member(login string) (Member, *simoutlook.Mailbox, error) {
	index := slices.IndexFunc(c.members, func(m Member) bool { return m.Login == login })
	if index < 0 {
		return Member{}, nil, fmt.Errorf("there is nobody called %q in the demo", login)
	}
	box := c.server.Mailbox(c.members[index].Address)
	if box == nil {
		return Member{}, nil, fmt.Errorf("%s has no mailbox", c.members[index].Address)
	}
	return c.members[index], box, nil
}

// Events implements Calendar.
func (c *outlookCalendar) Events(ctx context.Context, login string, from, to time.Time) ([]Event, error) {
	_, box, err := c.member(login)
	if err != nil {
		return nil, err
	}
	var events []Event
	masters := map[string]Event{}
	for _, shown := range box.View(from.AddDate(0, 0, -1), to) {
		event, err := outlookEvent(shown)
		if err != nil {
			return nil, err
		}
		if event.Series != "" {
			master, known := masters[event.Series]
			if !known {
				if master, err = c.Event(ctx, login, event.Series); err != nil {
					continue // deleted meanwhile, and its occurrences with it
				}
				masters[event.Series] = master
			}
			event.Exception = exceptional(shown, event, master)
		}
		if event.Start.Before(to) && event.End.After(from) || event.Start.Equal(from) {
			events = append(events, event)
		}
	}
	slices.SortStableFunc(events, func(a, b Event) int {
		return cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.Title, b.Title))
	})
	return events, ctx.Err()
}

// Event implements Calendar.
func (c *outlookCalendar) Event(_ context.Context, login, id string) (Event, error) {
	_, box, err := c.member(login)
	if err != nil {
		return Event{}, err
	}
	shown, err := box.Event(id)
	if err != nil {
		return Event{}, fmt.Errorf("%w: %w", ErrGone, err)
	}
	return outlookEvent(shown)
}

// Create implements Calendar.
func (c *outlookCalendar) Create(ctx context.Context, login string, edit Edit) (string, error) {
	member, box, err := c.member(login)
	if err != nil {
		return "", err
	}
	content, err := outlookContent(edit, member, c.members, nil)
	if err != nil {
		return "", err
	}
	made, err := box.Create(ctx, content)
	if err != nil {
		return "", err
	}
	id, _ := made["id"].(string)
	return id, nil
}

// Update implements Calendar.
func (c *outlookCalendar) Update(ctx context.Context, login, id string, scope Scope, edit Edit) error {
	member, box, err := c.member(login)
	if err != nil {
		return err
	}
	shown, err := box.Event(id)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	target, err := whole(box, shown, scope)
	if err != nil {
		return err
	}
	var rule map[string]any
	if edit.When != nil && text(target, "id") != text(shown, "id") {
		zone, err := time.LoadLocation(member.Zone)
		if err != nil {
			return fmt.Errorf("the time zone of %s: %w", member.Name, err)
		}
		moved, changed, err := moveSeries(shown, target, *edit.When, scope, zone)
		if err != nil {
			return err
		}
		edit.When, rule = &moved, changed
	}
	attendees, _ := target["attendees"].([]any)
	content, err := outlookContent(edit, member, c.members, attendees)
	if err != nil {
		return err
	}
	if rule != nil {
		content["recurrence"] = rule
	}
	if following(shown, scope) {
		_, err = box.UpdateFollowing(ctx, id, content)
		return err
	}
	_, err = box.Update(ctx, text(target, "id"), content)
	return err
}

// Delete implements Calendar.
func (c *outlookCalendar) Delete(ctx context.Context, login, id string, scope Scope) error {
	_, box, err := c.member(login)
	if err != nil {
		return err
	}
	shown, err := box.Event(id)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	if following(shown, scope) {
		return box.DeleteFollowing(ctx, id)
	}
	target, err := whole(box, shown, scope)
	if err != nil {
		return err
	}
	return box.Delete(ctx, text(target, "id"))
}

// Answer implements Calendar.
func (c *outlookCalendar) Answer(ctx context.Context, login, id string, scope Scope, answer Answer) error {
	_, box, err := c.member(login)
	if err != nil {
		return err
	}
	actions := map[Answer]string{Accepted: "accept", Tentative: "tentativelyAccept", Declined: "decline"}
	action, known := actions[answer]
	if !known {
		return fmt.Errorf("%q is not an answer", answer)
	}
	shown, err := box.Event(id)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	if following(shown, scope) {
		return errors.New("Outlook takes an answer to one occurrence or to all of them") //nolint:staticcheck // Outlook is a name
	}
	target, err := whole(box, shown, scope)
	if err != nil {
		return err
	}
	return box.Respond(ctx, text(target, "id"), action)
}

// Mails implements Calendar.
func (c *outlookCalendar) Mails() []Mail {
	sent := c.server.Mails()
	mails := make([]Mail, 0, len(sent))
	for _, mail := range sent {
		mails = append(mails, Mail{
			Time: mail.Time, To: mail.To, Kind: mail.Kind, Subject: mail.Subject, UID: seriesUID(mail.ICalUID),
			ByGateway: strings.HasPrefix(mail.Actor, "app:"), Actor: c.name(mail.Actor),
		})
	}
	return mails
}

// GatewayWrites implements Calendar.
func (c *outlookCalendar) GatewayWrites() int {
	writes := 0
	for route, count := range c.server.Counts() {
		method, path, _ := strings.Cut(route, " ")
		if method != http.MethodGet && strings.Contains(path, "/events") {
			writes += count
		}
	}
	return writes
}

// Watch implements Calendar.
func (c *outlookCalendar) Watch(observer func(Change)) {
	c.server.OnChange(func(seen simoutlook.Change) {
		change := Change{
			Side: Outlook, EventID: seen.EventID, Deleted: seen.Kind == "deleted", Time: seen.Time,
			ByGateway: strings.HasPrefix(seen.Actor, "app:"),
		}
		for _, member := range c.members {
			if strings.EqualFold(member.Address, seen.Mailbox) {
				change.Login = member.Login
			}
		}
		if change.Login == "" {
			return
		}
		// What follows in other mailboxes is nobody's edit.
		if strings.EqualFold(seen.Actor, "person:"+seen.Mailbox) {
			change.Actor = c.name(seen.Actor)
		}
		observer(change)
	})
}

// name turns an actor of the simulator into a person's name.
func (c *outlookCalendar) name(actor string) string {
	address, person := strings.CutPrefix(actor, "person:")
	if !person {
		return "Gateway"
	}
	for _, member := range c.members {
		if strings.EqualFold(member.Address, address) {
			return member.Name
		}
	}
	return address
}

// errShape says that the simulator showed something other than Graph's events.
var errShape = errors.New("an event in Outlook has a shape that is not known")
