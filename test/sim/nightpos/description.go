package nightpos

import (
	"html"
	"slices"
	"time"
)

// describePeople is the description that a new event gets in 19: what was given,
// the organizer, and the first of the others whom it invites.
func (t *transaction) describePeople(given map[string]any) any {
	organizer := t.uid
	if chosen, there := given["user_id"]; there {
		organizer = intOf(chosen)
	}
	host := 0
	if user := t.get("res.users", organizer); user != nil {
		host = intOf(user.values["partner_id"])
	}
	blocks := ""
	add := func(title string, contact *record) {
		if contact == nil {
			return
		}
		if blocks != "" {
			blocks += "<br><br>"
		}
		blocks += "<strong>" + title + "</strong><br>" + html.EscapeString(textOf(contact.values["name"]))
		if address := html.EscapeString(textOf(contact.values["email"])); address != "" {
			blocks += `<br><a href="mailto:` + address + `">` + address + "</a>"
		}
	}
	add("Organized by", t.get("res.partner", host))
	for _, partner := range setOrder(t.invitees(given)) {
		if partner != host {
			add("Contact Details", t.get("res.partner", partner))
			break
		}
	}
	switch text := textOf(given["description"]); {
	case blocks == "":
		return given["description"]
	case text != "":
		return "<div>" + text + "<br>" + blocks + "</div>"
	}
	return "<div>" + blocks + "</div>"
}

// invitees are the people whom a new event invites, as far as its values say so
// by themselves.
func (t *transaction) invitees(given map[string]any) []int {
	if states, err := attendeeStates(given["attendee_ids"]); err == nil && len(states) > 0 {
		var partners []int
		for partner := range states {
			partners = append(partners, partner)
		}
		return partners
	}
	people, there := given["partner_ids"]
	if !there {
		return []int{t.partner()}
	}
	if ids, bare := intsOf(people); bare {
		return ids
	}
	var partners []int
	commands, _ := people.([]any)
	for _, item := range commands {
		command, ok := item.([]any)
		if !ok || len(command) == 0 {
			continue
		}
		switch {
		case command[0] == 6 && len(command) > 2:
			partners, _ = intsOf(command[2])
		case command[0] == 4 && len(command) > 1:
			partners = append(partners, intOf(command[1]))
		}
	}
	return slices.Clone(partners)
}

// unavailable are the people of an event who are busy elsewhere at its time.
func (t *transaction) unavailable(event *record) []int {
	start, _ := event.values["start"].(time.Time)
	stop, _ := event.values["stop"].(time.Time)
	people, _ := intsOf(event.values["partner_ids"])
	busy, theirs := []int{}, map[int]bool{}
	t.having(theirs, "calendar.event", "partner_ids", indexValues(people)...)
	for _, other := range t.records("calendar.event", theirs) {
		began, _ := other.values["start"].(time.Time)
		ended, _ := other.values["stop"].(time.Time)
		if other.id == event.id || !truth(other.values["active"]) || other.values["show_as"] != "busy" || !began.Before(stop) || !ended.After(start) {
			continue
		}
		theirs, _ := intsOf(other.values["partner_ids"])
		for _, partner := range people {
			if slices.Contains(theirs, partner) && !slices.Contains(busy, partner) {
				busy = append(busy, partner)
			}
		}
	}
	slices.Sort(busy)
	return busy
}
