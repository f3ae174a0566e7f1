package outlook

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// The values of the enumerations (7.2). Requests may use any case.
var (
	showAsValues      = []string{"unknown", "free", "tentative", "busy", "oof", "workingElsewhere"}
	sensitivityValues = []string{"normal", "personal", "private", "confidential"}
	importanceValues  = []string{"low", "normal", "high"}
	attendeeValues    = []string{"required", "optional", "resource"}
	bodyValues        = []string{"text", "html"}
	providerValues    = []string{"unknown", "teamsForBusiness", "skypeForBusiness", "skypeForConsumer"}
)

// ignoredProperties are read-only: the service takes them and changes nothing,
// so that an event that was read can be written back.
var ignoredProperties = map[string]bool{
	"id": true, "changeKey": true, "createdDateTime": true, "lastModifiedDateTime": true, "iCalUId": true,
	"bodyPreview": true, "isOrganizer": true, "isCancelled": true, "isDraft": true, "hasAttachments": true,
	"organizer": true, "responseStatus": true, "seriesMasterId": true, "type": true, "webLink": true,
	"originalStart": true, "originalStartTimeZone": true, "originalEndTimeZone": true, "onlineMeeting": true,
	"onlineMeetingUrl": true, "cancelledOccurrences": true,
}

// maximumAttendees is the limit of 8.16.
const maximumAttendees = 500

// apply writes the properties of a request body into e.
func (s *Server) apply(e *event, content map[string]any, creating bool) error {
	for name, value := range content {
		if strings.Contains(name, "@odata.") || ignoredProperties[name] {
			continue
		}
		if err := s.applyOne(e, name, value, content, creating); err != nil {
			return err
		}
	}
	before := *e
	if err := s.applyTimes(e, content, creating); err != nil {
		return err
	}
	if err := s.applyRecurrence(&before, e, content); err != nil {
		return err
	}
	if s.config.Switches.NoOnlineMeetings {
		return nil
	}
	return applyOnline(e, content)
}

func (s *Server) applyOne(e *event, name string, value any, content map[string]any, creating bool) (err error) {
	switch name {
	case "start", "end", "isAllDay", "recurrence", "isOnlineMeeting", "onlineMeetingProvider":
		return nil // taken together afterwards
	case "subject":
		e.subject, err = textOrNull(value)
	case "body":
		e.body, err = parseBody(value)
	case "importance":
		e.importance, err = enumeration(value, importanceValues, "Importance")
	case "sensitivity":
		e.sensitivity, err = enumeration(value, sensitivityValues, "Sensitivity")
	case "showAs":
		e.showAs, err = enumeration(value, showAsValues, "FreeBusyStatus")
	case "isReminderOn":
		err = boolean(value, &e.reminderOn)
	case "responseRequested":
		err = boolean(value, &e.responseRequested)
	case "allowNewTimeProposals":
		err = boolean(value, &e.proposals)
	case "hideAttendees":
		err = boolean(value, &e.hideAttendees)
	case "reminderMinutesBeforeStart":
		if value == nil {
			return errorBody()
		}
		err = integer(value, &e.reminderMinutes)
	case "categories":
		e.categories, err = texts(value)
	case "attendees":
		err = s.applyAttendees(e, value)
	case "location":
		if content["locations"] == nil { // 7.17: locations say more
			err = applyLocations(e, []any{value})
		}
	case "locations":
		list, ok := value.([]any)
		if !ok {
			return errorBody()
		}
		err = applyLocations(e, list)
	case "singleValueExtendedProperties":
		err = applyExtended(e, value)
	case "transactionId":
		if !creating {
			return badRequest("ErrorInvalidPropertySet", "The property 'TransactionId' can only be set when an event is created.")
		}
		e.transactionID, err = textOrNull(value)
	case "attachments", "extensions", "multiValueExtendedProperties", "exceptionOccurrences", "instances":
		list, ok := value.([]any)
		if !ok {
			return errorBody()
		}
		if len(list) > 0 {
			return errorInvalid("This simulator does not take '%s'.", name)
		}
	default:
		return errorUnknownProperty(name, "Event")
	}
	return err
}

func textOrNull(value any) (string, error) {
	if value == nil {
		return "", nil
	}
	text, ok := value.(string)
	if !ok {
		return "", errorBody()
	}
	return text, nil
}

func boolean(value any, into *bool) error {
	given, ok := value.(bool)
	if !ok {
		return errorBody()
	}
	*into = given
	return nil
}

func texts(value any) ([]string, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, errorBody()
	}
	var found []string
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			return nil, errorBody()
		}
		found = append(found, text)
	}
	return found, nil
}

