package reconciler_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// disputed is a life in which both sides have given a meeting another title, and
// Outlook's, the later one, has won.
func disputed(t *testing.T) (*life, *reconciler.Copy, reconciler.Link) {
	t.Helper()
	var copied *reconciler.Copy
	l := newLife(t, func(l *life) {
		event := at("before", noon)
		event.People = []reconciler.Person{{Address: "carol@customer.example"}}
		copied = l.outlook.create(event, 0)
	})
	link := l.linkOf(copied.ID)
	l.outlook.hints, l.nightpos.hints = nil, nil
	record := *l.nightpos.records[link.RecordID]
	record.Event.Title = "by NightPOS"
	l.nightpos.save(&record, true)
	l.now = l.now.Add(time.Minute)
	l.retitle(copied, "by Outlook")
	l.tell(&l.outlook.calendar)
	l.tell(&l.nightpos.calendar)
	l.pass(time.Minute)
	l.want("by Outlook")
	l.outlook.mails, l.outlook.writes = 0, 0
	l.outlook.hints, l.nightpos.hints = nil, nil
	return l, copied, l.linkOf(copied.ID)
}

// theConflict is the one in the log.
func (l *life) theConflict() reconciler.Conflict {
	l.Helper()
	for _, line := range l.memory.lines {
		if len(line.Conflicts) == 1 {
			return line.Conflicts[0]
		}
	}
	l.Fatal("there is no conflict in the log")
	return reconciler.Conflict{}
}

// replaced remembers what a restoration replaces.
type replaced struct{ titles []string }

func (r *replaced) keep(before reconciler.Event) error {
	r.titles = append(r.titles, before.Title)
	return nil
}

func TestTheLosersVersionIsPutBackOnBothSides(t *testing.T) {
	l, copied, link := disputed(t)
	conflict := l.theConflict()
	if conflict.Loser != reconciler.SideNightPOS || conflict.Value == nil || conflict.Value.Title != "by NightPOS" {
		t.Fatalf("the conflict is %+v", conflict)
	}
	wanted := reconciler.Restoration{RecordID: link.RecordID, Field: conflict.Field, Side: conflict.Loser, Value: *conflict.Value}
	var before replaced
	if err := l.engine.Restore(context.Background(), alice.ID, wanted, before.keep); err != nil {
		t.Fatal(err)
	}
	l.pass(time.Minute)
	l.want("by NightPOS")
	if l.outlook.writes != 1 || l.outlook.mails != 1 || len(before.titles) != 1 || before.titles[0] != "by Outlook" {
		t.Errorf("%d writes to Outlook, %d mails, in place of %q, want one each in place of what Outlook had", l.outlook.writes, l.outlook.mails, before.titles)
	}
	// The same once more changes nothing and mails nobody.
	if err := l.engine.Restore(context.Background(), alice.ID, wanted, before.keep); err != nil {
		t.Fatal(err)
	}
	l.pass(time.Minute)
	l.want("by NightPOS")
	if l.outlook.writes != 1 || len(before.titles) != 1 {
		t.Errorf("a repetition made %d writes to Outlook and replaced %q", l.outlook.writes-1, before.titles[1:])
	}
	// And back, on the other side.
	wanted.Side, wanted.Value = reconciler.SideOutlook, reconciler.Event{Title: "by Outlook"}
	if err := l.engine.Restore(context.Background(), alice.ID, wanted, before.keep); err != nil {
		t.Fatal(err)
	}
	l.pass(time.Minute)
	l.want("by Outlook")
	if got := l.outlook.copies[copied.ID].Event; len(got.People) != 1 || got.Body == "" {
		t.Errorf("the rest of the event has become %+v", got)
	}
	if l.outlook.mails != 2 {
		t.Errorf("%d mails for two changes, want 2", l.outlook.mails)
	}
}

// TestAWriteWhoseAnswerIsLostIsPutBackAllTheSame: the hint of the write itself, or
// the next try, carries it on.
func TestAWriteWhoseAnswerIsLostIsPutBackAllTheSame(t *testing.T) {
	for name, wrong := range map[string]fault{"nothing was done": faultBefore, "the answer was lost": faultAfter} {
		l, _, link := disputed(t)
		l.nightpos.faults = []fault{wrong}
		wanted := reconciler.Restoration{RecordID: link.RecordID, Field: reconciler.FieldTitle, Side: reconciler.SideNightPOS, Value: reconciler.Event{Title: "by NightPOS"}}
		var before replaced
		if err := l.engine.Restore(context.Background(), alice.ID, wanted, before.keep); !errors.Is(err, errUpstream) {
			t.Fatalf("%s: got %v, want %v", name, err, errUpstream)
		}
		if err := l.engine.Restore(context.Background(), alice.ID, wanted, before.keep); err != nil {
			t.Fatalf("%s: again: %v", name, err)
		}
		l.pass(time.Minute)
		l.want("by NightPOS")
		for _, title := range before.titles {
			if title != "by Outlook" {
				t.Errorf("%s: it replaces %q", name, title)
			}
		}
	}
}

func TestWhatCannotBePutBack(t *testing.T) {
	l, copied, link := disputed(t)
	wanted := reconciler.Restoration{RecordID: link.RecordID, Field: reconciler.FieldTitle, Side: reconciler.SideNightPOS, Value: reconciler.Event{Title: "by NightPOS"}}
	refused := func(what string, change func(*reconciler.Restoration)) {
		t.Helper()
		asked := wanted
		change(&asked)
		if err := l.engine.Restore(context.Background(), alice.ID, asked, new(replaced).keep); !errors.Is(err, reconciler.ErrNotRestorable) {
			t.Errorf("%s: got %v, want %v", what, err, reconciler.ErrNotRestorable)
		}
	}
	refused("people are merged one by one", func(r *reconciler.Restoration) { r.Field = reconciler.FieldPeople })
	refused("an event that nobody knows", func(r *reconciler.Restoration) { r.RecordID = 4711 })
	guest := link
	guest.Role = reconciler.RoleGuest
	l.memory.links[link.RecordID] = guest
	refused("somebody else's meeting", func(*reconciler.Restoration) {})
	l.memory.links[link.RecordID] = link
	stop := errors.New("it could not be kept")
	if err := l.engine.Restore(context.Background(), alice.ID, wanted, func(reconciler.Event) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("what it replaces was lost, and got %v", err)
	}
	record := *l.nightpos.records[link.RecordID]
	record.Archived = true
	l.nightpos.records[link.RecordID] = &record
	refused("an archived record", func(*reconciler.Restoration) {})
	delete(l.outlook.copies, copied.ID)
	refused("a copy that is gone", func(r *reconciler.Restoration) { r.Side = reconciler.SideOutlook })
	if len(l.memory.items) != 0 && l.memory.items[reconciler.NightPOSKey(link.RecordID)].Key != "" {
		t.Errorf("there is work about it: %+v", l.memory.items)
	}
}
