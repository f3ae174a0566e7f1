package series_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/test/switches"
	"github.com/nightpos/outlook-gateway/test/world"
)

// invited runs a test of a series to which bob is invited, while those named are
// connected: carol's, who is outside NightPOS, or alice's.
func invited(t *testing.T, connect []string, make func(*scene), run func(*scene)) {
	for _, version := range usualVersions {
		t.Run(fmt.Sprintf("NightPOS %d", version), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := world.New(t, world.Options{Version: version, Seed: uint64(version), Connect: connect, Colleagues: []string{"dave"}})
				defer w.Close()
				s := &scene{World: w, T: t}
				w.Quiet()
				make(s)
				s.Quiet()
				s.mails = len(s.Outlook.Mails())
				run(s)
				s.Quiet()
				writes := s.Writes()
				s.Sweep()
				if more := s.Writes() - writes; more != 0 {
					s.Errorf("a sweep made %d more writes\n%s", more, s.Log())
				}
			})
		})
	}
}

// byCarol makes a series of carol's with bob invited.
func byCarol(s *scene) {
	s.Helper()
	if _, err := s.Outlook.Mailbox(world.Carol).Create(s.Context(), weekly("team", world.Bob)); err != nil {
		s.Fatal(err)
	}
}

// byAlice makes a series of alice's in NightPOS with bob and dave invited.
func byAlice(s *scene) {
	s.Helper()
	s.createInNightPOS(map[string]any{"partner_ids": []any{[]any{6, 0, []any{s.partner("alice"), s.partner("bob"), s.partner("dave")}}}})
}

// wantHere says which occurrences each side shows, and bob's answers in NightPOS.
func (s *scene) wantHere(inOutlook, inNightPOS []string, answers map[string]string) {
	s.Helper()
	s.Quiet()
	var shown []string
	for _, event := range s.Outlook.Mailbox(world.Bob).View(from, until) {
		if event["isCancelled"] != true {
			shown = append(shown, fmt.Sprintf("%.16s %s", event["start"].(map[string]any)["dateTime"], event["subject"]))
		}
	}
	if got := sorted(shown); fmt.Sprint(got) != fmt.Sprint(inOutlook) {
		s.Fatalf("bob's mailbox shows\n%q, want\n%q\n%s", got, inOutlook, s.Log())
	}
	if got := s.inNightPOS(); fmt.Sprint(got) != fmt.Sprint(inNightPOS) {
		s.Fatalf("NightPOS shows\n%q, want\n%q\n%s", got, inNightPOS, s.Log())
	}
	if got := s.answersOf(s.partner("bob")); !maps.Equal(got, answers) {
		s.Fatalf("bob's answers in NightPOS are\n%v, want\n%v\n%s", got, answers, s.Log())
	}
}

// wantReply says bob's own answers in the mailbox, for what it shows.
func (s *scene) wantReply(want map[string]string) {
	s.Helper()
	if got := s.repliesOf(world.Bob); !maps.Equal(got, want) {
		s.Fatalf("bob's answers in Outlook are\n%v, want\n%v\n%s", got, want, s.Log())
	}
}

func (s *scene) wantLog(reason string) {
	s.Helper()
	if log := s.Log(); !strings.Contains(log, reason) {
		s.Errorf("the log does not say %q:\n%s", reason, log)
	}
}

func (s *scene) wantNoLog(reason string) {
	s.Helper()
	if log := s.Log(); strings.Contains(log, reason) {
		s.Errorf("the log says %q:\n%s", reason, log)
	}
}

func (s *scene) asBob(do func() error) {
	s.Helper()
	if err := do(); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) archive(start string) {
	s.Helper()
	s.asBob(func() error { return s.NightPOS.Member("bob").Archive(s.Context(), s.at(start)) })
}

