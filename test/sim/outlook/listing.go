package outlook

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	defaultPage = 10   // 8.13
	maximumPage = 1000 // 8.13
	// maximumWindow is the longest calendarView (8.13).
	maximumWindow = 1825 * 24 * time.Hour
)

// listOptions are the OData options of a read.
type listOptions struct {
	selected   []string // empty: everything
	expanded   []string // extended properties to show
	calendar   bool     // $expand=calendar
	ofCalendar []string // what of the calendar to show; empty: everything
	exceptions bool     // $expand=exceptionOccurrences
	expansion  CalendarExpansion
	filter     condition
	order      []order
	top        int
	skip       int
	count      bool
}

type order struct {
	path       string
	descending bool
}

// readListOptions reads the allowed options and refuses all others.
func (s *Server) readListOptions(q *request, allowed ...string) (listOptions, error) {
	options := listOptions{expansion: s.config.Switches.CalendarExpansion}
	for name, values := range q.query {
		if !strings.HasPrefix(name, "$") {
			continue
		}
		if !slices.Contains(allowed, name) {
			return options, badRequest("ErrorInvalidUrlQuery", "The query parameter '%s' is not supported here.", name)
		}
		if err := options.read(name, values[len(values)-1]); err != nil {
			return options, err
		}
	}
	if options.top == 0 {
		options.top = defaultPage
		if q.page > 0 {
			options.top = q.page
		}
	}
	return options, nil
}

func (o *listOptions) read(name, value string) (err error) {
	switch name {
	case "$select":
		for part := range strings.SplitSeq(value, ",") {
			part = strings.TrimSpace(part)
			if !selectable[part] {
				return badRequest("RequestBroker--ParseUri", "Could not find a property named '%s' on type 'Microsoft.OutlookServices.Event'.", part)
			}
			o.selected = append(o.selected, part)
		}
	case "$expand":
		err = o.readExpand(value)
	case "$filter":
		o.filter, err = parseFilter(value)
	case "$orderby":
		for part := range strings.SplitSeq(value, ",") {
			path, direction, _ := strings.Cut(strings.TrimSpace(part), " ")
			if comparableBy[path] == nil || direction != "" && direction != "asc" && direction != "desc" {
				return badRequest("ErrorInvalidUrlQuery", "The query parameter '$orderby=%s' is not supported.", value)
			}
			o.order = append(o.order, order{path, direction == "desc"})
		}
	case "$top":
		if o.top, err = strconv.Atoi(value); err != nil || o.top < 1 || o.top > maximumPage {
			return badRequest("ErrorInvalidUrlQuery", "The value of $top must be between 1 and %d.", maximumPage)
		}
	case "$skip":
		if o.skip, err = strconv.Atoi(value); err != nil || o.skip < 0 {
			return badRequest("ErrorInvalidUrlQuery", "The value of $skip must not be negative.")
		}
	case "$count":
		o.count = value == "true"
	}
	return err
}

// selectable are the properties of 7.1.
var selectable = func() map[string]bool {
	names := maps.Clone(ignoredProperties)
	for _, name := range []string{
		"allowNewTimeProposals", "attendees", "body", "categories", "end", "hideAttendees", "importance", "isAllDay",
		"isOnlineMeeting", "isReminderOn", "location", "locations", "onlineMeetingProvider", "recurrence", "reminderMinutesBeforeStart",
		"responseRequested", "sensitivity", "showAs", "start", "subject", "transactionId", "exceptionOccurrences",
	} {
		names[name] = true
	}
	return names
}()

