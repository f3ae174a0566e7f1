package demo_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/nightpos/outlook-gateway/demo"
)

var members = []demo.Member{
	{Login: "alice", Name: "Alice", Address: "alice@nightpos.example", Zone: "Europe/Brussels", OutlookZone: "Romance Standard Time"},
	{Login: "bob", Name: "Bob", Address: "bob@nightpos.example", Zone: "America/New_York", OutlookZone: "Eastern Standard Time"},
}

// memory is a side in which every event is one person's alone. It is enough to
// test the page against; the two simulators are what is shown.
type memory struct {
	side demo.Side

	mutex     sync.Mutex
	events    map[string]demo.Event
	owners    map[string]string
	next      int
	writes    int
	mails     []demo.Mail
	observers []func(demo.Change)
}

func newMemory(side demo.Side) *memory {
	return &memory{side: side, events: map[string]demo.Event{}, owners: map[string]string{}}
}

func (m *memory) Events(_ context.Context, login string, from, to time.Time) ([]demo.Event, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	var list []demo.Event
	for id, event := range m.events {
		if m.owners[id] == login && !event.Archived && event.Start.Before(to) && event.End.After(from) {
			list = append(list, event)
		}
	}
	slices.SortFunc(list, func(a, b demo.Event) int { return a.Start.Compare(b.Start) })
	return list, nil
}

func (m *memory) Event(_ context.Context, _, id string) (demo.Event, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	event, found := m.events[id]
	if !found {
		return demo.Event{}, demo.ErrGone
	}
	return event, nil
}

func (m *memory) Series(_ context.Context, _, series string) ([]demo.Event, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	var list []demo.Event
	for _, event := range m.events {
		if event.Series == series && !event.Archived {
			list = append(list, event)
		}
	}
	slices.SortFunc(list, func(a, b demo.Event) int { return a.Start.Compare(b.Start) })
	return list, nil
}

// fresh is an id that was not given to anything yet.
func (m *memory) fresh() string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.next++
	if m.side == demo.NightPOS {
		return strconv.Itoa(m.next)
	}
	return fmt.Sprintf("%s-%d", m.side, m.next)
}

func (m *memory) uid(of string) string {
	if m.side == demo.NightPOS {
		return ""
	}
	return "uid of " + of
}

func (m *memory) Create(_ context.Context, login string, edit demo.Edit) (string, error) {
	first := m.fresh()
	made := demo.Event{ID: first, UID: m.uid(first), ShowAs: "busy", Reminder: 15, Mine: true, Answer: demo.None, People: []demo.Person{}}
	if edit.Repeat == nil {
		return first, m.put(made, login, edit, false)
	}
	made.Series = first
	for week := range edit.Repeat.Times {
		when := *edit.When
		when.Start, when.End = when.Start.AddDate(0, 0, 7*week), when.End.AddDate(0, 0, 7*week)
		if week > 0 {
			made.ID = m.fresh()
		}
		one := edit
		one.When = &when
		if err := m.put(made, login, one, false); err != nil {
			return "", err
		}
	}
	return first, nil
}

// meant are the events that a person means by one of them.
func (m *memory) meant(ctx context.Context, id string, scope demo.Scope) ([]demo.Event, error) {
	event, err := m.Event(ctx, "", id)
	if err != nil || event.Series == "" || scope == demo.One {
		return []demo.Event{event}, err
	}
	list, err := m.Series(ctx, "", event.Series)
	return slices.DeleteFunc(list, func(other demo.Event) bool {
		return scope == demo.Following && other.Start.Before(event.Start)
	}), err
}

