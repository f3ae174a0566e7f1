package outlook_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

func TestMailsOfSeries(t *testing.T) {
	person := func(w *world) *outlook.Mailbox { return w.server.Mailbox(alice) }
	cases := []struct {
		name  string
		act   func(w *world, master string, ids []string) error
		mails []string
		bob   []string // what bob's calendar shows then, but for the subject "Series"
	}{
		{
			"8.11 all", func(w *world, master string, _ []string) error {
				_, err := person(w).Update(w.t.Context(), master, map[string]any{"subject": "All"})
				return err
			},
			[]string{"update bob", "update carol"},
			[]string{"01 09 occurrence All", "08 09 occurrence All", "15 09 occurrence All", "22 09 occurrence All"},
		},
		{
			"8.11 one", func(w *world, _ string, ids []string) error {
				_, err := person(w).Update(w.t.Context(), ids[1], hours("09", "14", "15"))
				return err
			},
			[]string{"update bob", "update carol"},
			[]string{"01 09 occurrence", "09 14 exception", "15 09 occurrence", "22 09 occurrence"},
		},
		{
			"8.1 one deleted", func(w *world, _ string, ids []string) error { return person(w).Delete(w.t.Context(), ids[1]) },
			[]string{"cancellation bob", "cancellation carol"},
			[]string{"01 09 occurrence", "08 09 exception Canceled: Series", "15 09 occurrence", "22 09 occurrence"},
		},
		{
			"8.3 one cancelled", func(w *world, _ string, ids []string) error { return person(w).Cancel(w.t.Context(), ids[3]) },
			[]string{"cancellation bob", "cancellation carol"},
			[]string{"01 09 occurrence", "08 09 occurrence", "15 09 occurrence", "22 09 exception Canceled: Series"},
		},
		{
			"8.1 all deleted", func(w *world, master string, _ []string) error { return person(w).Delete(w.t.Context(), master) },
			[]string{"cancellation bob", "cancellation carol"},
			[]string{"01 09 occurrence Canceled: Series", "08 09 occurrence Canceled: Series", "15 09 occurrence Canceled: Series", "22 09 occurrence Canceled: Series"},
		},
		{
			"9.9 this and following", func(w *world, _ string, ids []string) error {
				_, err := person(w).UpdateFollowing(w.t.Context(), ids[2], map[string]any{"subject": "New"})
				return err
			},
			[]string{"update bob", "update carol", "invitation bob", "invitation carol"},
			[]string{"01 09 occurrence", "08 09 occurrence", "15 09 occurrence New", "22 09 occurrence New"},
		},
		{
			"following from the first is all", func(w *world, _ string, ids []string) error {
				_, err := person(w).UpdateFollowing(w.t.Context(), ids[0], map[string]any{"subject": "New"})
				return err
			},
			[]string{"update bob", "update carol"},
			[]string{"01 09 occurrence New", "08 09 occurrence New", "15 09 occurrence New", "22 09 occurrence New"},
		},
		{
			"following deleted", func(w *world, _ string, ids []string) error {
				return person(w).DeleteFollowing(w.t.Context(), ids[2])
			},
			[]string{"update bob", "update carol"},
			[]string{"01 09 occurrence", "08 09 occurrence"},
		},
		{
			"all shifted", func(w *world, master string, _ []string) error {
				_, err := person(w).Shift(w.t.Context(), master, 1, time.Hour)
				return err
			},
			[]string{"update bob", "update carol"},
			[]string{"02 10 occurrence", "09 10 occurrence", "16 10 occurrence", "23 10 occurrence"},
		},
		{
			"8.7 one guest fewer", func(w *world, master string, _ []string) error {
				_, err := person(w).Update(w.t.Context(), master, map[string]any{"attendees": guests(bob)})
				return err
			},
			[]string{"cancellation carol"},
			[]string{"01 09 occurrence", "08 09 occurrence", "15 09 occurrence", "22 09 occurrence"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, w *world) {
				master, ids := w.made(tuesdays(bob, carol))
				w.mailed(0, "invitation bob", "invitation carol")
				settle()
				sent := len(w.server.Mails())
				if err := c.act(w, master, ids); err != nil {
					t.Fatal(err)
				}
				settle()
				w.mailed(sent, c.mails...)
				got := w.shape(bob)
				for i := range got {
					got[i] = strings.TrimSuffix(got[i], " Series")
					got[i] = strings.Replace(got[i], "Canceled:", "Canceled: Series", 1)
				}
				if diff := cmp.Diff(c.bob, got); diff != "" {
					t.Errorf("bob's calendar (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestMailsForModifiedInstances(t *testing.T) {
	inBubble(t, nil, func(_ *testing.T, w *world) {
		master, ids := w.made(tuesdays(bob, carol))
		w.want(w.call(alice, "PATCH", "/me/events/"+ids[1], hours("09", "14", "15")), 200, "")
		w.want(w.call(alice, "PATCH", "/me/events/"+ids[2], map[string]any{"subject": "Other"}), 200, "")
		w.want(w.call(alice, "DELETE", "/me/events/"+ids[3], nil), 204, "")
		settle()
		sent := len(w.server.Mails())
		w.want(w.call(alice, "PATCH", "/me/events/"+master, map[string]any{"location": map[string]any{"displayName": "Hall"}}), 200, "")
		settle()
		w.mailed(sent, "update bob", "update bob", "update bob", "update carol", "update carol", "update carol")
		w.shows(bob, "01 09 occurrence Series", "09 14 exception Series", "15 09 exception Other", "22 09 exception Canceled: Series")
		sent = len(w.server.Mails())
		w.want(w.call(alice, "PATCH", "/me/events/"+master, map[string]any{"attendees": guests(bob, carol, "guest@elsewhere.example")}), 200, "")
		w.mailed(sent, "invitation guest@elsewhere.example", "update guest@elsewhere.example", "update guest@elsewhere.example")
	})
}

func TestCopyOfASeries(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		master, ids := w.made(tuesdays(bob))
		settle()
		copied := w.only(bob)
		if copied["id"] == master || copied["type"] != "seriesMaster" || copied["isOrganizer"] != false {
			t.Errorf("7.4: the copy is %v", copied)
		}
		theirs := w.occurrences(bob, copied["id"].(string))
		for i := range ids {
			mine := w.want(w.call(alice, "GET", "/me/events/"+ids[i], nil), 200, "")
			their := w.want(w.call(bob, "GET", "/me/events/"+theirs[i], nil), 200, "")
			if mine.text("iCalUId") != their.text("iCalUId") || ids[i] == theirs[i] {
				t.Errorf("7.4: occurrence %d: %s and %s", i, mine.text("iCalUId"), their.text("iCalUId"))
			}
		}
		// 8.8: bob's own change stays his, and the organizer's next one keeps it.
		sent := len(w.server.Mails())
		w.want(w.call(bob, "PATCH", "/me/events/"+theirs[1], map[string]any{"reminderMinutesBeforeStart": 60}), 200, "")
		w.want(w.call(bob, "DELETE", "/me/events/"+theirs[2], nil), 204, "")
		w.mailed(sent)
		w.want(w.call(alice, "PATCH", "/me/events/"+master, map[string]any{"subject": "All"}), 200, "")
		settle()
		w.shows(bob, "01 09 occurrence All", "08 09 exception All", "22 09 occurrence All")
		one := w.want(w.call(bob, "GET", "/me/events/"+theirs[1], nil), 200, "")
		if one.body["reminderMinutesBeforeStart"] != 60.0 {
			t.Errorf("8.8: reminder %v", one.body["reminderMinutesBeforeStart"])
		}
		w.shows(alice, "01 09 occurrence All", "08 09 occurrence All", "15 09 occurrence All", "22 09 occurrence All")
		// An update of the one that bob deleted brings it back.
		w.want(w.call(alice, "PATCH", "/me/events/"+ids[2], map[string]any{"subject": "Back"}), 200, "")
		settle()
		w.shows(bob, "01 09 occurrence All", "08 09 exception All", "15 09 exception Back", "22 09 occurrence All")
	})
}

// answersOf shows what the organizer sees of one attendee, by occurrence.
func (w *world) answersOf(address, master string) []string {
	w.t.Helper()
	var answers []string
	for _, one := range w.instances(alice, master, december, january) {
		for _, guest := range one["attendees"].([]any) {
			if dig(guest, "emailAddress", "address") == address {
				answers = append(answers, dig(guest, "status", "response").(string))
			}
		}
	}
	return answers
}

func TestAnswersToSeries(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		master, _ := w.made(tuesdays(bob))
		settle()
		series := w.only(bob)["id"].(string)
		theirs := w.occurrences(bob, series)
		answer := func(id, action string, want ...string) {
			t.Helper()
			sent := len(w.server.Mails())
			w.want(w.call(bob, "POST", "/me/events/"+id+"/"+action, map[string]any{}), 202, "")
			settle()
			w.mailed(sent, "response alice")
			if diff := cmp.Diff(want, w.answersOf(bob, master)); diff != "" {
				t.Errorf("after %s (-want +got):\n%s", action, diff)
			}
		}
		answer(theirs[1], "accept", "none", "accepted", "none", "none")
		answer(theirs[2], "decline", "none", "accepted", "declined", "none")
		w.shows(bob, "01 09 occurrence Series", "08 09 exception Series", "22 09 occurrence Series")
		answer(series, "tentativelyAccept", "tentativelyAccepted", "accepted", "declined", "tentativelyAccepted")
		for i, want := range map[int]string{0: "tentativelyAccepted", 1: "accepted"} {
			one := w.want(w.call(bob, "GET", "/me/events/"+theirs[i], nil), 200, "")
			if got := dig(one.body["responseStatus"], "response"); got != want {
				t.Errorf("bob's own answer to occurrence %d is %v, want %s", i, got, want)
			}
		}
		w.want(w.call(alice, "POST", "/me/events/"+master+"/accept", nil), 400, "ErrorInvalidRequest")
		// Answers alone are no modified instances: one mail for all.
		sent := len(w.server.Mails())
		w.want(w.call(alice, "PATCH", "/me/events/"+master, map[string]any{"subject": "All"}), 200, "")
		settle()
		w.mailed(sent, "update bob")
		if diff := cmp.Diff([]string{"tentativelyAccepted", "accepted", "declined", "tentativelyAccepted"}, w.answersOf(bob, master)); diff != "" {
			t.Errorf("answers after an update (-want +got):\n%s", diff)
		}
		answer(series, "decline", "declined", "accepted", "declined", "declined")
		w.shows(bob)
	})
}

func TestGuestOfOneOccurrence(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		master, ids := w.made(tuesdays(bob))
		settle()
		sent := len(w.server.Mails())
		w.want(w.call(alice, "PATCH", "/me/events/"+ids[1], map[string]any{"attendees": guests(bob, carol)}), 200, "")
		settle()
		w.mailed(sent, "invitation carol")
		w.shows(carol, "08 09 singleInstance Series")
		mine := w.only(carol)["id"].(string)
		w.want(w.call(carol, "POST", "/me/events/"+mine+"/accept", nil), 202, "")
		settle()
		if diff := cmp.Diff([]string{"accepted"}, w.answersOf(carol, master)); diff != "" {
			t.Errorf("carol's answers (-want +got):\n%s", diff)
		}
		w.want(w.call(alice, "PATCH", "/me/events/"+master, map[string]any{"subject": "All"}), 200, "")
		settle()
		w.shows(carol, "08 09 singleInstance All")
		sent = len(w.server.Mails())
		w.want(w.call(alice, "PATCH", "/me/events/"+master, map[string]any{"attendees": guests(bob, carol)}), 200, "")
		settle()
		w.shows(carol, "01 09 occurrence All", "08 09 exception All", "15 09 occurrence All", "22 09 occurrence All")
		w.want(w.call(alice, "DELETE", "/me/events/"+master, nil), 204, "")
		settle()
		if got := w.mails(sent); !slices.Equal(got[len(got)-2:], []string{"cancellation bob", "cancellation carol"}) {
			t.Errorf("mails %v", got)
		}
	})
}

