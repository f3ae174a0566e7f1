package nightpos

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// record is one row. A committed record is never changed: writers clone it.
type record struct {
	model   string
	id      int
	version uint64
	values  map[string]any
}

func (r *record) clone() *record {
	return &record{model: r.model, id: r.id, version: r.version, values: maps.Clone(r.values)}
}

// table holds the committed records of a model.
type table struct {
	records map[int]*record
	last    int
	// children are the ids of records by what they refer to.
	children map[int]map[int]bool
	index    index
}

// key names a record.
type key struct {
	model string
	id    int
}

func byKey(a, b key) int {
	return cmp.Or(cmp.Compare(a.model, b.model), a.id-b.id)
}

// transaction sees what is committed and what it wrote itself. Nobody else sees
// the latter until commit. It is used by one goroutine.
type transaction struct {
	server  *Server
	uid     int
	context map[string]any
	sudo    bool
	// started is write_date for everything written here.
	started time.Time
	// written holds what was written; nil for deleted.
	written map[key]*record
	// seen is the committed version each written record had at first.
	seen map[key]uint64
	// changed events and mails are told after the commit; true for deleted.
	changed map[int]bool
	mails   *[]Mail
	// fresh are the events of recurrences made here, in the order in which they
	// were.
	fresh map[int][]int
	// referred are the ids of written records by what they refer to, or did.
	referred map[key]map[int]bool
	// posts are the webhooks that leave after the commit, in 19.
	posts *[]post
}

// post is a webhook about to be sent.
type post struct {
	address string
	body    []byte
}

func (s *Server) begin(uid int, context map[string]any) *transaction {
	if context == nil {
		context = map[string]any{}
	}
	return &transaction{
		server: s, uid: uid, context: context, started: s.now().UTC().Truncate(time.Microsecond),
		written: map[key]*record{}, seen: map[key]uint64{}, changed: map[int]bool{}, mails: &[]Mail{},
		posts: &[]post{}, fresh: map[int][]int{}, referred: map[key]map[int]bool{},
	}
}

// nineteen says that the version is 19 or later.
func (t *transaction) nineteen() bool { return t.server.config.Version >= 19 }

// as is the same transaction with other rights or another context.
func (t *transaction) as(sudo bool, context map[string]any) *transaction {
	other := *t
	other.sudo = sudo
	if context != nil {
		other.context = context
	}
	return &other
}

func (t *transaction) get(model string, id int) *record {
	if found, ok := t.written[key{model, id}]; ok {
		return found
	}
	t.server.mutex.Lock()
	defer t.server.mutex.Unlock()
	return t.server.tables[model].records[id]
}

// all returns the records of a model in the order of their ids.
func (t *transaction) all(model string) []*record {
	found := map[int]*record{}
	t.server.mutex.Lock()
	maps.Copy(found, t.server.tables[model].records)
	t.server.mutex.Unlock()
	for name, written := range t.written {
		switch {
		case name.model != model:
		case written == nil:
			delete(found, name.id)
		default:
			found[name.id] = written
		}
	}
	ids := slices.Sorted(maps.Keys(found))
	records := make([]*record, len(ids))
	for index, id := range ids {
		records[index] = found[id]
	}
	return records
}

// parents are the references by which records are found from the other side.
var parents = map[string]string{"calendar.attendee": "event_id", "mail.message": "res_id", "calendar.event": "recurrence_id"}

// attendees are an event's, in the order of their ids.
func (t *transaction) attendees(event int) []*record { return t.children("calendar.attendee", event) }

// children are the records of a model that refer to a parent, in the order of
// their ids.
func (t *transaction) children(model string, parent int) []*record {
	var ids []int
	t.server.mutex.Lock()
	for id := range t.server.tables[model].children[parent] {
		ids = append(ids, id)
	}
	t.server.mutex.Unlock()
	for id := range t.referred[key{model, parent}] {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	var found []*record
	for _, id := range ids {
		if child := t.get(model, id); child != nil && intOf(child.values[parents[model]]) == parent {
			found = append(found, child)
		}
	}
	return found
}

// insert adds a record. Its id is gone even if the transaction is rolled back.
func (t *transaction) insert(model string, values map[string]any) *record {
	t.server.mutex.Lock()
	table := t.server.tables[model]
	table.last++
	id := table.last
	t.server.mutex.Unlock()
	values["create_date"], values["write_date"] = t.started, t.started
	values["create_uid"], values["write_uid"] = t.uid, t.uid
	added := &record{model: model, id: id, values: values}
	t.written[key{model, id}] = added
	t.index(added)
	return added
}

// index notes what a written record refers to.
func (t *transaction) index(changed *record) {
	parent := intOf(changed.values[parents[changed.model]])
	if parent == 0 {
		return
	}
	to := key{changed.model, parent}
	if t.referred[to] == nil {
		t.referred[to] = map[int]bool{}
	}
	t.referred[to][changed.id] = true
}

// change returns a copy of a record that may be changed.
func (t *transaction) change(found *record) *record {
	name := key{found.model, found.id}
	if written, mine := t.written[name]; mine && written != nil {
		return written
	}
	t.seen[name] = found.version
	copied := found.clone()
	t.written[name] = copied
	return copied
}

// touch notes who wrote a record and when.
func (t *transaction) touch(changed *record) {
	changed.values["write_date"], changed.values["write_uid"] = t.started, t.uid
}

func (t *transaction) remove(found *record) {
	name := key{found.model, found.id}
	if _, mine := t.written[name]; !mine {
		t.seen[name] = found.version
	}
	t.written[name] = nil
}

// commit makes everything readable at once, or fails with a conflict when
// somebody else changed one of the records meanwhile.
func (t *transaction) commit() error {
	s := t.server
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for name, version := range t.seen {
		current := s.tables[name.model].records[name.id]
		if current == nil || current.version != version {
			return conflict{}
		}
	}
	// Versions tell where a record lies in its table, so they are given in order.
	for _, name := range slices.SortedFunc(maps.Keys(t.written), byKey) {
		written, records := t.written[name], s.tables[name.model].records
		parent, children := parents[name.model], s.tables[name.model].children
		if old := records[name.id]; old != nil {
			s.tables[name.model].index.drop(old)
			if parent != "" {
				delete(children[intOf(old.values[parent])], name.id)
			}
		}
		if written == nil {
			delete(records, name.id)
			continue
		}
		s.version++
		kept := written.clone()
		kept.version = s.version
		records[name.id] = kept
		s.tables[name.model].index.add(kept)
		if parent != "" {
			of := intOf(kept.values[parent])
			if children[of] == nil {
				children[of] = map[int]bool{}
			}
			children[of][name.id] = true
		}
	}
	s.mails = append(s.mails, *t.mails...)
	if len(s.mails) > maximumMails {
		s.mails = slices.Clone(s.mails[len(s.mails)-maximumMails:])
	}
	return nil
}