// TestGuests: the series is that of somebody outside NightPOS. Outlook owns its
// content, and bob's copy speaks for bob.
func TestGuests(t *testing.T) {
	whole := titled("team", nil)
	for name, one := range map[string]struct {
		do func(*scene)
		// inOutlook and inNightPOS are what is shown then.
		inOutlook, inNightPOS []string
		answers, replies      map[string]string
		// mails are those that Outlook sent meanwhile.
		mails  int
		reason string
	}{
		"G01 all accepted in NightPOS": {
			do:        func(s *scene) { s.answer(sixTimes[0], "accepted", "all_events") },
			inOutlook: whole, inNightPOS: whole, answers: all("accepted", nil), replies: all("accepted", nil), mails: 1,
		},
		"G02 all tentative in NightPOS": {
			do:        func(s *scene) { s.answer(sixTimes[0], "tentative", "all_events") },
			inOutlook: whole, inNightPOS: whole, answers: all("tentative", nil), replies: all("tentative", nil), mails: 1,
		},
		"G03 all declined in NightPOS": {
			do:        func(s *scene) { s.answer(sixTimes[0], "declined", "all_events") },
			inOutlook: nil, inNightPOS: whole, answers: all("declined", nil), replies: map[string]string{}, mails: 1,
		},
		"G04 one accepted in NightPOS": {
			do:        func(s *scene) { s.answer(sixTimes[2], "accepted", "") },
			inOutlook: whole, inNightPOS: whole, mails: 1,
			answers: all("needsAction", map[int]string{2: "accepted"}), replies: all("needsAction", map[int]string{2: "accepted"}),
		},
		"G05 one tentative in NightPOS": {
			do:        func(s *scene) { s.answer(sixTimes[2], "tentative", "") },
			inOutlook: whole, inNightPOS: whole, mails: 1,
			answers: all("needsAction", map[int]string{2: "tentative"}), replies: all("needsAction", map[int]string{2: "tentative"}),
		},
		"G06 one declined in NightPOS": {
			do:        func(s *scene) { s.answer(sixTimes[2], "declined", "") },
			inOutlook: titled("team", map[int]string{2: ""}), inNightPOS: whole, mails: 1,
			answers: all("needsAction", map[int]string{2: "declined"}), replies: all("needsAction", map[int]string{2: ""}),
		},
		"G07 all accepted, then one declined in NightPOS": {
			do: func(s *scene) {
				s.answer(sixTimes[0], "accepted", "all_events")
				s.Quiet()
				s.answer(sixTimes[2], "declined", "")
			},
			inOutlook: titled("team", map[int]string{2: ""}), inNightPOS: whole, mails: 2,
			answers: all("accepted", map[int]string{2: "declined"}), replies: all("accepted", map[int]string{2: ""}),
		},
		"G08 all accepted in Outlook": {
			do:        func(s *scene) { s.respond(s.masterIn(world.Bob), "accept") },
			inOutlook: whole, inNightPOS: whole, answers: all("accepted", nil), replies: all("accepted", nil), mails: 1,
		},
		"G09 all declined in Outlook": {
			do:        func(s *scene) { s.respond(s.masterIn(world.Bob), "decline") },
			inOutlook: nil, inNightPOS: whole, answers: all("declined", nil), replies: map[string]string{}, mails: 1,
		},
		"G10 one accepted in Outlook": {
			do:        func(s *scene) { s.respond(s.instanceIn(world.Bob, sixTimes[2]), "accept") },
			inOutlook: whole, inNightPOS: whole, mails: 1,
			answers: all("needsAction", map[int]string{2: "accepted"}), replies: all("needsAction", map[int]string{2: "accepted"}),
		},
		"G11 one declined in Outlook": {
			do:        func(s *scene) { s.respond(s.instanceIn(world.Bob, sixTimes[2]), "decline") },
			inOutlook: titled("team", map[int]string{2: ""}), inNightPOS: whole, mails: 1,
			answers: all("needsAction", map[int]string{2: "declined"}), replies: all("needsAction", map[int]string{2: ""}),
		},
		"G12 the own copy of one deleted in Outlook": {
			do:        func(s *scene) { s.remove(s.instanceIn(world.Bob, sixTimes[2])) },
			inOutlook: titled("team", map[int]string{2: ""}), inNightPOS: whole,
			answers: all("needsAction", map[int]string{2: "declined"}), replies: all("needsAction", map[int]string{2: ""}),
		},
		"G13 the own copy of all deleted in Outlook": {
			do:        func(s *scene) { s.remove(s.masterIn(world.Bob)) },
			inOutlook: nil, inNightPOS: whole, answers: all("declined", nil), replies: map[string]string{},
		},
		"G14 one archived in NightPOS": {
			do:        func(s *scene) { s.archive(sixTimes[2]) },
			inOutlook: whole, inNightPOS: titled("team", map[int]string{2: ""}),
			answers: all("needsAction", map[int]string{2: ""}), replies: all("needsAction", nil), reason: goneInNightPOS,
		},
		"G15 one deleted in NightPOS": {
			do: func(s *scene) {
				s.asBob(func() error { return s.NightPOS.Member("bob").Unlink(s.Context(), s.at(sixTimes[2])) })
			},
			inOutlook: whole, inNightPOS: titled("team", map[int]string{2: ""}),
			answers: all("needsAction", map[int]string{2: ""}), replies: all("needsAction", nil), reason: goneInNightPOS,
		},
		"G16 one archived in NightPOS, then renamed by its organizer": {
			do: func(s *scene) {
				s.archive(sixTimes[2])
				s.Quiet()
				s.asCarol(s.instanceIn(world.Carol, sixTimes[2]), map[string]any{"subject": "special"})
			},
			inOutlook: titled("team", map[int]string{2: "special"}), inNightPOS: titled("team", map[int]string{2: ""}),
			answers: all("needsAction", map[int]string{2: ""}), replies: all("needsAction", nil), mails: 1, reason: goneInNightPOS,
		},
		"G17 one archived in NightPOS and brought back there": {
			do: func(s *scene) {
				id := s.at(sixTimes[2])
				s.archive(sixTimes[2])
				s.Quiet()
				s.asBob(func() error { return s.NightPOS.Member("bob").Unarchive(s.Context(), id) })
			},
			inOutlook: whole, inNightPOS: whole, answers: all("needsAction", nil), replies: all("needsAction", nil), reason: goneInNightPOS,
		},
		"G18 one archived in NightPOS, then all renamed by their organizer": {
			do: func(s *scene) {
				s.archive(sixTimes[2])
				s.Quiet()
				s.asCarol(s.masterIn(world.Carol), map[string]any{"subject": "crew"})
			},
			inOutlook: titled("crew", nil), inNightPOS: titled("crew", map[int]string{2: ""}),
			answers: all("needsAction", map[int]string{2: ""}), replies: all("needsAction", nil), mails: 1, reason: goneInNightPOS,
		},
		"G19 one moved in NightPOS": {
			do: func(s *scene) {
				s.asBob(func() error {
					return s.NightPOS.Member("bob").Write(s.Context(), []int{s.at(sixTimes[2])}, map[string]any{
						"start": "2000-01-17 12:00:00", "stop": "2000-01-17 13:00:00", "recurrence_update": "self_only",
					})
				})
			},
			inOutlook: whole, inNightPOS: titled("team", map[int]string{2: "2000-01-17T12:00 team"}), reason: staysInNightPOS,
			answers: map[string]string{
				sixTimes[0]: "needsAction", sixTimes[1]: "needsAction", "2000-01-17T12:00": "needsAction",
				sixTimes[3]: "needsAction", sixTimes[4]: "needsAction", sixTimes[5]: "needsAction",
			},
			replies: all("needsAction", nil),
		},
		"G20 one renamed in NightPOS": {
			do: func(s *scene) {
				s.asBob(func() error {
					return s.NightPOS.Member("bob").Write(s.Context(), []int{s.at(sixTimes[2])}, map[string]any{"name": "special"})
				})
			},
			inOutlook: whole, inNightPOS: titled("team", map[int]string{2: "special"}), reason: staysInNightPOS,
			answers: all("needsAction", nil), replies: all("needsAction", nil),
		},
		"G21 all renamed in NightPOS": {
			do: func(s *scene) {
				s.asBob(func() error {
					return s.NightPOS.Member("bob").Write(s.Context(), []int{s.at(sixTimes[0])}, map[string]any{"name": "crew", "recurrence_update": "all_events"})
				})
			},
			inOutlook: whole, inNightPOS: titled("crew", nil), reason: staysInNightPOS,
			answers: all("needsAction", nil), replies: all("needsAction", nil),
		},
		"G22 one cancelled by its organizer": {
			do: func(s *scene) {
				s.asBob(func() error {
					return s.Outlook.Mailbox(world.Carol).Delete(s.Context(), s.instanceIn(world.Carol, sixTimes[2]))
				})
			},
			inOutlook: titled("team", map[int]string{2: ""}), inNightPOS: titled("team", map[int]string{2: ""}), mails: 1,
			answers: all("needsAction", map[int]string{2: ""}), replies: all("needsAction", map[int]string{2: ""}),
		},
		"G23 one cancelled by its organizer, and then taken out": {
			do: func(s *scene) {
				id := s.instanceIn(world.Bob, sixTimes[2])
				s.asBob(func() error {
					return s.Outlook.Mailbox(world.Carol).Delete(s.Context(), s.instanceIn(world.Carol, sixTimes[2]))
				})
				s.Quiet()
				s.remove(id)
			},
			inOutlook: titled("team", map[int]string{2: ""}), inNightPOS: titled("team", map[int]string{2: ""}), mails: 1,
			answers: all("needsAction", map[int]string{2: ""}), replies: all("needsAction", map[int]string{2: ""}),
		},
		"G24 one accepted in NightPOS, then moved by its organizer": {
			do: func(s *scene) {
				s.answer(sixTimes[2], "accepted", "")
				s.Quiet()
				s.asCarol(s.instanceIn(world.Carol, sixTimes[2]), map[string]any{
					"start": map[string]any{"dateTime": "2000-01-17T12:00:00", "timeZone": "UTC"}, "end": map[string]any{"dateTime": "2000-01-17T13:00:00", "timeZone": "UTC"},
				})
			},
			inOutlook: titled("team", map[int]string{2: "2000-01-17T12:00 team"}), inNightPOS: titled("team", map[int]string{2: "2000-01-17T12:00 team"}), mails: 2,
			answers: atNewTimes(map[string]string{
				sixTimes[0]: "needsAction", sixTimes[1]: "needsAction", "2000-01-17T12:00": "accepted",
				sixTimes[3]: "needsAction", sixTimes[4]: "needsAction", sixTimes[5]: "needsAction",
			}, "2000-01-17T12:00"),
			replies: atNewTimes(map[string]string{
				sixTimes[0]: "needsAction", sixTimes[1]: "needsAction", "2000-01-17T12:00": "accepted",
				sixTimes[3]: "needsAction", sixTimes[4]: "needsAction", sixTimes[5]: "needsAction",
			}, "2000-01-17T12:00"),
		},
		"G25 all moved in NightPOS": {
			do: func(s *scene) {
				s.asBob(func() error {
					return s.NightPOS.Member("bob").Write(s.Context(), []int{s.at(sixTimes[0])}, map[string]any{
						"start": "2000-01-10 12:00:00", "stop": "2000-01-10 13:00:00", "recurrence_update": "all_events",
					})
				})
			},
			inOutlook: whole, inNightPOS: events("team", noons()...), reason: staysInNightPOS,
			answers: answeredAt("needsAction", noons()), replies: all("needsAction", nil),
		},
		"G26 one accepted in Outlook, then all moved in NightPOS": {
			do: func(s *scene) {
				s.respond(s.instanceIn(world.Bob, sixTimes[2]), "accept")
				s.Quiet()
				s.asBob(func() error {
					return s.NightPOS.Member("bob").Write(s.Context(), []int{s.at(sixTimes[0])}, map[string]any{
						"start": "2000-01-10 12:00:00", "stop": "2000-01-10 13:00:00", "recurrence_update": "all_events",
					})
				})
			},
			inOutlook: whole, inNightPOS: events("team", noons()...), reason: staysInNightPOS, mails: 1,
			answers: mapped(answeredAt("needsAction", noons()), "2000-01-17T12:00", "accepted"), replies: all("needsAction", map[int]string{2: "accepted"}),
		},
		"G27 this and following deleted in NightPOS": {
			do: func(s *scene) {
				s.asBob(func() error {
					return s.NightPOS.Member("bob").MassDelete(s.Context(), s.at(sixTimes[3]), "future_events")
				})
			},
			inOutlook: whole, inNightPOS: events("team", sixTimes[:3]...), reason: goneInNightPOS,
			answers: answeredAt("needsAction", sixTimes[:3]), replies: all("needsAction", nil),
		},
		"G29 this and following renamed in NightPOS": {
			do: func(s *scene) {
				s.asBob(func() error {
					return s.NightPOS.Member("bob").Write(s.Context(), []int{s.at(sixTimes[3])}, map[string]any{"name": "crew", "recurrence_update": "future_events"})
				})
			},
			inOutlook: whole, inNightPOS: sorted(events("team", sixTimes[:3]...), events("crew", sixTimes[3:]...)), reason: goneInNightPOS,
			answers: all("needsAction", map[int]string{4: "accepted", 5: "accepted"}), replies: all("needsAction", nil),
		},
		"G30 all archived in NightPOS": {
			do: func(s *scene) {
				s.asBob(func() error {
					return s.NightPOS.Member("bob").MassArchive(s.Context(), s.at(sixTimes[0]), "all_events")
				})
			},
			inOutlook: whole, inNightPOS: nil, reason: "it was archived in NightPOS",
			answers: map[string]string{}, replies: all("needsAction", nil),
		},
		"G31 one archived in NightPOS, then all shifted by their organizer": {
			do: func(s *scene) {
				s.archive(sixTimes[2])
				s.Quiet()
				s.asBob(func() error {
					_, err := s.Outlook.Mailbox(world.Carol).Shift(s.Context(), s.masterIn(world.Carol), 0, time.Hour)
					return err
				})
			},
			inOutlook:  events("team", moved(time.Hour, sixTimes...)...),
			inNightPOS: events("team", moved(time.Hour, slices.Concat(sixTimes[:2], sixTimes[3:])...)...),
			answers:    answeredAt("needsAction", moved(time.Hour, slices.Concat(sixTimes[:2], sixTimes[3:])...)),
			replies:    answeredAt("needsAction", moved(time.Hour, sixTimes...)), mails: 1, reason: goneInNightPOS,
		},
		"G32 one accepted in NightPOS, then all shifted by their organizer": {
			do: func(s *scene) {
				s.answer(sixTimes[0], "accepted", "all_events")
				s.Quiet()
				s.asBob(func() error {
					_, err := s.Outlook.Mailbox(world.Carol).Shift(s.Context(), s.masterIn(world.Carol), 0, time.Hour)
					return err
				})
			},
			inOutlook: events("team", moved(time.Hour, sixTimes...)...), inNightPOS: events("team", moved(time.Hour, sixTimes...)...),
			answers: atNewTimes(answeredAt("accepted", moved(time.Hour, sixTimes...)), moved(time.Hour, sixTimes...)...), replies: atNewTimes(answeredAt("accepted", moved(time.Hour, sixTimes...)), moved(time.Hour, sixTimes...)...), mails: 2,
		},
		// The one that comes back brings the answer that NightPOS kept.
		"G33 one cancelled by its organizer in a series shifted later": {
			do: func(s *scene) {
				s.respond(s.masterIn(world.Bob), "accept")
				s.Quiet()
				s.asBob(func() error {
					return s.Outlook.Mailbox(world.Carol).Delete(s.Context(), s.instanceIn(world.Carol, sixTimes[2]))
				})
				s.Quiet()
				s.asBob(func() error {
					_, err := s.Outlook.Mailbox(world.Carol).Shift(s.Context(), s.masterIn(world.Carol), 0, time.Hour)
					return err
				})
			},
			inOutlook: events("team", anHourLater(2)...), inNightPOS: events("team", anHourLater(2)...),
			answers: atNewTimes(answeredAt("accepted", anHourLater(2)), moved(time.Hour, slices.Concat(sixTimes[:2], sixTimes[3:])...)...),
			replies: atNewTimes(answeredAt("accepted", anHourLater(2)), moved(time.Hour, slices.Concat(sixTimes[:2], sixTimes[3:])...)...), mails: 3,
		},
		"G28 all deleted in NightPOS": {
			do: func(s *scene) {
				s.asBob(func() error {
					return s.NightPOS.Member("bob").MassDelete(s.Context(), s.at(sixTimes[0]), "all_events")
				})
			},
			inOutlook: whole, inNightPOS: nil, reason: "it was deleted in NightPOS",
			answers: map[string]string{}, replies: all("needsAction", nil),
		},
	} {
		t.Run(name, func(t *testing.T) {
			invited(t, []string{"bob"}, byCarol, func(s *scene) {
				s.wantHere(whole, whole, all("needsAction", nil))
				one.do(s)
				s.wantHere(one.inOutlook, one.inNightPOS, one.answers)
				s.wantReply(one.replies)
				s.wantMails(one.mails)
				if one.reason != "" {
					s.wantLog(one.reason)
				} else {
					s.wantNoLog(staysInNightPOS)
					s.wantNoLog(goneInNightPOS)
				}
			})
		})
	}
}

