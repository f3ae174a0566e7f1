package outlook

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// event is one copy of an appointment or meeting, in one mailbox. A stored event
// is never changed: writers clone it first.
type event struct {
	item      uint64
	folder    uint64 // the calendar
	entry     uint64 // see key
	version   uint64
	changeKey string
	iCalUID   string
	created   time.Time
	modified  time.Time

	subject         string
	body            string // always HTML
	start, end      time.Time
	allDay          bool // then start and end are midnights in UTC, standing for dates
	startZone       string
	endZone         string
	locations       []location
	attendees       []attendee
	organizer       person
	importance      string
	sensitivity     string
	showAs          string
	categories      []string
	reminderOn      bool
	reminderMinutes int

	responseRequested bool
	proposals         bool // allowNewTimeProposals
	hideAttendees     bool
	cancelled         bool
	answer            string // the owner's: organizer, none, notResponded, accepted, …
	answered          time.Time

	online         bool
	onlineProvider string
	joinURL        string

	transactionID string
	extended      map[string]string // single value extended properties by id

	// A series master has a rule. Its days (see recurrence) name the occurrences:
	// those that differ from the master are exceptions, those deleted are gone.
	recurrence *recurrence
	exceptions map[time.Time]*event
	gone       map[time.Time]bool
	resets     uint64 // how often exceptions and deletions were dropped; copies follow
	reported   uint64 // the version that delta rounds tell; behind version only after a silent deletion

	// An occurrence is made from its master when it is asked for. series is the
	// master as it was then, nil in what a master stores; slot is the day that
	// the rule gives it.
	series *event
	slot   time.Time
	own    map[string]bool // of an exception: the properties that are not the master's
}

type person struct{ name, address string }

type location struct {
	displayName string
	more        map[string]any // locationUri, address, coordinates, uniqueId, … as given
}

type attendee struct {
	person   person
	kind     string // required, optional or resource
	response string
	time     time.Time
	source   uint64 // version of the attendee's mailbox that the answer came from
	alone    bool   // the answer is to this one occurrence of a series
}

func (e *event) clone() *event {
	copied := *e
	copied.locations = slices.Clone(e.locations)
	copied.attendees = slices.Clone(e.attendees)
	copied.categories = slices.Clone(e.categories)
	copied.extended = maps.Clone(e.extended)
	copied.exceptions = maps.Clone(e.exceptions)
	copied.gone = maps.Clone(e.gone)
	copied.own = maps.Clone(e.own)
	return &copied
}

// organized tells whether the mailbox owner is the organizer.
func (e *event) organized(m *mailbox) bool {
	return strings.EqualFold(e.organizer.address, m.person.Address)
}

// invited are the attendees other than the organizer, who may stand in the list
// too but is never written to.
func (e *event) invited() []attendee {
	var others []attendee
	for _, a := range e.attendees {
		if !strings.EqualFold(a.person.address, e.organizer.address) {
			others = append(others, a)
		}
	}
	return others
}

func findAttendee(list []attendee, address string) int {
	return slices.IndexFunc(list, func(a attendee) bool { return strings.EqualFold(a.person.address, address) })
}

func (e *event) key() key { return key{item: e.item, folder: e.folder, entry: e.entry, slot: e.slot} }

// kind is the type of 7.2.
func (e *event) kind() string {
	switch {
	case e.recurrence != nil:
		return "seriesMaster"
	case e.series == nil:
		return "singleInstance"
	case e.series.exceptions[e.slot] != nil:
		return "exception"
	}
	return "occurrence"
}

// overlaps uses UTC midnights for all-day events (6.14). An event without
// duration counts at its start.
func (e *event) overlaps(from, to time.Time) bool {
	if e.start.Equal(e.end) {
		return !e.start.Before(from) && e.start.Before(to)
	}
	return e.start.Before(to) && e.end.After(from)
}

// view says how an answer shows events.
type view struct {
	immutable bool // Prefer: IdType="ImmutableId"
	zone      zone // Prefer: outlook.timezone; UTC by default
	text      bool // Prefer: outlook.body-content-type="text"
	person    bool // a person looks, not an application
}

