package weeks_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/k3a/html2text"
)

// reading is what a person sees of a meeting on either side, as far as both can
// show it. It is the test's own reading, shared with nothing of the gateway.
type reading struct {
	ID        string
	Organizer string
	Title     string
	Start     string
	End       string
	AllDay    bool
	Place     string
	Body      string
	Private   string
	Free      bool
	Reminder  int    // the one nearest to the start; negative for none
	People    string // addresses
}

// tagOf finds the mark by which the test knows a meeting; it stands at the
// beginning of every title.
func tagOf(title string) string {
	tag, _, _ := strings.Cut(title, " ")
	return tag
}

func plain(markup string) string {
	return strings.Join(strings.Fields(html2text.HTML2Text(markup)), " ")
}

func textIn(shown map[string]any, path ...string) string {
	for _, name := range path[:len(path)-1] {
		shown, _ = shown[name].(map[string]any)
	}
	value, _ := shown[path[len(path)-1]].(string)
	return value
}

// answers are the replies to a meeting by address: accepted, declined, tentative
// or open.
type answers map[string]string

func (a answers) people() string { return strings.Join(slices.Sorted(maps.Keys(a)), " ") }

// outlookReading reads an event of a mailbox, and the answers that it shows.
func outlookReading(shown map[string]any) (reading, answers) {
	read := reading{
		ID: textIn(shown, "id"), Organizer: strings.ToLower(textIn(shown, "organizer", "emailAddress", "address")),
		Title: textIn(shown, "subject"), Place: textIn(shown, "location", "displayName"),
		Body: plain(textIn(shown, "body", "content")), Private: textIn(shown, "sensitivity"),
		Free: textIn(shown, "showAs") == "free", Reminder: -1,
	}
	if read.Private == "normal" || read.Private == "personal" {
		read.Private = "public"
	}
	read.AllDay, _ = shown["isAllDay"].(bool)
	read.Start, read.End = textIn(shown, "start", "dateTime")[:16], textIn(shown, "end", "dateTime")[:16]
	if read.AllDay {
		read.Start, read.End = read.Start[:10], read.End[:10]
	}
	if on, _ := shown["isReminderOn"].(bool); on {
		read.Reminder = number(shown["reminderMinutesBeforeStart"])
	}
	replies := answers{}
	attendees, _ := shown["attendees"].([]any)
	for _, entry := range attendees {
		attendee, _ := entry.(map[string]any)
		address := strings.ToLower(textIn(attendee, "emailAddress", "address"))
		if address != read.Organizer {
			replies[address] = outlookAnswer(textIn(attendee, "status", "response"))
		}
	}
	read.People = replies.people()
	return read, replies
}

func outlookAnswer(response string) string {
	switch response {
	case "tentativelyAccepted":
		return "tentative"
	case "", "none", "notResponded", "organizer":
		return "open"
	}
	return response
}

func number(value any) int {
	switch value := value.(type) {
	case int:
		return value
	case int64:
		return int(value)
	case float64:
		return int(value)
	}
	return 0
}

func numbers(value any) []int {
	switch list := value.(type) {
	case []int:
		return list
	case []any:
		var found []int
		for _, one := range list {
			found = append(found, number(one))
		}
		return found
	}
	return nil
}

// reference is the id of a many2one as NightPOS shows it: [7, "Alice"].
func reference(value any) int {
	if pair, ok := value.([]any); ok && len(pair) > 0 {
		return number(pair[0])
	}
	return number(value)
}

// alarmMinutes are the alarms that come with NightPOS, by id.
var alarmMinutes = map[int]int{1: 15, 2: 30, 3: 60, 4: 120, 5: 1440}

// nightposReading reads a record of the database, and its attendees' answers.
func (w *world) nightposReading(shown map[string]any) (reading, answers) {
	read := reading{
		ID: fmt.Sprint(number(shown["id"])), Title: textIn(shown, "name"), Place: textIn(shown, "location"),
		Body: plain(withoutContacts(textIn(shown, "description"))), Private: textIn(shown, "privacy"),
		Free: textIn(shown, "show_as") == "free", Reminder: -1,
	}
	if read.Private == "" {
		read.Private = "public"
	}
	owner := 0
	for _, login := range []string{"alice", "bob"} {
		if member := w.nightpos.Member(login); member.ID == reference(shown["user_id"]) {
			read.Organizer, owner = login+"@nightpos.example", member.PartnerID
		}
	}
	read.AllDay, _ = shown["allday"].(bool)
	read.Start, read.End = stamp(textIn(shown, "start")), stamp(textIn(shown, "stop"))
	if read.AllDay {
		last, err := time.Parse(time.DateOnly, read.End[:10])
		w.must(err)
		read.Start, read.End = read.Start[:10], last.AddDate(0, 0, 1).Format(time.DateOnly)
	}
	for _, alarm := range numbers(shown["alarm_ids"]) {
		minutes, known := alarmMinutes[alarm]
		if !known {
			w.t.Fatalf("an alarm of NightPOS has the unknown id %d", alarm)
		}
		if read.Reminder < 0 || minutes < read.Reminder {
			read.Reminder = minutes
		}
	}
	replies := answers{}
	attendees, _ := shown["attendees"].([]map[string]any)
	for _, attendee := range attendees {
		answer := textIn(attendee, "state")
		if answer == "needsAction" {
			answer = "open"
		}
		if reference(attendee["partner_id"]) != owner {
			replies[strings.ToLower(textIn(attendee, "email"))] = answer
		}
	}
	read.People = replies.people()
	return read, replies
}

// stamp brings NightPOS's instants into the shape of Outlook's.
func stamp(instant string) string { return strings.Replace(instant, " ", "T", 1)[:16] }

// withoutContacts leaves out what NightPOS 19 puts behind the description of an
// event that a person makes: who organises it and who comes.
func withoutContacts(description string) string {
	written, _, _ := strings.Cut(description, "<strong>Organized by</strong>")
	return written
}
