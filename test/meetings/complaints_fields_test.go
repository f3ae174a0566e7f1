package meetings_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/test/switches"
	"github.com/nightpos/outlook-gateway/test/world"
)

func TestComplaint43DescriptionsDegrade(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		body := `<p>` + strings.Repeat("A long text that nobody may cut short. ", 40) + `</p><p>See <a href="https://example.com/a?b=1&amp;c=2">the plan</a></p>`
		planned := s.plan("alice", "planned", 5, map[string]any{"description": body}, bob)
		s.Quiet()
		first, kept := text(s.event(alice, "planned"), "body", "content"), text(s.record(planned), "description")
		for round := range 5 {
			s.write("alice", planned, map[string]any{"name": fmt.Sprintf("planned %d", round)})
			s.Quiet()
			s.update(alice, s.copyOf(alice, "planned"), map[string]any{"subject": fmt.Sprintf("planned in Outlook %d", round)})
			s.Quiet()
		}
		if now := text(s.event(alice, "planned"), "body", "content"); now != first || strings.Count(now, "<a ") != 1 || !strings.Contains(now, "the plan") {
			s.Errorf("in Outlook the text was\n%s\nand is\n%s", first, now)
		}
		if now := text(s.record(planned), "description"); now != kept {
			s.Errorf("in NightPOS the text was\n%s\nand is\n%s", kept, now)
		}
	})
}

func TestComplaint44EverythingBecomesATeamsMeeting(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		s.plan("alice", "planned", 5, nil, bob)
		content := inOutlookAt(at(6), time.Hour)
		content["subject"], content["attendees"], content["isOnlineMeeting"], content["onlineMeetingProvider"] = "online", attendees(bob), true, "teamsForBusiness"
		_, err := s.Outlook.Mailbox(alice).Create(s.Context(), content)
		s.must(err)
		s.Quiet()
		if s.event(alice, "planned")["isOnlineMeeting"] == true {
			s.Error("a meeting without a place has become a Teams meeting")
		}
		link := text(s.event(alice, "online"), "onlineMeeting", "joinUrl")
		id := s.records("online", false)[0]
		if switches.Now().Name == "NoOnlineMeetings" {
			if link != "" || s.record(id)["videocall_location"] != false {
				s.Errorf("where Outlook makes no online meeting its link is %q, NightPOS's %v", link, s.record(id)["videocall_location"])
			}
		} else if link == "" || s.record(id)["videocall_location"] != link {
			s.Errorf("Outlook's link is %q, NightPOS's %v", link, s.record(id)["videocall_location"])
		}
		s.write("alice", id, map[string]any{"name": "online still"})
		s.Quiet()
		if now := text(s.event(alice, "online"), "onlineMeeting", "joinUrl"); now != link || text(s.event(alice, "online"), "subject") != "online still" {
			s.Errorf("after an edit in NightPOS the link is %q, was %q", now, link)
		}
	})
}

