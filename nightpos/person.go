package nightpos

import (
	"net/mail"
	"strings"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// states are NightPOS's words for answers.
var states = map[reconciler.Answer]string{
	reconciler.AnswerNone:      "needsAction",
	reconciler.AnswerAccepted:  "accepted",
	reconciler.AnswerTentative: "tentative",
	reconciler.AnswerDeclined:  "declined",
}

func answerOf(state text) reconciler.Answer {
	for answer, name := range states {
		if name == string(state) {
			return answer
		}
	}
	return reconciler.AnswerNone
}

func stateOf(answer reconciler.Answer) string {
	if state, known := states[answer]; known {
		return state
	}
	return states[reconciler.AnswerNone]
}

// addressable says whether somebody can be a contact: a plain mail address, not
// a directory name as old Exchange mailboxes have, and nothing that could turn
// into a second address inside "Name" <address>.
func addressable(address string) bool {
	address = strings.TrimSpace(address)
	if len(address) > 254 || strings.ContainsAny(address, "<>\"',;()[]\\ \t\r\n") {
		return false
	}
	parsed, err := mail.ParseAddress(address)
	return err == nil && parsed.Address == address
}

// written is how a contact is given to find_or_create.
func written(person reconciler.Person) string {
	address := strings.TrimSpace(person.Address)
	name := strings.Map(func(letter rune) rune {
		switch {
		case letter == '"' || letter == '\\' || letter == '<' || letter == '>':
			return -1
		case letter < ' ' || letter == 0x7f:
			return ' '
		}
		return letter
	}, person.Name)
	name = strings.Join(strings.Fields(name), " ")
	if name == "" || strings.EqualFold(name, address) {
		return address
	}
	return `"` + name + `" <` + address + `>`
}
