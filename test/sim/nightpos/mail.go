package nightpos

import (
	"reflect"
	"slices"
	"time"
)

// Mail is one mail that NightPOS would have sent.
type Mail struct {
	Time time.Time
	// To is the recipient's address.
	To string
	// Kind is invitation or update.
	Kind string
	// Event is the id of the event and Subject its name.
	Event   int
	Subject string
	// User is who caused it.
	User int
}

// maximumMails bounds what is remembered; the oldest go first.
const maximumMails = 100_000

// mail queues a mail to each of the contacts but the acting user's own, as
// creating and moving future events does unless the context forbids it.
func (t *transaction) mail(event *record, mailKind string, partners []int) {
	stop, _ := event.values["stop"].(time.Time)
	if truth(t.context["no_mail_to_attendees"]) || !stop.After(t.started) || !truth(event.values["active"]) {
		return
	}
	for _, id := range partners {
		partner := t.get("res.partner", id)
		if partner == nil || id == t.partner() || !truth(partner.values["email"]) {
			continue
		}
		*t.mails = append(*t.mails, Mail{
			Time: t.started, To: textOf(partner.values["email"]), Kind: mailKind, Event: event.id,
			Subject: textOf(event.values["name"]), User: t.uid,
		})
	}
}

// Mails returns every mail that NightPOS would have sent, oldest first; of very
// many, the latest 100,000.
func (s *Server) Mails() []Mail {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]Mail{}, s.mails...)
}

// trackedFields are those whose change leaves a line in the chatter.
var trackedFields = []string{"start", "stop", "location"}

// note adds a line to the chatter of an event.
func (t *transaction) note(event int, body string) {
	t.insert("mail.message", map[string]any{"model": "calendar.event", "res_id": event, "body": body, "author_id": t.partner()})
}

// noteCreation leaves the first line in the chatter, unless the context forbids
// it.
func (t *transaction) noteCreation(event *record) {
	if !truth(t.context["mail_create_nolog"]) && !truth(t.context["tracking_disable"]) {
		t.note(event.id, "Calendar Event created")
	}
}

// noteChange leaves a line when a tracked field was changed, unless the context
// forbids it.
func (t *transaction) noteChange(event written) {
	if truth(t.context["tracking_disable"]) || truth(t.context["mail_notrack"]) {
		return
	}
	if slices.ContainsFunc(trackedFields, func(name string) bool {
		return !reflect.DeepEqual(normal(event.before[name]), normal(event.values[name]))
	}) {
		t.note(event.id, "")
	}
}

// countMails is how many mails were sent, those of this transaction included.
func (t *transaction) countMails() int {
	t.server.mutex.Lock()
	defer t.server.mutex.Unlock()
	return len(t.server.mails) + len(*t.mails)
}
