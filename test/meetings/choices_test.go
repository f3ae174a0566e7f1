package meetings_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/test/world"
)

// appoint makes an appointment in alice's mailbox and returns its id.
func (s *scene) appoint(title string, days int, more map[string]any) string {
	s.Helper()
	content := inOutlookAt(at(days), time.Hour)
	content["subject"] = title
	maps.Copy(content, more)
	made, err := s.Outlook.Mailbox(alice).Create(s.Context(), content)
	s.must(err)
	return text(made, "id")
}

func (s *scene) choose(login, choices string) {
	s.Helper()
	s.Ask(http.MethodPut, "/users/"+login+"/choices", choices)
	s.Quiet()
}

// weekly is the rule of a series of four.
func weekly(start time.Time) map[string]any {
	return map[string]any{
		"pattern": map[string]any{"type": "weekly", "interval": 1, "daysOfWeek": []any{strings.ToLower(start.Weekday().String())}},
		"range":   map[string]any{"type": "numbered", "startDate": start.Format(time.DateOnly), "numberOfOccurrences": 4, "recurrenceTimeZone": "UTC"},
	}
}

var secrets = map[string]any{
	"sensitivity": "private", "body": map[string]any{"contentType": "html", "content": "<p>About the matter</p>"},
	"location": map[string]any{"displayName": "Clinic"}, "attendees": attendees(bob, carol), "categories": []any{"Health"}, "showAs": "oof",
}

// wantVeiled says that NightPOS holds nothing but the time of what is shown there
// once on each of so many days.
func (s *scene) wantVeiled(days ...int) {
	s.Helper()
	for _, shown := range s.NightPOS.Events() {
		if shown["active"] != true {
			continue
		}
		if told := strings.ToLower(strings.Join([]string{text(shown, "name"), text(shown, "description"), text(shown, "location")}, " ")); strings.Contains(told, "matter") || strings.Contains(told, "clinic") {
			s.Errorf("NightPOS shows %v\n%s", shown["name"], s.Log())
		}
	}
	list := s.inNightPOS("Busy")
	if len(list) != len(days) {
		s.Errorf("NightPOS shows %d blocks, want %d:%s\n%s", len(list), len(days), list, s.Log())
		return
	}
	for index, day := range days {
		one := list[index]
		if one.Start != at(day).Format("2006-01-02T15:04") || len(one.People) != 0 {
			s.Errorf("NightPOS shows %s with %v, want it on day %d", one.Start, one.People, day)
		}
	}
	for _, id := range s.records("Busy", false) {
		if shown := s.record(id); shown["privacy"] != "private" || shown["show_as"] != "busy" || len(shown["categ_ids"].([]int)) != 0 {
			s.Errorf("a block is %v and %v, with tags %v", shown["privacy"], shown["show_as"], shown["categ_ids"])
		}
	}
}

func TestComplaint45BusyOnly(t *testing.T) {
	versions(t, world.Options{Settings: func(s *gateway.Settings) { s.PrivateEvents = "busy_only" }}, func(s *scene) {
		single := s.appoint("A matter", 5, secrets)
		series := maps.Clone(secrets)
		series["recurrence"] = weekly(at(6))
		s.appoint("Weekly matter", 6, series)
		own := s.plan("alice", "Own matter", 30, map[string]any{"privacy": "private", "location": "Office"})
		s.Quiet()
		if shown := s.record(own); shown["name"] != "Own matter" || shown["location"] != "Office" {
			s.Errorf("what was made in NightPOS is %v at %v there", shown["name"], shown["location"])
		}
		s.write("alice", own, map[string]any{"active": false})
		s.Quiet()
		s.wantVeiled(5, 6, 13, 20, 27)
		// The content of either side stays there, the time goes with it; Outlook mails
		// everybody about that, as always.
		s.wantMails(func() { s.update(alice, single, map[string]any{"subject": "Another matter"}) })
		s.wantVeiled(5, 6, 13, 20, 27)
		id := s.records("Busy", false)[0]
		s.wantMails(func() {
			s.write("alice", id, map[string]any{"location": "Nowhere", "partner_ids": s.partners(alice, carol), "categ_ids": []any{}})
		})
		s.write("alice", id, map[string]any{"location": false, "partner_ids": s.partners(alice)})
		s.Quiet()
		s.wantMails(func() { s.write("alice", id, inNightPOSAt(at(4), time.Hour)) }, "update "+bob, "update "+carol)
		s.wantVeiled(4, 6, 13, 20, 27)
		shown := s.event(alice, "Another")
		if text(shown, "location", "displayName") != "Clinic" || text(shown, "showAs") != "oof" || len(shown["attendees"].([]any)) != 2 ||
			!strings.Contains(text(shown, "body", "content"), "About the matter") || text(shown, "start", "dateTime")[:10] != at(4).Format(time.DateOnly) {
			s.Errorf("Outlook shows %v\n%s", shown, s.Log())
		}
		// Another choice brings all of it, and the first one takes it away again. Nobody
		// is mailed, and nothing is there twice.
		s.wantMails(func() { s.choose("alice", `{"private_events":"full"}`) })
		s.wantShown("Another", 1, nil)
		s.wantShown("Weekly", 4, nil)
		if people := s.inNightPOS("Another")[0].People; !maps.Equal(people, map[string]string{bob: "open", carol: "open"}) {
			s.Errorf("NightPOS lists %v\n%s", people, s.Log())
		}
		s.wantMails(func() { s.choose("alice", `{"private_events":null}`) })
		s.wantVeiled(4, 6, 13, 20, 27)
		if inOutlook, inNightPOS, _ := s.spent(s.Sweep); inOutlook+inNightPOS > 0 {
			s.Errorf("a sweep then cost %d writes to Outlook and %d to NightPOS\n%s", inOutlook, inNightPOS, s.Log())
		}
	})
}

