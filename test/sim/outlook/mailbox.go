package outlook

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// mailbox is one person's calendars. Everything in it is guarded by the server's
// mutex; an *event in it is never changed, only replaced.
type mailbox struct {
	person    Person
	objectID  string
	guid      string // 36 characters, part of the ids
	database  []byte // 16 bytes, part of the ids and change keys
	zone      zone
	calendars []*calendar // the default one is the first
	folders   uint64      // calendars made besides it

	events       map[uint64]*event // by item number
	moved        map[uint64]uint64 // the entry that each move gave, to item number
	byUID        map[string]uint64 // iCalUId to item number
	transactions map[string]transaction
	twins        map[string]uint64    // content of creates to item number; see TwinsMerged
	stale        map[uint64]staleness // by item number; see StaleExceptions
	followed     map[string]uint64    // iCalUId to the version of the organizer's event last received
	items        uint64               // item numbers and entries given out
	version      uint64               // counts saves: change keys and delta positions
	tombstones   []tombstone
	forgotten    uint64 // version of the newest tombstone no longer kept
	generation   int    // delta tokens of earlier generations are gone
	wedge        Wedge
}

// tombstone remembers a deleted event for delta rounds.
type tombstone struct {
	key
	version uint64
	untold  bool
}

// transaction remembers what a transactionId was used for (7.14).
type transaction struct {
	item    uint64
	content string
}

// staleness is what reads of a series show until they are up to date.
type staleness struct {
	shown *event
	until time.Time
}

// staleFor is how long they are not.
const staleFor = 2 * time.Second

// maximumTombstones bounds the memory of deletions; delta tokens older than the
// ones dropped answer 410 (6.8).
const maximumTombstones = 10000

func (s *Server) open(person Person) (*mailbox, error) {
	if person.TimeZone == "" {
		person.TimeZone = "UTC"
	}
	in, err := parseZone(person.TimeZone, true)
	if err != nil {
		return nil, err
	}
	folded := strings.ToLower(person.Address)
	m := &mailbox{
		person: person, objectID: person.ObjectID, zone: in,
		guid:         s.guid("mailbox " + folded),
		database:     s.hash("database " + folded)[:16],
		events:       map[uint64]*event{},
		moved:        map[uint64]uint64{},
		byUID:        map[string]uint64{},
		transactions: map[string]transaction{},
		twins:        map[string]uint64{},
		stale:        map[uint64]staleness{},
		followed:     map[string]uint64{},
	}
	if m.objectID == "" {
		m.objectID = s.guid("person " + folded)
	}
	m.calendars = []*calendar{{folder: defaultFolder, id: m.calendarIdentity(defaultFolder), name: "Calendar", changeKey: m.changeKey(0)}}
	return m, nil
}

// find returns the mailbox of an address, or nil for people elsewhere.
func (s *Server) find(address string) *mailbox {
	for _, m := range s.people {
		if strings.EqualFold(m.person.Address, address) {
			return m
		}
	}
	return nil
}

// save stores a new version of an event and lets everybody know.
func (s *Server) save(m *mailbox, e *event, actor string) {
	kind := "updated"
	if m.events[e.item] == nil {
		kind = "created"
	}
	s.store(m, e)
	s.changed(m, e, kind, actor)
	s.announce(m, e, kind)
}

func (s *Server) store(m *mailbox, e *event) {
	m.version++
	e.version, e.reported = m.version, m.version
	e.changeKey = m.changeKey(m.version)
	e.modified = s.now()
	m.events[e.item] = e
	m.byUID[e.iCalUID] = e.item
}

// remove takes an event out of the calendar, as a deletion or a move to Deleted
// Items does; both are one to those who watch the calendar (3.10).
func (s *Server) remove(m *mailbox, e *event, actor string) {
	if e.series != nil {
		s.removeOccurrence(m, e, actor)
		return
	}
	m.version++
	delete(m.events, e.item)
	if m.byUID[e.iCalUID] == e.item {
		delete(m.byUID, e.iCalUID)
	}
	if e.transactionID != "" {
		delete(m.transactions, e.transactionID)
	}
	m.bury(tombstone{key: e.key(), version: m.version, untold: s.chance(s.config.Switches.DeltaDeletionsMissing)})
	s.changed(m, e, "deleted", actor)
	s.announce(m, e, "deleted")
}

// bury keeps a deletion for delta rounds.
func (m *mailbox) bury(t tombstone) {
	m.tombstones = append(m.tombstones, t)
	if extra := len(m.tombstones) - maximumTombstones; extra > 0 {
		m.forgotten = m.tombstones[extra-1].version
		m.tombstones = slices.Clone(m.tombstones[extra:])
	}
}

func (s *Server) changed(m *mailbox, e *event, kind, actor string) {
	s.changes = append(s.changes, Change{
		Mailbox: m.person.Address, EventID: m.defaultID(e.key()), ICalUID: e.iCalUID,
		Kind: kind, Actor: actor, Time: s.now(),
	})
}

// newEvent starts an event of the default calendar with the defaults of 7.7 and
// 7.22.
func (s *Server) newEvent(m *mailbox) *event {
	m.items++
	created := s.now()
	return &event{
		item: m.items, folder: defaultFolder, entry: m.items, created: created, modified: created,
		body: emptyBody, importance: "normal", sensitivity: "normal", showAs: "busy",
		reminderOn: true, reminderMinutes: 15, responseRequested: true, proposals: true,
		onlineProvider: "unknown", answer: "organizer", organizer: person{m.person.Name, m.person.Address},
	}
}

// listed returns the events of a calendar in the order of their creation.
func (m *mailbox) listed(folder uint64) []*event {
	all := make([]*event, 0, len(m.events))
	for _, e := range m.events {
		if e.folder == folder {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *event) int { return cmp.Compare(a.item, b.item) })
	return all
}

// overlapping returns the events of a calendar that overlap a window, by start,
// with the occurrences of a series instead of its master (8.13).
func (m *mailbox) overlapping(folder uint64, from, to time.Time) []*event {
	var found []*event
	for _, e := range m.listed(folder) {
		if e.recurrence != nil {
			found = append(found, e.occurrences(from, to)...)
		} else if e.overlaps(from, to) {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b *event) int { return a.start.Compare(b.start) })
	return found
}

// ForgetDeltaTokens makes every delta token of a mailbox too old: the next use
// answers 410 (6.7). It tells whether the mailbox exists.
func (s *Server) ForgetDeltaTokens(address string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	m := s.find(address)
	if m == nil {
		return false
	}
	m.generation++
	return true
}