func (o *listOptions) readExpand(value string) error {
	for part := range splitTopLevel(value) {
		name, inner, nested := strings.Cut(part, "(")
		switch {
		case name == "calendar" && o.expansion != CalendarRefused:
			selected, err := readCalendarExpand(strings.TrimSuffix(inner, ")"), nested)
			if err != nil {
				return err
			}
			o.calendar, o.ofCalendar = o.expansion == CalendarGiven, selected
		case name == "exceptionOccurrences" && !nested:
			o.exceptions = true
		case name == "singleValueExtendedProperties" && nested:
			condition, ok := strings.CutPrefix(strings.TrimSuffix(inner, ")"), "$filter=")
			if !ok {
				return badRequest("ErrorInvalidUrlQueryFilter", "singleValueExtendedProperties can only be expanded with a $filter on id.")
			}
			parsed, err := parseFilterWith(condition, "")
			if err != nil {
				return err
			}
			ids, ok := parsed.propertyIDs()
			if !ok {
				return badRequest("ErrorInvalidUrlQueryFilter", "singleValueExtendedProperties can only be expanded with a $filter on id.")
			}
			o.expanded = append(o.expanded, ids...)
		default:
			return badRequest("ErrorInvalidUrlQuery", "The query parameter '$expand=%s' is not supported.", value)
		}
	}
	return nil
}

// splitTopLevel splits at commas outside of parentheses and quotes.
func splitTopLevel(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		depth, from, quoted := 0, 0, false
		for i, r := range text {
			switch {
			case r == '\'':
				quoted = !quoted
			case quoted:
			case r == '(':
				depth++
			case r == ')':
				depth--
			case r == ',' && depth == 0:
				if !yield(strings.TrimSpace(text[from:i])) {
					return
				}
				from = i + 1
			}
		}
		yield(strings.TrimSpace(text[from:]))
	}
}

// shape renders an event and applies $select and $expand.
func (s *Server) shape(q *request, o listOptions, e *event) map[string]any {
	shown := s.render(q.box, e, q.view)
	if len(o.selected) > 0 {
		s.addDifferences(q, o, e, shown)
		chosen := map[string]any{"@odata.etag": shown["@odata.etag"], "id": shown["id"]}
		for _, name := range o.selected {
			if value, ok := shown[name]; ok {
				chosen[name] = value
			}
		}
		shown = chosen
	}
	if o.calendar {
		shown["calendar"] = chosen(q.box.renderCalendar(q.box.calendarAt(e.folder)), o.ofCalendar)
	}
	var properties []any
	for _, id := range o.expanded {
		if value, ok := e.extended[id]; ok {
			properties = append(properties, map[string]any{"id": id, "value": value})
		}
	}
	if properties != nil {
		shown["singleValueExtendedProperties"] = properties
	}
	return shown
}

// addDifferences adds what only $select shows of a master (7.13): the deleted
// occurrences, and the exceptions if they are expanded too.
func (s *Server) addDifferences(q *request, o listOptions, e *event, shown map[string]any) {
	if e.recurrence == nil {
		return
	}
	cancelled := []string{}
	for _, slot := range sortedDays(e.gone) {
		cancelled = append(cancelled, "OID."+q.box.idOf(e.key(), q.view.immutable)+"."+slot.Format(dateLayout))
	}
	shown["cancelledOccurrences"] = cancelled
	if !o.exceptions || s.config.Switches.ExceptionsNotExpanded {
		return
	}
	different := []any{}
	for _, slot := range sortedDays(e.exceptions) {
		different = append(different, s.render(q.box, e.occurrence(slot), q.view))
	}
	shown["exceptionOccurrences"] = different
}