// What the log says about what a guest does to the meeting itself.
const (
	staysInNightPOS = "a change made in NightPOS stays there"
	goneInNightPOS  = "were deleted in NightPOS; the invitation stays"
)

func (s *scene) asCarol(id string, patch map[string]any) {
	s.Helper()
	if _, err := s.Outlook.Mailbox(world.Carol).Update(s.Context(), id, patch); err != nil {
		s.Fatal(err)
	}
}

// noons are the six meetings at twelve.
func noons() []string {
	var times []string
	for _, at := range sixTimes {
		times = append(times, at[:11]+"12:00")
	}
	return times
}

func answeredAt(answer string, times []string) map[string]string {
	answers := map[string]string{}
	for _, at := range times {
		answers[at] = answer
	}
	return answers
}

// anHourLater are the six times once all are moved by an hour, of which one was deleted:
// it comes back by that, unless Outlook keeps what was special (8.11).
func anHourLater(deleted int) []string {
	times := slices.Clone(sixTimes)
	if switches.Now().Name == "Exceptions=keep" {
		times = slices.Delete(times, deleted, deleted+1)
	}
	return moved(time.Hour, times...)
}

// atNewTimes is what becomes of answers that were given before these occurrences were
// moved there: they stand, unless Outlook forgets them (8.8).
func atNewTimes(answers map[string]string, starts ...string) map[string]string {
	if switches.Now().Name == "AnswersReset" {
		answers = maps.Clone(answers)
		for _, start := range starts {
			answers[start] = "needsAction"
		}
	}
	return answers
}

