package series_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/test/world"
)

// partner ids of the people in NightPOS's recordings.
var (
	sixTimes = []string{"2000-01-10T09:00", "2000-01-12T09:00", "2000-01-17T09:00", "2000-01-19T09:00", "2000-01-24T09:00", "2000-01-26T09:00"}
)

// titled are the six meetings under one title, but for those that are named.
func titled(title string, but map[int]string) []string {
	var shown []string
	for index, at := range sixTimes {
		switch other, there := but[index]; {
		case there && other == "":
		case there && strings.HasPrefix(other, "2000"):
			shown = append(shown, other)
		case there:
			shown = append(shown, at+" "+other)
		default:
			shown = append(shown, at+" "+title)
		}
	}
	slices.Sort(shown)
	return shown
}

// createInNightPOS makes the same series there, as alice, with carol invited.
func (s *scene) createInNightPOS(more map[string]any) int {
	s.Helper()
	values := map[string]any{
		"name": "team", "start": "2000-01-10 09:00:00", "stop": "2000-01-10 10:00:00",
		"recurrency": true, "rrule_type": "weekly", "interval": 1, "mon": true, "wed": true, "end_type": "count", "count": 6, "event_tz": "Europe/Brussels",
		"partner_ids": []any{[]any{6, 0, []any{s.partner("alice"), s.NightPOS.Contact(world.Carol)}}},
	}
	maps.Copy(values, more)
	id, err := s.NightPOS.Member("alice").Create(s.Context(), values)
	if err != nil {
		s.Fatal(err)
	}
	return id
}

func (s *scene) partner(login string) int { return s.NightPOS.Contact(login + "@nightpos.example") }

// at is the record that starts then in NightPOS.
func (s *scene) at(start string) int {
	s.Helper()
	for _, event := range s.NightPOS.Events() {
		if event["active"] == true && strings.HasPrefix(strings.ReplaceAll(event["start"].(string), " ", "T"), start) {
			return event["id"].(int)
		}
	}
	s.Fatalf("NightPOS shows nothing at %s", start)
	return 0
}

func (s *scene) write(id int, values map[string]any) {
	s.Helper()
	if err := s.NightPOS.Member("alice").Write(s.Context(), []int{id}, values); err != nil {
		s.Fatal(err)
	}
}

// instance is the id of the occurrence that starts then in alice's mailbox.
func (s *scene) instance(start string) string {
	s.Helper()
	for _, event := range s.Outlook.Mailbox(world.Alice).View(from, until) {
		if strings.HasPrefix(event["start"].(map[string]any)["dateTime"].(string), start) {
			return event["id"].(string)
		}
	}
	s.Fatalf("Outlook shows nothing at %s", start)
	return ""
}

func (s *scene) master() string {
	s.Helper()
	for _, event := range s.Outlook.Mailbox(world.Alice).Events() {
		if event["type"] == "seriesMaster" {
			return event["id"].(string)
		}
	}
	s.Fatal("there is no series in Outlook")
	return ""
}

func (s *scene) patch(id string, patch map[string]any) {
	s.Helper()
	if _, err := s.Outlook.Mailbox(world.Alice).Update(s.Context(), id, patch); err != nil {
		s.Fatal(err)
	}
}

func TestASeriesOfNightPOSComesToOutlook(t *testing.T) {
	versions(t, func(s *scene) {
		s.createInNightPOS(nil)
		s.settle(titled("team", nil)...)
		s.wantMails(1)
	})
}

