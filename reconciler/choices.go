package reconciler

import (
	"slices"
	"strings"
)

// PrivateEvents says what becomes of appointments that are private or confidential
// in Outlook and that NightPOS does not know of its own.
type PrivateEvents string

// The ways to treat private appointments; the zero value leaves it to the
// gateway's settings.
const (
	PrivateUnchosen PrivateEvents = ""
	// PrivateFull brings them like any other, as private events.
	PrivateFull PrivateEvents = "full"
	// PrivateBusyOnly brings when they are, and how that time appears, as private
	// events without a content.
	PrivateBusyOnly PrivateEvents = "busy_only"
	// PrivateSkip leaves them out of NightPOS.
	PrivateSkip PrivateEvents = "skip"
)

// PrivateModes are the ways to choose from.
func PrivateModes() []PrivateEvents {
	return []PrivateEvents{PrivateFull, PrivateBusyOnly, PrivateSkip}
}

// Choices say which of a person's events are synced, and how much of them. The zero
// value leaves everything to the gateway's settings.
type Choices struct {
	// Private is about private appointments.
	Private PrivateEvents
	// Skip are categories (tags in NightPOS) whose events are not synced; with Only,
	// no others are than those that have one of these and none of Skip. Nil leaves it
	// to the settings, empty is none. Names are the same in any case.
	Skip, Only []string
}

// Or fills in what is not chosen.
func (c Choices) Or(settings Choices) Choices {
	if c.Private == PrivateUnchosen {
		c.Private = settings.Private
	}
	if c.Skip == nil {
		c.Skip = settings.Skip
	}
	if c.Only == nil {
		c.Only = settings.Only
	}
	return c
}

// Equal says that two choices are the same.
func (c Choices) Equal(other Choices) bool {
	same := func(a, b []string) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }
	return c.Private == other.Private && same(c.Skip, other.Skip) && same(c.Only, other.Only)
}

// CategoryNames are names of categories without surrounding space, each once, in
// ascending order; nil stays nil.
func CategoryNames(names []string) []string {
	if names == nil {
		return nil
	}
	known := map[string]bool{}
	kept := []string{}
	for _, name := range names {
		if name = strings.TrimSpace(name); name != "" && !known[categoryKey(name)] {
			known[categoryKey(name)] = true
			kept = append(kept, name)
		}
	}
	slices.Sort(kept)
	return kept
}

// categoryKey is equal for names that Outlook takes for one category.
func categoryKey(name string) string { return strings.ToLower(strings.TrimSpace(name)) }
