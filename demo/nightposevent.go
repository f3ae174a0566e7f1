package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What NightPOS's own calendar shows of an event and of those invited.
var (
	eventFields    = []string{"name", "active", "start", "stop", "allday", "location", "description", "partner_ids", "user_id", "privacy", "show_as", "alarm_ids", "recurrence_id", "follow_recurrence"}
	attendeeFields = []string{"event_id", "partner_id", "email", "common_name", "state"}
)

type nightposEvent struct {
	ID          int       `json:"id"`
	Name        words     `json:"name"`
	Active      bool      `json:"active"`
	Start       words     `json:"start"`
	Stop        words     `json:"stop"`
	AllDay      bool      `json:"allday"`
	Location    words     `json:"location"`
	Description words     `json:"description"`
	Partners    []int     `json:"partner_ids"`
	User        reference `json:"user_id"`
	Privacy     words     `json:"privacy"`
	ShowAs      words     `json:"show_as"`
	Alarms      []int     `json:"alarm_ids"`
	Recurrence  reference `json:"recurrence_id"`
	Follows     bool      `json:"follow_recurrence"`
}

type nightposAttendee struct {
	ID      int       `json:"id"`
	Event   reference `json:"event_id"`
	Partner reference `json:"partner_id"`
	Email   words     `json:"email"`
	Name    words     `json:"common_name"`
	State   words     `json:"state"`
}

var nightposAnswers = map[words]Answer{"accepted": Accepted, "tentative": Tentative, "declined": Declined}

func (a nightposAttendee) answer() Answer {
	if answer, known := nightposAnswers[a.State]; known {
		return answer
	}
	return None
}

// show turns a record and its attendees into the page's shape.
func (c *nightposCalendar) show(ctx context.Context, as account, record nightposEvent, attendees []nightposAttendee) (Event, error) {
	when, err := record.when()
	if err != nil {
		return Event{}, err
	}
	event := Event{
		ID: strconv.Itoa(record.ID), Title: string(record.Name), When: when, Place: string(record.Location),
		Description: plainText(string(record.Description)), Mine: record.User.id == as.user, Answer: None,
		People: []Person{}, ShowAs: string(record.ShowAs), Archived: !record.Active,
		Private: record.Privacy == "private" || record.Privacy == "confidential", Reminder: -1,
	}
	if record.Recurrence.id != 0 {
		event.Series = strconv.Itoa(record.Recurrence.id)
	}
	event.Organizer = Person{Name: record.User.name, Answer: None}
	for _, member := range c.members {
		organizer, err := c.calls.signIn(ctx, member)
		if err != nil {
			return Event{}, err
		}
		if organizer.user == record.User.id {
			event.Organizer = Person{Name: member.Name, Address: member.Address, Answer: None}
		}
	}
	for _, attendee := range attendees {
		if attendee.Event.id != record.ID {
			continue
		}
		if attendee.Partner.id == as.partner && !event.Mine {
			event.Answer = attendee.answer()
		}
		if strings.EqualFold(string(attendee.Email), event.Organizer.Address) {
			continue
		}
		event.People = append(event.People, Person{Name: string(attendee.Name), Address: string(attendee.Email), Answer: attendee.answer()})
	}
	event.People = orderPeople(event.People)
	if len(record.Alarms) > 0 {
		minutes, err := c.alarmMinutes(ctx, as)
		if err != nil {
			return Event{}, err
		}
		for _, alarm := range record.Alarms {
			if before, known := minutes[alarm]; known && (event.Reminder < 0 || before < event.Reminder) {
				event.Reminder = before
			}
		}
	}
	return event, nil
}

// when reads a record's time. The last day of an all-day event is included in
// NightPOS and left out here.
func (e nightposEvent) when() (When, error) {
	start, err := time.Parse(time.DateTime, string(e.Start))
	if err != nil {
		return When{}, fmt.Errorf("NightPOS shows the start of event %d in an unknown shape: %w", e.ID, err)
	}
	end, err := time.Parse(time.DateTime, string(e.Stop))
	if err != nil {
		return When{}, fmt.Errorf("NightPOS shows the end of event %d in an unknown shape: %w", e.ID, err)
	}
	if e.AllDay {
		day := 24 * time.Hour
		start, end = start.Truncate(day), end.Truncate(day).Add(day)
	}
	return When{Start: start, End: end, AllDay: e.AllDay}, nil
}