func TestEditsInNightPOS(t *testing.T) {
	for name, edit := range map[string]struct {
		do    func(*scene)
		want  []string
		mails int
	}{
		"one is renamed": {
			func(s *scene) { s.write(s.at(sixTimes[2]), map[string]any{"name": "special"}) },
			titled("team", map[int]string{2: "special"}), 1,
		},
		"all are renamed": {
			func(s *scene) {
				s.write(s.at(sixTimes[0]), map[string]any{"name": "crew", "recurrence_update": "all_events"})
			},
			titled("crew", nil), 1,
		},
		"one is moved": {
			func(s *scene) {
				s.write(s.at(sixTimes[2]), map[string]any{"start": "2000-01-18 12:00:00", "stop": "2000-01-18 13:00:00", "recurrence_update": "self_only"})
			},
			titled("team", map[int]string{2: "2000-01-18T12:00 team"}), 1,
		},
		"all are moved": {
			func(s *scene) {
				s.write(s.at(sixTimes[0]), map[string]any{"start": "2000-01-10 12:00:00", "stop": "2000-01-10 13:00:00", "recurrence_update": "all_events"})
			},
			[]string{
				"2000-01-10T12:00 team", "2000-01-12T12:00 team", "2000-01-17T12:00 team", "2000-01-19T12:00 team", "2000-01-24T12:00 team", "2000-01-26T12:00 team",
			},
			1,
		},
		"one is deleted": {
			func(s *scene) {
				if err := s.NightPOS.Member("alice").Unlink(s.Context(), s.at(sixTimes[3])); err != nil {
					s.Fatal(err)
				}
			},
			titled("team", map[int]string{3: ""}), 1,
		},
		"the base is deleted": {
			func(s *scene) {
				if err := s.NightPOS.Member("alice").Unlink(s.Context(), s.at(sixTimes[0])); err != nil {
					s.Fatal(err)
				}
			},
			titled("team", map[int]string{0: ""}), 1,
		},
		"one is archived": {
			func(s *scene) {
				if err := s.NightPOS.Member("alice").Archive(s.Context(), s.at(sixTimes[3])); err != nil {
					s.Fatal(err)
				}
			},
			titled("team", map[int]string{3: ""}), 1,
		},
		"this and following are renamed": {
			func(s *scene) {
				s.write(s.at(sixTimes[2]), map[string]any{"name": "crew", "recurrence_update": "future_events"})
			},
			titled("team", map[int]string{2: "crew", 3: "crew", 4: "crew", 5: "crew"}), 2,
		},
		"this and following are deleted": {
			func(s *scene) {
				if err := s.NightPOS.Member("alice").MassDelete(s.Context(), s.at(sixTimes[2]), "future_events"); err != nil {
					s.Fatal(err)
				}
			},
			titled("team", map[int]string{2: "", 3: "", 4: "", 5: ""}), 1,
		},
		"this and following are archived": {
			func(s *scene) {
				if err := s.NightPOS.Member("alice").MassArchive(s.Context(), s.at(sixTimes[2]), "future_events"); err != nil {
					s.Fatal(err)
				}
			},
			titled("team", map[int]string{2: "", 3: "", 4: "", 5: ""}), 1,
		},
		"it is made longer": {
			func(s *scene) {
				s.write(s.at(sixTimes[0]), map[string]any{"count": 8, "recurrence_update": "all_events"})
			},
			append(titled("team", nil), "2000-01-31T09:00 team", "2000-02-02T09:00 team"), 1,
		},
		"it is made shorter": {
			func(s *scene) {
				s.write(s.at(sixTimes[0]), map[string]any{"count": 4, "recurrence_update": "all_events"})
			},
			titled("team", map[int]string{4: "", 5: ""}), 1,
		},
		"all are deleted": {
			func(s *scene) {
				if err := s.NightPOS.Member("alice").MassDelete(s.Context(), s.at(sixTimes[0]), "all_events"); err != nil {
					s.Fatal(err)
				}
			},
			nil, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			versions(t, func(s *scene) {
				s.createInNightPOS(nil)
				s.settle(titled("team", nil)...)
				s.wantMails(1)
				edit.do(s)
				s.settle(edit.want...)
				if len(edit.want) == 0 && len(s.inOutlook()) > 0 {
					s.Fatalf("Outlook still shows %q", s.inOutlook())
				}
				s.wantMails(edit.mails)
			})
		})
	}
}

