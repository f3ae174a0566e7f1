package series_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/test/world"
)

// answersOf are a person's replies in NightPOS, by start.
func (s *scene) answersOf(partner int) map[string]string {
	found := map[string]string{}
	for _, event := range s.NightPOS.Events() {
		if event["active"] != true {
			continue
		}
		for _, attendee := range event["attendees"].([]map[string]any) {
			if attendee["partner_id"] == partner {
				start := event["start"].(string)
				found[start[:10]+"T"+start[11:16]] = attendee["state"].(string)
			}
		}
	}
	return found
}

// repliesOf are a person's replies in the own mailbox, by start.
func (s *scene) repliesOf(address string) map[string]string {
	words := map[string]string{"accepted": "accepted", "tentativelyAccepted": "tentative", "declined": "declined", "none": "needsAction", "notResponded": "needsAction"}
	found := map[string]string{}
	for _, event := range s.Outlook.Mailbox(address).View(from, until) {
		if event["isCancelled"] == true {
			// It stays until its owner takes it out.
			continue
		}
		start := event["start"].(map[string]any)["dateTime"].(string)
		found[start[:16]] = words[event["responseStatus"].(map[string]any)["response"].(string)]
	}
	return found
}

func all(answer string, but map[int]string) map[string]string {
	wanted := map[string]string{}
	for index, at := range sixTimes {
		wanted[at] = answer
		if other, there := but[index]; there {
			wanted[at] = other
		}
		if wanted[at] == "" {
			delete(wanted, at)
		}
	}
	return wanted
}

// wantAnswers says what bob's replies are on both sides.
func (s *scene) wantAnswers(want map[string]string) {
	s.Helper()
	s.settle()
	here, there := s.repliesOf(world.Bob), s.answersOf(s.partner("bob"))
	if !maps.Equal(there, want) {
		s.Fatalf("NightPOS shows\n%v, want\n%v\n%s", there, want, s.Log())
	}
	// What was declined is gone from the mailbox.
	maps.DeleteFunc(there, func(_, answer string) bool { return answer == "declined" })
	maps.DeleteFunc(here, func(_, answer string) bool { return answer == "declined" })
	if !maps.Equal(here, there) {
		s.Fatalf("bob's mailbox shows\n%v, want\n%v\n%s", here, there, s.Log())
	}
}

// mastersOf is the series in a mailbox.
func (s *scene) masterIn(address string) string {
	s.Helper()
	for _, event := range s.Outlook.Mailbox(address).Events() {
		if event["type"] == "seriesMaster" {
			return event["id"].(string)
		}
	}
	s.Fatalf("there is no series in %s", address)
	return ""
}

func (s *scene) instanceIn(address, start string) string {
	s.Helper()
	for _, event := range s.Outlook.Mailbox(address).View(from, until) {
		if strings.HasPrefix(event["start"].(map[string]any)["dateTime"].(string), start) {
			return event["id"].(string)
		}
	}
	s.Fatalf("%s shows nothing at %s", address, start)
	return ""
}

// withBob makes a series of alice's with bob invited, on either side.
func withBob(t *testing.T, run func(*scene)) {
	for _, side := range []string{"Outlook", "NightPOS"} {
		t.Run("made in "+side, func(t *testing.T) {
			versions(t, func(s *scene) {
				if side == "Outlook" {
					if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), weekly("team", world.Bob)); err != nil {
						s.Fatal(err)
					}
				} else {
					s.createInNightPOS(map[string]any{"partner_ids": []any{[]any{6, 0, []any{s.partner("alice"), s.partner("bob")}}}})
				}
				s.wantAnswers(all("needsAction", nil))
				s.mails = len(s.Outlook.Mails())
				run(s)
			})
		})
	}
}

func (s *scene) respond(id, action string) {
	s.Helper()
	if err := s.Outlook.Mailbox(world.Bob).Respond(s.Context(), id, action); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) answer(start, state, scope string) {
	s.Helper()
	member := s.NightPOS.Member("bob")
	var err error
	if scope == "" {
		err = member.Answer(s.Context(), s.at(start), state)
	} else {
		err = member.AnswerSeries(s.Context(), s.at(start), state, scope)
	}
	if err != nil {
		s.Fatal(err)
	}
}

