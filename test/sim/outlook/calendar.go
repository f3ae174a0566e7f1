package outlook

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// defaultFolder is the counter of everybody's default calendar.
const defaultFolder = 0x10d

// calendar is one of a mailbox's: the default one or one made later. Guarded by
// the server's mutex; an event names its calendar by the folder.
type calendar struct {
	folder    uint64
	id        string // constant, without an immutable form (7.3)
	name      string
	changeKey string
}

// calendarOf finds a calendar by its id, or returns nil.
func (m *mailbox) calendarOf(id string) *calendar {
	for _, one := range m.calendars {
		if one.id == id {
			return one
		}
	}
	return nil
}

// calendarAt finds the calendar of an event. Every event has one: those of a
// calendar are deleted with it.
func (m *mailbox) calendarAt(folder uint64) *calendar {
	for _, one := range m.calendars {
		if one.folder == folder {
			return one
		}
	}
	return nil
}

// calendar finds a calendar by its id, or says what is wrong with the id.
func (m *mailbox) calendar(id string) (*calendar, error) {
	if found := m.calendarOf(id); found != nil {
		return found, nil
	}
	if bytes, err := idEncoding.DecodeString(id); err != nil || m.calendarIdentity(readCounter(bytes, 8)) != id {
		if _, err := m.parseID(id, false); err != nil {
			return nil, err
		}
	}
	return nil, errorItemNotFound()
}

// calendar is the one that the path names by its id, or else the default one. The
// caller holds the mutex.
func (q *request) calendar() (*calendar, error) {
	if id, given := q.params["calendar"]; given {
		return q.box.calendar(id)
	}
	return q.box.calendars[0], nil
}

// everywhere says that the path is below no calendar.
func (q *request) everywhere() bool {
	return q.params["calendar"] == "" && q.params["default"] == ""
}

// itemAt is the item that an entry stands for, or stood for before another move.
func (m *mailbox) itemAt(entry uint64) uint64 {
	if item, moved := m.moved[entry]; moved {
		return item
	}
	return entry
}

// makeCalendar makes another calendar.
func (m *mailbox) makeCalendar(name string) (*calendar, error) {
	if strings.TrimSpace(name) == "" {
		return nil, errorInvalid("A calendar needs a name.")
	}
	for _, one := range m.calendars {
		if strings.EqualFold(one.name, name) {
			return nil, failure(http.StatusConflict, "ErrorFolderExists", "A folder with the specified name already exists., Could not create folder '%s'.", name)
		}
	}
	m.folders++
	m.version++
	made := &calendar{folder: defaultFolder + m.folders, name: name, changeKey: m.changeKey(m.version)}
	made.id = m.calendarIdentity(made.folder)
	m.calendars = append(m.calendars, made)
	return made, nil
}

// dropCalendar deletes a calendar with all of its events. It is a folder that goes
// away: nobody is mailed, and copies of its meetings stay [U].
func (s *Server) dropCalendar(m *mailbox, actor string, one *calendar) error {
	if one.folder == defaultFolder {
		return badRequest("ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted.")
	}
	for _, e := range m.listed(one.folder) {
		s.remove(m, e, actor)
	}
	m.calendars = slices.DeleteFunc(m.calendars, func(other *calendar) bool { return other == one })
	return nil
}

// move takes an event, or a series as a whole, to another calendar: it gets
// another id of the default form and keeps the immutable one (7.3), and nobody
// else hears of it.
func (s *Server) move(m *mailbox, actor string, e *event, to *calendar) (*event, error) {
	if e.series != nil {
		return nil, errorInvalid("An occurrence can't be moved to another calendar: only its whole series can.")
	}
	if e.folder == to.folder {
		return e, nil
	}
	next := e.clone()
	m.items++
	next.folder, next.entry = to.folder, m.items
	m.moved[next.entry] = next.item
	delete(m.stale, next.item)
	s.store(m, next)
	m.bury(tombstone{key: e.key(), version: m.version, untold: s.chance(s.config.Switches.DeltaDeletionsMissing)})
	s.changed(m, next, "updated", actor)
	s.announceMove(m, e, next)
	return next, nil
}

// renderCalendar shows a calendar (11.1).
func (m *mailbox) renderCalendar(one *calendar) map[string]any {
	isDefault := one.folder == defaultFolder
	return map[string]any{
		"id": one.id, "name": one.name, "color": "auto", "hexColor": "", "isDefaultCalendar": isDefault,
		"changeKey": one.changeKey, "canShare": true, "canViewPrivateItems": true, "canEdit": true,
		"allowedOnlineMeetingProviders": []string{defaultProvider}, "defaultOnlineMeetingProvider": defaultProvider,
		"isTallyingResponses": isDefault, "isRemovable": !isDefault,
		"owner": person{m.person.Name, m.person.Address}.mailAddress(),
	}
}

// calendarProperties are those of 11.1.
var calendarProperties = slices.Collect(maps.Keys((&mailbox{}).renderCalendar(&calendar{})))

// selectCalendar reads a $select of the properties of a calendar.
func selectCalendar(value string) ([]string, error) {
	var selected []string
	for part := range strings.SplitSeq(value, ",") {
		part = strings.TrimSpace(part)
		if !slices.Contains(calendarProperties, part) {
			return nil, badRequest("RequestBroker--ParseUri", "Could not find a property named '%s' on type 'Microsoft.OutlookServices.Calendar'.", part)
		}
		selected = append(selected, part)
	}
	return selected, nil
}