// values is what NightPOS is told. invited are the partners who are in already,
// by address.
func (c *nightposCalendar) values(ctx context.Context, as account, edit Edit, organizer []int, invited map[string]int) (map[string]any, error) {
	values := map[string]any{}
	if edit.Title != nil {
		values["name"] = *edit.Title
	}
	if edit.Place != nil {
		values["location"] = *edit.Place
	}
	if edit.Description != nil {
		values["description"] = paragraphs(*edit.Description)
	}
	if edit.ShowAs != nil {
		values["show_as"] = *edit.ShowAs
	}
	if edit.Private != nil {
		values["privacy"] = "public"
		if *edit.Private {
			values["privacy"] = "private"
		}
	}
	if edit.When != nil {
		last := edit.When.End
		if edit.When.AllDay {
			last = last.AddDate(0, 0, -1)
		}
		values["allday"] = edit.When.AllDay
		values["start"] = edit.When.Start.UTC().Format(time.DateTime)
		values["stop"] = last.UTC().Format(time.DateTime)
		if edit.Repeat != nil {
			repeat, err := repeatValues(*edit.When, *edit.Repeat, as.Member)
			if err != nil {
				return nil, err
			}
			maps.Copy(values, repeat)
		}
	}
	if edit.Reminder != nil {
		alarms := []int{}
		if *edit.Reminder >= 0 {
			alarm, err := c.alarm(ctx, as, *edit.Reminder)
			if err != nil {
				return nil, err
			}
			alarms = append(alarms, alarm)
		}
		values["alarm_ids"] = []any{[]any{6, 0, alarms}}
	}
	if edit.People != nil {
		partners := slices.Clone(organizer)
		for _, address := range *edit.People {
			partner, known := invited[strings.ToLower(address)]
			if !known {
				if err := c.calls.call(ctx, as, &partner, "res.partner", "find_or_create", []any{fmt.Sprintf("%s <%s>", nameOf(address, c.members), address)}, nil); err != nil {
					return nil, fmt.Errorf("inviting %s: %w", address, err)
				}
			}
			if !slices.Contains(partners, partner) {
				partners = append(partners, partner)
			}
		}
		values["partner_ids"] = []any{[]any{6, 0, partners}}
	}
	return values, nil
}

type nightposAlarm struct {
	ID      int   `json:"id"`
	Type    words `json:"alarm_type"`
	Minutes int   `json:"duration_minutes"`
}

func (c *nightposCalendar) alarms(ctx context.Context, as account) ([]nightposAlarm, error) {
	var alarms []nightposAlarm
	fields := []string{"alarm_type", "duration_minutes"}
	err := c.calls.call(ctx, as, &alarms, "calendar.alarm", "search_read", []any{[]any{}, fields}, nil)
	return alarms, err
}

func (c *nightposCalendar) alarmMinutes(ctx context.Context, as account) (map[int]int, error) {
	alarms, err := c.alarms(ctx, as)
	minutes := map[int]int{}
	for _, alarm := range alarms {
		minutes[alarm.ID] = alarm.Minutes
	}
	return minutes, err
}

// alarm is the notification that comes so many minutes before; one that is not
// there yet is made, as NightPOS's form offers to.
func (c *nightposCalendar) alarm(ctx context.Context, as account, minutes int) (int, error) {
	alarms, err := c.alarms(ctx, as)
	if err != nil {
		return 0, err
	}
	index := slices.IndexFunc(alarms, func(a nightposAlarm) bool { return a.Type == "notification" && a.Minutes == minutes })
	if index >= 0 {
		return alarms[index].ID, nil
	}
	var made int
	values := map[string]any{"name": fmt.Sprintf("Notification - %d Minutes", minutes), "alarm_type": "notification", "duration": minutes, "interval": "minutes"}
	err = c.calls.call(ctx, as, &made, "calendar.alarm", "create", []any{values}, nil)
	return made, err
}