func TestEditsInOutlook(t *testing.T) {
	for name, edit := range map[string]struct {
		do   func(*scene)
		want []string
	}{
		"one is renamed": {
			func(s *scene) { s.patch(s.instance(sixTimes[2]), map[string]any{"subject": "special"}) },
			titled("team", map[int]string{2: "special"}),
		},
		"all are renamed": {
			func(s *scene) { s.patch(s.master(), map[string]any{"subject": "crew"}) },
			titled("crew", nil),
		},
		"one is moved": {
			func(s *scene) {
				s.patch(s.instance(sixTimes[2]), map[string]any{
					"start": map[string]any{"dateTime": "2000-01-18T13:00:00", "timeZone": "Romance Standard Time"},
					"end":   map[string]any{"dateTime": "2000-01-18T14:00:00", "timeZone": "Romance Standard Time"},
				})
			},
			titled("team", map[int]string{2: "2000-01-18T12:00 team"}),
		},
		"one is deleted": {
			func(s *scene) {
				if err := s.Outlook.Mailbox(world.Alice).Delete(s.Context(), s.instance(sixTimes[3])); err != nil {
					s.Fatal(err)
				}
			},
			titled("team", map[int]string{3: ""}),
		},
		"all are shifted by a day and three hours": {
			func(s *scene) {
				if _, err := s.Outlook.Mailbox(world.Alice).Shift(s.Context(), s.master(), 1, 3*time.Hour); err != nil {
					s.Fatal(err)
				}
			},
			[]string{
				"2000-01-11T12:00 team", "2000-01-13T12:00 team", "2000-01-18T12:00 team", "2000-01-20T12:00 team", "2000-01-25T12:00 team", "2000-01-27T12:00 team",
			},
		},
		"this and following are renamed": {
			func(s *scene) {
				if _, err := s.Outlook.Mailbox(world.Alice).UpdateFollowing(s.Context(), s.instance(sixTimes[2]), map[string]any{"subject": "crew"}); err != nil {
					s.Fatal(err)
				}
			},
			titled("team", map[int]string{2: "crew", 3: "crew", 4: "crew", 5: "crew"}),
		},
		"this and following are deleted": {
			func(s *scene) {
				if err := s.Outlook.Mailbox(world.Alice).DeleteFollowing(s.Context(), s.instance(sixTimes[2])); err != nil {
					s.Fatal(err)
				}
			},
			titled("team", map[int]string{2: "", 3: "", 4: "", 5: ""}),
		},
		"it becomes a single event": {
			func(s *scene) { s.patch(s.master(), map[string]any{"recurrence": nil}) },
			[]string{"2000-01-10T09:00 team"},
		},
		"all are deleted": {
			func(s *scene) {
				if err := s.Outlook.Mailbox(world.Alice).Delete(s.Context(), s.master()); err != nil {
					s.Fatal(err)
				}
			},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			versions(t, func(s *scene) {
				if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), weekly("team", world.Carol)); err != nil {
					s.Fatal(err)
				}
				s.settle(titled("team", nil)...)
				edit.do(s)
				sent := len(s.Outlook.Mails())
				s.settle(edit.want...)
				if len(edit.want) == 0 && len(s.inNightPOS()) > 0 {
					s.Fatalf("NightPOS still shows %q", s.inNightPOS())
				}
				s.mails = sent
				s.wantMails(0)
			})
		})
	}
}

// TestAnExceptionDoesNotFollowWhatItShowsByItself: an occurrence that was given by
// itself what all of them show keeps it when all are changed, so that it has to be
// told too, also where other fields of it are written anyway.
func TestAnExceptionDoesNotFollowWhatItShowsByItself(t *testing.T) {
	versions(t, func(s *scene) {
		if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), weekly("team")); err != nil {
			s.Fatal(err)
		}
		s.settle(titled("team", nil)...)
		s.patch(s.instance(sixTimes[2]), map[string]any{"subject": "team", "location": map[string]any{"displayName": "Room 1"}})
		s.settle(titled("team", nil)...)
		s.write(s.at(sixTimes[0]), map[string]any{"name": "crew", "location": "Hall", "recurrence_update": "all_events"})
		s.settle(titled("crew", nil)...)
		for _, event := range s.Outlook.Mailbox(world.Alice).View(from, until) {
			if got := event["location"].(map[string]any)["displayName"]; got != "Hall" {
				s.Errorf("%v takes place at %v, want the Hall", event["start"], got)
			}
		}
	})
}
