package outlook

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/outlook/zones"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// rawCopy is kept in Copy.Raw: what a write must not lose.
type rawCopy struct {
	// zone is the event's own, as Graph named it.
	zone   string
	allDay bool
	online bool
	// block is the online meeting's part of the body; known says whether it
	// could be told from the rest.
	block      string
	blockKnown bool
	// linked says that the body holds a link of NightPOS's.
	linked    bool
	attendees []graphAttendee
}

// Outlook's words for what the domain knows.
var (
	privacies = map[string]reconciler.Privacy{
		"normal": reconciler.PrivacyPublic, "personal": reconciler.PrivacyPersonal,
		"private": reconciler.PrivacyPrivate, "confidential": reconciler.PrivacyConfidential,
	}
	showings = map[string]reconciler.ShowAs{
		"free": reconciler.ShowAsFree, "tentative": reconciler.ShowAsTentative, "busy": reconciler.ShowAsBusy,
		"oof": reconciler.ShowAsOutOfOffice, "workingelsewhere": reconciler.ShowAsWorkingElsewhere, "unknown": reconciler.ShowAsUnknown,
	}
	answers = map[string]reconciler.Answer{
		"accepted": reconciler.AnswerAccepted, "tentativelyaccepted": reconciler.AnswerTentative, "declined": reconciler.AnswerDeclined,
	}
	types = map[string]reconciler.AttendeeType{
		"required": reconciler.TypeRequired, "optional": reconciler.TypeOptional, "resource": reconciler.TypeResource,
	}
)

// alias is how a personal account is shown as an organizer.
var alias = regexp.MustCompile(`(?i)^outlook_[0-9a-f]{16}@outlook\.com$`)

// copyOf translates an event of Graph. recordID is used where the answer does
// not hold the mark.
func (c *Client) copyOf(event graphEvent, recordID int64) reconciler.Copy {
	raw := rawCopy{zone: event.OriginalStartTimeZone, allDay: event.IsAllDay, online: event.IsOnlineMeeting, attendees: event.Attendees}
	shown := reconciler.Event{
		Title:       event.Subject,
		When:        whenOf(event),
		Place:       event.Location.DisplayName,
		Organizer:   reconciler.Person{Address: event.Organizer.EmailAddress.Address, Name: event.Organizer.EmailAddress.Name},
		Privacy:     privacies[strings.ToLower(event.Sensitivity)],
		ShowAs:      reconciler.ShowAsBusy,
		MeetingLink: joinURL(event),
		Categories:  slices.Compact(slices.Sorted(slices.Values(event.Categories))),
	}
	if known, ok := showings[strings.ToLower(event.ShowAs)]; ok {
		shown.ShowAs = known
	}
	shown.Body = unframe(event.Body.Content)
	if strings.EqualFold(event.Body.ContentType, "text") {
		shown.Body = plainBody(event.Body.Content)
	}
	if event.IsOnlineMeeting {
		shown.Body, raw.block, raw.blockKnown = splitMeetingBlock(shown.Body, shown.MeetingLink)
	}
	own, link, linked := splitLink(shown.Body)
	if shown.Body, raw.linked = own, linked; linked && shown.MeetingLink == "" {
		shown.MeetingLink = link
	}
	if emptyBody.MatchString(shown.Body) {
		shown.Body = ""
	}
	if event.IsReminderOn {
		shown.Reminders = []time.Duration{time.Duration(max(event.ReminderMinutes, 0)) * time.Minute}
	}
	for _, attendee := range event.Attendees {
		person := reconciler.Person{
			Address: attendee.EmailAddress.Address, Name: attendee.EmailAddress.Name,
			Type: types[strings.ToLower(attendee.Type)], Answer: answers[strings.ToLower(attendee.Status.Response)],
		}
		twice := slices.ContainsFunc(shown.People, func(known reconciler.Person) bool { return known.Key() == person.Key() })
		if person.Key() != shown.Organizer.Key() && !twice {
			shown.People = append(shown.People, person)
		}
	}
	found := reconciler.Copy{
		ID: event.ID, ICalUID: event.ICalUID, ChangeKey: event.ChangeKey, RecordID: recordID,
		IsOrganizer: event.IsOrganizer, OwnAnswer: answers[strings.ToLower(event.ResponseStatus.Response)],
		Cancelled: event.IsCancelled, Recurring: event.Type != "" && event.Type != "singleInstance",
		Online: event.IsOnlineMeeting || joinURL(event) != "",
		Event:  shown, Raw: raw, Preview: c.previewOf(event),
		Elsewhere: event.Calendar != nil && !event.Calendar.main(),
	}
	found.Aliased = !event.IsOrganizer && alias.MatchString(event.Organizer.EmailAddress.Address)
	if event.Type == typeMaster {
		found.MasterID = event.ID
	} else {
		found.MasterID = event.SeriesMasterID
	}
	if found.ChangeKey == "" {
		found.ChangeKey = changeKeyOf(event.ETag)
	}
	if modified, err := time.Parse(time.RFC3339Nano, event.LastModified); err == nil {
		found.Modified = modified.UTC()
	}
	if created, err := time.Parse(time.RFC3339Nano, event.Created); err == nil {
		found.Created = created.UTC()
	}
	if marked, ok := c.recordOf(event.Properties); ok {
		found.RecordID = marked
	}
	return found
}