// TestComplaint44LinksOfNightPOS: a link of NightPOS's is to be seen in Outlook and
// survives edits on both sides; an event becomes a Teams meeting when somebody asks
// for that, or everywhere where that is the setting.
func TestComplaint44LinksOfNightPOS(t *testing.T) {
	if switches.Now().Name == "NoOnlineMeetings" {
		t.Skip("Outlook makes no online meetings then")
	}
	const discuss = "https://nightpos.example/calendar/join_videocall/aBc-123?x=1&y=2"
	for policy, wanted := range map[string]struct{ asked, plain bool }{"never": {false, false}, "when_asked": {true, false}, "always": {true, true}} {
		t.Run(policy, func(t *testing.T) {
			versions(t, world.Options{Settings: func(s *gateway.Settings) { s.OnlineMeetings = policy }}, func(s *scene) {
				linked := s.plan("alice", "linked", 5, map[string]any{"videocall_location": discuss, "description": "<p>Agenda</p>"}, bob)
				asked := s.plan("alice", "asked", 6, map[string]any{"videocall_location": " Teams", "description": "<p>Agenda</p>"}, bob)
				series := s.plan("alice", "series", 7, map[string]any{
					"videocall_location": "teams", "recurrency": true, "rrule_type": "weekly", "interval": 1, "end_type": "count", "count": 3,
					strings.ToLower(at(7).Weekday().String()[:3]): true, "event_tz": "UTC",
				}, bob)
				plain := s.plan("alice", "plain", 8, nil, bob)
				s.Quiet()
				for tag, record := range map[string]int{"asked": asked, "series": series, "plain": plain} {
					want := wanted.asked
					if tag == "plain" {
						want = wanted.plain
					}
					shown := s.event(alice, tag)
					if shown["isOnlineMeeting"] != want {
						s.Errorf("that %s is a Teams meeting: %v\n%s", tag, shown["isOnlineMeeting"], s.Log())
					}
					if link := text(shown, "onlineMeeting", "joinUrl"); want && (link == "" || s.record(record)["videocall_location"] != link) {
						s.Errorf("%s: Outlook's link is %q, NightPOS's %v\n%s", tag, link, s.record(record)["videocall_location"], s.Log())
					}
				}
				body := func() string { return text(s.event(alice, "linked"), "body", "content") }
				if s.event(alice, "linked")["isOnlineMeeting"] == true || strings.Count(body(), `title="NightPOS meeting link"`) != 1 {
					s.Errorf("Outlook shows the link as\n%s", body())
				}
				for round := range 3 {
					s.write("alice", linked, map[string]any{"description": fmt.Sprintf("<p>Agenda %d</p>", round)})
					s.Quiet()
					now := strings.Replace(body(), fmt.Sprintf("Agenda %d", round), fmt.Sprintf("Plan %d", round), 1)
					s.update(alice, s.copyOf(alice, "linked"), map[string]any{"body": map[string]any{"contentType": "html", "content": now}})
					s.Quiet()
					if shown := s.record(linked); shown["videocall_location"] != discuss || text(shown, "description") != fmt.Sprintf("<p>Plan %d</p>", round) {
						s.Errorf("NightPOS shows %v and %v", shown["videocall_location"], shown["description"])
					}
					if strings.Count(body(), "<a ") != 1 || !strings.Contains(body(), fmt.Sprintf("Plan %d", round)) {
						s.Errorf("Outlook shows\n%s", body())
					}
				}
				s.wantMails(func() { s.write("alice", linked, map[string]any{"videocall_location": "https://meet.example/2"}) }, "update "+bob)
				if strings.Count(body(), "<a ") != 1 || !strings.Contains(body(), "https://meet.example/2") {
					s.Errorf("with another link Outlook shows\n%s", body())
				}
				s.write("alice", linked, map[string]any{"videocall_location": false})
				s.Quiet()
				if strings.Contains(body(), "<a ") {
					s.Errorf("without a link Outlook shows\n%s", body())
				}
				if inOutlook, inNightPOS, mails := s.spent(s.Sweep); inOutlook+inNightPOS+len(mails) > 0 {
					s.Errorf("a sweep then cost %d writes to Outlook, %d to NightPOS and mails %v\n%s", inOutlook, inNightPOS, mails, s.Log())
				}
				if !wanted.asked {
					return
				}
				// Teams needs its block back with every text, and its link is Outlook's own.
				link := text(s.event(alice, "asked"), "onlineMeeting", "joinUrl")
				s.wantMails(func() { s.write("alice", asked, map[string]any{"description": "<p>Another agenda</p>"}) }, "update "+bob)
				s.wantMails(func() { s.write("alice", asked, map[string]any{"videocall_location": discuss}) })
				shown := s.event(alice, "asked")
				if text(shown, "onlineMeeting", "joinUrl") != link || !strings.Contains(text(shown, "body", "content"), "Another agenda") || strings.Contains(text(shown, "body", "content"), "join_videocall") {
					s.Errorf("after edits in NightPOS the link is %q, was %q, in\n%s", text(shown, "onlineMeeting", "joinUrl"), link, text(shown, "body", "content"))
				}
			})
		})
	}
}

func TestComplaint45PrivateAppointmentsAreShownToAll(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		for index, sensitivity := range []string{"private", "confidential"} {
			content := inOutlookAt(at(5+index), time.Hour)
			content["subject"], content["sensitivity"] = sensitivity+" matter", sensitivity
			_, err := s.Outlook.Mailbox(alice).Create(s.Context(), content)
			s.must(err)
			s.Quiet()
			id := s.records(sensitivity, false)[0]
			if privacy := s.record(id)["privacy"]; privacy != sensitivity {
				s.Errorf("what is %s in Outlook is %v in NightPOS", sensitivity, privacy)
			}
			// And an edit leaves it so.
			s.write("alice", id, map[string]any{"location": "Room 1"})
			s.Quiet()
			if now := s.event(alice, sensitivity); text(now, "sensitivity") != sensitivity || text(now, "subject") != sensitivity+" matter" {
				s.Errorf("after an edit Outlook shows %v as %v", now["subject"], now["sensitivity"])
			}
		}
	})
}

func TestComplaint52ImportEchoes(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		inOutlook, inNightPOS, mails := s.spent(func() { s.meet(alice, "met", 5, bob, carol) })
		if inOutlook != 0 || inNightPOS != 1 || len(mails) != 0 {
			s.Errorf("a meeting of Outlook's cost %d writes there, %d in NightPOS and mails %v\n%s", inOutlook, inNightPOS, mails, s.Log())
		}
		inOutlook, inNightPOS, _ = s.spent(func() { s.plan("alice", "planned", 6, nil, bob, carol) })
		if inOutlook != 1 || inNightPOS != 0 {
			s.Errorf("a meeting of NightPOS's cost %d writes to Outlook and %d there\n%s", inOutlook, inNightPOS, s.Log())
		}
		inOutlook, inNightPOS, _ = s.spent(func() { s.Sweep() })
		if inOutlook != 0 || inNightPOS != 0 {
			s.Errorf("a sweep then cost %d writes to Outlook and %d to NightPOS\n%s", inOutlook, inNightPOS, s.Log())
		}
	})
}
