package nightpos

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// rowsOfRecord is kept in Record.Raw: what a later write needs of the rows as
// they were read.
type rowsOfRecord struct {
	event     eventRow
	attendees []attendeeRow
}

// maskedName is what NightPOS shows of a private event to an account without
// rights to it, instead of its name.
const maskedName = "Busy"

// record makes the domain's record from rows. The organizer is the member of
// that user, or zero.
func (c *Client) record(row eventRow, attendees []attendeeRow, key string, organizer reconciler.Member) reconciler.Record {
	record := reconciler.Record{
		ID:              row.ID,
		OrganizerUserID: int64(row.UserID),
		Archived:        !row.Active,
		// Masked reads have no write_date at all, which no real record lacks.
		Masked:       row.WriteDate == "" || (string(row.Name) == maskedName && len(attendees) > 0 && len(row.PartnerIDs) == 0),
		Recurring:    row.Recurring || row.RecurrenceID != 0,
		RecurrenceID: int64(row.RecurrenceID),
		Stamp:        string(row.WriteDate),
		Modified:     parseStamp(row.WriteDate),
		ExternalKey:  key,
		Untouched:    row.WriteDate != "" && row.WriteDate == row.CreateDate,
		Created:      parseStamp(row.CreateDate),
		Raw:          rowsOfRecord{event: row, attendees: attendees},
	}
	record.GraphID, record.ICalUID = builtInIDs(row.MicrosoftID, row.UniversalID)
	record.MasterID = string(row.MasterID)
	event := reconciler.Event{
		Title:       string(row.Name),
		Body:        withoutContacts(strings.TrimSpace(string(row.Description))),
		When:        whenOf(row),
		Place:       string(row.Location),
		Privacy:     privacyOf(row),
		ShowAs:      reconciler.ShowAsBusy,
		Reminders:   c.catalogue.reminders(row.AlarmIDs),
		MeetingLink: string(row.MeetingLink),
		Categories:  c.catalogue.names(row.CategoryIDs),
	}
	if row.ShowAs == "free" {
		event.ShowAs = reconciler.ShowAsFree
	}
	event.Organizer = reconciler.Person{Address: organizer.Address, Name: organizer.Name}
	for _, attendee := range attendees {
		if changed := parseStamp(attendee.WriteDate); changed.After(record.Modified) {
			record.Modified = changed
		}
		person := reconciler.Person{Address: string(attendee.Email), Name: string(attendee.Name), Answer: answerOf(attendee.State)}
		if isOrganizer(row, attendee) {
			event.Organizer = person
			continue
		}
		twice := slices.ContainsFunc(event.People, func(known reconciler.Person) bool { return known.Key() == person.Key() })
		if !twice {
			event.People = append(event.People, person)
		}
	}
	record.Event = event
	return record
}

// builtInIDs are the ids that NightPOS's built-in sync left, empty for none.
func builtInIDs(left, universal text) (graphID, iCalUID string) {
	graphID, iCalUID, _ = strings.Cut(string(left), ":")
	if universal != "" {
		iCalUID = string(universal)
	}
	return graphID, iCalUID
}

// privacyOf says who may see an event. Without a word on it the owner's default
// holds, which is another one as soon as the owner changes it; public, it stays
// unsaid, so that nothing changes for those who never chose one.
func privacyOf(row eventRow) reconciler.Privacy {
	if row.Privacy == "" && row.DefaultPrivacy != text(reconciler.PrivacyPublic) {
		return reconciler.Privacy(row.DefaultPrivacy)
	}
	return reconciler.Privacy(row.Privacy)
}

// isOrganizer says whether an attendee is the contact of the event's user.
func isOrganizer(row eventRow, attendee attendeeRow) bool {
	return row.UserID != 0 && attendee.PartnerID != 0 && attendee.PartnerID == row.PartnerID
}

// whenOf reads the time. Whole days are taken from the dates, since their
// instants are midnight or 08:00 and 18:00, depending on how they were written;
// the last day is included in NightPOS.
func whenOf(row eventRow) reconciler.When {
	if row.AllDay {
		start, end := parseDate(row.StartDate, row.Start), parseDate(row.StopDate, row.Stop)
		if end.Before(start) {
			end = start
		}
		return reconciler.When{AllDay: true, Start: start, End: end.AddDate(0, 0, 1)}
	}
	start, end := parseStamp(row.Start), parseStamp(row.Stop)
	if end.Before(start) {
		end = start
	}
	return reconciler.When{Start: start, End: end}
}

func parseDate(date, instant text) time.Time {
	if parsed, err := time.Parse(dateFormat, string(date)); err == nil {
		return parsed
	}
	return parseStamp(instant).Truncate(24 * time.Hour)
}

