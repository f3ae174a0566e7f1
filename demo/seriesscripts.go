package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// weeks is how often a series of the tour happens.
const weeks = 6

// weekly is a series of the tour, and what both sides have to show of it.
type weekly struct {
	from Side
	// word is what every title begins with.
	word string
	want []occurrence
}

type occurrence struct {
	When
	title string
	// answer is Bob's.
	answer Answer
	// special says that it differs from its series.
	special bool
}

// ofSeries lists what a person sees of a series on one side.
func (t *Tour) ofSeries(ctx context.Context, side Side, login string, s *weekly) ([]Event, error) {
	events, err := t.world.Calendar(side).Events(ctx, login, t.monday, t.monday.AddDate(0, 0, 7*(weeks+1)))
	return slices.DeleteFunc(events, func(e Event) bool { return e.Cancelled || !strings.HasPrefix(e.Title, s.word) }), err
}

// showsSeries says that both sides show the same of a series, and what is wanted.
func (t *Tour) showsSeries(s *weekly) func(context.Context) error {
	return func(ctx context.Context) error {
		shown := map[Side][]Event{}
		for _, side := range []Side{Outlook, NightPOS} {
			events, err := t.ofSeries(ctx, side, t.alice.Login, s)
			if err != nil {
				return err
			}
			if len(events) != len(s.want) {
				return fmt.Errorf("%d occurrences in %s, expected %d", len(events), side, len(s.want))
			}
			for index, event := range events {
				want := s.want[index]
				answer, _ := event.AnswerOf(t.bob.Address)
				if event.Series == "" || event.Title != want.title || !SameTime(event.When, want.When) || answer != want.answer || event.Exception != want.special {
					return fmt.Errorf("occurrence %d is not right in %s", index+1, side)
				}
			}
			shown[side] = events
		}
		for index, inOutlook := range shown[Outlook] {
			inNightPOS := shown[NightPOS][index]
			// Reminders have different defaults on the two sides until somebody sets one.
			inOutlook.Reminder = inNightPOS.Reminder
			if fields := differences(inOutlook, inNightPOS); fields != nil {
				return fmt.Errorf("the two sides differ in %s of occurrence %d", strings.Join(fields, ", "), index+1)
			}
		}
		return nil
	}
}

// recurring are the steps with a series of six weeks, which begins on one side
// and is edited there but for one step, by its organizer Alice and by Bob.
func (t *Tour) recurring(from Side, word string, hour int) []script {
	s := &weekly{from: from, word: word}
	calendar := t.world.Calendar(from)
	editIn := func(side Side, index int, scope Scope, change Edit) func(context.Context) error {
		return func(ctx context.Context) error {
			events, err := t.ofSeries(ctx, side, t.alice.Login, s)
			if err != nil {
				return err
			}
			if index >= len(events) {
				return errors.New("the occurrence is not there")
			}
			return t.world.Calendar(side).Update(ctx, t.alice.Login, events[index].ID, scope, change)
		}
	}
	edit := func(index int, scope Scope, change Edit) func(context.Context) error {
		return editIn(from, index, scope, change)
	}
	remove := func(index int, scope Scope) func(context.Context) error {
		return func(ctx context.Context) error {
			events, err := t.ofSeries(ctx, from, t.alice.Login, s)
			if err != nil {
				return err
			}
			if index >= len(events) {
				return errors.New("the occurrence is not there")
			}
			return calendar.Delete(ctx, t.alice.Login, events[index].ID, scope)
		}
	}
	answer := func(index int, scope Scope, reply Answer) func(context.Context) error {
		return func(ctx context.Context) error {
			events, err := t.ofSeries(ctx, from, t.bob.Login, s)
			if err != nil {
				return err
			}
			if index >= len(events) {
				return errors.New("the occurrence is not in Bob's calendar")
			}
			return calendar.Answer(ctx, t.bob.Login, events[index].ID, scope, reply)
		}
	}
	// step has people do something and changes what is wanted before.
	step := func(name string, mails, writes int, note string, act func(context.Context) error, want func()) script {
		made := script{
			name: name, from: from, writes: only(from.Other(), writes), note: note, agreed: t.showsSeries(s),
			act: func(ctx context.Context) error {
				want()
				return act(ctx)
			},
		}
		if from == Outlook {
			made.byPeople = mails
		} else {
			made.byGateway = mails
		}
		return made
	}
	first := t.at(0, hour, time.Hour)
	create := func(ctx context.Context) error {
		_, err := calendar.Create(ctx, t.alice.Login, Edit{
			Title: &word, When: first, Place: to("Bar"), People: &[]string{t.bob.Address, guest}, Repeat: &Repeat{Times: weeks},
		})
		return err
	}
	renamed, divided := word+" for all", word+" from now on"
	moved := t.at(15, hour+3, time.Hour) // the third one, a day and three hours later
	steps := []script{
		step("create weekly", 2, 1, "six weeks in one write, one invitation each", create, func() {
			for week := range weeks {
				s.want = append(s.want, occurrence{When: *t.at(7*week, hour, time.Hour), title: word, answer: None})
			}
		}),
		step("rename all", 2, 1, "one update each, not six", edit(0, All, Edit{Title: &renamed}), func() {
			for index := range s.want {
				s.want[index].title = renamed
			}
		}),
		step("move all", 2, 1, "an hour later, from the other side", editIn(from.Other(), 0, All, Edit{When: t.at(0, hour+1, time.Hour)}), func() {
			for index := range s.want {
				s.want[index].When = *t.at(7*index, hour+1, time.Hour)
			}
		}),
		step("this and following", 4, 2, "the series is divided: two mails each at most", edit(3, Following, Edit{Title: &divided}), func() {
			for index := 3; index < len(s.want); index++ {
				s.want[index].title = divided
			}
		}),
		step("move one", 2, 1, "a day and three hours later; the others stay", edit(2, One, Edit{When: moved}), func() {
			s.want[2].When, s.want[2].special = *moved, true
		}),
		step("delete one", 2, 1, "the others stay", remove(1, One), func() { s.want = slices.Delete(s.want, 1, 2) }),
		step("answer all", 1, 1, "Bob accepts the new series", answer(2, All, Accepted), func() {
			for index := 2; index < len(s.want); index++ {
				s.want[index].answer = Accepted
			}
		}),
		step("answer one", 1, 1, "Bob may come to one of them", answer(3, One, Tentative), func() { s.want[3].answer = Tentative }),
		step("delete all", 2, 1, "the first part is called off, once", remove(0, All), func() { s.want = s.want[2:] }),
	}
	for index := range steps {
		switch steps[index].name {
		case "move all": // from the side across
			steps[index].from, steps[index].writes = from.Other(), only(from, 1)
			steps[index].byPeople, steps[index].byGateway = steps[index].byGateway, steps[index].byPeople
		case "this and following":
			steps[index].atMost = true
		case "answer all", "answer one":
			steps[index].by = t.bob
		}
	}
	return steps
}
