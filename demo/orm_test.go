package demo_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nightpos/outlook-gateway/demo"
)

// orm answers the calls that people make in NightPOS, in the shapes that real
// servers were seen to use: false for what is empty, [id, "name"] for a
// reference, commands for lists of partners and alarms.
type orm struct {
	now func() time.Time

	mutex     sync.Mutex
	users     map[string]int // login to user id; the partner is one more
	partners  map[int]string // id to address
	events    map[int]map[string]any
	attendees map[int]map[string]any
	next      int
	observers []func(demo.NightPOSChange)
	closed    bool
}

func newORM(now func() time.Time) *orm {
	o := &orm{now: now, users: map[string]int{}, partners: map[int]string{}, events: map[int]map[string]any{}, attendees: map[int]map[string]any{}, next: 100}
	for index, login := range []string{"admin", "alice", "bob"} {
		o.users[login] = 2 * (index + 1)
		o.partners[2*(index+1)+1] = login + "@nightpos.example"
	}
	return o
}

func (o *orm) Handler() http.Handler { return http.HandlerFunc(o.serve) }

func (o *orm) Observe(observer func(demo.NightPOSChange)) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.observers = append(o.observers, observer)
}

func (o *orm) SentMails() []demo.NightPOSMail {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return []demo.NightPOSMail{{Time: o.now(), To: "bob@nightpos.example", Kind: "invitation", User: o.users["alice"]}}
}

func (o *orm) Close() { o.closed = true }