// render shows a whole event in the shape of 7.1 and 7.22.
func (s *Server) render(m *mailbox, e *event, v view) map[string]any {
	in := v.zone
	if in.location == nil {
		in = utc
	}
	start, end := zonedTime(e.start, in), zonedTime(e.end, in)
	if e.allDay { // 7.11: midnight whatever zone was preferred
		start["dateTime"], end["dateTime"] = e.start.UTC().Format(instantLayout), e.end.UTC().Format(instantLayout)
	}
	shown := map[string]any{
		"@odata.etag":                e.etag(),
		"id":                         m.idOf(e.key(), v.immutable),
		"changeKey":                  e.changeKey,
		"createdDateTime":            offsetTime(e.created),
		"lastModifiedDateTime":       offsetTime(e.modified),
		"iCalUId":                    orNull(s.shownUID(e)),
		"transactionId":              orNull(e.transactionID),
		"subject":                    e.subject,
		"bodyPreview":                preview(e.body),
		"body":                       showBody(e.body, v.text),
		"start":                      start,
		"end":                        end,
		"originalStartTimeZone":      e.startZone,
		"originalEndTimeZone":        e.endZone,
		"isAllDay":                   e.allDay,
		"isCancelled":                e.cancelled,
		"isOrganizer":                e.organized(m),
		"isDraft":                    false,
		"hasAttachments":             false,
		"importance":                 e.importance,
		"sensitivity":                e.sensitivity,
		"showAs":                     e.showAs,
		"categories":                 append([]string{}, e.categories...),
		"isReminderOn":               e.reminderOn,
		"reminderMinutesBeforeStart": e.reminderMinutes,
		"responseRequested":          e.responseRequested,
		"allowNewTimeProposals":      e.proposals,
		"hideAttendees":              e.hideAttendees,
		"responseStatus":             response(e.answer, e.answered),
		"organizer":                  s.shownOrganizer(e, v).recipient(),
		"type":                       e.kind(),
		"seriesMasterId":             nil,
		"recurrence":                 nil,
		"originalStart":              nil,
		"webLink":                    "https://outlook.office365.com/owa/?itemid=" + url.QueryEscape(m.defaultID(e.key())) + "&exvsurl=1&path=/calendar/item",
		"isOnlineMeeting":            e.online,
		"onlineMeetingProvider":      e.onlineProvider,
		"onlineMeetingUrl":           nil,
		"onlineMeeting":              nil,
	}
	if e.recurrence != nil {
		shown["recurrence"] = e.recurrence.render()
	}
	if e.series != nil {
		original, _ := e.series.timesOn(e.slot)
		shown["originalStart"] = offsetTime(original)
		shown["seriesMasterId"] = m.idOf(e.key().whole(), v.immutable)
	}
	if e.joinURL != "" {
		shown["onlineMeeting"] = map[string]any{"joinUrl": e.joinURL}
	}
	attendees := []any{}
	for _, a := range e.attendees {
		attendees = append(attendees, map[string]any{
			"type": a.kind, "status": response(a.response, a.time), "emailAddress": a.person.mailAddress(),
		})
	}
	shown["attendees"] = attendees
	places := []any{}
	for _, place := range e.locations {
		places = append(places, place.render())
	}
	shown["locations"] = places
	shown["location"] = location{}.render()
	if len(e.locations) > 0 {
		names := []string{}
		for _, place := range e.locations {
			names = append(names, place.displayName)
		}
		first := e.locations[0].render()
		first["displayName"] = strings.Join(names, "; ")
		shown["location"] = first
	}
	return shown
}

func (e *event) etag() string { return `W/"` + e.changeKey + `"` }

// shownUID is the iCalUId of an answer; sources disagree about that of
// occurrences (7.4).
func (s *Server) shownUID(e *event) string {
	if s.config.Switches.UIDNull {
		return ""
	}
	if e.series != nil && s.config.Switches.OccurrencesShareUID {
		return e.series.iCalUID
	}
	return e.iCalUID
}

// shownOrganizer is the organizer of an answer: personal accounts stand there
// under an alias (13.17).
func (s *Server) shownOrganizer(e *event, v view) person {
	if s.config.Switches.OrganizerAlias && !v.person && s.find(e.organizer.address) != nil {
		alias := strings.ToUpper(strings.ReplaceAll(s.guid("alias "+strings.ToLower(e.organizer.address)), "-", ""))[:16]
		return person{e.organizer.name, "outlook_" + alias + "@outlook.com"}
	}
	return e.organizer
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func response(answer string, at time.Time) map[string]any {
	if at.IsZero() {
		return map[string]any{"response": answer, "time": noTime}
	}
	return map[string]any{"response": answer, "time": offsetTime(at)}
}

func (p person) mailAddress() map[string]any {
	return map[string]any{"name": p.name, "address": p.address}
}

func (p person) recipient() map[string]any {
	return map[string]any{"emailAddress": p.mailAddress()}
}

func (l location) render() map[string]any {
	shown := map[string]any{"displayName": l.displayName, "locationType": "default", "uniqueIdType": "unknown", "address": map[string]any{}, "coordinates": map[string]any{}}
	if l.displayName != "" {
		shown["uniqueId"], shown["uniqueIdType"] = l.displayName, "private"
	}
	maps.Copy(shown, l.more)
	return shown
}
