package meetings_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/test/world"
)

// scene is the system in the middle of a test.
type scene struct {
	*world.World
	*testing.T
}

// Everything that these tests look at lies between these.
var (
	from  = time.Date(1999, 12, 1, 0, 0, 0, 0, time.UTC)
	until = from.AddDate(2, 0, 0)
)

// showing is one occurrence of a meeting, or a single one, as one side shows it.
type showing struct {
	Start, End, Title string
	AllDay            bool
	// People are the answers by address: accepted, declined, tentative or open.
	// The organizer is not among them.
	People map[string]string
	// Own is the answer of the mailbox's owner, in mailboxes.
	Own string
}

// showings are those of one meeting, by start.
type showings []showing

func (list showings) clone() showings {
	copied := slices.Clone(list)
	for index := range copied {
		copied[index].People = maps.Clone(copied[index].People)
	}
	return copied
}

func (list showings) String() string {
	var text strings.Builder
	for _, one := range list {
		fmt.Fprintf(&text, "\n  %s to %s %q", one.Start, one.End, one.Title)
		for _, address := range slices.Sorted(maps.Keys(one.People)) {
			fmt.Fprintf(&text, " %s:%s", address, one.People[address])
		}
		if one.Own != "" {
			fmt.Fprintf(&text, " own:%s", one.Own)
		}
	}
	if len(list) == 0 {
		return " nothing"
	}
	return text.String()
}

func tagOf(title string) string {
	tag, _, _ := strings.Cut(title, " ")
	return tag
}

func text(shown map[string]any, path ...string) string {
	for _, name := range path[:len(path)-1] {
		shown, _ = shown[name].(map[string]any)
	}
	value, _ := shown[path[len(path)-1]].(string)
	return value
}

func answer(response string) string {
	switch response {
	case "tentativelyAccepted":
		return "tentative"
	case "", "none", "notResponded", "organizer", "needsAction":
		return "open"
	}
	return response
}

// inMailbox is what a mailbox shows of the meetings with a tag; an empty tag means
// all. What is cancelled is not shown.
func (s *scene) inMailbox(address, tag string) showings {
	list := showings{}
	for _, shown := range s.Outlook.Mailbox(address).View(from, until) {
		if shown["isCancelled"] == true || tag != "" && tagOf(text(shown, "subject")) != tag {
			continue
		}
		one := showing{
			Start: text(shown, "start", "dateTime")[:16], End: text(shown, "end", "dateTime")[:16], Title: text(shown, "subject"),
			People: map[string]string{}, Own: answer(text(shown, "responseStatus", "response")),
		}
		one.AllDay, _ = shown["isAllDay"].(bool)
		organizer := strings.ToLower(text(shown, "organizer", "emailAddress", "address"))
		attendees, _ := shown["attendees"].([]any)
		for _, entry := range attendees {
			attendee, _ := entry.(map[string]any)
			if invited := strings.ToLower(text(attendee, "emailAddress", "address")); invited != organizer {
				one.People[invited] = answer(text(attendee, "status", "response"))
			}
		}
		if list = append(list, one); shown["isOrganizer"] != true {
			// An attendee's copy knows nothing of the others' answers.
			list[len(list)-1].People = nil
		}
	}
	sortShowings(list)
	return list
}

func sortShowings(list showings) {
	slices.SortStableFunc(list, func(a, b showing) int { return strings.Compare(a.Start+a.Title, b.Start+b.Title) })
}

// inNightPOS is what NightPOS shows of the meetings with a tag.
func (s *scene) inNightPOS(tag string) showings {
	list := showings{}
	for _, shown := range s.NightPOS.Events() {
		if shown["active"] != true || tag != "" && tagOf(text(shown, "name")) != tag {
			continue
		}
		one := showing{Start: stamp(shown, "start"), End: stamp(shown, "stop"), Title: text(shown, "name"), People: map[string]string{}}
		if one.AllDay, _ = shown["allday"].(bool); one.AllDay {
			last, err := time.Parse(time.DateOnly, one.End[:10])
			if err != nil {
				s.Fatal(err)
			}
			one.Start, one.End = one.Start[:10]+"T00:00", last.AddDate(0, 0, 1).Format(time.DateOnly)+"T00:00"
		}
		owner := 0
		if shown["user_id"] != nil {
			for _, login := range append([]string{"alice", "bob"}, colleagues...) {
				if member := s.NightPOS.Member(login); member != nil && member.ID == shown["user_id"] {
					owner = member.PartnerID
				}
			}
		}
		for _, attendee := range shown["attendees"].([]map[string]any) {
			if attendee["partner_id"] != owner {
				one.People[strings.ToLower(text(attendee, "email"))] = answer(text(attendee, "state"))
			}
		}
		list = append(list, one)
	}
	sortShowings(list)
	return list
}

func stamp(shown map[string]any, name string) string {
	return strings.Replace(text(shown, name), " ", "T", 1)[:16]
}

// records are the ids of the records with a tag, by start; with archived, those
// that are archived instead.
func (s *scene) records(tag string, archived bool) []int {
	s.Helper()
	found := map[string]int{}
	for _, shown := range s.NightPOS.Events() {
		if tagOf(text(shown, "name")) == tag && shown["active"] != archived {
			found[text(shown, "start")] = shown["id"].(int)
		}
	}
	var ids []int
	for _, start := range slices.Sorted(maps.Keys(found)) {
		ids = append(ids, found[start])
	}
	if len(ids) == 0 {
		s.Fatalf("NightPOS has no record of %s\n%s", tag, s.Log())
	}
	return ids
}

// copyOf is the id of a meeting in a mailbox: the master of a series.
func (s *scene) copyOf(address, tag string) string {
	s.Helper()
	for _, shown := range s.Outlook.Mailbox(address).Events() {
		if tagOf(text(shown, "subject")) == tag && shown["isCancelled"] != true && shown["type"] != "exception" {
			return text(shown, "id")
		}
	}
	s.Fatalf("%s has no meeting %s\n%s", address, tag, s.Log())
	return ""
}

// occurrenceOf is the id of a meeting's occurrence in a mailbox.
func (s *scene) occurrenceOf(address, tag string, index int) string {
	s.Helper()
	for _, shown := range s.Outlook.Mailbox(address).View(from, until) {
		if tagOf(text(shown, "subject")) != tag || shown["isCancelled"] == true {
			continue
		}
		if index == 0 {
			return text(shown, "id")
		}
		index--
	}
	s.Fatalf("%s has no such occurrence of %s\n%s", address, tag, s.Log())
	return ""
}

// mailed counts the mails that the gateway caused after the first so many, as
// "kind address".
func (s *scene) mailed(after int) map[string]int {
	counts := map[string]int{}
	for _, mail := range s.Outlook.Mails()[after:] {
		if strings.HasPrefix(mail.Actor, "app:") {
			counts[mail.Kind+" "+strings.ToLower(mail.To)]++
		}
	}
	return counts
}

// transactions counts those in which the gateway wrote into NightPOS.
func (s *scene) transactions() int { return s.NightPOS.Counts()["door writing"] }

// wantNoMailOfTheGateway: NightPOS never mails because of what the gateway does.
func (s *scene) wantNoMailOfTheGateway() {
	s.Helper()
	account := s.NightPOS.Member("gateway").ID
	for _, mail := range s.NightPOS.Mails() {
		if mail.User == account {
			s.Errorf("NightPOS mailed %s for the gateway: %s", mail.To, mail.Subject)
		}
	}
}

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}