func (o *orm) serve(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Params struct {
			Service, Method string
			Args            []any
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil || r.URL.Path != "/jsonrpc" {
		http.NotFound(w, r)
		return
	}
	o.mutex.Lock()
	var changed []demo.NightPOSChange
	result, missing := o.answer(request.Params.Service, request.Params.Args, &changed)
	observers := slices.Clone(o.observers)
	o.mutex.Unlock()
	for _, change := range changed {
		for _, observer := range observers {
			observer(change)
		}
	}
	answer := map[string]any{"jsonrpc": "2.0", "id": 1, "result": result}
	if missing {
		answer = map[string]any{"jsonrpc": "2.0", "id": 1, "error": map[string]any{"code": 200, "message": "Odoo Server Error", "data": map[string]any{
			"name": "odoo.exceptions.MissingError", "message": "Record does not exist or has been deleted.",
		}}}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func number(value any) int {
	whole, _ := value.(float64)
	return int(whole)
}

func numbers(value any) []int {
	list, _ := value.([]any)
	ids := []int{}
	for _, entry := range list {
		ids = append(ids, number(entry))
	}
	return ids
}

func (o *orm) answer(service string, args []any, changed *[]demo.NightPOSChange) (result any, missing bool) {
	if service == "common" {
		login, password := args[1].(string), args[2].(string)
		if user, found := o.users[login]; found && password == login {
			return user, false
		}
		return false, false
	}
	user, call, arguments := number(args[1]), fmt.Sprintf("%s.%s", args[3], args[4]), args[5].([]any)
	note := func(event int, deleted bool) {
		*changed = append(*changed, demo.NightPOSChange{Event: event, Deleted: deleted, User: user, Time: o.now()})
	}
	switch call {
	case "res.users.read":
		id := numbers(arguments[0])[0]
		return []any{map[string]any{"id": id, "partner_id": []any{id + 1, o.partners[id+1]}}}, false
	case "res.users.create":
		o.next++
		o.users[arguments[0].(map[string]any)["login"].(string)] = o.next
		return o.next, false
	case "res.partner.find_or_create":
		parsed, err := mail.ParseAddress(arguments[0].(string))
		if err != nil {
			return false, false
		}
		for id, address := range o.partners {
			if strings.EqualFold(address, parsed.Address) {
				return id, false
			}
		}
		o.next++
		o.partners[o.next] = parsed.Address
		return o.next, false
	case "calendar.alarm.search_read":
		return []any{
			map[string]any{"id": 1, "alarm_type": "notification", "duration_minutes": 15},
			map[string]any{"id": 2, "alarm_type": "email", "duration_minutes": 30},
			map[string]any{"id": 3, "alarm_type": "notification", "duration_minutes": 30},
		}, false
	case "calendar.event.create":
		o.next++
		event := map[string]any{"id": o.next, "active": true, "allday": false, "location": false, "description": false, "partner_ids": []int{user + 1}, "user_id": []any{user, o.partners[user+1]}, "privacy": false, "show_as": "busy", "alarm_ids": []int{}}
		o.events[o.next] = event
		id := o.next
		o.set(event, arguments[0].(map[string]any), user)
		note(id, false)
		return id, false
	case "calendar.event.search_read":
		domain := arguments[0].([]any)
		partner := numbers(domain[0].([]any)[2])[0]
		before, after := domain[1].([]any)[2].(string), domain[2].([]any)[2].(string)
		found := []any{}
		for _, id := range slices.Sorted(maps.Keys(o.events)) {
			event := o.events[id]
			if event["active"] == true && slices.Contains(event["partner_ids"].([]int), partner) && event["start"].(string) < before && event["stop"].(string) >= after {
				found = append(found, event)
			}
		}
		return found, false
	case "calendar.attendee.search_read":
		ids := numbers(arguments[0].([]any)[0].([]any)[2])
		found := []any{}
		for _, id := range slices.Sorted(maps.Keys(o.attendees)) {
			if slices.Contains(ids, o.attendees[id]["event_id"].([]any)[0].(int)) {
				found = append(found, o.attendees[id])
			}
		}
		return found, false
	case "calendar.attendee.do_accept", "calendar.attendee.do_tentative", "calendar.attendee.do_decline":
		attendee := o.attendees[numbers(arguments[0])[0]]
		attendee["state"] = map[any]string{"do_accept": "accepted", "do_tentative": "tentative", "do_decline": "declined"}[args[4]]
		note(attendee["event_id"].([]any)[0].(int), false)
		return true, false
	}
	id := numbers(arguments[0])[0]
	event, found := o.events[id]
	switch {
	case !found && call == "calendar.event.read":
		return []any{}, false
	case !found:
		return nil, true
	case call == "calendar.event.read":
		if event["privacy"] == "private" && !slices.Contains(event["partner_ids"].([]int), user+1) {
			masked := maps.Clone(event)
			masked["name"], masked["partner_ids"], masked["location"], masked["description"] = "Busy", []int{}, false, false
			return []any{masked}, false
		}
		return []any{event}, false
	case call == "calendar.event.write":
		o.set(event, arguments[1].(map[string]any), user)
	case call == "calendar.event.action_archive", call == "calendar.event.action_unarchive":
		event["active"] = call == "calendar.event.action_unarchive"
	case call == "calendar.event.unlink":
		delete(o.events, id)
	}
	note(id, call == "calendar.event.unlink")
	return true, false
}

// set writes values, and keeps a row for each partner.
func (o *orm) set(event, values map[string]any, user int) {
	for name, value := range values {
		if commands, list := value.([]any); list {
			value = numbers(commands[0].([]any)[2])
		}
		event[name] = value
	}
	for id, attendee := range o.attendees {
		if attendee["event_id"].([]any)[0] == event["id"] && !slices.Contains(event["partner_ids"].([]int), attendee["partner_id"].([]any)[0].(int)) {
			delete(o.attendees, id)
		}
	}
	for _, partner := range event["partner_ids"].([]int) {
		there := false
		for _, attendee := range o.attendees {
			there = there || attendee["event_id"].([]any)[0] == event["id"] && attendee["partner_id"].([]any)[0] == partner
		}
		if there {
			continue
		}
		state := "needsAction"
		if partner == user+1 {
			state = "accepted"
		}
		o.next++
		name, _, _ := strings.Cut(o.partners[partner], "@")
		o.attendees[o.next] = map[string]any{"id": o.next, "event_id": []any{event["id"], event["name"]}, "partner_id": []any{partner, name}, "email": o.partners[partner], "common_name": name, "state": state}
	}
}
