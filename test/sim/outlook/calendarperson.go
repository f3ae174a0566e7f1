package outlook

import "context"

// Calendars in the hands of a person. An empty id of a calendar is the default
// one's. Update, Delete and all others take events of any calendar.

func (m *Mailbox) calendar(id string) (*calendar, error) {
	if id == "" {
		return m.box.calendars[0], nil
	}
	return m.box.calendar(id)
}

// Calendars returns all calendars, the default one first.
func (m *Mailbox) Calendars() []map[string]any {
	m.server.mutex.Lock()
	defer m.server.mutex.Unlock()
	var all []map[string]any
	for _, one := range m.box.calendars {
		all = append(all, m.box.renderCalendar(one))
	}
	return all
}

// CreateCalendar makes another calendar and returns it.
func (m *Mailbox) CreateCalendar(ctx context.Context, name string) (map[string]any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.server.mutex.Lock()
	defer m.server.unlock()
	made, err := m.box.makeCalendar(name)
	if err != nil {
		return nil, err
	}
	return m.box.renderCalendar(made), nil
}

// DeleteCalendar deletes a calendar other than the default one with all of its
// events, without a word to anybody.
func (m *Mailbox) DeleteCalendar(ctx context.Context, calendar string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.server.mutex.Lock()
	defer m.server.unlock()
	found, err := m.calendar(calendar)
	if err != nil {
		return err
	}
	return m.server.dropCalendar(m.box, m.actor(), found)
}

// Move takes an event to another calendar, or a series as a whole by its master,
// and returns it under its new id. An event that is there already stays as it is.
func (m *Mailbox) Move(ctx context.Context, id, calendar string) (map[string]any, error) {
	var shown map[string]any
	err := m.with(ctx, id, func(e *event) error {
		target, err := m.calendar(calendar)
		if err != nil {
			return err
		}
		moved, err := m.server.move(m.box, m.actor(), e, target)
		if err == nil {
			shown = m.server.render(m.box, moved, view{person: true})
		}
		return err
	})
	return shown, err
}

// CalendarOf returns the calendar that holds an event.
func (m *Mailbox) CalendarOf(id string) (map[string]any, error) {
	var shown map[string]any
	err := m.with(context.Background(), id, func(e *event) error {
		shown = m.box.renderCalendar(m.box.calendarAt(e.folder))
		return nil
	})
	return shown, err
}

// EventsIn returns all events of a calendar in the order of their creation.
func (m *Mailbox) EventsIn(calendar string) ([]map[string]any, error) {
	m.server.mutex.Lock()
	defer m.server.mutex.Unlock()
	found, err := m.calendar(calendar)
	if err != nil {
		return nil, err
	}
	return m.eventsOf(found.folder), nil
}
