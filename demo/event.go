package demo

import (
	"slices"
	"strings"
	"time"
)

// Side is one of the two calendars.
type Side string

// The sides.
const (
	Outlook  Side = "outlook"
	NightPOS Side = "nightpos"
)

// Other is the side across.
func (s Side) Other() Side {
	if s == Outlook {
		return NightPOS
	}
	return Outlook
}

// Answer is a reply to an invitation.
type Answer string

// The answers. None is that of somebody who has not replied, and of organizers.
const (
	None      Answer = "none"
	Accepted  Answer = "accepted"
	Tentative Answer = "tentative"
	Declined  Answer = "declined"
)

// Person is somebody at a meeting.
type Person struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Answer  Answer `json:"answer"`
}

// Event is a meeting as one person sees it on one side.
type Event struct {
	// ID is that side's own.
	ID string `json:"id"`
	// Meeting is the same for a meeting on both sides, and empty until the
	// gateway is seen to have brought it across. Watch.Paired fills it in.
	Meeting string `json:"meeting"`
	// UID is the calendar-wide identity that Outlook's mails carry, the same for
	// all occurrences of a series; empty in NightPOS.
	UID   string `json:"-"`
	Title string `json:"title"`
	When
	Place string `json:"place"`
	// Description is plain text.
	Description string `json:"description"`
	Organizer   Person `json:"organizer"`
	// Mine says whether the person is the organizer.
	Mine bool `json:"mine"`
	// Answer is the person's own.
	Answer Answer `json:"answer"`
	// People are those invited besides the organizer, ordered by address.
	People []Person `json:"people"`
	// ShowAs is "free" or "busy", or one of Outlook's other words.
	ShowAs  string `json:"show_as"`
	Private bool   `json:"private"`
	// Reminder is minutes before the start; negative when there is none.
	Reminder int `json:"reminder"`
	// Cancelled meetings stay in Outlook until their owner removes them.
	Cancelled bool `json:"cancelled"`
	// Archived records are hidden in NightPOS.
	Archived bool `json:"archived"`
	// Series is what the occurrences of one series have in common on that side;
	// empty for single events.
	Series string `json:"series"`
	// Exception says that an occurrence differs from its series.
	Exception bool `json:"exception"`
}

// When is the time of a meeting. Start and End are instants in UTC, or, of
// all-day events, midnight UTC of the first day and of the day after the last.
type When struct {
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	AllDay bool      `json:"all_day"`
}

// SameTime compares times of meetings.
func SameTime(a, b When) bool {
	return a.AllDay == b.AllDay && a.Start.Equal(b.Start) && a.End.Equal(b.End)
}

// Edit is what a person changes; nil stays as it is. In a new event, what is nil
// is what the side makes of it by itself.
type Edit struct {
	Title       *string `json:"title,omitempty"`
	When        *When   `json:"when,omitempty"`
	Place       *string `json:"place,omitempty"`
	Description *string `json:"description,omitempty"`
	// People are the addresses of those invited besides the organizer.
	People   *[]string `json:"people,omitempty"`
	ShowAs   *string   `json:"show_as,omitempty"`
	Private  *bool     `json:"private,omitempty"`
	Reminder *int      `json:"reminder,omitempty"`
	// Repeat makes a new event a series.
	Repeat *Repeat `json:"repeat,omitempty"`
}

// Repeat says that an event happens every week, on the weekday of its start.
type Repeat struct {
	// Times is how often it happens altogether.
	Times int `json:"times"`
}

// Scope is which occurrences of a series a person means. It says nothing about
// single events.
type Scope string

// The scopes; the empty one is One.
const (
	One       Scope = "one"
	Following Scope = "following"
	All       Scope = "all"
)

// AnswerOf tells what a person replied, and whether that person is invited.
func (e Event) AnswerOf(address string) (Answer, bool) {
	index := slices.IndexFunc(e.People, func(p Person) bool { return strings.EqualFold(p.Address, address) })
	if index < 0 {
		return None, false
	}
	return e.People[index].Answer, true
}

// fieldNames are what differences names, in the order in which the page shows them.
var fieldNames = []string{"title", "time", "place", "description", "people", "answers", "show as", "privacy", "reminder", "archived"}

// differences names what differs between two states of an event, in the order in
// which the page shows them.
func differences(before, after Event) []string {
	var fields []string
	add := func(name string, differs bool) {
		if differs {
			fields = append(fields, name)
		}
	}
	add("title", before.Title != after.Title)
	add("time", !SameTime(before.When, after.When))
	add("place", before.Place != after.Place)
	add("description", before.Description != after.Description)
	add("people", !slices.Equal(addresses(before.People), addresses(after.People)))
	add("answers", answersDiffer(before.People, after.People) || before.Answer != after.Answer)
	add("show as", before.ShowAs != after.ShowAs)
	add("privacy", before.Private != after.Private)
	add("reminder", before.Reminder != after.Reminder)
	add("archived", before.Archived != after.Archived || before.Cancelled != after.Cancelled)
	return fields
}

func addresses(people []Person) []string {
	list := make([]string, 0, len(people))
	for _, person := range people {
		list = append(list, strings.ToLower(person.Address))
	}
	slices.Sort(list)
	return list
}

// answersDiffer looks at those who are in both lists.
func answersDiffer(before, after []Person) bool {
	for _, person := range after {
		answer, invited := Event{People: before}.AnswerOf(person.Address)
		if invited && answer != person.Answer {
			return true
		}
	}
	return false
}

func orderPeople(people []Person) []Person {
	slices.SortFunc(people, func(a, b Person) int {
		return strings.Compare(strings.ToLower(a.Address), strings.ToLower(b.Address))
	})
	return people
}
