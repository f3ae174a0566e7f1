package console

import "strings"

// reason is what happened and what to do, in the visitor's language.
type reason struct {
	Text, Todo string
	// Raw is the gateway's own sentence where there is no better one; English.
	Raw string
}

// causes leads from the gateway's own sentences, which logs and the admin API tell,
// to the texts of the console. The first match counts.
var causes = []struct{ part, key string }{
	{"no such page", "page"},
	{"too many pages", "busy"},
	{"the form cannot be read", "form"},
	{"another sign-in's", "foreign"},
	{"this is for administrators", "administrators"},
	{"admin token has no calendar", "no_calendar"},
	{"nobody with this id", "nobody"},
	{"no user with this id", "no_user"},
	{"that took too long", "slow"},
	{"no such job", "no_job"},
	{"that job is still running", "job_running"},
	{"nothing that could be restored", "nothing_to_restore"},
	{"a reset of this person is under way", "reset_running"},
	{"is paused; resume first", "paused"},
	{"no sweep of this person waits", "no_question"},
	{"client_secret is missing", "secret_missing"},
	{"client_secret_expires must", "secret_date"},
	{"client_id must", "client_id"},
	{"examined already", "examined"},
	{"not kept any more", "not_kept"},
	{"this version is in use", "in_use"},
	{"changing this event just now", "moving"},
	{"refused the other version", "refused_version"},
	{"the value cannot be put back", "not_restorable"},
	{"asks to be left alone", "throttled"},
	{"private_events must", "choices"},
	{"skip_categories: ", "choices"},
	{"only_categories: ", "choices"},
	{"connect Outlook again first", "reconnect"},
	{"the account was reset", "reset"},
	{"synced events are gone", "guard"},
	{"synced pairs are gone", "guard"},
	{"Outlook sync is switched off", "off"},
	{"another database", "database"},
	{"no Microsoft application is set", "no_application"},
	{"not durable", "not_durable"},
	{"secret expire", "expiry"},
	{"has expired", "expiry"},
	{"several events on the two sides", "ambiguous"},
	{"as busy only", "masked"},
	{"organizer is outside NightPOS", "outside"},
	{"this stands in for a meeting", "standin"},
	{"the meeting has another organizer now", "other_organizer"},
	{"waiting for the organizer", "organizer"},
	{"only new events cross", "only_new"},
	{"is released", "held"},
	{"kept on this side", "kept"},
	{"is private in Outlook", "private"},
	{"categories are not among", "category"},
	{"another calendar of the mailbox", "elsewhere"},
	{"while it was not synced", "aside"},
	{"not list this person as an attendee", "not_invited"},
	{"not invited", "not_invited"},
	{"waiting for the", "waiting"},
	{"run register", "not_registered"},
	{"register command", "not_registered"},
	{"NightPOS refused the sign-in", "nightpos_denied"},
	{"not accepted by Microsoft", "application"},
	{"access was refused by Microsoft", "forbidden"},
	{"leave this mailbox alone", "throttled"},
	{"reach the gateway's public address", "unreachable_gateway"},
	{"built-in Outlook sync", "built_in"},
	{"have the person connect again", "reconnect"},
	{"must sign in again", "reconnect"},
	{"occurrence", "series"},
	{"recurrence", "series"},
	{"series", "series"},
	{"no such host", "unreachable"},
	{"connection refused", "unreachable"},
	{"timeout", "unreachable"},
	{"deadline exceeded", "unreachable"},
	{"cannot be reached", "unreachable"},
	{"unavailable", "unreachable"},
	{"EOF", "unreachable"},
	{"the deletion is tried again", "deletion_refused"},
	{"Outlook: ", "outlook_refused"},
	{"NightPOS: ", "nightpos_refused"},
}

// explain finds the text for one of the gateway's own sentences.
func (v *view) explain(text string) reason {
	for _, cause := range causes {
		if strings.Contains(text, cause.part) {
			found := reason{Text: v.T("cause." + cause.key), Todo: v.T("cause." + cause.key + ".todo")}
			switch cause.key {
			case "outlook_refused", "nightpos_refused", "refused_version", "deletion_refused":
				found.Raw = text
			}
			return found
		}
	}
	return reason{Text: v.T("cause.other"), Todo: v.T("cause.other.todo"), Raw: text}
}

// Explain is explain for templates.
func (v *view) Explain(text string) reason { return v.explain(text) }
