package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// guest is somebody at a customer's, in neither system.
const guest = "carol@customer.example"

func to[T any](value T) *T { return &value }

// at is a time in the week of the tour: a day from Monday, an hour in UTC.
func (t *Tour) at(day, hour int, length time.Duration) *When {
	start := t.monday.AddDate(0, 0, day).Add(time.Duration(hour) * time.Hour)
	return &When{Start: start, End: start.Add(length)}
}

func (t *Tour) wholeDay(day int) *When {
	start := t.monday.AddDate(0, 0, day)
	return &When{Start: start, End: start.AddDate(0, 0, 1), AllDay: true}
}

// edit is one person's change of one meeting on one side.
func (t *Tour) edit(side Side, p *pair, change Edit) func(context.Context) error {
	return func(ctx context.Context) error {
		if side == Outlook {
			return t.world.Outlook.Update(ctx, t.alice.Login, p.outlook, One, change)
		}
		return t.world.NightPOS.Update(ctx, t.alice.Login, p.nightpos, One, change)
	}
}

func (t *Tour) create(side Side, p *pair, made Edit) func(context.Context) error {
	return func(ctx context.Context) error {
		id, err := t.world.Calendar(side).Create(ctx, t.alice.Login, made)
		if side == Outlook {
			p.outlook = id
		} else {
			p.nightpos = id
		}
		return err
	}
}

// shows says what both sides must show, once they agree with each other.
func (t *Tour) shows(p *pair, title string, right func(Event) bool) func(context.Context) error {
	return func(ctx context.Context) error {
		inOutlook, inNightPOS, err := t.both(ctx, p, title)
		switch {
		case err != nil:
			return err
		case !right(inOutlook):
			return errors.New("the change is not in Outlook")
		case !right(inNightPOS):
			return errors.New("the change is not in NightPOS")
		}
		return nil
	}
}

func (t *Tour) titled(p *pair, title string) func(context.Context) error {
	return t.shows(p, title, func(e Event) bool { return e.Title == title })
}

func (t *Tour) timed(p *pair, when *When) func(context.Context) error {
	return t.shows(p, "", func(e Event) bool { return SameTime(e.When, *when) })
}

func (t *Tour) invited(p *pair, count int) func(context.Context) error {
	return t.shows(p, "", func(e Event) bool { return len(e.People) == count })
}

func (t *Tour) answered(p *pair, answer Answer) func(context.Context) error {
	return t.shows(p, "", func(e Event) bool {
		given, _ := e.AnswerOf(t.bob.Address)
		return given == answer
	})
}

// gone says that a meeting has left Outlook and, unless it was deleted in
// NightPOS, is archived there.
func (t *Tour) gone(p *pair, deleted bool) func(context.Context) error {
	return func(ctx context.Context) error {
		if _, err := t.world.Outlook.Event(ctx, t.alice.Login, p.outlook); !errors.Is(err, ErrGone) {
			return errors.New("it is still in Outlook")
		}
		record, err := t.world.NightPOS.Event(ctx, t.alice.Login, p.nightpos)
		switch {
		case deleted && errors.Is(err, ErrGone):
			return nil
		case deleted:
			return errors.New("it is still in NightPOS")
		case err != nil:
			return err
		case !record.Archived:
			return errors.New("it is not archived in NightPOS")
		}
		return nil
	}
}

// only is a number of writes on one side and none on the other.
func only(side Side, count int) map[Side]int { return map[Side]int{side: count} }

// scripts are the steps, in the order in which they build on each other.
func (t *Tour) scripts() []script {
	// Bob is invited to both; the one starts in Outlook, the other in NightPOS.
	first, second, alone := &pair{}, &pair{}, &pair{}
	steps := slices.Concat(t.creations(first, second), t.edits(first, second), t.people(first, second), t.private(),
		t.conflicts(first), t.deletions(first, second, alone), t.burst(),
		t.recurring(Outlook, "Stand-up", 12), t.recurring(NightPOS, "Stocktaking", 13), t.reset(alone))
	for index := range steps {
		if steps[index].by.Login == "" {
			steps[index].by = t.alice
		}
	}
	return steps
}

func (t *Tour) creations(first, second *pair) []script {
	people := &[]string{t.bob.Address}
	return []script{
		{
			name: "create", from: Outlook, byPeople: 1, writes: only(NightPOS, 1),
			act:    t.create(Outlook, first, Edit{Title: to("Menu tasting"), When: t.at(0, 9, time.Hour), Place: to("Bar"), People: people}),
			agreed: t.titled(first, "Menu tasting"), note: "Bob gets Alice's own invitation and no second one",
		},
		{
			name: "create", from: NightPOS, byGateway: 1, writes: only(Outlook, 1),
			act:    t.create(NightPOS, second, Edit{Title: to("Rota planning"), When: t.at(1, 9, time.Hour), Place: to("Office"), People: people}),
			agreed: t.titled(second, "Rota planning"), note: "Outlook invites Bob",
		},
	}
}

