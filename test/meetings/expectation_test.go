package meetings_test

import (
	"slices"
	"time"
)

// state is what everybody sees of a cell's meeting, and what it has cost since.
type state struct {
	NightPOS showings
	// Organizer is the mailbox of the organizer, where there is one, and Invited
	// bob's.
	Organizer, Invited showings
	// Mails are those that the gateway caused in Outlook.
	Mails map[string]int
	// InOutlook are the gateway's writes to mailboxes, InNightPOS its transactions.
	InOutlook, InNightPOS int
}

func (c *cell) affected(index int) bool { return c.shape != shapeOccurrence || index == 1 }

// holders is how many people have a stand-in.
func (c *cell) holders() int {
	count := 0
	for _, login := range []string{"alice", "bob"} {
		if c.connected(login) {
			count++
		}
	}
	return count
}

// expect says what has to become of a state, from the rules of the design alone:
// content belongs to the organizer's copy, an attendee's copy speaks for that
// attendee, a stand-in for nothing; whoever is not connected hears nothing from the
// gateway; one edit is one write on the other side and at most one mail to each.
func (c *cell) expect(before state) state {
	want := state{NightPOS: before.NightPOS.clone(), Organizer: before.Organizer.clone(), Invited: before.Invited.clone(), Mails: map[string]int{}}
	switch c.action {
	case actRename, actMove:
		c.expectContent(&want)
	case actAccept, actMaybe, actDecline:
		c.expectAnswer(&want, map[string]string{actAccept: "accepted", actMaybe: "tentative", actDecline: "declined"}[c.action])
	case actAdd, actRemove:
		c.expectPeople(&want)
	case actDelete, actArchive, actRestore:
		c.expectRemoval(&want)
	case actDrop:
		want.Invited = c.without(want.Invited)
		if c.connected("bob") {
			c.reply(want.NightPOS, bob, "declined")
			want.InNightPOS = 1
		}
	}
	sortShowings(want.NightPOS)
	sortShowings(want.Organizer)
	sortShowings(want.Invited)
	return want
}

// wrote is the cost of a change that crosses from the cell's side to the other,
// and whom it mails in Outlook.
func (c *cell) wrote(want *state, mails ...string) {
	if c.side == sideOutlook {
		want.InNightPOS = 1
		return
	}
	want.InOutlook = 1
	for _, mail := range mails {
		want.Mails[mail]++
	}
}

func (c *cell) expectContent(want *state) {
	change := func(lists ...showings) {
		for _, list := range lists {
			for index := range list {
				switch {
				case !c.affected(index):
				case c.action == actRename:
					list[index].Title = c.tag + " renamed"
				default:
					list[index].Start, list[index].End = later(list[index].Start, c.shift()), later(list[index].End, c.shift())
				}
			}
		}
	}
	switch kind := c.kind(); {
	case kind == kindStandIn && c.side == sideOutlook:
		change(want.Invited)
	case kind == kindStandIn:
		change(want.NightPOS, want.Invited)
		want.InOutlook = c.holders()
	case kind == kindGuest && c.side == sideNightPOS:
		change(want.NightPOS)
	default:
		change(want.NightPOS, want.Organizer, want.Invited)
		c.wrote(want, "update "+bob, "update "+c.third())
	}
}

func later(at string, by time.Duration) string {
	parsed, err := time.Parse("2006-01-02T15:04", at)
	if err != nil {
		panic(err)
	}
	return parsed.Add(by).Format("2006-01-02T15:04")
}

func (c *cell) reply(list showings, address, answer string) {
	for index := range list {
		if c.affected(index) && list[index].People != nil {
			list[index].People[address] = answer
		}
	}
}

// without is what is left when the affected ones are gone.
func (c *cell) without(list showings) showings {
	left := showings{}
	for index, one := range list {
		if !c.affected(index) {
			left = append(left, one)
		}
	}
	return left
}