func joinURL(event graphEvent) string {
	if event.OnlineMeeting != nil && event.OnlineMeeting.JoinURL != "" {
		return event.OnlineMeeting.JoinURL
	}
	return event.OnlineMeetingURL
}

// dateTimeLayout reads what Graph writes; a fraction of seconds may follow.
const dateTimeLayout = "2006-01-02T15:04:05"

// whenOf reads the time. Whole days are dates: what stands in front of the T,
// whatever the zone.
func whenOf(event graphEvent) reconciler.When {
	zone, _ := zones.IANA(event.OriginalStartTimeZone)
	when := reconciler.When{AllDay: event.IsAllDay, Zone: zone}
	when.Start, when.End = instant(event.Start, event.IsAllDay), instant(event.End, event.IsAllDay)
	if when.End.Before(when.Start) {
		when.End = when.Start
	}
	if when.AllDay {
		when.Zone = ""
		when.Start, when.End = when.Start.Truncate(24*time.Hour), when.End.Truncate(24*time.Hour)
		if !when.End.After(when.Start) {
			when.End = when.Start.AddDate(0, 0, 1)
		}
	}
	return when
}

func instant(shown graphTimeZone, date bool) time.Time {
	location := time.UTC
	if !date {
		if known, ok := zones.Load(shown.TimeZone); ok {
			location = known
		}
	}
	parsed, err := time.ParseInLocation(dateTimeLayout, shown.DateTime, location)
	if err != nil {
		return time.Time{}
	}
	return parsed.UTC().Truncate(time.Second)
}

// maxTitle is how many characters a subject keeps.
const maxTitle = 255

// Project says how Outlook would show an event: one reminder, a meeting link that
// is an address, normal where NightPOS says public or nothing.
func (c *Client) Project(event reconciler.Event) reconciler.Event {
	event.Title = shorten(oneLine(event.Title))
	event.Body = unframe(event.Body)
	event.Place = oneLine(event.Place)
	event.MeetingLink = projectLink(event.MeetingLink)
	if !event.When.AllDay {
		event.When.Start, event.When.End = event.When.Start.UTC().Truncate(time.Second), event.When.End.UTC().Truncate(time.Second)
	} else {
		event.When.Zone = ""
	}
	if event.Privacy == reconciler.PrivacyDefault {
		event.Privacy = reconciler.PrivacyPublic
	}
	if event.ShowAs == "" || event.ShowAs == reconciler.ShowAsUnknown {
		event.ShowAs = reconciler.ShowAsBusy
	}
	event.Reminders = projectReminders(event.Reminders)
	var people []reconciler.Person
	for _, person := range event.People {
		if person.Key() == "" {
			continue
		}
		if person.Type == reconciler.TypeUnknown {
			person.Type = reconciler.TypeRequired
		}
		people = append(people, person)
	}
	event.People = people
	return event
}

// projectReminders keeps the reminder nearest to the start: the one that a
// person would miss most.
func projectReminders(reminders []time.Duration) []time.Duration {
	if len(reminders) == 0 {
		return nil
	}
	return []time.Duration{max(slices.Min(reminders), 0).Truncate(time.Minute)}
}

var lineBreaks = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ")

func oneLine(text string) string { return strings.TrimSpace(lineBreaks.Replace(text)) }

func shorten(text string) string {
	letters := []rune(text)
	if len(letters) <= maxTitle {
		return text
	}
	return strings.TrimSpace(string(letters[:maxTitle]))
}

// nameOf finds the word for a value.
func nameOf[Value comparable](words map[string]Value, value Value, fallback string) string {
	for word, known := range words {
		if known == value {
			return word
		}
	}
	return fallback
}
