package process_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/k3a/html2text"

	"github.com/nightpos/outlook-gateway/demo"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// mailbox is Outlook as one person's own program uses it, over Graph.
type mailbox struct {
	address string
	graph   string
	token   string
	client  *http.Client
}

// openMailbox signs a person in.
func openMailbox(ctx context.Context, outlook, address string) (*mailbox, error) {
	box := &mailbox{address: address, graph: outlook + "/v1.0", client: &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	application, back := simoutlook.DefaultApplication, "http://localhost/program"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, outlook+"/common/oauth2/v2.0/authorize?"+url.Values{
		"client_id": {application.ID}, "response_type": {"code"}, "redirect_uri": {back}, "scope": {"offline_access Calendars.ReadWrite"}, "login_hint": {address},
	}.Encode(), nil)
	if err != nil {
		return nil, err
	}
	answer, err := box.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	sent, err := answer.Location()
	if err != nil {
		return nil, fmt.Errorf("sign-in of %s: %s, %w", address, answer.Status, err)
	}
	request, err = http.NewRequestWithContext(ctx, http.MethodPost, outlook+"/common/oauth2/v2.0/token", strings.NewReader(url.Values{
		"client_id": {application.ID}, "client_secret": {application.Secret}, "grant_type": {"authorization_code"}, "redirect_uri": {back}, "code": {sent.Query().Get("code")},
	}.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	redeemed, err := box.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer redeemed.Body.Close()
	var given struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(redeemed.Body).Decode(&given); err != nil || given.Token == "" {
		return nil, errors.Join(err, fmt.Errorf("sign-in of %s: no token", address))
	}
	box.token = given.Token
	return box, nil
}

// call asks Graph, again where it says that there is too much to do.
func (m *mailbox) call(ctx context.Context, method, path string, content, into any) error {
	body, err := json.Marshal(content)
	if err != nil {
		return err
	}
	for {
		request, err := http.NewRequestWithContext(ctx, method, m.graph+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+m.token)
		request.Header.Set("Content-Type", "application/json")
		answer, err := m.client.Do(request)
		if err != nil {
			return err
		}
		said, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		switch {
		case err != nil:
			return err
		case answer.StatusCode == http.StatusTooManyRequests:
			time.Sleep(200 * time.Millisecond)
			continue
		case answer.StatusCode == http.StatusNotFound:
			return demo.ErrGone
		case answer.StatusCode >= http.StatusBadRequest:
			return fmt.Errorf("%s %s: %s %s", method, path, answer.Status, said)
		case into == nil:
			return nil
		}
		return json.Unmarshal(said, into)
	}
}

// list reads all pages of a list.
func (m *mailbox) list(ctx context.Context, path string) ([]map[string]any, error) {
	var all []map[string]any
	for path != "" {
		var page struct {
			Value []map[string]any `json:"value"`
			Next  string           `json:"@odata.nextLink"`
		}
		if err := m.call(ctx, http.MethodGet, path, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Value...)
		path = strings.TrimPrefix(page.Next, m.graph)
	}
	return all, nil
}

// shown is an event of a mailbox.
type shown struct {
	demo.Event
	// master is the id of the series that it is an occurrence of, and uid the
	// meeting's iCalUId without the date of an occurrence.
	master, uid string
}

// events is what the mailbox shows in a window, cancelled ones left out.
func (m *mailbox) events(ctx context.Context, from, to time.Time) ([]shown, error) {
	listed, err := m.list(ctx, "/me/calendarView?$top=100&startDateTime="+from.UTC().Format("2006-01-02T15:04:05Z")+"&endDateTime="+to.UTC().Format("2006-01-02T15:04:05Z"))
	if err != nil {
		return nil, err
	}
	var found []shown
	for _, one := range listed {
		event, err := m.read(one)
		if err != nil {
			return nil, err
		}
		if !event.Cancelled {
			found = append(found, event)
		}
	}
	return found, nil
}

func text(in map[string]any, path ...string) string {
	for _, name := range path[:len(path)-1] {
		in, _ = in[name].(map[string]any)
	}
	found, _ := in[path[len(path)-1]].(string)
	return found
}

func outlookAnswer(word string) demo.Answer {
	switch word {
	case "accepted", "declined":
		return demo.Answer(word)
	case "tentativelyAccepted":
		return demo.Tentative
	}
	return demo.None
}

// read puts what Graph shows into the shape in which both sides are compared.
func (m *mailbox) read(one map[string]any) (shown, error) {
	event := shown{master: text(one, "seriesMasterId"), uid: seriesUID(text(one, "iCalUId")), Event: demo.Event{
		ID: text(one, "id"), Title: text(one, "subject"), Place: text(one, "location", "displayName"),
		Description: strings.TrimSpace(html2text.HTML2Text(text(one, "body", "content"))),
		Organizer:   demo.Person{Address: text(one, "organizer", "emailAddress", "address")},
		ShowAs:      text(one, "showAs"), Answer: outlookAnswer(text(one, "responseStatus", "response")),
	}}
	event.Mine, _ = one["isOrganizer"].(bool)
	event.Cancelled, _ = one["isCancelled"].(bool)
	event.AllDay, _ = one["isAllDay"].(bool)
	event.Private = slices.Contains([]string{"private", "confidential"}, text(one, "sensitivity"))
	for name, at := range map[string]*time.Time{"start": &event.Start, "end": &event.End} {
		var err error
		if *at, err = time.Parse("2006-01-02T15:04:05", text(one, name, "dateTime")); err != nil {
			return shown{}, fmt.Errorf("a time of Graph's: %w", err)
		}
	}
	attendees, _ := one["attendees"].([]any)
	for _, entry := range attendees {
		attendee, _ := entry.(map[string]any)
		if address := text(attendee, "emailAddress", "address"); !strings.EqualFold(address, event.Organizer.Address) {
			event.People = append(event.People, demo.Person{Address: strings.ToLower(address), Answer: outlookAnswer(text(attendee, "status", "response"))})
		}
	}
	slices.SortFunc(event.People, func(a, b demo.Person) int { return strings.Compare(a.Address, b.Address) })
	return event, nil
}

// seriesUID takes the date of an occurrence off an iCalUId (MS-OXOCAL 2.2.1.27).
func seriesUID(uid string) string {
	const from, to = 32, 40
	if len(uid) < to {
		return uid
	}
	return uid[:from] + strings.Repeat("0", to-from) + uid[to:]
}

// content is what Graph is told about an edit.
func content(edit demo.Edit) map[string]any {
	told := map[string]any{}
	if edit.Title != nil {
		told["subject"] = *edit.Title
	}
	if edit.Place != nil {
		told["location"] = map[string]any{"displayName": *edit.Place}
	}
	if edit.Description != nil {
		told["body"] = map[string]any{"contentType": "html", "content": "<p>" + *edit.Description + "</p>"}
	}
	if edit.ShowAs != nil {
		told["showAs"] = *edit.ShowAs
	}
	if edit.Private != nil {
		told["sensitivity"] = map[bool]string{true: "private", false: "normal"}[*edit.Private]
	}
	if edit.When != nil {
		told["isAllDay"] = edit.When.AllDay
		for name, at := range map[string]time.Time{"start": edit.When.Start, "end": edit.When.End} {
			told[name] = map[string]any{"dateTime": at.UTC().Format("2006-01-02T15:04:05"), "timeZone": "UTC"}
		}
		if edit.Repeat != nil {
			told["recurrence"] = map[string]any{
				"pattern": map[string]any{"type": "weekly", "interval": 1, "firstDayOfWeek": "monday", "daysOfWeek": []string{strings.ToLower(edit.When.Start.Weekday().String())}},
				"range":   map[string]any{"type": "numbered", "startDate": edit.When.Start.Format(time.DateOnly), "numberOfOccurrences": edit.Repeat.Times, "recurrenceTimeZone": "UTC"},
			}
		}
	}
	if edit.People != nil {
		people := []any{}
		for _, address := range *edit.People {
			people = append(people, map[string]any{"type": "required", "emailAddress": map[string]any{"address": address, "name": address}})
		}
		told["attendees"] = people
	}
	return told
}

func (m *mailbox) create(ctx context.Context, edit demo.Edit) error {
	return m.call(ctx, http.MethodPost, "/me/events", content(edit), nil)
}

func (m *mailbox) update(ctx context.Context, id string, edit demo.Edit) error {
	return m.call(ctx, http.MethodPatch, "/me/events/"+url.PathEscape(id), content(edit), nil)
}

func (m *mailbox) remove(ctx context.Context, id string) error {
	return m.call(ctx, http.MethodDelete, "/me/events/"+url.PathEscape(id), nil, nil)
}

func (m *mailbox) answer(ctx context.Context, id string, answer demo.Answer) error {
	action := map[demo.Answer]string{demo.Accepted: "accept", demo.Tentative: "tentativelyAccept"}[answer]
	return m.call(ctx, http.MethodPost, "/me/events/"+url.PathEscape(id)+"/"+action, map[string]any{"sendResponse": true}, nil)
}

// subscriptions counts those of the mailbox that live.
func (m *mailbox) subscriptions(ctx context.Context) (int, error) {
	listed, err := m.list(ctx, "/subscriptions")
	return len(listed), err
}