func mapped(answers map[string]string, at, answer string) map[string]string {
	answers[at] = answer
	return answers
}

// TestStandIns: alice, whose series it is, has not connected Outlook, and bob has an
// appointment in its place, which stands for bob's part in it.
func TestStandIns(t *testing.T) {
	whole := titled("team", nil)
	for name, one := range map[string]struct {
		do                    func(*scene)
		inOutlook, inNightPOS []string
		answers               map[string]string
	}{
		"H01 one declined in NightPOS": {
			func(s *scene) { s.answer(sixTimes[2], "declined", "") },
			titled("team", map[int]string{2: ""}), whole, all("needsAction", map[int]string{2: "declined"}),
		},
		"H02 one deleted in Outlook": {
			func(s *scene) { s.remove(s.instanceIn(world.Bob, sixTimes[2])) },
			titled("team", map[int]string{2: ""}), whole, all("needsAction", map[int]string{2: "declined"}),
		},
		"H03 one declined in NightPOS and accepted later": {
			func(s *scene) {
				s.answer(sixTimes[2], "declined", "")
				s.Quiet()
				s.answer(sixTimes[2], "accepted", "")
			},
			whole, whole, all("needsAction", map[int]string{2: "accepted"}),
		},
		"H04 one deleted in Outlook and accepted later in NightPOS": {
			func(s *scene) {
				s.remove(s.instanceIn(world.Bob, sixTimes[2]))
				s.Quiet()
				s.answer(sixTimes[2], "accepted", "")
			},
			whole, whole, all("needsAction", map[int]string{2: "accepted"}),
		},
		"H05 one accepted in NightPOS": {
			func(s *scene) { s.answer(sixTimes[2], "accepted", "") },
			whole, whole, all("needsAction", map[int]string{2: "accepted"}),
		},
		"H06 all declined in NightPOS": {
			func(s *scene) { s.answer(sixTimes[0], "declined", "all_events") },
			nil, whole, all("declined", nil),
		},
		"H07 all deleted in Outlook": {
			func(s *scene) { s.remove(s.masterIn(world.Bob)) },
			nil, whole, all("declined", nil),
		},
		"H08 all declined in NightPOS and accepted later": {
			func(s *scene) {
				s.answer(sixTimes[0], "declined", "all_events")
				s.Quiet()
				s.answer(sixTimes[0], "accepted", "all_events")
			},
			whole, whole, all("accepted", nil),
		},
		"H09 one deleted in Outlook, then all renamed by alice": {
			func(s *scene) {
				s.remove(s.instanceIn(world.Bob, sixTimes[2]))
				s.Quiet()
				s.write(s.at(sixTimes[0]), map[string]any{"name": "crew", "recurrence_update": "all_events"})
			},
			titled("crew", map[int]string{2: ""}), titled("crew", nil), all("needsAction", map[int]string{2: "declined"}),
		},
		"H10 one archived by alice": {
			func(s *scene) {
				s.asBob(func() error { return s.NightPOS.Member("alice").Archive(s.Context(), s.at(sixTimes[2])) })
			},
			titled("team", map[int]string{2: ""}), titled("team", map[int]string{2: ""}), all("needsAction", map[int]string{2: ""}),
		},
		"H11 one declined in NightPOS, then archived by alice": {
			func(s *scene) {
				s.answer(sixTimes[2], "declined", "")
				s.Quiet()
				s.asBob(func() error { return s.NightPOS.Member("alice").Archive(s.Context(), s.at(sixTimes[2])) })
			},
			titled("team", map[int]string{2: ""}), titled("team", map[int]string{2: ""}), all("needsAction", map[int]string{2: ""}),
		},
		"H12 one declined, accepted, and deleted in Outlook": {
			func(s *scene) {
				s.answer(sixTimes[2], "declined", "")
				s.Quiet()
				s.answer(sixTimes[2], "accepted", "")
				s.Quiet()
				s.remove(s.instanceIn(world.Bob, sixTimes[2]))
			},
			titled("team", map[int]string{2: ""}), whole, all("needsAction", map[int]string{2: "declined"}),
		},
		"H13 one renamed in Outlook": {
			func(s *scene) {
				s.asBob(func() error {
					_, err := s.Outlook.Mailbox(world.Bob).Update(s.Context(), s.instanceIn(world.Bob, sixTimes[2]), map[string]any{"subject": "mine"})
					return err
				})
			},
			titled("team", map[int]string{2: "mine"}), whole, all("needsAction", nil),
		},
	} {
		t.Run(name, func(t *testing.T) {
			invited(t, []string{"bob"}, byAlice, func(s *scene) {
				s.wantHere(whole, whole, all("needsAction", nil))
				one.do(s)
				s.wantHere(one.inOutlook, one.inNightPOS, one.answers)
				s.wantMails(0)
			})
		})
	}
}

