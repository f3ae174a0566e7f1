package outlook

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/outlook/zones"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// content is the body of a request: fields that are not to be touched are
// absent, and lists are never null.
type content map[string]any

// createContent is a new event.
func (c *Client) createContent(member reconciler.Member, write reconciler.OutlookWrite) content {
	event := write.Event
	body := content{
		"subject": shorten(oneLine(event.Title)), "body": htmlBody(joinLink(event.Body, event.MeetingLink)), "location": content{"displayName": oneLine(event.Place)},
		"sensitivity": sensitivity(event.Privacy), "showAs": showAs(event.ShowAs), "categories": stringList(event.Categories),
	}
	timeContent(body, event.When, zoneFor(member, event.When, nil))
	reminderContent(body, event.Reminders)
	if len(event.People) > 0 {
		body["attendees"] = attendeeContent(event.People, nil, event.Organizer)
	}
	if reconciler.AsksOnline(event.MeetingLink) {
		onlineContent(body)
	}
	if write.Key != "" {
		body["transactionId"] = write.Key
	}
	if write.RecordID != 0 {
		body["singleValueExtendedProperties"] = []content{{"id": markProperty, "value": c.mark(write.RecordID)}}
	}
	return body
}

// updateContent holds the fields of a write and nothing else; it is empty when
// Outlook has no place for any of them.
func (c *Client) updateContent(member reconciler.Member, write reconciler.OutlookWrite) content {
	var raw *rawCopy
	if write.Current != nil {
		if kept, ok := write.Current.Raw.(rawCopy); ok {
			raw = &kept
		}
	}
	event, body := write.Event, content{}
	for field := range write.Fields {
		switch field {
		case reconciler.FieldTitle:
			body["subject"] = shorten(oneLine(event.Title))
		case reconciler.FieldBody:
			bodyContent(body, event, raw)
		case reconciler.FieldMeetingLink:
			asks := reconciler.AsksOnline(event.MeetingLink)
			if raw != nil && raw.online {
				break
			}
			if asks {
				onlineContent(body)
			}
			if !asks || raw != nil && raw.linked {
				bodyContent(body, event, raw)
			}
		case reconciler.FieldWhen:
			timeContent(body, event.When, zoneFor(member, event.When, raw))
		case reconciler.FieldPlace:
			body["location"] = content{"displayName": oneLine(event.Place)}
		case reconciler.FieldPrivacy:
			body["sensitivity"] = sensitivity(event.Privacy)
		case reconciler.FieldShowAs:
			body["showAs"] = showAs(event.ShowAs)
		case reconciler.FieldReminders:
			reminderContent(body, event.Reminders)
		case reconciler.FieldCategories:
			body["categories"] = stringList(event.Categories)
		case reconciler.FieldPeople:
			var rows []graphAttendee
			if raw != nil {
				rows = raw.attendees
			}
			body["attendees"] = attendeeContent(event.People, rows, event.Organizer)
		}
	}
	return body
}

// bodyContent writes the body with what else stands in it. That of an online meeting
// whose block cannot be told from the rest stays: writing it would end the meeting.
func bodyContent(body content, event reconciler.Event, raw *rawCopy) {
	switch {
	case raw == nil || !raw.online:
		body["body"] = htmlBody(joinLink(event.Body, event.MeetingLink))
	case raw.blockKnown:
		body["body"] = htmlBody(joinMeetingBlock(event.Body, raw.block))
	}
}

func htmlBody(own string) content { return content{"contentType": "html", "content": framed(own)} }

// stringList is never null.
func stringList(values []string) []string { return append([]string{}, values...) }

func sensitivity(privacy reconciler.Privacy) string { return nameOf(privacies, privacy, "normal") }

func showAs(value reconciler.ShowAs) string {
	if value == reconciler.ShowAsUnknown {
		return "busy"
	}
	word := nameOf(showings, value, "busy")
	if word == "workingelsewhere" {
		return "workingElsewhere"
	}
	return word
}