// timeValues writes the time. Whole days are written as instants at midnight,
// from which NightPOS takes the dates; given dates, it would invent office hours.
func timeValues(when reconciler.When, into values) {
	into["allday"] = when.AllDay
	if !when.AllDay {
		into["start"], into["stop"] = when.Start.UTC().Format(datetimeFormat), when.End.UTC().Format(datetimeFormat)
		return
	}
	last := when.End.AddDate(0, 0, -1)
	if last.Before(when.Start) {
		last = when.Start
	}
	into["start"], into["stop"] = when.Start.Format(dateFormat)+" 00:00:00", last.Format(dateFormat)+" 00:00:00"
}

// optional is how an empty text is written.
func optional(value string) any {
	if value == "" {
		return false
	}
	return value
}

// Project says how NightPOS would show an event: a title always, no zone,
// no types of invitation, free or busy only, plain text wrapped into a paragraph, and no
// people whose address cannot be a contact's. Whom the policy leaves out besides is
// known to the database alone.
func (c *Client) Project(event reconciler.Event) reconciler.Event {
	event.Title = title(event)
	event.Body = projectBody(event.Body)
	event.When = projectWhen(event.When)
	event.Place = oneLine(event.Place)
	event.Privacy = projectPrivacy(event.Privacy)
	if event.ShowAs != reconciler.ShowAsFree {
		event.ShowAs = reconciler.ShowAsBusy
	}
	event.Organizer.Type = reconciler.TypeUnknown
	var people []reconciler.Person
	for _, person := range event.People {
		if addressable(strings.TrimSpace(person.Address)) {
			person.Type = reconciler.TypeUnknown
			people = append(people, person)
		}
	}
	event.People = people
	event.Reminders = projectReminders(event.Reminders)
	event.MeetingLink = oneLine(event.MeetingLink)
	event.Categories = projectCategories(event.Categories)
	return event
}

func projectWhen(when reconciler.When) reconciler.When {
	when.Zone = ""
	if when.AllDay {
		return when
	}
	when.Start, when.End = when.Start.UTC().Truncate(time.Second), when.End.UTC().Truncate(time.Second)
	if when.End.Before(when.Start) {
		when.End = when.Start
	}
	return when
}

// projectPrivacy: what Outlook calls personal is what its colleagues may see
// like any other event, so it is public here; "whatever the owner's default is" is
// public too where it was not read as something else; see privacyOf.
func projectPrivacy(privacy reconciler.Privacy) reconciler.Privacy {
	switch privacy {
	case reconciler.PrivacyPrivate, reconciler.PrivacyConfidential:
		return privacy
	}
	return reconciler.PrivacyPublic
}

func projectReminders(reminders []time.Duration) []time.Duration {
	var whole []time.Duration
	for _, before := range reminders {
		whole = append(whole, max(before, 0).Truncate(time.Minute))
	}
	slices.Sort(whole)
	return slices.Compact(whole)
}

func projectCategories(names []string) []string {
	var trimmed []string
	for _, name := range names {
		if name = strings.TrimSpace(name); name != "" {
			trimmed = append(trimmed, name)
		}
	}
	slices.Sort(trimmed)
	return slices.Compact(trimmed)
}

var lineBreaks = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ")

// oneLine is what a single-line field keeps of a text.
func oneLine(value string) string { return strings.TrimSpace(lineBreaks.Replace(value)) }

// emptyBody recognises markup around nothing, which editors on both sides leave
// in place of an empty text.
var emptyBody = regexp.MustCompile(`(?i)^(\s|&nbsp;|&#160;|\x{a0}|</?(p|div|span|br|font)\b[^>]*>)*$`)

// markup recognises the beginning of an element.
var markup = regexp.MustCompile(`<[a-zA-Z!/]`)

// escape is what NightPOS escapes in text: not quotes.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func projectBody(body string) string {
	body = strings.TrimSpace(body)
	if emptyBody.MatchString(body) {
		return ""
	}
	if markup.MatchString(body) {
		return body
	}
	return "<p>" + escape.Replace(html.UnescapeString(body)) + "</p>"
}

// contactBlock is what NightPOS 19 puts behind a description: the organizer and the
// first guest, each under a heading in the language of whoever made the event
// (recording 430).
var contactBlock = regexp.MustCompile(`(?s)^<div>(.*?)(?:<br>)?` + contact + `(?:<br><br>` + contact + `)?</div>$`)

const contact = `<strong>[^<>]*</strong><br>[^<>]*(?:<br><a href="mailto:[^"<>]*">[^<>]*</a>)?`

// withoutContacts is the part of a description that somebody wrote. NightPOS 19 adds the
// contacts to whatever is made without the gateway: also to the occurrences that
// it makes anew whenever somebody moves a whole series, once more each time, but
// not to the base occurrence. Outlook shows the people anyway, and would tell
// everybody of a change that nobody made.
func withoutContacts(description string) string {
	for {
		found := contactBlock.FindStringSubmatch(description)
		if found == nil {
			return description
		}
		description = strings.TrimSpace(found[1])
	}
}
