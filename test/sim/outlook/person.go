package outlook

import (
	"context"
	"encoding/json"
	"fmt"
)

// Mailbox is a person at their own Outlook, without an application in between:
// the same rules, copies and mails, but the person is the actor. Events have the
// shapes of Graph, default ids and times in UTC. Errors are those of Graph.
type Mailbox struct {
	server *Server
	box    *mailbox
}

// Mailbox returns the mailbox of an address, or nil if there is none.
func (s *Server) Mailbox(address string) *Mailbox {
	box := s.find(address)
	if box == nil {
		return nil
	}
	return &Mailbox{server: s, box: box}
}

// Person tells who owns the mailbox, with everything derived filled in.
func (m *Mailbox) Person() Person {
	owner := m.box.person
	owner.ObjectID = m.box.objectID
	return owner
}

func (m *Mailbox) actor() string { return "person:" + m.box.person.Address }

// plainJSON brings Go values into what a JSON decoder would have made of them.
func plainJSON(content map[string]any) (map[string]any, error) {
	rendered, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("rendering the event: %w", err)
	}
	var plain map[string]any
	if err := json.Unmarshal(rendered, &plain); err != nil {
		return nil, fmt.Errorf("reading the event back: %w", err)
	}
	return plain, nil
}

// with runs work on one event under the server's lock.
func (m *Mailbox) with(ctx context.Context, id string, work func(*event) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.server.mutex.Lock()
	defer m.server.unlock()
	found, err := m.box.lookup(id, false)
	if err != nil {
		return err
	}
	return work(found)
}

// Create makes an event in the default calendar and returns it.
func (m *Mailbox) Create(ctx context.Context, content map[string]any) (map[string]any, error) {
	return m.CreateIn(ctx, "", content)
}

// CreateIn makes an event in a calendar, an empty id being the default one's, and
// returns it.
func (m *Mailbox) CreateIn(ctx context.Context, calendar string, content map[string]any) (map[string]any, error) {
	plain, err := plainJSON(content)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.server.mutex.Lock()
	defer m.server.unlock()
	target, err := m.calendar(calendar)
	if err != nil {
		return nil, err
	}
	made, err := m.server.create(m.box, m.actor(), target.folder, plain)
	if err != nil {
		return nil, err
	}
	return m.server.render(m.box, made, view{person: true}), nil
}

// Update changes the given properties and returns the event.
func (m *Mailbox) Update(ctx context.Context, id string, patch map[string]any) (map[string]any, error) {
	plain, err := plainJSON(patch)
	if err != nil {
		return nil, err
	}
	var shown map[string]any
	err = m.with(ctx, id, func(e *event) error {
		next, err := m.server.patch(m.box, m.actor(), e, plain)
		if err == nil {
			shown = m.server.render(m.box, next, view{person: true})
		}
		return err
	})
	return shown, err
}

// Delete removes an event: the organizer's deletion cancels the meeting, an
// attendee's removes only the own copy.
func (m *Mailbox) Delete(ctx context.Context, id string) error {
	return m.with(ctx, id, func(e *event) error {
		m.server.drop(m.box, m.actor(), e)
		return nil
	})
}

// Cancel cancels a meeting; only its organizer may.
func (m *Mailbox) Cancel(ctx context.Context, id string) error {
	return m.with(ctx, id, func(e *event) error { return m.server.cancel(m.box, m.actor(), e) })
}

// Respond answers an invitation and tells the organizer: accept, decline or
// tentativelyAccept.
func (m *Mailbox) Respond(ctx context.Context, id, action string) error {
	return m.with(ctx, id, func(e *event) error {
		return m.server.respond(m.box, m.actor(), e, action, e.responseRequested, "", false)
	})
}

// Event returns one event, or an error that says that it is gone.
func (m *Mailbox) Event(id string) (map[string]any, error) {
	var shown map[string]any
	err := m.with(context.Background(), id, func(e *event) error {
		shown = m.server.render(m.box, e, view{person: true})
		return nil
	})
	return shown, err
}

// Events returns all events of the default calendar in the order of their
// creation.
func (m *Mailbox) Events() []map[string]any {
	m.server.mutex.Lock()
	defer m.server.mutex.Unlock()
	return m.eventsOf(defaultFolder)
}

// eventsOf returns all events of a calendar; the caller holds the mutex.
func (m *Mailbox) eventsOf(folder uint64) []map[string]any {
	var all []map[string]any
	for _, e := range m.box.listed(folder) {
		all = append(all, m.server.render(m.box, e, view{person: true}))
	}
	return all
}

// ExtendedProperty returns the value of a single value extended property of an
// event, which a person does not see but a test may ask for.
func (m *Mailbox) ExtendedProperty(id, property string) (string, bool) {
	var value string
	var set bool
	err := m.with(context.Background(), id, func(e *event) error {
		key, err := extendedKey(property)
		if err == nil {
			value, set = e.extended[key]
		}
		return err
	})
	return value, set && err == nil
}