func enumeration(value any, allowed []string, kind string) (string, error) {
	text, ok := value.(string)
	if !ok {
		return "", errorBody()
	}
	for _, candidate := range allowed {
		if strings.EqualFold(candidate, text) {
			return candidate, nil
		}
	}
	return "", badRequest("RequestBodyRead", "Cannot convert the literal '%s' to the expected type 'Microsoft.OutlookServices.%s'.", text, kind)
}

// object takes a JSON object with known members only.
func object(value any, kind string, members ...string) (map[string]any, error) {
	given, ok := value.(map[string]any)
	if !ok {
		return nil, errorBody()
	}
	for name := range given {
		if !slices.Contains(members, name) && !strings.Contains(name, "@odata.") {
			return nil, errorUnknownProperty(name, kind)
		}
	}
	return given, nil
}

func parseBody(value any) (string, error) {
	if value == nil {
		return emptyBody, nil
	}
	given, err := object(value, "ItemBody", "contentType", "content")
	if err != nil {
		return "", err
	}
	contentType := "text"
	if given["contentType"] != nil {
		if contentType, err = enumeration(given["contentType"], bodyValues, "BodyType"); err != nil {
			return "", err
		}
	}
	content, err := textOrNull(given["content"])
	if err != nil {
		return "", err
	}
	return acceptBody(contentType, content), nil
}

func (s *Server) applyAttendees(e *event, value any) error {
	list, ok := value.([]any)
	if !ok {
		return errorBody() // also for null (8.15)
	}
	var next []attendee
	for _, item := range list {
		given, err := object(item, "Attendee", "emailAddress", "type", "status", "proposedNewTime")
		if err != nil {
			return err
		}
		mail, err := object(given["emailAddress"], "EmailAddress", "name", "address")
		if err != nil {
			return err
		}
		address, err := textOrNull(mail["address"])
		if err != nil {
			return err
		}
		address = strings.TrimSpace(address)
		if local, domain, found := strings.Cut(address, "@"); !found || local == "" || domain == "" {
			return badRequest("ErrorInvalidRecipients", "At least one recipient isn't valid., Recipient '%s' isn't resolved.", address)
		}
		name, err := textOrNull(mail["name"])
		if err != nil {
			return err
		}
		kind := "required"
		if given["type"] != nil {
			if kind, err = enumeration(given["type"], attendeeValues, "AttendeeType"); err != nil {
				return err
			}
		}
		if findAttendee(next, address) >= 0 {
			continue // one entry for each person
		}
		entry := attendee{person: person{name, address}, kind: kind, response: "none"}
		if at := findAttendee(e.attendees, address); at >= 0 { // who stays has answered already
			entry.response, entry.time, entry.source = e.attendees[at].response, e.attendees[at].time, e.attendees[at].source
			if name == "" {
				entry.person.name = e.attendees[at].person.name
			}
		}
		if entry.person.name == "" {
			entry.person.name = address
			if known := s.find(address); known != nil {
				entry.person.name = known.person.Name
			}
		}
		next = append(next, entry)
	}
	if len(next) > maximumAttendees {
		return errorInvalid("The event has %d attendees; the maximum is %d.", len(next), maximumAttendees)
	}
	e.attendees = next
	return nil
}

func applyLocations(e *event, list []any) error {
	var next []location
	for _, item := range list {
		if item == nil {
			continue
		}
		given, err := object(item, "Location", "displayName", "locationUri", "locationType", "address", "coordinates",
			"locationEmailAddress", "uniqueId", "uniqueIdType")
		if err != nil {
			return err
		}
		place := location{more: map[string]any{}}
		if place.displayName, err = textOrNull(given["displayName"]); err != nil {
			return err
		}
		for name, member := range given {
			if name != "displayName" && member != nil && !strings.Contains(name, "@odata.") {
				place.more[name] = member
			}
		}
		if place.displayName != "" || place.more["locationUri"] != nil || place.more["locationEmailAddress"] != nil {
			next = append(next, place)
		}
	}
	e.locations = next
	return nil
}

var extendedID = regexp.MustCompile(`(?i)^(String|Integer|Boolean|Double|SystemTime|CLSID|Binary|Short|Long|Float|Currency|ApplicationTime) +\{([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\} +(Name|Id) +(.+)$`)

