package nightpos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// NightPOS writes false for every empty value, whatever its type.

// text is a character, selection, date or datetime field.
type text string

// UnmarshalJSON reads a string, or false for none.
func (t *text) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("false")) || bytes.Equal(data, []byte("null")) {
		*t = ""
		return nil
	}
	var value string
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	*t = text(value)
	return nil
}

// reference is a many-to-one field, zero for none.
type reference int64

// UnmarshalJSON reads an id, [id, name] as plain reads give it, or false.
func (r *reference) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("false")) || bytes.Equal(data, []byte("null")) {
		*r = 0
		return nil
	}
	if len(data) > 0 && data[0] == '[' {
		var pair []json.RawMessage
		if err := json.Unmarshal(data, &pair); err != nil {
			return err
		}
		if len(pair) == 0 {
			*r = 0
			return nil
		}
		data = pair[0]
	}
	return json.Unmarshal(data, (*int64)(r))
}

// eventRow is what is read of a calendar.event.
type eventRow struct {
	ID           int64     `json:"id"`
	Name         text      `json:"name"`
	Active       bool      `json:"active"`
	Start        text      `json:"start"`
	Stop         text      `json:"stop"`
	AllDay       bool      `json:"allday"`
	StartDate    text      `json:"start_date"`
	StopDate     text      `json:"stop_date"`
	Description  text      `json:"description"`
	Location     text      `json:"location"`
	MeetingLink  text      `json:"videocall_location"`
	Privacy      text      `json:"privacy"`
	ShowAs       text      `json:"show_as"`
	AlarmIDs     []int64   `json:"alarm_ids"`
	CategoryIDs  []int64   `json:"categ_ids"`
	UserID       reference `json:"user_id"`
	PartnerID    reference `json:"partner_id"`
	PartnerIDs   []int64   `json:"partner_ids"`
	Recurring    bool      `json:"recurrency"`
	RecurrenceID reference `json:"recurrence_id"`
	Follows      bool      `json:"follow_recurrence"`
	CreateDate   text      `json:"create_date"`
	WriteDate    text      `json:"write_date"`
	// The ids that the built-in sync leaves: in 17 both in the first one, with a
	// colon between them.
	MicrosoftID text `json:"microsoft_id"`
	UniversalID text `json:"ms_universal_event_id"`
	// MasterID is the id of the series' master.
	MasterID text `json:"microsoft_recurrence_master_id"`
	// DefaultPrivacy is what no privacy means: the owner's wish, empty in 17, which
	// knows none, and where nobody's user owns the event.
	DefaultPrivacy text `json:"calendar_default_privacy"`
}

// attendeeRow is what is read of a calendar.attendee.
type attendeeRow struct {
	ID        int64     `json:"id"`
	EventID   reference `json:"event_id"`
	PartnerID reference `json:"partner_id"`
	Email     text      `json:"email"`
	Name      text      `json:"common_name"`
	State     text      `json:"state"`
	WriteDate text      `json:"write_date"`
}

var (
	eventFields = []string{
		"name", "active", "start", "stop", "allday", "start_date", "stop_date", "description", "location",
		"videocall_location", "privacy", "show_as", "alarm_ids", "categ_ids", "user_id", "partner_id",
		"partner_ids", "recurrency", "recurrence_id", "follow_recurrence", "create_date", "write_date",
	}
	// builtInFields are there where the built-in sync is installed.
	builtInFields = []string{"microsoft_id", "ms_universal_event_id", "microsoft_recurrence_master_id"}
	// ownerFields are of the event's user, where users have them.
	ownerFields    = []string{"calendar_default_privacy"}
	attendeeFields = []string{"event_id", "partner_id", "email", "common_name", "state", "write_date"}
	stampFields    = []string{"create_date", "write_date"}
	stampField     = []string{"write_date"}
)

// keyPair is one entry of keys_of: a record and the key it was made with.
type keyPair struct {
	ID   int64
	Name string
}

// UnmarshalJSON reads [id, "name"].
func (p *keyPair) UnmarshalJSON(data []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("a pair of id and key has %d parts", len(pair))
	}
	if err := json.Unmarshal(pair[0], &p.ID); err != nil {
		return err
	}
	return json.Unmarshal(pair[1], &p.Name)
}

// The formats of NightPOS, always UTC.
const (
	dateFormat     = "2006-01-02"
	datetimeFormat = "2006-01-02 15:04:05"
)

// parseStamp reads a datetime with or without microseconds; zero when there is
// none, as in masked events.
func parseStamp(stamp text) time.Time {
	// Parse accepts a fraction of seconds that the format does not name.
	parsed, err := time.Parse(datetimeFormat, string(stamp))
	if err != nil {
		return time.Time{}
	}
	return parsed
}