func (t *Tour) edits(first, second *pair) []script {
	return []script{
		{
			name: "rename", from: Outlook, byPeople: 1, writes: only(NightPOS, 1),
			act:    t.edit(Outlook, first, Edit{Title: to("Wine tasting")}),
			agreed: t.titled(first, "Wine tasting"), note: "the title alone is written",
		},
		{
			name: "edit", from: NightPOS, byGateway: 1, writes: only(Outlook, 1),
			act: t.edit(NightPOS, second, Edit{Title: to("Rota for December"), Place: to("Kitchen"), Description: to("Bring the wishes.")}),
			agreed: t.shows(second, "", func(e Event) bool {
				return e.Title == "Rota for December" && e.Place == "Kitchen" && e.Description == "Bring the wishes."
			}),
			note: "title, place and description in one write",
		},
		{
			name: "move", from: Outlook, byPeople: 1, writes: only(NightPOS, 1),
			act:    t.edit(Outlook, first, Edit{When: t.at(2, 14, 90*time.Minute)}),
			agreed: t.timed(first, t.at(2, 14, 90*time.Minute)), note: "another day, half an hour longer",
		},
		{
			name: "move", from: NightPOS, byGateway: 1, writes: only(Outlook, 1),
			act:    t.edit(NightPOS, second, Edit{When: t.at(3, 11, time.Hour)}),
			agreed: t.timed(second, t.at(3, 11, time.Hour)), note: "another day",
		},
		{
			name: "all day", from: Outlook, byPeople: 1, writes: only(NightPOS, 1),
			act:    t.edit(Outlook, first, Edit{When: t.wholeDay(2)}),
			agreed: t.timed(first, t.wholeDay(2)), note: "the same date on both sides",
		},
		{
			name: "all day", from: NightPOS, byGateway: 1, writes: only(Outlook, 1),
			act:    t.edit(NightPOS, second, Edit{When: t.wholeDay(3)}),
			agreed: t.timed(second, t.wholeDay(3)), note: "the same date on both sides",
		},
	}
}

func (t *Tour) people(first, second *pair) []script {
	withGuest, withoutGuest := Edit{People: &[]string{t.bob.Address, guest}}, Edit{People: &[]string{t.bob.Address}}
	bobsCopy := func(ctx context.Context) (string, error) {
		events, err := t.world.Outlook.Events(ctx, t.bob.Login, t.monday, t.monday.AddDate(0, 0, 14))
		if err != nil {
			return "", err
		}
		index := slices.IndexFunc(events, func(e Event) bool { return e.Title == "Wine tasting" })
		if index < 0 {
			return "", errors.New("the meeting is not in Bob's Outlook")
		}
		return events[index].ID, nil
	}
	return []script{
		{
			name: "answer", from: Outlook, by: t.bob, byPeople: 1, writes: only(NightPOS, 1),
			act: func(ctx context.Context) error {
				id, err := bobsCopy(ctx)
				if err != nil {
					return err
				}
				return t.world.Outlook.Answer(ctx, t.bob.Login, id, One, Accepted)
			},
			agreed: t.answered(first, Accepted), note: "Bob accepts; Outlook tells Alice",
		},
		{
			name: "answer", from: NightPOS, by: t.bob, byGateway: 1, writes: only(Outlook, 1),
			act: func(ctx context.Context) error {
				return t.world.NightPOS.Answer(ctx, t.bob.Login, second.nightpos, One, Tentative)
			},
			agreed: t.answered(second, Tentative), note: "Bob may come; Outlook tells Alice",
		},
		{
			name: "invite", from: Outlook, byPeople: 1, writes: only(NightPOS, 1),
			act: t.edit(Outlook, first, withGuest), agreed: t.invited(first, 2), note: "only Carol is mailed",
		},
		{
			name: "invite", from: NightPOS, byGateway: 1, writes: only(Outlook, 1),
			act: t.edit(NightPOS, second, withGuest), agreed: t.invited(second, 2), note: "only Carol is mailed",
		},
		{
			name: "take out", from: Outlook, byPeople: 1, writes: only(NightPOS, 1),
			act: t.edit(Outlook, first, withoutGuest), agreed: t.invited(first, 1), note: "only Carol is mailed",
		},
		{
			name: "take out", from: NightPOS, byGateway: 1, writes: only(Outlook, 1),
			act: t.edit(NightPOS, second, withoutGuest), agreed: t.invited(second, 1), note: "only Carol is mailed",
		},
	}
}

