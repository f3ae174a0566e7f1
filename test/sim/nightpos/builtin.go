package nightpos

import (
	"slices"
	"time"
)

// checkNeighbours refuses, as the built-in sync has it, to move an occurrence
// to or over the day of another.
func (t *transaction) checkNeighbours(event *record, start any) error {
	instant, err := parseDatetime(start)
	if err != nil {
		return err
	}
	moved, given := instant.(time.Time)
	if !given || intOf(event.values["recurrence_id"]) == 0 {
		return nil
	}
	day := func(instant time.Time) time.Time { return instant.UTC().Truncate(24 * time.Hour) }
	old, target := day(startOf(event)), day(moved)
	for _, other := range t.followers(intOf(event.values["recurrence_id"])) {
		on := day(startOf(other))
		if other.id != event.id && (on.Equal(target) || on.Before(old) != on.Before(target)) {
			return userError("Outlook limitation: in a recurrence, an event cannot be moved to or before the day of the previous event, and cannot be moved to or after the day of the following event.")
		}
	}
	return nil
}

// syncing says that the acting user has the built-in Outlook sync connected,
// which refuses series unless the context says dont_notify.
func (t *transaction) syncing() bool {
	user := t.get("res.users", t.uid)
	return user != nil && !truth(t.context["dont_notify"]) && truth(user.values["microsoft_calendar_rtoken"]) && !truth(user.values["microsoft_synchronization_stopped"])
}

// stopBuiltInSync is what the button in a person's calendar does; the token stays.
func (t *transaction) stopBuiltInSync(users []int) error {
	if len(users) != 1 {
		return valueError("Expected singleton: res.users%v", users)
	}
	return t.write("res.users", users, map[string]any{"microsoft_synchronization_stopped": true, "microsoft_last_sync_date": false})
}

const (
	seriesCreationRefused = "Due to an Outlook Calendar limitation, recurrent events must be created directly in Outlook Calendar."
	seriesUpdateRefused   = "Due to an Outlook Calendar limitation, recurrence updates must be done directly in Outlook Calendar."
	seriesUnknownRefused  = seriesUpdateRefused + "\nIf this recurrence is not shown in Outlook Calendar, you must delete it in Odoo Calendar and recreate it in Outlook Calendar."
)

// refuseUpdate is the refusal of the built-in sync; it has more to say when an
// event is not in Outlook yet.
func refuseUpdate(events []*record) error {
	if slices.ContainsFunc(events, func(event *record) bool { return !truth(event.values["microsoft_id"]) }) {
		return userError(seriesUnknownRefused)
	}
	return userError(seriesUpdateRefused)
}