// TestAnswersOfPeopleWithoutAConnection: what they reply in Outlook, alice's own
// mailbox knows, of single occurrences too.
func TestAnswersOfPeopleWithoutAConnection(t *testing.T) {
	for name, one := range map[string]struct {
		do   func(*scene)
		want map[string]string
	}{
		"K01 one accepted":  {func(s *scene) { s.reply(sixTimes[2], "accept") }, all("needsAction", map[int]string{2: "accepted"})},
		"K02 one declined":  {func(s *scene) { s.reply(sixTimes[2], "decline") }, all("needsAction", map[int]string{2: "declined"})},
		"K03 one tentative": {func(s *scene) { s.reply(sixTimes[2], "tentativelyAccept") }, all("needsAction", map[int]string{2: "tentative"})},
		"K04 all accepted, then one declined": {func(s *scene) {
			s.reply("", "accept")
			s.Quiet()
			s.reply(sixTimes[2], "decline")
		}, all("accepted", map[int]string{2: "declined"})},
		"K05 one declined, then all accepted": {func(s *scene) {
			s.reply(sixTimes[2], "tentativelyAccept")
			s.Quiet()
			s.reply("", "accept")
		}, all("accepted", map[int]string{2: "tentative"})},
		"K06 all accepted, then all renamed in Outlook": {func(s *scene) {
			s.reply("", "accept")
			s.Quiet()
			s.patch(s.master(), map[string]any{"subject": "crew"})
		}, all("accepted", nil)},
		"K07 all accepted, then all moved in NightPOS": {func(s *scene) {
			s.reply("", "accept")
			s.Quiet()
			s.write(s.at(sixTimes[0]), map[string]any{"start": "2000-01-10 12:00:00", "stop": "2000-01-10 13:00:00", "recurrence_update": "all_events"})
		}, answeredAt("accepted", noons())},
		"K08 one accepted, then that one renamed in NightPOS": {func(s *scene) {
			s.reply(sixTimes[2], "accept")
			s.Quiet()
			s.write(s.at(sixTimes[2]), map[string]any{"name": "special"})
		}, all("needsAction", map[int]string{2: "accepted"})},
	} {
		t.Run(name, func(t *testing.T) {
			for _, who := range []string{"dave", "carol"} {
				t.Run(who, func(t *testing.T) {
					invited(t, []string{"alice"}, func(s *scene) {
						if _, err := s.Outlook.Mailbox(world.Alice).Create(s.Context(), weekly("team", s.replier(who))); err != nil {
							s.Fatal(err)
						}
					}, func(s *scene) {
						s.who = who
						one.do(s)
						s.Quiet()
						if got := s.answersOf(s.NightPOS.Contact(s.replier(who))); !maps.Equal(got, one.want) {
							s.Fatalf("%s's answers in NightPOS are\n%v, want\n%v\n%s", who, got, one.want, s.Log())
						}
					})
				})
			}
		})
	}
}

func (s *scene) replier(who string) string {
	if who == "carol" {
		return world.Carol
	}
	return world.Address(who)
}

// reply answers one occurrence in a mailbox, or all.
func (s *scene) reply(start, action string) {
	s.Helper()
	address := s.replier(s.who)
	id := s.masterIn(address)
	if start != "" {
		id = s.instanceIn(address, start)
	}
	s.asBob(func() error { return s.Outlook.Mailbox(address).Respond(s.Context(), id, action) })
}
