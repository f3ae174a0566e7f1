package nightpos_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ignoredReasons is everything of the recordings that is not compared as it
// stands, and why. The replay logs those that it met.
var ignoredReasons = map[string]string{
	"error.data.debug":                         "the traceback of a Python program; the recordings left it out",
	"write_date, create_date":                  "another clock: paired instead, so that what was written together was written together here, in the same order",
	"ids":                                      "another database: paired instead, so that one recorded record is one record here",
	"webhook Content-Length":                   "it differs with the ids; the body is compared byte by byte with what Python writes",
	"search_count of mail.mail":                "what the server had sent before: its growth is compared instead",
	"search_count of mail.message":             "what was in the chatter before: its growth is compared instead",
	"order of attendees":                       "in some recordings (disorderly): one moment's attendees come as they lie in PostgreSQL's pages, which had room in front",
	"order of events":                          "in some recordings (tied): events that begin together, and are sorted by their beginning, come as PostgreSQL's sorting happened to leave them",
	"order of instants":                        "of the two writes at once (346): in 17 the one that began later sent its webhook first",
	"default_key":                              "it is secret: every recorded one is all zeros",
	"text of database errors":                  "it quotes the statement, which there is none of here",
	"rest of the session info":                 "what the web client needs to draw itself",
	"session.partner_write_date":               "when the recorded people were made, which was before these recordings",
	"session.web.base.url":                     "an administrator had signed in at another address meanwhile, which changes it",
	"order of ir.model":                        "the recorded one follows no rule that we know of",
	"ir.actions.server.webhook_sample_payload": "made of whatever event comes first in the database",
	"calendar.attendee.access_token":           "random",
	"calendar.event.access_token":              "random",
}

// excludedRecordings are the recordings of the list that are not replayed, and
// why.
var excludedRecordings = map[string]string{
	"062-xmlrpc": "of calls over XML-RPC only the status was recorded, and the simulator does not speak it",
}

// excludedExchanges are calls inside replayed recordings that are not, by
// recording and label, and why.
var excludedExchanges = map[string]string{
	"001-version-authenticate / db.list":                           "the recorded server had a database for each version",
	"003-users-setup / admin: res.users.search":                    peopleThere,
	"003-users-setup / admin: res.users.create":                    peopleThere,
	"003-users-setup / admin: res.partner.search":                  peopleThere,
	"003-users-setup / admin: res.partner.create":                  peopleThere,
	"063-none-results / XML-RPC: a method that returns None":       "of calls over XML-RPC only the status was recorded",
	"423-first-day-not-in-rule / alice: calendar.event.search":     "it finds every event without a recurrence, which were more than were recorded",
	"430-description-contact-details / alice: calendar.event.copy": "copying an event is not simulated, and nothing was read of the copy",
	"432-session-info / GET /odoo":                                 pagesForPeople,
	"432-session-info / GET /web":                                  pagesForPeople,
	"432-session-info / GET /web/login":                            pagesForPeople,
	"432-session-info / GET /json/1/calendar.event":                "the API that only reads is not simulated",
	"650-server-action / write of a missing id":                    missingTold,
	"651-server-action-json2 / write of a missing id":              missingTold,
	"651-server-action-json2 / durations":                          "what the web client offers to choose from is not simulated",
	"800-json2-crud / search_count":                                "it counts what was there before these recordings",
	"804-json2-wire / latin1 bytes":                                "its body was not recorded",
	"804-json2-wire / gzip accepted?":                              "it reads a hundred events of series; that nothing is compressed holds for every call",
	"804-json2-wire / doc index":                                   "the pages that describe the API are not simulated",
	"804-json2-wire / doc index as alice":                          "the pages that describe the API are not simulated",
	"063-none-results / XML-RPC: action_mass_deletion":             "of calls over XML-RPC only the status was recorded",
}

// peopleThere is why the recorded people are not made once more.
const peopleThere = "a simulator comes with the people that this recording makes, under the same ids"

// pagesForPeople is why NightPOS's own pages are not compared.
const pagesForPeople = "NightPOS's own pages are not simulated"

// missingTold is why the action's error is not compared.
const missingTold = "the gateway's action, which is the one simulated, answers with \"missing\" instead of an error"

// ignoredFields counts what was ignored.
type ignoredFields struct {
	used map[string]int
	// counts are by how much more records of a model there are here.
	counts map[string]float64
}

func newIgnoredFields() *ignoredFields {
	return &ignoredFields{used: map[string]int{}, counts: map[string]float64{}}
}

func (i *ignoredFields) use(name string) {
	if ignoredReasons[name] == "" {
		panic("ignored without a reason: " + name)
	}
	i.used[name]++
}

// field says whether a model's field is not compared.
func (i *ignoredFields) field(model, name string) bool {
	name = model + "." + name
	if _, ignored := ignoredReasons[name]; !ignored {
		return false
	}
	i.use(name)
	return true
}

// String lists what was ignored, how often and why.
func (i *ignoredFields) String() string {
	var list strings.Builder
	for _, name := range slices.Sorted(maps.Keys(i.used)) {
		fmt.Fprintf(&list, "\n%6d × %s: %s", i.used[name], name, ignoredReasons[name])
	}
	return list.String()
}
