package outlook

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Series in the hands of a person. Create with a "recurrence" makes one; Update,
// Delete, Cancel and Respond take the id of its master for all of it, and the id
// of an occurrence for that one alone. An Update of "recurrence" makes a single
// event a series, or with nil a series a single event again.

// Instances returns the occurrences of a series that overlap a window, by start.
func (m *Mailbox) Instances(id string, from, to time.Time) ([]map[string]any, error) {
	var all []map[string]any
	err := m.with(context.Background(), id, func(e *event) error {
		if e.recurrence == nil {
			return errorInvalid("The event is not the master of a series: only a series has instances.")
		}
		for _, one := range e.occurrences(from, to) {
			all = append(all, m.server.render(m.box, one, view{person: true}))
		}
		return nil
	})
	return all, err
}

// View returns what the default calendar shows in a window, by start: single
// events and the occurrences of series.
func (m *Mailbox) View(from, to time.Time) []map[string]any {
	m.server.mutex.Lock()
	defer m.server.mutex.Unlock()
	var all []map[string]any
	for _, e := range m.box.overlapping(defaultFolder, from, to) {
		all = append(all, m.server.render(m.box, e, view{person: true}))
	}
	return all
}

// occurrence runs work on one occurrence of a series that the person organizes.
func (m *Mailbox) occurrence(ctx context.Context, id string, work func(*event) error) error {
	return m.with(ctx, id, func(e *event) error {
		switch {
		case e.series == nil:
			return errorInvalid("The event is not an occurrence of a series.")
		case !e.organized(m.box):
			return errorInvalid("Your request can't be completed. You need to be an organizer to divide a series.")
		}
		return work(e)
	})
}

// UpdateFollowing changes an occurrence and all that follow it, as Outlook does:
// the series ends before the occurrence, and another one, which has neither its
// exceptions nor its answers, begins with the given properties. It returns the
// new master, or the only one if the occurrence is the first. Without a
// "recurrence" in the patch the new series keeps the pattern.
func (m *Mailbox) UpdateFollowing(ctx context.Context, id string, patch map[string]any) (map[string]any, error) {
	plain, err := plainJSON(patch)
	if err != nil {
		return nil, err
	}
	var shown map[string]any
	err = m.occurrence(ctx, id, func(e *event) error {
		master := e.series
		number, _ := master.recurrence.find(e.slot)
		var made *event
		if number == 0 {
			made, err = m.server.patch(m.box, m.actor(), master, plain)
		} else {
			made, err = m.divide(master, e.slot, number, plain)
		}
		if err == nil {
			shown = m.server.render(m.box, made, view{person: true})
		}
		return err
	})
	return shown, err
}

// divide ends a series before one of its days and begins another one there.
func (m *Mailbox) divide(master *event, slot time.Time, number int, patch map[string]any) (*event, error) {
	in, err := parseZone(master.startZone, true)
	if err != nil {
		return nil, err
	}
	in.name = master.startZone
	later := master.unmodified(slot)
	later.series, later.slot = nil, time.Time{}
	content, err := plainJSON(m.server.render(m.box, later, view{zone: in, person: true}))
	if err != nil {
		return nil, err
	}
	delete(content, "transactionId")
	maps.Copy(content, patch)
	if patch["recurrence"] == nil {
		start, err := m.server.parseMoment(content["start"])
		if err != nil {
			return nil, err
		}
		rule := &recurrence{pattern: master.recurrence.pattern, bounds: master.recurrence.bounds}
		rule.start = clock(start.instant, start.zone.location).Truncate(24 * time.Hour)
		rule.zone = start.zone.name
		if rule.count > 0 {
			rule.count -= number
		}
		if content["recurrence"], err = plainJSON(rule.render()); err != nil {
			return nil, err
		}
	}
	if err := m.server.apply(m.server.newEvent(m.box), content, true); err != nil {
		return nil, err // before anything has been written
	}
	if err := m.end(master, slot); err != nil {
		return nil, err
	}
	return m.server.create(m.box, m.actor(), master.folder, content)
}

// end makes the day before a day the last of a series.
func (m *Mailbox) end(master *event, slot time.Time) error {
	rule := &recurrence{pattern: master.recurrence.pattern, bounds: master.recurrence.bounds}
	rule.bounds.kind, rule.count, rule.end = "endDate", 0, slot.AddDate(0, 0, -1)
	shortened, err := plainJSON(map[string]any{"recurrence": rule.render()})
	if err != nil {
		return err
	}
	_, err = m.server.patch(m.box, m.actor(), master, shortened)
	return err
}

// DeleteFollowing deletes an occurrence and all that follow it: the series ends
// before, or is deleted if the occurrence is its first.
func (m *Mailbox) DeleteFollowing(ctx context.Context, id string) error {
	return m.occurrence(ctx, id, func(e *event) error {
		if number, _ := e.series.recurrence.find(e.slot); number == 0 {
			m.server.drop(m.box, m.actor(), e.series)
			return nil
		}
		return m.end(e.series, e.slot)
	})
}

// Shift moves a whole series by so many days and so much time of day, as
// dragging it does; what repeats on weekdays or on a day of the month repeats on
// those that are as many days later. A relative pattern cannot be moved by days.
// It returns the master.
func (m *Mailbox) Shift(ctx context.Context, id string, days int, by time.Duration) (map[string]any, error) {
	var shown map[string]any
	err := m.with(ctx, id, func(e *event) error {
		if e.recurrence == nil {
			return errorInvalid("The event is not the master of a series.")
		}
		in := e.location()
		moved := func(instant time.Time) map[string]any {
			return map[string]any{"dateTime": clock(instant, in).AddDate(0, 0, days).Add(by).Format(instantLayout), "timeZone": e.startZone}
		}
		first := e.day()
		target := clock(e.start, in).AddDate(0, 0, days).Add(by).Truncate(24 * time.Hour)
		distance := int(target.Sub(first) / (24 * time.Hour))
		rule, err := e.recurrence.shifted(target, distance)
		if err != nil {
			return err
		}
		patch, err := plainJSON(map[string]any{"start": moved(e.start), "end": moved(e.end), "recurrence": rule.render()})
		if err != nil {
			return err
		}
		next, err := m.server.patch(m.box, m.actor(), e, patch)
		if err == nil {
			shown = m.server.render(m.box, next, view{person: true})
		}
		return err
	})
	return shown, err
}

// shifted is the rule so many days later, beginning on a day.
func (r *recurrence) shifted(first time.Time, days int) (*recurrence, error) {
	moved := &recurrence{pattern: r.pattern, bounds: r.bounds}
	moved.start = first
	if !moved.end.IsZero() {
		moved.end = moved.end.AddDate(0, 0, days)
	}
	switch {
	case days == 0:
	case r.relative():
		return nil, fmt.Errorf("shifting the series by %d days: its pattern names weekdays of a month; give it a new recurrence instead", days)
	case r.absolute():
		moved.dayOfMonth = first.Day()
		if r.yearly() {
			moved.month = int(first.Month())
		}
	case r.pattern.kind == "weekly":
		moved.days = nil
		for _, day := range r.days {
			at := slices.Index(dayValues, day) + days
			moved.days = append(moved.days, dayValues[(at%7+7)%7])
		}
	}
	return moved, nil
}