func TestAnswersToSeries(t *testing.T) {
	for name, step := range map[string]struct {
		do    func(*scene)
		want  map[string]string
		mails int
	}{
		"all accepted in Outlook":      {func(s *scene) { s.respond(s.masterIn(world.Bob), "accept") }, all("accepted", nil), 1},
		"one declined in Outlook":      {func(s *scene) { s.respond(s.instanceIn(world.Bob, sixTimes[2]), "decline") }, all("needsAction", map[int]string{2: "declined"}), 1},
		"one tentative in Outlook":     {func(s *scene) { s.respond(s.instanceIn(world.Bob, sixTimes[2]), "tentativelyAccept") }, all("needsAction", map[int]string{2: "tentative"}), 1},
		"all accepted in NightPOS":     {func(s *scene) { s.answer(sixTimes[0], "accepted", "all_events") }, all("accepted", nil), 1},
		"one accepted in NightPOS":     {func(s *scene) { s.answer(sixTimes[2], "accepted", "") }, all("needsAction", map[int]string{2: "accepted"}), 1},
		"the copy of all taken out":    {func(s *scene) { s.remove(s.masterIn(world.Bob)) }, all("declined", nil), 0},
		"the copy of one taken out":    {func(s *scene) { s.remove(s.instanceIn(world.Bob, sixTimes[2])) }, all("needsAction", map[int]string{2: "declined"}), 0},
		"one deleted by the organizer": {func(s *scene) { s.delete(s.instance(sixTimes[2])) }, all("needsAction", map[int]string{2: ""}), 1},
		"one deleted, all answered, then all shifted by alice, which may bring the deleted one back": {func(s *scene) {
			s.delete(s.instance(sixTimes[2]))
			s.Quiet()
			s.respond(s.masterIn(world.Bob), "tentativelyAccept")
			s.Quiet()
			if _, err := s.Outlook.Mailbox(world.Alice).Shift(s.Context(), s.master(), 0, time.Hour); err != nil {
				s.Fatal(err)
			}
		}, atNewTimes(answeredAt("tentative", anHourLater(2)), moved(time.Hour, sixTimes...)...), 3},
		"accepted, then renamed by alice": {func(s *scene) {
			s.respond(s.masterIn(world.Bob), "accept")
			s.Quiet()
			s.patch(s.master(), map[string]any{"subject": "crew"})
		}, all("accepted", nil), 2},
		"accepted, then renamed in NightPOS": {
			func(s *scene) {
				s.respond(s.masterIn(world.Bob), "accept")
				s.Quiet()
				s.write(s.at(sixTimes[0]), map[string]any{"name": "crew", "recurrence_update": "all_events"})
			}, all("accepted", nil), 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			withBob(t, func(s *scene) {
				step.do(s)
				s.wantAnswers(step.want)
				s.wantMails(step.mails)
			})
		})
	}
}

func (s *scene) remove(id string) {
	s.Helper()
	if err := s.Outlook.Mailbox(world.Bob).Delete(s.Context(), id); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) delete(id string) {
	s.Helper()
	if err := s.Outlook.Mailbox(world.Alice).Delete(s.Context(), id); err != nil {
		s.Fatal(err)
	}
}

func TestASingleEventBecomesASeriesAndBack(t *testing.T) {
	versions(t, func(s *scene) {
		single := weekly("team", world.Carol)
		recurrence := single["recurrence"]
		delete(single, "recurrence")
		made, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), single)
		if err != nil {
			s.Fatal(err)
		}
		id := made["id"].(string)
		s.settle("2000-01-10T09:00 team")
		s.patch(id, map[string]any{"recurrence": recurrence})
		s.settle(titled("team", nil)...)
		s.patch(id, map[string]any{"recurrence": nil})
		s.settle("2000-01-10T09:00 team")
		record := s.at("2000-01-10T09:00")
		s.write(record, map[string]any{
			"recurrency": true, "rrule_type": "weekly", "interval": 1, "mon": true, "wed": true, "end_type": "count", "count": 6, "event_tz": "Europe/Brussels",
		})
		s.settle(titled("team", nil)...)
		s.write(s.at(sixTimes[0]), map[string]any{"recurrency": false, "recurrence_update": "all_events"})
		s.settle("2000-01-10T09:00 team")
	})
}

func TestSeriesWithoutEnd(t *testing.T) {
	versions(t, func(s *scene) {
		endless := weekly("team")
		endless["recurrence"].(map[string]any)["range"] = map[string]any{"type": "noEnd", "startDate": "2000-01-10", "recurrenceTimeZone": "Romance Standard Time"}
		if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), endless); err != nil {
			s.Fatal(err)
		}
		s.Quiet()
		if count := len(s.inNightPOS()); count != 720 {
			s.Fatalf("NightPOS holds %d occurrences, want 720", count)
		}
		s.write(s.at(sixTimes[2]), map[string]any{"name": "special"})
		s.Quiet()
		s.write(s.at(sixTimes[0]), map[string]any{"start": "2000-01-10 12:00:00", "stop": "2000-01-10 13:00:00", "recurrence_update": "all_events"})
		s.Quiet()
		master, err := s.Outlook.Mailbox(world.Alice).Event(s.master())
		if err != nil {
			s.Fatal(err)
		}
		if kind := master["recurrence"].(map[string]any)["range"].(map[string]any)["type"]; kind != "noEnd" {
			s.Errorf("the series ends now: %v", master["recurrence"])
		}
	})
}