// chosen is what a $select leaves of a calendar; an empty one leaves everything,
// and the id stays always.
func chosen(shown map[string]any, selected []string) map[string]any {
	if len(selected) > 0 {
		maps.DeleteFunc(shown, func(name string, _ any) bool { return name != "id" && !slices.Contains(selected, name) })
	}
	return shown
}

// readCalendarExpand reads what $expand=calendar has in its parentheses.
func readCalendarExpand(inner string, nested bool) ([]string, error) {
	if !nested {
		return nil, nil
	}
	selected, ok := strings.CutPrefix(strings.TrimSpace(inner), "$select=")
	if !ok {
		return nil, badRequest("ErrorInvalidUrlQuery", "The query parameter '$expand=calendar(%s)' is not supported.", inner)
	}
	return selectCalendar(selected)
}

// calendarOptions are the OData options of a read of calendars.
type calendarOptions struct {
	selected  []string
	top, skip int
}

// calendarOptions reads the allowed options and refuses all others.
func (q *request) calendarOptions(allowed ...string) (calendarOptions, error) {
	options := calendarOptions{top: defaultPage}
	if q.page > 0 {
		options.top = q.page
	}
	for name, values := range q.query {
		if !strings.HasPrefix(name, "$") {
			continue
		}
		if !slices.Contains(allowed, name) {
			return options, badRequest("ErrorInvalidUrlQuery", "The query parameter '%s' is not supported here.", name)
		}
		if name == "$select" {
			var err error
			if options.selected, err = selectCalendar(values[len(values)-1]); err != nil {
				return options, err
			}
			continue
		}
		var paging listOptions
		if err := paging.read(name, values[len(values)-1]); err != nil {
			return options, err
		}
		if name == "$top" {
			options.top = paging.top
		} else {
			options.skip = paging.skip
		}
	}
	return options, nil
}

// shownCalendar is the answer that carries one calendar.
func (s *Server) shownCalendar(q *request, status int, one *calendar, selected []string, of string) *answer {
	body := chosen(q.box.renderCalendar(one), selected)
	body["@odata.context"] = s.contextURL("users('" + q.box.objectID + "')/" + of + "/$entity")
	return &answer{status: status, body: body}
}

func (s *Server) getCalendar(_ context.Context, q *request) (*answer, error) {
	options, err := q.calendarOptions("$select")
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.unlock()
	found, err := q.calendar()
	if err != nil {
		return nil, err
	}
	of := "calendar"
	if _, given := q.params["calendar"]; given {
		of = "calendars"
	}
	return s.shownCalendar(q, http.StatusOK, found, options.selected, of), nil
}

// getCalendarOfEvent answers with the calendar that holds an event.
func (s *Server) getCalendarOfEvent(_ context.Context, q *request) (*answer, error) {
	options, err := q.calendarOptions("$select")
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.unlock()
	found, err := q.event()
	if err != nil {
		return nil, err
	}
	of := "events('" + url.PathEscape(q.params["event"]) + "')/calendar"
	return s.shownCalendar(q, http.StatusOK, q.box.calendarAt(found.folder), options.selected, of), nil
}

func (s *Server) listCalendars(_ context.Context, q *request) (*answer, error) {
	options, err := q.calendarOptions("$select", "$top", "$skip")
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.unlock()
	all := q.box.calendars
	from, to := min(options.skip, len(all)), min(options.skip+options.top, len(all))
	value := []any{}
	for _, one := range all[from:to] {
		value = append(value, chosen(q.box.renderCalendar(one), options.selected))
	}
	body := map[string]any{"@odata.context": s.contextURL("users('" + q.box.objectID + "')/calendars"), "value": value}
	if to < len(all) {
		next := maps.Clone(map[string][]string(q.query))
		next["$skip"], next["$top"] = []string{strconv.Itoa(to)}, []string{strconv.Itoa(options.top)}
		body["@odata.nextLink"] = s.config.BaseURL + "/v1.0" + escapePath(q.path) + "?" + url.Values(next).Encode()
	}
	return &answer{status: http.StatusOK, body: body}, nil
}

// postCalendar makes a calendar of a name; nothing else about it can be chosen
// here.
func (s *Server) postCalendar(_ context.Context, q *request) (*answer, error) {
	content, err := q.content()
	if err != nil {
		return nil, err
	}
	for property := range content {
		if property != "name" && !strings.Contains(property, "@odata.") {
			return nil, errorUnknownProperty(property, "Calendar")
		}
	}
	name, err := textOrNull(content["name"])
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.unlock()
	made, err := q.box.makeCalendar(name)
	if err != nil {
		return nil, err
	}
	return s.shownCalendar(q, http.StatusCreated, made, nil, "calendars"), nil
}

func (s *Server) deleteCalendar(_ context.Context, q *request) (*answer, error) {
	s.mutex.Lock()
	defer s.unlock()
	found, err := q.calendar()
	if err != nil {
		return nil, err
	}
	if err := s.dropCalendar(q.box, q.grant.actor(), found); err != nil {
		return nil, err
	}
	return &answer{status: http.StatusNoContent}, nil
}
