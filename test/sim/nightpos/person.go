package nightpos

import (
	"context"
	"errors"
	"fmt"
)

// Member is a person at NightPOS's own web client: the same rules, webhooks and
// mails as over the API.
type Member struct {
	server *Server
	// ID and PartnerID are the user and the contact.
	ID, PartnerID int
}

// Member returns the person of a login, or nil if there is none.
func (s *Server) Member(login string) *Member {
	for _, user := range s.begin(0, nil).all("res.users") {
		if user.values["login"] == login {
			return &Member{server: s, ID: user.id, PartnerID: intOf(user.values["partner_id"])}
		}
	}
	return nil
}

// Contact is the id of the contact of an address, zero if there is none.
func (s *Server) Contact(address string) int {
	for _, contact := range s.begin(0, nil).all("res.partner") {
		if contact.values["email"] == address {
			return contact.id
		}
	}
	return 0
}

func (m *Member) run(ctx context.Context, model, method string, list ...any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	given, _ := plain(list).([]any)
	result, err := m.server.run(m.ID, model, method, arguments{list: given})
	var failed *fault
	if errors.As(err, &failed) {
		return nil, fmt.Errorf("NightPOS refused %s.%s: %w", model, method, err)
	}
	return result, err
}

// Create makes an event and returns its id.
func (m *Member) Create(ctx context.Context, values map[string]any) (int, error) {
	made, err := m.run(ctx, "calendar.event", "create", plain(values))
	return intOf(made), err
}

// CreateAll makes events in one call and returns their ids.
func (m *Member) CreateAll(ctx context.Context, values ...map[string]any) ([]int, error) {
	list := make([]any, 0, len(values))
	for _, one := range values {
		list = append(list, plain(one))
	}
	made, err := m.run(ctx, "calendar.event", "create", list)
	if err != nil {
		return nil, err
	}
	var ids []int
	for _, id := range plain(made).([]any) {
		ids = append(ids, intOf(id))
	}
	return ids, nil
}

// Write changes events.
func (m *Member) Write(ctx context.Context, ids []int, values map[string]any) error {
	_, err := m.run(ctx, "calendar.event", "write", ids, plain(values))
	return err
}

// Unlink deletes events.
func (m *Member) Unlink(ctx context.Context, ids ...int) error {
	_, err := m.run(ctx, "calendar.event", "unlink", ids)
	return err
}

// Archive hides events.
func (m *Member) Archive(ctx context.Context, ids ...int) error {
	_, err := m.run(ctx, "calendar.event", "action_archive", ids)
	return err
}

// Unarchive brings events back.
func (m *Member) Unarchive(ctx context.Context, ids ...int) error {
	_, err := m.run(ctx, "calendar.event", "action_unarchive", ids)
	return err
}

// MassDelete deletes an event, it and the later ones of its recurrence, or all:
// self_only, future_events or all_events.
func (m *Member) MassDelete(ctx context.Context, event int, scope string) error {
	_, err := m.run(ctx, "calendar.event", "action_mass_deletion", []int{event}, scope)
	return err
}

// MassArchive archives as MassDelete deletes.
func (m *Member) MassArchive(ctx context.Context, event int, scope string) error {
	_, err := m.run(ctx, "calendar.event", "action_mass_archive", []int{event}, scope)
	return err
}

// AnswerSeries answers the invitation to an event, to it and the later ones of
// its recurrence, or to all: self_only, future_events or all_events.
func (m *Member) AnswerSeries(ctx context.Context, event int, state, scope string) error {
	_, err := m.run(ctx, "calendar.event", "change_attendee_status", []int{event}, state, scope)
	return err
}

// Answer answers the invitation to an event: accepted, declined or tentative.
func (m *Member) Answer(ctx context.Context, event int, state string) error {
	_, err := m.run(ctx, "calendar.event", "change_attendee_status", []int{event}, state)
	return err
}

// WriteUser changes a user, as an administrator does under Settings, Users.
func (m *Member) WriteUser(ctx context.Context, user int, values map[string]any) error {
	_, err := m.run(ctx, "res.users", "write", []int{user}, plain(values))
	return err
}

// SetParameter changes a system parameter.
func (m *Member) SetParameter(ctx context.Context, name string, value any) error {
	_, err := m.run(ctx, "ir.config_parameter", "set_param", name, value)
	return err
}

// Events shows every event of the database with all its fields, archived and
// private ones included, and each one's attendees under "attendees". It is the
// view of a test, not of a person.
func (s *Server) Events() []map[string]any {
	t := s.begin(adminID, map[string]any{"active_test": false}).as(true, nil)
	var events []map[string]any
	var fields []string
	for name := range s.schema["calendar.event"] {
		// What goes through every other event is left out.
		if name != "unavailable_partner_ids" {
			fields = append(fields, name)
		}
	}
	for _, found := range t.all("calendar.event") {
		rows, err := t.read("calendar.event", []int{found.id}, fields, false)
		if err != nil || len(rows) == 0 {
			continue
		}
		var attendees []map[string]any
		for _, attendee := range t.attendees(found.id) {
			row, err := t.read("calendar.attendee", []int{attendee.id}, []string{"partner_id", "email", "state"}, false)
			if err == nil && len(row) == 1 {
				attendees = append(attendees, row[0])
			}
		}
		rows[0]["attendees"] = attendees
		events = append(events, rows[0])
	}
	return events
}

// Recurrences shows every recurrence of the database with all its fields; its
// calendar_event_ids are those that are not archived, the latest first. It is the
// view of a test, not of a person.
func (s *Server) Recurrences() []map[string]any {
	t := s.begin(adminID, map[string]any{"active_test": false}).as(true, nil)
	var recurrences []map[string]any
	for _, found := range t.all("calendar.recurrence") {
		if rows, err := t.read("calendar.recurrence", []int{found.id}, nil, false); err == nil {
			recurrences = append(recurrences, rows...)
		}
	}
	return recurrences
}
