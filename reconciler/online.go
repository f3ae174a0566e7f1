package reconciler

import "strings"

// OnlineMeetings says which events the gateway makes online meetings in Outlook,
// which nobody can undo there. The zero value is OnlineWhenAsked.
type OnlineMeetings string

// The ways to choose from. Links of other meetings cross in both directions with
// each of them.
const (
	OnlineNever OnlineMeetings = "never"
	// OnlineWhenAsked makes those online meetings whose link in NightPOS says Teams.
	OnlineWhenAsked OnlineMeetings = "when_asked"
	// OnlineAlways also makes those that begin in NightPOS, are no whole days, not
	// over, and have no link.
	OnlineAlways OnlineMeetings = "always"
)

// AskedOnline is the link of an event that has yet to be made an online meeting.
const AskedOnline = "teams"

// AsksOnline says whether a person asks for an online meeting in place of its link.
func AsksOnline(link string) bool {
	return strings.EqualFold(strings.TrimSpace(link), AskedOnline) || strings.EqualFold(strings.TrimSpace(link), "microsoft "+AskedOnline)
}

// online is an event as it is brought to Outlook for its organizer.
func (s State) online(event Event) Event {
	switch {
	case AsksOnline(event.MeetingLink) && s.Online == OnlineNever:
		event.MeetingLink = ""
	case event.MeetingLink == "" && s.Online == OnlineAlways && !event.When.AllDay && !s.past(event):
		event.MeetingLink = AskedOnline
	}
	return event
}

// offline is an event as it is brought to Outlook where it cannot become an online
// meeting: in place of a meeting, or as one of a series.
func offline(event Event) Event {
	if AsksOnline(event.MeetingLink) {
		event.MeetingLink = ""
	}
	return event
}

// linkable takes out of a change for Outlook a link that it would not take: that of
// an online meeting is its own for good.
func (s State) linkable(change *delta, asks bool) {
	if !change.fields.Has(FieldMeetingLink) {
		return
	}
	asked := AsksOnline(change.event.MeetingLink)
	if s.Copy.Online || asked && (!asks || s.Online == OnlineNever) {
		delete(change.fields, FieldMeetingLink)
		change.event.MeetingLink = s.Copy.Event.MeetingLink
	}
}

// answeredOnline says that Outlook answered the wish for an online meeting with its
// link, which NightPOS has yet to be told.
func answeredOnline(fields FieldSet, wrote, shown Event) bool {
	return fields.Has(FieldMeetingLink) && AsksOnline(wrote.MeetingLink) && shown.MeetingLink != "" && !AsksOnline(shown.MeetingLink)
}
