package nightpos

import (
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