func reminderContent(body content, reminders []time.Duration) {
	shown := projectReminders(reminders)
	body["isReminderOn"] = len(shown) > 0
	if len(shown) > 0 {
		body["reminderMinutesBeforeStart"] = int(shown[0] / time.Minute)
	}
}

// zone is a zone under the name that Graph is to be told.
type zone struct {
	name     string
	location *time.Location
}

var utc = zone{name: zones.UTC, location: time.UTC}

// zoneFor chooses the zone to write a time in: the event's own as it stands,
// since another one would move a later series at the change to summer time; for
// new events the one it was set in, or else the person's.
func zoneFor(member reconciler.Member, when reconciler.When, raw *rawCopy) zone {
	var names []string
	if raw != nil && !raw.allDay {
		names = append(names, raw.zone)
	}
	for _, name := range append(names, when.Zone, member.Zone) {
		if name == "" {
			continue
		}
		iana, known := zones.IANA(name)
		if !known {
			continue
		}
		windows, named := zones.Windows(iana)
		location, loads := zones.Load(iana)
		if named && loads {
			return zone{name: windows, location: location}
		}
	}
	return utc
}

// timeContent writes start, end and whether they are whole days. Whole days are
// dates and written as such.
func timeContent(body content, when reconciler.When, in zone) {
	if when.AllDay || ambiguous(when.Start, in.location) || ambiguous(when.End, in.location) {
		in = utc
	}
	wallContent(body, when, in)
}

func wallContent(body content, when reconciler.When, in zone) {
	body["isAllDay"] = when.AllDay
	body["start"] = content{"dateTime": when.Start.In(in.location).Format(dateTimeLayout), "timeZone": in.name}
	body["end"] = content{"dateTime": when.End.In(in.location).Format(dateTimeLayout), "timeZone": in.name}
}

// ambiguous says that the clocks show this time twice, on the night that summer
// time ends: as wall time it could mean either.
func ambiguous(instant time.Time, location *time.Location) bool {
	wall := instant.In(location).Format(dateTimeLayout)
	for _, shift := range []time.Duration{-time.Hour, time.Hour, -30 * time.Minute, 30 * time.Minute} {
		if instant.Add(shift).In(location).Format(dateTimeLayout) == wall {
			return true
		}
	}
	return false
}

// attendeeContent is the whole list, since Graph replaces it as a whole. Rows
// that stay are sent as they were, and so is the organizer's own if it was there.
func attendeeContent(people []reconciler.Person, rows []graphAttendee, organizer reconciler.Person) []content {
	list := []content{}
	kept := map[string]bool{}
	for _, row := range rows {
		key := (reconciler.Person{Address: row.EmailAddress.Address}).Key()
		stays := key == organizer.Key() ||
			slices.ContainsFunc(people, func(person reconciler.Person) bool { return person.Key() == key })
		if stays && !kept[key] {
			kept[key] = true
			list = append(list, attendeeRow(row.EmailAddress.Address, row.EmailAddress.Name, strings.ToLower(row.Type)))
		}
	}
	for _, person := range people {
		if key := person.Key(); key != "" && !kept[key] && key != organizer.Key() {
			kept[key] = true
			list = append(list, attendeeRow(strings.TrimSpace(person.Address), person.Name, nameOf(types, person.Type, "required")))
		}
	}
	return list
}

func attendeeRow(address, name, kind string) content {
	if name == "" {
		name = address
	}
	return content{"emailAddress": content{"address": address, "name": name}, "type": kind}
}

// mark is the value of the mark: database and record.
func (c *Client) mark(recordID int64) string {
	return c.config.DatabaseID + ":" + strconv.FormatInt(recordID, 10)
}

// recordOf reads the mark; one of another database is none.
func (c *Client) recordOf(properties []graphProperty) (int64, bool) {
	for _, property := range properties {
		if !strings.EqualFold(property.ID, markProperty) {
			continue
		}
		database, record, found := strings.Cut(property.Value, ":")
		id, err := strconv.ParseInt(record, 10, 64)
		if found && err == nil && id > 0 && strings.EqualFold(database, c.config.DatabaseID) {
			return id, true
		}
	}
	return 0, false
}
