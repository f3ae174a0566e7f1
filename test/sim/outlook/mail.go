package outlook

import "time"

// Mail is one mail that Outlook would have sent to one recipient.
type Mail struct {
	Time    time.Time
	From    string
	To      string
	Kind    string // invitation, update, cancellation or response
	Subject string
	ICalUID string
	Actor   string // who caused it: person:ADDRESS or app:CLIENT ID
}

// maximumMails bounds what is remembered; the oldest go first.
const maximumMails = 100000

// Mails returns every mail that Outlook would have sent, oldest first; of very
// many, the latest 100,000.
func (s *Server) Mails() []Mail {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]Mail{}, s.mails...)
}

// mail records one; the caller holds the mutex.
func (s *Server) mail(kind, from, to string, about *event, subject, actor string) {
	if len(s.mails) >= maximumMails {
		s.mails = append(s.mails[:0], s.mails[maximumMails/10:]...)
	}
	s.mails = append(s.mails, Mail{
		Time: s.now(), From: from, To: to, Kind: kind, Subject: subject,
		ICalUID: about.iCalUID, Actor: actor,
	})
}