func (m *memory) Update(ctx context.Context, login, id string, scope demo.Scope, edit demo.Edit) error {
	list, err := m.meant(ctx, id, scope)
	if err != nil {
		return err
	}
	opened, err := m.Event(ctx, "", id)
	if err != nil {
		return err
	}
	for _, event := range list {
		one := edit
		if edit.When != nil {
			by := event.Start.Sub(opened.Start)
			one.When = &demo.When{Start: edit.When.Start.Add(by), End: edit.When.End.Add(by), AllDay: edit.When.AllDay}
		}
		event.Exception = event.Series != "" && scope == demo.One
		if err := m.put(event, login, one, false); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Delete(ctx context.Context, login, id string, scope demo.Scope) error {
	list, err := m.meant(ctx, id, scope)
	if err != nil {
		return err
	}
	for _, event := range list {
		if err := m.drop(login, event.ID, false); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Answer(_ context.Context, login, id string, _ demo.Scope, answer demo.Answer) error {
	m.mutex.Lock()
	event := m.events[id]
	event.Answer = answer
	m.mutex.Unlock()
	return m.put(event, login, demo.Edit{}, false)
}

func (m *memory) SetArchived(_ context.Context, login, id string, archived bool) error {
	m.mutex.Lock()
	event := m.events[id]
	event.Archived = archived
	m.mutex.Unlock()
	return m.put(event, login, demo.Edit{}, false)
}

func (m *memory) Mails() []demo.Mail {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.mails)
}

func (m *memory) GatewayWrites() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.writes
}

func (m *memory) Watch(observer func(demo.Change)) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.observers = append(m.observers, observer)
}

func (m *memory) put(event demo.Event, login string, edit demo.Edit, byGateway bool) error {
	if edit.Title != nil {
		event.Title = *edit.Title
	}
	if edit.When != nil {
		event.When = *edit.When
	}
	if edit.Place != nil {
		event.Place = *edit.Place
	}
	if edit.Description != nil {
		event.Description = *edit.Description
	}
	if edit.Private != nil {
		event.Private = *edit.Private
	}
	if edit.ShowAs != nil {
		event.ShowAs = *edit.ShowAs
	}
	if edit.Reminder != nil {
		event.Reminder = *edit.Reminder
	}
	if edit.People != nil {
		event.People = []demo.Person{}
		for _, address := range *edit.People {
			name, _, _ := strings.Cut(address, "@")
			event.People = append(event.People, demo.Person{Name: name, Address: address, Answer: demo.None})
		}
	}
	m.mutex.Lock()
	m.events[event.ID] = event
	m.owners[event.ID] = login
	m.mutex.Unlock()
	m.tell(demo.Change{Login: m.login(login), EventID: event.ID}, login, byGateway)
	return nil
}

func (m *memory) drop(login, id string, byGateway bool) error {
	m.mutex.Lock()
	_, found := m.events[id]
	delete(m.events, id)
	m.mutex.Unlock()
	if !found {
		return demo.ErrGone
	}
	m.tell(demo.Change{Login: m.login(login), EventID: id, Deleted: true}, login, byGateway)
	return nil
}

func (m *memory) login(login string) string {
	if m.side == demo.NightPOS {
		return ""
	}
	return login
}

func (m *memory) tell(change demo.Change, login string, byGateway bool) {
	change.Side, change.Time, change.ByGateway = m.side, time.Now(), byGateway
	if !byGateway {
		change.Actor = strings.ToUpper(login[:1]) + login[1:]
	}
	m.mutex.Lock()
	if byGateway {
		m.writes++
	}
	observers := slices.Clone(m.observers)
	m.mutex.Unlock()
	for _, observer := range observers {
		observer(change)
	}
}

// mirror is a gateway of the simplest kind: what a person leaves on one side is
// put on the other.
type mirror struct {
	sides map[demo.Side]*memory
	pairs map[string]string // id on one side to id on the other
	work  chan demo.Change
}

func newMirror(t *testing.T, outlook, nightpos *memory) *mirror {
	t.Helper()
	m := &mirror{sides: map[demo.Side]*memory{demo.Outlook: outlook, demo.NightPOS: nightpos}, pairs: map[string]string{}, work: make(chan demo.Change, 100)}
	for _, side := range m.sides {
		side.Watch(func(change demo.Change) {
			if !change.ByGateway {
				m.work <- change
			}
		})
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for change := range m.work {
			m.carry(change)
		}
	}()
	t.Cleanup(func() { close(m.work); <-ended })
	return m
}

func (m *mirror) carry(change demo.Change) {
	from, to := m.sides[change.Side], m.sides[change.Side.Other()]
	target := m.pairs[change.EventID]
	from.mutex.Lock()
	event, login := from.events[change.EventID], from.owners[change.EventID]
	from.mutex.Unlock()
	if change.Deleted {
		to.mutex.Lock()
		copied := to.events[target]
		to.mutex.Unlock()
		if to.side == demo.Outlook {
			_ = to.drop(login, target, true)
			return
		}
		copied.Archived = true
		_ = to.put(copied, login, demo.Edit{}, true)
		return
	}
	if event.Archived && to.side == demo.Outlook {
		delete(m.pairs, change.EventID)
		_ = to.drop(login, target, true)
		return
	}
	if target == "" {
		target = to.fresh()
		m.pairs[change.EventID], m.pairs[target] = target, change.EventID
	}
	event.ID, event.UID = target, to.uid(target)
	if event.Series != "" { // named after its first occurrence, which comes first
		event.Series = m.pairs[event.Series]
		event.UID = to.uid(event.Series)
	}
	_ = to.put(event, login, demo.Edit{}, true)
}

// Health implements demo.Gateway.
func (m *mirror) Health(context.Context) []demo.Health {
	return []demo.Health{{Name: "Gateway", State: "ok"}, {Name: "Store", State: "ok"}, {Name: "NightPOS", State: "warning", Detail: "Answers slowly."}}
}

// Close implements demo.Gateway.
func (m *mirror) Close() error { return nil }

// mirrored is a world of two memories with a mirror between them, followed.
func mirrored(t *testing.T) (*demo.World, *memory, *memory) {
	t.Helper()
	outlook, nightpos := newMemory(demo.Outlook), newMemory(demo.NightPOS)
	world := demo.NewWorld(t.Context(), demo.World{Members: members, Outlook: outlook, NightPOS: nightpos}, zaptest.NewLogger(t))
	t.Cleanup(world.Close)
	world.Gateway = newMirror(t, outlook, nightpos)
	return world, outlook, nightpos
}