func TestForeverInNightPOSIs720Times(t *testing.T) {
	versions(t, func(s *scene) {
		s.createInNightPOS(map[string]any{"end_type": "forever", "count": 0})
		s.Quiet()
		master, err := s.Outlook.Mailbox(world.Alice).Event(s.master())
		if err != nil {
			s.Fatal(err)
		}
		if count := master["recurrence"].(map[string]any)["range"].(map[string]any)["numberOfOccurrences"]; fmt.Sprint(count) != "720" {
			s.Errorf("got %v occurrences, want 720", count)
		}
	})
}

// Months without a 31st are left out in NightPOS and end on their last day in
// Outlook.
func TestARuleThatOutlookLacksBecomesSingleEvents(t *testing.T) {
	versions(t, func(s *scene) {
		s.createInNightPOS(map[string]any{
			"start": "2000-01-31 09:00:00", "stop": "2000-01-31 10:00:00", "rrule_type": "monthly", "month_by": "date", "day": 31, "count": 3,
		})
		s.settle("2000-01-31T09:00 team", "2000-03-31T08:00 team", "2000-05-31T08:00 team")
		s.wantMails(3)
		s.write(s.at("2000-03-31"), map[string]any{"name": "special"})
		s.settle("2000-01-31T09:00 team", "2000-03-31T08:00 special", "2000-05-31T08:00 team")
		s.delete(s.instance("2000-05-31"))
		s.settle("2000-01-31T09:00 team", "2000-03-31T08:00 special")
		if log := s.Log(); !strings.Contains(log, "each occurrence stands in Outlook as a single event") {
			s.Errorf("the log does not say why:\n%s", log)
		}
	})
}

// NightPOS knows no change of the clocks after 2037; nobody is to hear of that.
func TestASeriesBeyond2037(t *testing.T) {
	versions(t, func(s *scene) {
		s.createInNightPOS(map[string]any{
			"start": "2036-01-07 09:00:00", "stop": "2036-01-07 10:00:00", "wed": false, "interval": 13, "count": 16,
		})
		s.Quiet()
		s.wantMails(1)
		from, until := time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
		for _, event := range s.Outlook.Mailbox(world.Alice).View(from, until) {
			if event["type"] != "occurrence" {
				t.Errorf("%v is no plain occurrence", event["start"])
			}
		}
		writes := s.Writes()
		s.Sweep()
		if more := s.Writes() - writes; more != 0 {
			t.Errorf("a sweep made %d writes", more)
		}
	})
}

func TestSeriesOfWholeDays(t *testing.T) {
	versions(t, func(s *scene) {
		days := weekly("team")
		days["isAllDay"] = true
		days["start"] = map[string]any{"dateTime": "2000-01-10T00:00:00", "timeZone": "Romance Standard Time"}
		days["end"] = map[string]any{"dateTime": "2000-01-11T00:00:00", "timeZone": "Romance Standard Time"}
		if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), days); err != nil {
			s.Fatal(err)
		}
		s.Quiet()
		if shown := s.inNightPOS(); len(shown) != 6 || !strings.HasPrefix(shown[5], "2000-01-26") {
			s.Fatalf("NightPOS shows %q", shown)
		}
		s.write(s.at("2000-01-17"), map[string]any{"name": "special"})
		s.Quiet()
		if shown := s.inOutlook(); len(shown) != 6 || !strings.HasSuffix(shown[2], "special") {
			s.Fatalf("Outlook shows %q\n%s", shown, s.Log())
		}
	})
}

// TestAMoveThatOutlookForbidsIsRefusedWithAReason: what cannot be done is not
// tried, and nobody is mailed.
func TestAMoveThatOutlookForbidsIsRefusedWithAReason(t *testing.T) {
	versions(t, func(s *scene) {
		s.createInNightPOS(nil)
		s.settle(titled("team", nil)...)
		s.mails = len(s.Outlook.Mails())
		// Without a word on what is meant, NightPOS lets it pass its neighbour.
		s.write(s.at(sixTimes[2]), map[string]any{"start": "2000-01-20 12:00:00", "stop": "2000-01-20 13:00:00"})
		s.Quiet()
		s.wantMails(0)
		if log := s.Log(); !strings.Contains(log, "cannot be moved to 2000-01-20") {
			s.Errorf("the log does not say why:\n%s", log)
		}
	})
}