// extendedKey brings the id of an extended property into one form; its name is
// case-sensitive, the rest is not (7.18).
func extendedKey(id string) (string, error) {
	parts := extendedID.FindStringSubmatch(strings.TrimSpace(id))
	if parts == nil {
		return "", badRequest("ErrorInvalidProperty", "The property id '%s' is not of the form 'type {guid} Name name' or 'type {guid} Id id'.", id)
	}
	kind := strings.ToUpper(parts[1][:1]) + parts[1][1:]
	return kind + " {" + strings.ToLower(parts[2]) + "} " + strings.ToUpper(parts[3][:1]) + strings.ToLower(parts[3][1:]) + " " + parts[4], nil
}

func applyExtended(e *event, value any) error {
	list, ok := value.([]any)
	if !ok {
		return errorBody()
	}
	for _, item := range list {
		given, err := object(item, "SingleValueLegacyExtendedProperty", "id", "value")
		if err != nil {
			return err
		}
		id, err := textOrNull(given["id"])
		if err != nil {
			return err
		}
		key, err := extendedKey(id)
		if err != nil {
			return err
		}
		text, err := textOrNull(given["value"])
		if err != nil {
			return err
		}
		if e.extended == nil {
			e.extended = map[string]string{}
		}
		if given["value"] == nil {
			delete(e.extended, key)
			continue
		}
		e.extended[key] = text
	}
	return nil
}

// moment is a dateTimeTimeZone of a request.
type moment struct {
	instant time.Time
	zone    zone
}

func (s *Server) parseMoment(value any) (moment, error) {
	given, err := object(value, "DateTimeTimeZone", "dateTime", "timeZone")
	if err != nil {
		return moment{}, err
	}
	text, err := textOrNull(given["dateTime"])
	if err != nil {
		return moment{}, err
	}
	name, err := textOrNull(given["timeZone"])
	if err != nil {
		return moment{}, err
	}
	in := utc
	if name != "" {
		if in, err = parseZone(name, s.config.Switches.AcceptEveryZone); err != nil {
			return moment{}, err
		}
		in.name = name
	}
	instant, err := parseLocal(text, in)
	return moment{instant: instant, zone: in}, err
}

// applyTimes takes start, end and isAllDay together, since they depend on each
// other (7.11).
func (s *Server) applyTimes(e *event, content map[string]any, creating bool) error {
	start, startGiven := content["start"]
	end, endGiven := content["end"]
	allDay, allDayGiven := content["isAllDay"]
	if creating && (start == nil || end == nil) {
		return errorValidation()
	}
	if !startGiven && !endGiven && !allDayGiven {
		return nil
	}
	wasAllDay := e.allDay
	if allDayGiven {
		if err := boolean(allDay, &e.allDay); err != nil {
			return err
		}
	}
	from, err := s.momentOf(startGiven, start, e.start, e.startZone, wasAllDay)
	if err != nil {
		return err
	}
	to, err := s.momentOf(endGiven, end, e.end, e.endZone, wasAllDay)
	if err != nil {
		return err
	}
	if e.allDay {
		if !midnight(from) {
			return errorInvalid("The Event.Start property for an all-day event needs to be set to midnight.")
		}
		if !midnight(to) {
			return errorInvalid("The Event.End property for an all-day event needs to be set to midnight.")
		}
		if !strings.EqualFold(from.zone.name, to.zone.name) {
			return errorInvalid("The Event.Start and Event.End properties for an all-day event need to be in the same time zone.")
		}
		from.instant, to.instant = date(from), date(to)
		if !to.instant.After(from.instant) {
			return errorInvalid("The duration of an all-day event must be at least 24 hours.")
		}
	}
	if to.instant.Before(from.instant) {
		return errorValidation()
	}
	e.start, e.end = from.instant.UTC(), to.instant.UTC()
	e.startZone, e.endZone = from.zone.name, to.zone.name
	return nil
}

// momentOf is the given value, or else the stored one in the zone it was set
// in; the dates of an all-day event stand for midnights there.
func (s *Server) momentOf(given bool, value any, stored time.Time, storedZone string, wasAllDay bool) (moment, error) {
	if given {
		return s.parseMoment(value)
	}
	in, err := parseZone(storedZone, true)
	if err != nil {
		return moment{}, err
	}
	in.name = storedZone
	if wasAllDay {
		year, month, day := stored.UTC().Date()
		stored = time.Date(year, month, day, 0, 0, 0, 0, in.location)
	}
	return moment{instant: stored, zone: in}, nil
}

func midnight(m moment) bool {
	local := m.instant.In(m.zone.location)
	return local.Hour() == 0 && local.Minute() == 0 && local.Second() == 0 && local.Nanosecond() == 0
}

func date(m moment) time.Time {
	year, month, day := m.instant.In(m.zone.location).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}