// Whatever the organizer does, and in whatever order the messages arrive, the
// attendee's calendar shows the same meetings in the end.
func TestCopiesOfSeriesConverge(t *testing.T) {
	for seed := range uint64(100) {
		inBubble(t, func(c *outlook.Config) {
			c.Seed = seed
			c.Switches.MeetingDelay = &outlook.Span{Most: 5 * time.Second}
			c.Switches.Exceptions = outlook.ExceptionRule(seed % 3)
		}, func(t *testing.T, w *world) {
			random := rand.New(rand.NewPCG(seed, 1))
			box := w.server.Mailbox(alice)
			made, err := box.Create(t.Context(), tuesdays(bob))
			if err != nil {
				t.Fatal(err)
			}
			masters := []string{made["id"].(string)}
			from, to := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)
			for step := range 25 {
				time.Sleep(time.Duration(random.IntN(4)) * time.Second)
				master := masters[random.IntN(len(masters))]
				left, err := box.Instances(master, from, to)
				if err != nil {
					t.Fatal(err)
				}
				subject := map[string]any{"subject": fmt.Sprintf("Step %d", step)}
				if len(left) < 3 {
					continue
				}
				one := left[random.IntN(len(left))]["id"].(string)
				switch random.IntN(7) {
				case 0, 1:
					_, err = box.Update(t.Context(), one, subject)
				case 2:
					err = box.Delete(t.Context(), one)
				case 3:
					_, err = box.Update(t.Context(), master, subject)
				case 4:
					_, err = box.Shift(t.Context(), master, random.IntN(3)-1, time.Duration(random.IntN(3)-1)*time.Hour)
				case 5:
					var later map[string]any
					if later, err = box.UpdateFollowing(t.Context(), one, subject); err == nil && later["id"] != master {
						masters = append(masters, later["id"].(string))
					}
				case 6:
					rule := map[string]any{"pattern": rule("daily", 1+random.IntN(3)), "range": with(times(6), "startDate", "")}
					event, eventErr := box.Event(master)
					if eventErr != nil {
						t.Fatal(eventErr)
					}
					rule["range"].(map[string]any)["startDate"] = dig(event["start"], "dateTime").(string)[:10]
					_, err = box.Update(t.Context(), master, map[string]any{"recurrence": rule})
				}
				if err != nil {
					t.Fatalf("seed %d, step %d: %v", seed, step, err)
				}
			}
			time.Sleep(time.Minute)
			lines := func(address string) []string {
				var all []string
				for _, e := range w.server.Mailbox(address).View(from, to) {
					if e["isCancelled"] != true {
						all = append(all, fmt.Sprint(e["iCalUId"], dig(e["start"], "dateTime"), e["subject"]))
					}
				}
				slices.Sort(all)
				return all
			}
			if diff := cmp.Diff(lines(alice), lines(bob)); diff != "" {
				t.Errorf("seed %d (-organizer +attendee):\n%s", seed, diff)
			}
		})
	}
}