func (t *Tour) private() []script {
	p := &pair{}
	secret := func(title string) func(context.Context) error {
		return t.shows(p, title, func(e Event) bool { return e.Private && e.Title == title })
	}
	return []script{
		{
			name: "private event", from: NightPOS, writes: only(Outlook, 1),
			act:    t.create(NightPOS, p, Edit{Title: to("Dentist"), When: t.at(4, 8, time.Hour), Private: to(true)}),
			agreed: secret("Dentist"), note: "private on both sides, nobody mailed",
		},
		{
			name: "edit private event", from: NightPOS, writes: only(Outlook, 1),
			act:    t.edit(NightPOS, p, Edit{Title: to("Dentist, upper floor")}),
			agreed: secret("Dentist, upper floor"), note: "read in full by the gateway, masked for others",
		},
	}
}

func (t *Tour) conflicts(first *pair) []script {
	return []script{
		{
			name: "conflict", from: NightPOS, byPeople: 1, byGateway: 1, atMost: true, writes: map[Side]int{Outlook: 1, NightPOS: 1},
			act: func(ctx context.Context) error {
				return errors.Join(
					t.edit(Outlook, first, Edit{Title: to("Named in Outlook")})(ctx),
					t.edit(NightPOS, first, Edit{Title: to("Named in NightPOS")})(ctx))
			},
			agreed: t.titled(first, "Named in NightPOS"), note: "the same field at once: the newest wins",
		},
		{
			name: "merge", from: NightPOS, byPeople: 1, byGateway: 1, atMost: true, writes: map[Side]int{Outlook: 1, NightPOS: 1},
			act: func(ctx context.Context) error {
				return errors.Join(
					t.edit(Outlook, first, Edit{Place: to("Terrace")})(ctx),
					t.edit(NightPOS, first, Edit{Description: to("Six wines.")})(ctx))
			},
			agreed: t.shows(first, "", func(e Event) bool { return e.Place == "Terrace" && e.Description == "Six wines." }),
			note:   "different fields at once: both stay",
		},
	}
}

func (t *Tour) deletions(first, second, alone *pair) []script {
	archive := func(archived bool) func(context.Context) error {
		return func(ctx context.Context) error {
			return t.world.NightPOS.SetArchived(ctx, t.alice.Login, alone.nightpos, archived)
		}
	}
	return []script{
		{
			name: "delete", from: Outlook, byPeople: 1, writes: only(NightPOS, 1),
			act:    func(ctx context.Context) error { return t.world.Outlook.Delete(ctx, t.alice.Login, first.outlook, One) },
			agreed: t.gone(first, false), note: "archived in NightPOS, never erased",
		},
		{
			name: "delete", from: NightPOS, byGateway: 1, writes: only(Outlook, 1),
			act: func(ctx context.Context) error {
				return t.world.NightPOS.Delete(ctx, t.alice.Login, second.nightpos, One)
			},
			agreed: t.gone(second, true), note: "Outlook calls it off with Bob",
		},
		{
			name: "create alone", from: NightPOS, writes: only(Outlook, 1),
			act:    t.create(NightPOS, alone, Edit{Title: to("Stock count"), When: t.at(4, 16, time.Hour)}),
			agreed: t.titled(alone, "Stock count"), note: "nobody to mail",
		},
		{
			name: "archive", from: NightPOS, writes: only(Outlook, 1),
			act: archive(true), agreed: t.gone(alone, false), note: "gone from Outlook",
		},
		{
			name: "bring back", from: NightPOS, writes: only(Outlook, 1),
			act: func(ctx context.Context) error {
				alone.outlook = "" // the copy that comes is another one
				return archive(false)(ctx)
			},
			agreed: t.titled(alone, "Stock count"), note: "in Outlook again, once",
		},
	}
}

// reset is what an administrator does, and then an edit that shows that every pair
// was found again: the counts of writes would show a double.
func (t *Tour) reset(alone *pair) []script {
	gateway, able := t.world.Gateway.(Resetter)
	if !able {
		return nil
	}
	return []script{{
		name: "reset", from: NightPOS, writes: only(Outlook, 1),
		act: func(ctx context.Context) error {
			if err := gateway.Reset(ctx, t.alice); err != nil {
				return err
			}
			return t.edit(NightPOS, alone, Edit{Title: to("Stock count, again")})(ctx)
		},
		agreed: t.titled(alone, "Stock count, again"), note: "connected again, every pair is found and none doubled",
	}}
}

func (t *Tour) burst() []script {
	pairs := make([]pair, burstSize)
	title := func(index int) string { return fmt.Sprintf("Delivery %d", index+1) }
	return []script{{
		name: fmt.Sprintf("%d at once", burstSize), from: Outlook, writes: only(NightPOS, burstSize), atMost: true,
		act: func(ctx context.Context) error {
			for index := range pairs {
				when := t.at(7+index%5, 8+2*(index/5), 30*time.Minute)
				if err := t.create(Outlook, &pairs[index], Edit{Title: to(title(index)), When: when})(ctx); err != nil {
					return err
				}
			}
			return nil
		},
		agreed: func(ctx context.Context) error {
			for index := range pairs {
				if err := t.titled(&pairs[index], title(index))(ctx); err != nil {
					return err
				}
			}
			return nil
		},
		note: "the lag is that of the last one",
	}}
}
