package demo

import (
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/k3a/html2text"
)

// graphTime is how Graph writes a time; more digits of the second may follow.
const graphTime = "2006-01-02T15:04:05"

var outlookAnswers = map[string]Answer{
	"accepted": Accepted, "tentativelyAccepted": Tentative, "declined": Declined,
}

func text(shown map[string]any, name string) string {
	value, _ := shown[name].(string)
	return value
}

func object(shown map[string]any, name string) map[string]any {
	value, _ := shown[name].(map[string]any)
	return value
}

func answerIn(status map[string]any) Answer {
	if answer, known := outlookAnswers[text(status, "response")]; known {
		return answer
	}
	return None
}

// outlookEvent turns Graph's shape into the page's.
func outlookEvent(shown map[string]any) (Event, error) {
	start, err := outlookTime(object(shown, "start"))
	if err != nil {
		return Event{}, err
	}
	end, err := outlookTime(object(shown, "end"))
	if err != nil {
		return Event{}, err
	}
	event := Event{
		ID: text(shown, "id"), UID: seriesUID(text(shown, "iCalUId")), Series: seriesOf(shown), Title: text(shown, "subject"),
		When:        When{Start: start, End: end},
		Place:       text(object(shown, "location"), "displayName"),
		Description: plainText(text(object(shown, "body"), "content")),
		Answer:      answerIn(object(shown, "responseStatus")),
		People:      []Person{}, ShowAs: text(shown, "showAs"), Reminder: -1,
	}
	event.AllDay, _ = shown["isAllDay"].(bool)
	event.Mine, _ = shown["isOrganizer"].(bool)
	event.Cancelled, _ = shown["isCancelled"].(bool)
	event.Private = text(shown, "sensitivity") == "private" || text(shown, "sensitivity") == "confidential"
	if on, _ := shown["isReminderOn"].(bool); on {
		switch minutes := shown["reminderMinutesBeforeStart"].(type) {
		case int:
			event.Reminder = minutes
		case float64:
			event.Reminder = int(minutes)
		}
	}
	organizer := object(object(shown, "organizer"), "emailAddress")
	event.Organizer = Person{Name: text(organizer, "name"), Address: text(organizer, "address"), Answer: None}
	attendees, _ := shown["attendees"].([]any)
	for _, entry := range attendees {
		attendee, _ := entry.(map[string]any)
		address := object(attendee, "emailAddress")
		if strings.EqualFold(text(address, "address"), event.Organizer.Address) {
			continue
		}
		event.People = append(event.People, Person{
			Name: text(address, "name"), Address: text(address, "address"), Answer: answerIn(object(attendee, "status")),
		})
	}
	event.People = orderPeople(event.People)
	return event, nil
}

// outlookTime reads a time; people's mailboxes show all of them in UTC.
func outlookTime(shown map[string]any) (time.Time, error) {
	if zone := text(shown, "timeZone"); zone != "UTC" {
		return time.Time{}, fmt.Errorf("%w: its time is in %q", errShape, zone)
	}
	at, err := time.Parse(graphTime, text(shown, "dateTime"))
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", errShape, err)
	}
	return at, nil
}

// plainText is what a person reads of an HTML description.
func plainText(content string) string {
	return strings.TrimSpace(strings.ReplaceAll(html2text.HTML2Text(content), "\r\n", "\n"))
}

// paragraphs is a plain text as HTML.
func paragraphs(plain string) string {
	plain = strings.TrimSpace(plain)
	if plain == "" {
		return ""
	}
	return "<p>" + strings.ReplaceAll(html.EscapeString(plain), "\n", "<br>") + "</p>"
}

// outlookContent is what Outlook is told, in Graph's shape. The attendees that
// are there already keep their type; without that they would be made anew.
func outlookContent(edit Edit, member Member, everybody []Member, present []any) (map[string]any, error) {
	content := map[string]any{}
	if edit.Title != nil {
		content["subject"] = *edit.Title
	}
	if edit.Place != nil {
		content["location"] = map[string]any{"displayName": *edit.Place}
	}
	if edit.Description != nil {
		content["body"] = map[string]any{"contentType": "html", "content": paragraphs(*edit.Description)}
	}
	if edit.ShowAs != nil {
		content["showAs"] = *edit.ShowAs
	}
	if edit.Private != nil {
		content["sensitivity"] = "normal"
		if *edit.Private {
			content["sensitivity"] = "private"
		}
	}
	if edit.Reminder != nil {
		content["isReminderOn"] = *edit.Reminder >= 0
		if *edit.Reminder >= 0 {
			content["reminderMinutesBeforeStart"] = *edit.Reminder
		}
	}
	if edit.When != nil {
		zone, err := time.LoadLocation(member.Zone)
		if err != nil {
			return nil, fmt.Errorf("the time zone of %s: %w", member.Name, err)
		}
		name := member.OutlookZone
		if edit.When.AllDay { // dates, which no zone may shift
			zone, name = time.UTC, "UTC"
		}
		content["isAllDay"] = edit.When.AllDay
		content["start"] = map[string]any{"dateTime": edit.When.Start.In(zone).Format(graphTime), "timeZone": name}
		content["end"] = map[string]any{"dateTime": edit.When.End.In(zone).Format(graphTime), "timeZone": name}
		if edit.Repeat != nil {
			content["recurrence"] = repeatContent(*edit.When, *edit.Repeat, zone, member.OutlookZone)
		}
	}
	if edit.People != nil {
		content["attendees"] = outlookAttendees(*edit.People, everybody, present)
	}
	return content, nil
}

func outlookAttendees(wanted []string, everybody []Member, present []any) []any {
	attendees := []any{}
	for _, address := range wanted {
		var same any
		for _, entry := range present {
			attendee, _ := entry.(map[string]any)
			if strings.EqualFold(text(object(attendee, "emailAddress"), "address"), address) {
				same = map[string]any{"emailAddress": attendee["emailAddress"], "type": attendee["type"]}
			}
		}
		if same == nil {
			name := nameOf(address, everybody)
			same = map[string]any{"emailAddress": map[string]any{"address": address, "name": name}, "type": "required"}
		}
		attendees = append(attendees, same)
	}
	return attendees
}

// nameOf is how a person is called whose address somebody typed.
func nameOf(address string, everybody []Member) string {
	for _, member := range everybody {
		if strings.EqualFold(member.Address, address) {
			return member.Name
		}
	}
	name, _, _ := strings.Cut(address, "@")
	return strings.ToUpper(name[:min(1, len(name))]) + name[min(1, len(name)):]
}
