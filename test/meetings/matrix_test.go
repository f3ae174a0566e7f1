package meetings_test

import (
	"fmt"
	"strings"
)

// The matrix: who organises a meeting and who is connected when, in which calendar
// it was made, what it looks like, what somebody does to it, and where.

// colleagues have a user and a mailbox, and are not connected but in TestFivePeople.
var colleagues = []string{"dave", "erin", "frank"}

// The people by their roles: bob is invited, carol is outside NightPOS.
const (
	alice = "alice@nightpos.example"
	bob   = "bob@nightpos.example"
	carol = "carol@customer.example"
	dave  = "dave@nightpos.example"
	erin  = "erin@nightpos.example"
)

// setup is who organises and who is connected.
type setup struct {
	organizer string
	// before and after are the logins that connect before the meetings are made
	// and after, in that order.
	before, after []string
	// made are the sides on which a meeting can be made.
	made []string
}

const (
	sideOutlook  = "Outlook"
	sideNightPOS = "NightPOS"
)

// The kinds of organizer.
const (
	organizerConnected = "connected"
	organizerNot       = "not connected"
	organizerOutside   = "outside NightPOS"
	organizerNobody    = "nobody"
)

var setups = []setup{
	{organizerConnected, []string{"alice", "bob"}, nil, []string{sideOutlook, sideNightPOS}},
	{organizerConnected, []string{"alice"}, []string{"bob"}, []string{sideOutlook, sideNightPOS}},
	{organizerConnected, []string{"bob"}, []string{"alice"}, []string{sideOutlook, sideNightPOS}},
	{organizerConnected, nil, []string{"bob", "alice"}, []string{sideOutlook, sideNightPOS}},
	{organizerConnected, []string{"alice"}, nil, []string{sideOutlook, sideNightPOS}},
	{organizerNot, []string{"bob"}, nil, []string{sideOutlook, sideNightPOS}},
	{organizerNot, nil, []string{"bob"}, []string{sideOutlook, sideNightPOS}},
	{organizerOutside, []string{"alice"}, []string{"bob"}, []string{sideOutlook}},
	{organizerOutside, []string{"bob"}, nil, []string{sideOutlook}},
	{organizerOutside, nil, []string{"alice", "bob"}, []string{sideOutlook}},
	{organizerNobody, []string{"alice", "bob"}, nil, []string{sideNightPOS}},
	{organizerNobody, []string{"bob"}, nil, []string{sideNightPOS}},
	{organizerNobody, nil, []string{"bob"}, []string{sideNightPOS}},
}

// The shapes of meetings. An action on an occurrence is one on the second of a
// series.
const (
	shapeSingle     = "single"
	shapeAllDay     = "all-day"
	shapeSeries     = "series"
	shapeOccurrence = "occurrence"
)

// The actions.
const (
	actRename  = "edit"
	actMove    = "move"
	actAccept  = "accept"
	actMaybe   = "tentative"
	actDecline = "decline"
	actAdd     = "add attendee"
	actRemove  = "remove attendee"
	actDelete  = "delete"
	actArchive = "archive"
	actRestore = "archive, unarchive"
	actDrop    = "delete own copy"
)

var actions = []string{actRename, actMove, actAccept, actMaybe, actDecline, actAdd, actRemove, actDelete, actArchive, actRestore, actDrop}

// group are the cells that are played in one world, one after the other.
type group struct {
	setup
	made, shape string
	version     int
	cells       []*cell
}

func (g *group) String() string {
	connected := "nobody"
	if len(g.before) > 0 {
		connected = strings.Join(g.before, " and ")
	}
	if len(g.after) > 0 {
		connected += ", later " + strings.Join(g.after, ", then ")
	}
	return fmt.Sprintf("organizer %s, connected %s, %s made in %s", g.organizer, connected, g.shape, g.made)
}

// cell is one action on one side.
type cell struct {
	*group
	action, side string
	// tag begins the title of the cell's meeting, and week is when it takes place.
	tag  string
	week int
}

// kind is what bob's copy of a meeting is.
type kind int

const (
	kindMeeting kind = iota // an invitation by an organizer who is connected
	kindGuest               // an invitation by an organizer who is not
	kindStandIn             // an appointment in place of one
)

func (g *group) kind() kind {
	switch {
	case g.organizer == organizerConnected:
		return kindMeeting
	case g.made == sideOutlook:
		return kindGuest
	}
	return kindStandIn
}

// connected says whether somebody is, in the end.
func (g *group) connected(login string) bool {
	for _, one := range append(g.before[:len(g.before):len(g.before)], g.after...) {
		if one == login {
			return true
		}
	}
	return false
}

// organizerAddress is whose mailbox holds the meeting itself; empty if none does.
func (g *group) organizerAddress() string {
	switch {
	case g.kind() == kindStandIn:
		return ""
	case g.organizer == organizerOutside:
		return carol
	}
	return alice
}

// third is who is invited besides bob, and can be removed.
func (g *group) third() string {
	if g.organizer == organizerOutside {
		return erin
	}
	return carol
}

// shapes are those that a setup is played with. Series that an invitation brought,
// and single occurrences of stand-ins, are played in test/series.
func (s setup) shapes(made string) []string {
	switch (&group{setup: s, made: made}).kind() {
	case kindGuest:
		return []string{shapeSingle, shapeAllDay}
	case kindStandIn:
		return []string{shapeSingle, shapeAllDay, shapeSeries}
	}
	return []string{shapeSingle, shapeAllDay, shapeSeries, shapeOccurrence}
}

// possible says whether there is such a cell.
func (c *cell) possible() bool {
	if c.shape == shapeOccurrence && c.side == sideOutlook && !c.connected("bob") && (c.action == actAccept || c.action == actMaybe || c.action == actDecline) {
		return false // what the organizer hears of one occurrence only the own mailbox tells
	}
	switch c.action {
	case actArchive, actRestore:
		return c.side == sideNightPOS
	case actDrop:
		// Of a stand-in, that is what deleting it is.
		return c.side == sideOutlook && c.kind() != kindStandIn
	case actAccept, actMaybe, actDecline, actAdd, actRemove:
		// A stand-in has no attendees and cannot be answered.
		return c.side == sideNightPOS || c.kind() != kindStandIn
	}
	return true
}

// matrix generates every group with its cells.
func matrix() []*group {
	var groups []*group
	for _, setup := range setups {
		for _, made := range setup.made {
			for _, shape := range setup.shapes(made) {
				one := &group{setup: setup, made: made, shape: shape, version: 17 + len(groups)%3}
				for _, action := range actions {
					for _, side := range []string{sideOutlook, sideNightPOS} {
						cell := &cell{group: one, action: action, side: side, tag: fmt.Sprintf("m%02d", len(one.cells)+1), week: len(one.cells)}
						if cell.possible() {
							one.cells = append(one.cells, cell)
						}
					}
				}
				groups = append(groups, one)
			}
		}
	}
	return groups
}