func (c *cell) expectAnswer(want *state, answer string) {
	c.reply(want.NightPOS, bob, answer)
	if c.side == sideNightPOS && !c.connected("bob") {
		return
	}
	if c.kind() == kindStandIn {
		if answer == "declined" {
			want.Invited, want.InOutlook = c.without(want.Invited), 1
		}
		return
	}
	c.reply(want.Organizer, bob, answer)
	for index := range want.Invited {
		if c.affected(index) {
			want.Invited[index].Own = answer
		}
	}
	if answer == "declined" {
		want.Invited = c.without(want.Invited)
	}
	c.wrote(want, "response "+c.organizerAddress())
}

func (c *cell) expectPeople(want *state) {
	change := func(lists ...showings) {
		for _, list := range lists {
			for index := range list {
				switch {
				case !c.affected(index) || list[index].People == nil:
				case c.action == actAdd:
					list[index].People[dave] = "open"
				default:
					delete(list[index].People, c.third())
				}
			}
		}
	}
	if c.kind() != kindMeeting && c.side == sideNightPOS {
		change(want.NightPOS)
		return
	}
	change(want.NightPOS, want.Organizer)
	if c.action == actAdd {
		c.wrote(want, "invitation "+dave)
	} else {
		c.wrote(want, "cancellation "+c.third())
	}
}

func (c *cell) expectRemoval(want *state) {
	remove := func(lists ...*showings) {
		for _, list := range lists {
			*list = c.without(*list)
		}
	}
	called := []string{"cancellation " + bob, "cancellation " + c.third()}
	switch kind := c.kind(); {
	case c.action == actRestore && kind == kindGuest:
	case c.action == actRestore && kind == kindStandIn:
		want.InOutlook = 2 * c.holders()
	case c.action == actRestore:
		c.wrote(want, append(called, "invitation "+bob, "invitation "+c.third())...)
		want.InOutlook = 2
	case kind == kindStandIn && c.side == sideOutlook:
		remove(&want.Invited)
		c.reply(want.NightPOS, bob, "declined")
		want.InNightPOS = 1
	case kind == kindStandIn:
		remove(&want.NightPOS, &want.Invited)
		want.InOutlook = c.holders()
	case kind == kindGuest && c.side == sideNightPOS:
		remove(&want.NightPOS)
	default:
		remove(&want.NightPOS, &want.Organizer, &want.Invited)
		c.wrote(want, called...)
	}
}

// look reads a cell's state; what was spent before does not count.
func (s *scene) look(c *cell, mails, inOutlook, inNightPOS int) state {
	seen := state{
		NightPOS: s.inNightPOS(c.tag), Organizer: showings{}, Invited: s.inMailbox(bob, c.tag),
		Mails: s.mailed(mails), InOutlook: s.Writes() - inOutlook, InNightPOS: s.transactions() - inNightPOS,
	}
	if address := c.organizerAddress(); address != "" {
		seen.Organizer = s.inMailbox(address, c.tag)
	}
	return seen
}

// untold says that only a sweep finds the cell's change: when nothing but the list
// of people changes, Outlook tells no one who stays invited.
func (c *cell) untold() bool {
	return c.kind() == kindGuest && c.side == sideOutlook && (c.action == actAdd || c.action == actRemove)
}

// agree says that everybody sees the same meeting.
func (s *scene) agree(c *cell, seen state) {
	s.Helper()
	count := 1
	if c.repeats() {
		count = 3
	}
	same := func(a, b showing) bool {
		return a.Start == b.Start && a.End == b.End && a.Title == b.Title && a.AllDay == b.AllDay
	}
	invited := !slices.EqualFunc(seen.NightPOS, seen.Invited, same) && (c.connected("bob") || c.kind() != kindStandIn)
	organizer := c.organizerAddress() != "" && !slices.EqualFunc(seen.NightPOS, seen.Organizer, same)
	if len(seen.NightPOS) != count || invited || organizer {
		s.Errorf("%s, %s: before anything is done, NightPOS shows%s\nthe organizer's mailbox%s\nbob's mailbox%s\n%s", c.group, c.tag, seen.NightPOS, seen.Organizer, seen.Invited, s.Log())
	}
}
