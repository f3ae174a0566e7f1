package outlook

import (
	"context"
	"strings"
)

type handler func(*Server, context.Context, *request) (*answer, error)

// route is a method and a path below /v1.0; a segment in braces stands for any.
type route struct {
	method    string
	segments  []string
	scope     string // the scope a token needs, "" for none
	unlimited bool   // not an Outlook mailbox call: the limits of 10.1 do not count it
	handle    handler
}

const (
	scopeProfile = "User.Read"
	scopeRead    = "Calendars.Read"
	scopeWrite   = "Calendars.ReadWrite"
)

// makeRoutes lists everything that is served. It is a field of the server rather
// than a variable of the package because the batch leads back into it.
func makeRoutes() []route {
	var all []route
	add := func(method, path, scope string, handle handler) {
		all = append(all, route{method: method, segments: strings.Split(path, "/"), scope: scope, handle: handle})
	}
	free := func(method, path, scope string, handle handler) {
		add(method, path, scope, handle)
		all[len(all)-1].unlimited = true
	}
	free("GET", "me", scopeProfile, (*Server).getMe)
	add("GET", "me/calendars", scopeRead, (*Server).listCalendars)
	add("POST", "me/calendars", scopeWrite, (*Server).postCalendar)
	add("DELETE", "me/calendars/{calendar}", scopeWrite, (*Server).deleteCalendar)
	for _, calendar := range []string{"me/calendar", "me/calendars/{calendar}"} {
		add("GET", calendar, scopeRead, (*Server).getCalendar)
	}
	for _, parent := range []string{"me", "me/calendar", "me/calendars/{calendar}"} {
		add("GET", parent+"/events", scopeRead, (*Server).listEvents)
		add("POST", parent+"/events", scopeWrite, (*Server).postEvent)
		add("GET", parent+"/events/{event}", scopeRead, (*Server).getEvent)
		add("PATCH", parent+"/events/{event}", scopeWrite, (*Server).patchEvent)
		add("DELETE", parent+"/events/{event}", scopeWrite, (*Server).deleteEvent)
		add("GET", parent+"/events/{event}/instances", scopeRead, (*Server).listInstances)
		add("GET", parent+"/events/{event}/calendar", scopeRead, (*Server).getCalendarOfEvent)
		add("POST", parent+"/events/{event}/cancel", scopeWrite, (*Server).cancelEvent)
		for action := range answers {
			add("POST", parent+"/events/{event}/"+action, scopeWrite, (*Server).answerEvent)
		}
		add("GET", parent+"/calendarView", scopeRead, (*Server).listCalendarView)
		add("GET", parent+"/calendarView/delta", scopeRead, (*Server).getDelta)
	}
	add("GET", "me/outlook/supportedTimeZones", scopeProfile, (*Server).listTimeZones)
	add("POST", "me/translateExchangeIds", scopeProfile, (*Server).translateIDs)
	free("POST", "$batch", "", (*Server).postBatch)
	free("GET", "subscriptions", scopeRead, (*Server).listSubscriptions)
	free("POST", "subscriptions", scopeRead, (*Server).postSubscription)
	free("GET", "subscriptions/{subscription}", scopeRead, (*Server).getSubscription)
	free("PATCH", "subscriptions/{subscription}", scopeRead, (*Server).patchSubscription)
	free("DELETE", "subscriptions/{subscription}", scopeRead, (*Server).deleteSubscription)
	free("POST", "subscriptions/{subscription}/reauthorize", scopeRead, (*Server).reauthorizeSubscription)
	return all
}

// route finds the route of a request and fills in its parameters. /users/{id}
// is the same as /me for the signed-in person; authenticate has the last word.
// A path that exists with another method gets a route without a handler.
func (q *request) route(routes []route) (*route, string) {
	segments := q.segments
	prefix := ""
	if len(segments) >= 2 && strings.EqualFold(segments[0], "users") {
		q.params["user"] = segments[1]
		segments = append([]string{"me"}, segments[2:]...)
		prefix = "/users/{user}"
	}
	last := len(segments) - 1
	if name, _, found := strings.Cut(segments[last], "("); found { // function call syntax
		segments = append(append([]string{}, segments[:last]...), name)
	}
	var other *route
	for i := range routes {
		candidate := &routes[i]
		params, ok := candidate.match(segments)
		if !ok {
			continue
		}
		template := "/" + strings.Join(candidate.segments, "/")
		if prefix != "" {
			template = prefix + strings.TrimPrefix(template, "/me")
		}
		if candidate.method != q.method {
			other = &route{segments: []string{template}}
			continue
		}
		for name, value := range params {
			q.params[name] = value
		}
		return candidate, template
	}
	if other != nil {
		return other, other.segments[0]
	}
	return nil, "unknown"
}

func (r *route) match(segments []string) (map[string]string, bool) {
	if len(segments) != len(r.segments) {
		return nil, false
	}
	params := map[string]string{}
	for i, wanted := range r.segments {
		if name, ok := strings.CutPrefix(wanted, "{"); ok {
			params[strings.TrimSuffix(name, "}")] = segments[i]
		} else if wanted == "calendar" && i == 1 && strings.EqualFold(wanted, segments[i]) {
			params["default"] = segments[i]
		} else if !strings.EqualFold(wanted, segments[i]) {
			return nil, false
		}
	}
	return params, true
}
