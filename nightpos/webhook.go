package nightpos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
)

// The parts of a webhook's address that Registrar adds.
const (
	webhookTrigger = "on"
	triggerSave    = "save"
	triggerUnlink  = "unlink"
)

// stampLength is that of a datetime with microseconds.
const stampLength = len("2026-11-22 17:15:59.341675")

// idsLimit bounds how many people, or events, one webhook may name.
const idsLimit = 10_000

// Change is what a webhook tells: where to look, and who it concerns. Nothing
// in it is trusted as content.
type Change struct {
	// Model is calendar.event, calendar.attendee or calendar.recurrence.
	Model string
	// RecordID is the event, also for changes of attendees. Of a recurrence it is
	// one of its events, zero where it has none: such a change concerns nobody.
	RecordID int64
	// Deleted says that the event is about to go.
	Deleted bool
	// OrganizerUserID is the event's user, zero when not told.
	OrganizerUserID int64
	// PartnerIDs are the contacts the change concerns: everybody invited, or
	// the one who answered.
	PartnerIDs []int64
	// WriteDate is the event's write_date with microseconds; empty when not
	// told, as for answers, which do not move it.
	WriteDate string
}

// ParseWebhook reads a webhook of one of the rules that Registrar makes. The
// caller has checked the sender and bounded the size. Errors say what is wrong
// without quoting the content.
func ParseWebhook(query url.Values, body []byte) (Change, error) {
	var payload struct {
		ID         int64     `json:"_id"`
		Model      string    `json:"_model"`
		UserID     reference `json:"user_id"`
		PartnerIDs idList    `json:"partner_ids"`
		PartnerID  reference `json:"partner_id"`
		EventID    reference `json:"event_id"`
		BaseID     reference `json:"base_event_id"`
		EventIDs   idList    `json:"calendar_event_ids"`
		WriteDate  text      `json:"write_date"`
	}
	if err := json.Unmarshal(body, &payload); err != nil {
		return Change{}, errors.New("it is not the JSON of an automation rule")
	}
	trigger := query.Get(webhookTrigger)
	if trigger != triggerSave && trigger != triggerUnlink {
		return Change{}, fmt.Errorf("the address lacks %s=%s or %s=%s", webhookTrigger, triggerSave, webhookTrigger, triggerUnlink)
	}
	if payload.ID <= 0 {
		return Change{}, errors.New("_id is missing")
	}
	change := Change{Model: payload.Model}
	switch payload.Model {
	case "calendar.event":
		change.RecordID = payload.ID
		change.Deleted = trigger == triggerUnlink
		change.OrganizerUserID = max(int64(payload.UserID), 0)
		change.PartnerIDs = payload.PartnerIDs
		// Anything but a date of that form would outlive every comparison.
		if len(payload.WriteDate) <= stampLength && !parseStamp(payload.WriteDate).IsZero() {
			change.WriteDate = string(payload.WriteDate)
		}
	case "calendar.attendee":
		if payload.EventID <= 0 || payload.PartnerID <= 0 {
			return Change{}, errors.New("event_id or partner_id is missing")
		}
		change.RecordID, change.PartnerIDs = int64(payload.EventID), []int64{int64(payload.PartnerID)}
	case "calendar.recurrence":
		// The events know whom it concerns. Where NightPOS makes a recurrence anew
		// it empties the old one first.
		change.RecordID = max(int64(payload.BaseID), 0)
		for _, id := range payload.EventIDs {
			if change.RecordID == 0 {
				change.RecordID = max(id, 0)
			}
		}
	default:
		return Change{}, errors.New("_model is not a calendar model")
	}
	return change, nil
}

// idList reads a list of ids, or false. It refuses absurd lengths.
type idList []int64

// UnmarshalJSON reads the list.
func (l *idList) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("false")) || bytes.Equal(data, []byte("null")) {
		*l = nil
		return nil
	}
	var ids []int64
	if err := json.Unmarshal(data, &ids); err != nil {
		return err
	}
	if len(ids) > idsLimit {
		return errors.New("too many ids: " + strconv.Itoa(len(ids)))
	}
	*l = ids
	return nil
}