// list answers with one page of the events that pass the filter.
func (s *Server) list(q *request, options listOptions, events []*event, of string) (*answer, error) {
	var passed []*event
	for _, e := range events {
		if options.filter == nil || options.filter.holds(q.box, e) {
			passed = append(passed, e)
		}
	}
	slices.SortStableFunc(passed, func(a, b *event) int {
		for _, by := range options.order {
			if direction := compareValues(comparableBy[by.path](a), comparableBy[by.path](b)); direction != 0 {
				if by.descending {
					return -direction
				}
				return direction
			}
		}
		return 0
	})
	value := []any{}
	for _, e := range passed[min(options.skip, len(passed)):min(options.skip+options.top, len(passed))] {
		value = append(value, s.shape(q, options, e))
	}
	body := map[string]any{"@odata.context": s.contextURL("users('" + q.box.objectID + "')/" + of), "value": value}
	if options.count {
		body["@odata.count"] = len(passed)
	}
	if options.skip+options.top < len(passed) {
		next := maps.Clone(map[string][]string(q.query))
		next["$skip"] = []string{strconv.Itoa(options.skip + options.top)}
		next["$top"] = []string{strconv.Itoa(options.top)}
		body["@odata.nextLink"] = s.config.BaseURL + "/v1.0" + escapePath(q.path) + "?" + url.Values(next).Encode()
	}
	return &answer{status: http.StatusOK, body: body}, nil
}

func escapePath(path string) string { return (&url.URL{Path: path}).EscapedPath() }

func (s *Server) listEvents(_ context.Context, q *request) (*answer, error) {
	options, err := s.readListOptions(q, "$select", "$expand", "$filter", "$orderby", "$top", "$skip", "$count")
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.unlock()
	within, err := q.calendar()
	if err != nil {
		return nil, err
	}
	return s.list(q, options, q.box.listed(within.folder), "events")
}

func (s *Server) listCalendarView(_ context.Context, q *request) (*answer, error) {
	from, to, err := q.window()
	if err != nil {
		return nil, err
	}
	options, err := s.readListOptions(q, "$select", "$expand", "$filter", "$orderby", "$top", "$skip", "$count")
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.unlock()
	within, err := q.calendar()
	if err != nil {
		return nil, err
	}
	return s.list(q, options, q.box.overlapping(within.folder, from, to), "calendarView")
}

// listInstances lists the occurrences of a series in a window, in no order that
// one could rely on: the exceptions first, as in the sample of 8.12.
func (s *Server) listInstances(_ context.Context, q *request) (*answer, error) {
	from, to, err := q.window()
	if err != nil {
		return nil, err
	}
	options, err := s.readListOptions(q, "$select", "$expand", "$filter", "$orderby", "$top", "$skip", "$count")
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.unlock()
	master, err := s.shownOf(q)
	if err != nil {
		return nil, err
	}
	if master.recurrence == nil {
		return nil, errorInvalid("The event is not the master of a series: only a series has instances.")
	}
	found := master.occurrences(from, to)
	slices.SortStableFunc(found, func(a, b *event) int { return strings.Compare(a.kind(), b.kind()) })
	return s.list(q, options, found, "events('"+url.PathEscape(q.params["event"])+"')/instances")
}

// window reads startDateTime and endDateTime: an offset is honoured, without one
// they are UTC, whatever zone is preferred (8.13).
func (q *request) window() (from, to time.Time, err error) {
	read := func(name string) (time.Time, error) {
		for given, values := range q.query {
			if strings.EqualFold(given, name) && values[0] != "" {
				// A "+" that was not escaped arrives as a blank.
				instant, err := parseLocal(strings.ReplaceAll(values[0], " ", "+"), utc)
				if err != nil {
					return time.Time{}, errorInvalid("The value '%s' of parameter '%s' is invalid.", values[0], name)
				}
				return instant.UTC(), nil
			}
		}
		return time.Time{}, errorInvalid("This request requires a time window specified by the query string parameters StartDateTime and EndDateTime.")
	}
	if from, err = read("startDateTime"); err != nil {
		return from, to, err
	}
	if to, err = read("endDateTime"); err != nil {
		return from, to, err
	}
	switch {
	case to.Before(from):
		return from, to, errorInvalid("The StartDateTime must be before the EndDateTime.")
	case to.Sub(from) > maximumWindow:
		return from, to, errorInvalid("The requested time window is too big: the maximum is 1825 days.")
	}
	return from, to, nil
}