func TestComplaint45Skip(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		known := s.appoint("Known matter", 5, map[string]any{"location": map[string]any{"displayName": "Clinic"}})
		series := map[string]any{"recurrence": weekly(at(6)), "sensitivity": "private"}
		s.appoint("Weekly matter", 6, series)
		s.Quiet()
		s.choose("alice", `{"private_events":"skip"}`)
		s.appoint("New matter", 7, secrets)
		s.wantMails(func() { s.update(alice, known, map[string]any{"sensitivity": "private"}) })
		s.wantShown("New", 0, map[string]int{alice: 1})
		// What was there stays, and nobody else sees what it is about any more.
		s.wantShown("Known", 1, map[string]int{alice: 1})
		s.wantShown("Weekly", 4, map[string]int{alice: 4})
		id := s.records("Known", false)[0]
		if privacy := s.record(id)["privacy"]; privacy != "private" {
			s.Errorf("what became private in Outlook is %v in NightPOS\n%s", privacy, s.Log())
		}
		inOutlook, inNightPOS, mails := s.spent(func() {
			s.update(alice, known, map[string]any{"subject": "Known matter of Outlook's", "location": map[string]any{"displayName": "Hospital"}})
			s.write("alice", id, map[string]any{"name": "Known matter of NightPOS's"})
			s.Quiet()
			s.Sweep()
		})
		if inOutlook+inNightPOS+len(mails) > 0 || s.record(id)["location"] != "Clinic" {
			s.Errorf("what is not synced cost %d writes to Outlook, %d to NightPOS and mails %v\n%s", inOutlook, inNightPOS, mails, s.Log())
		}
		// Back again: what changed meanwhile crosses, nothing is doubled.
		s.wantMails(func() { s.choose("alice", `{"private_events":"full"}`) })
		s.wantShown("New", 1, map[string]int{alice: 1})
		s.wantShown("Known", 1, map[string]int{alice: 1})
		s.wantShown("Weekly", 4, map[string]int{alice: 4})
		if s.record(id)["location"] != "Hospital" || s.record(id)["name"] != text(s.event(alice, "Known"), "subject") {
			s.Errorf("NightPOS shows %v at %v, Outlook %v\n%s", s.record(id)["name"], s.record(id)["location"], text(s.event(alice, "Known"), "subject"), s.Log())
		}
	})
}

// TestComplaint45Categories: events of some categories are not synced, or no others
// are; tags of NightPOS count as well.
func TestComplaint45Categories(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		family := map[string]any{"categories": []any{"Family"}}
		both := s.appoint("Both", 5, nil)
		s.appoint("Both too", 6, nil)
		s.Quiet()
		s.choose("alice", `{"skip_categories":["family "]}`)
		s.appoint("Skipped", 7, family)
		s.appoint("Crossing", 8, map[string]any{"categories": []any{"Work"}})
		series := maps.Clone(family)
		series["recurrence"] = weekly(at(9))
		s.appoint("Weekly", 9, series)
		s.wantMails(func() { s.update(alice, both, family) })
		s.wantShown("Skipped", 0, map[string]int{alice: 1})
		s.wantShown("Weekly", 0, map[string]int{alice: 4})
		s.wantShown("Crossing", 1, map[string]int{alice: 1})
		s.wantShown("Both", 2, map[string]int{alice: 2})
		// What fell out of sync is everybody's own: a deletion deletes nothing, and comes
		// to nothing later either.
		too := slices.IndexFunc(s.inNightPOS("Both"), func(one showing) bool { return one.Title == "Both too" })
		s.update(alice, s.titled(alice, "Both too"), family)
		s.Quiet()
		s.must(s.Outlook.Mailbox(alice).Delete(s.Context(), s.titled(alice, "Both too")))
		s.Quiet()
		s.Sweep()
		if too < 0 || len(s.inNightPOS("Both")) != 2 {
			s.Errorf("NightPOS shows%s\n%s", s.inNightPOS("Both"), s.Log())
		}
		s.wantMails(func() { s.choose("alice", `{}`) })
		s.wantShown("Skipped", 1, map[string]int{alice: 1})
		s.wantShown("Weekly", 4, map[string]int{alice: 4})
		s.wantShown("Both", 2, map[string]int{alice: 1})

		// Only what is work.
		s.choose("alice", `{"only_categories":["Work"]}`)
		id := s.plan("alice", "Plain", 40, nil, carol)
		s.update(alice, both, map[string]any{"subject": "Both of Outlook"})
		s.Quiet()
		s.wantShown("Plain", 1, map[string]int{alice: 0, carol: 0})
		if titles := s.inNightPOS("Both"); slices.ContainsFunc(titles, func(one showing) bool { return one.Title == "Both of Outlook" }) {
			s.Errorf("NightPOS shows%s\n%s", titles, s.Log())
		}
		tag := s.record(s.records("Crossing", false)[0])["categ_ids"].([]int)[0]
		s.wantMails(func() { s.write("alice", id, map[string]any{"categ_ids": []any{[]any{4, tag}}}) }, "invitation "+carol)
		s.wantShown("Plain", 1, map[string]int{alice: 1, carol: 1})
		s.wantMails(func() { s.choose("alice", `{"only_categories":[]}`) })
		s.wantShown("Both", 2, map[string]int{alice: 1})
	})
}

// titled is the id of the event with a title.
func (s *scene) titled(address, title string) string {
	s.Helper()
	for _, shown := range s.Outlook.Mailbox(address).Events() {
		if text(shown, "subject") == title {
			return text(shown, "id")
		}
	}
	s.Fatalf("%s has no %q\n%s", address, title, s.Log())
	return ""
}
