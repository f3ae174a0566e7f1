package reconciler_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// signedOut is a mailbox that only its owner can open again.
type signedOut struct{ *fakeOutlook }

func (o signedOut) Read(context.Context, reconciler.Member, []string) (map[string]reconciler.Copy, map[string]error, error) {
	o.reads++
	return nil, nil, fmt.Errorf("reading: %w", reconciler.ErrReconnect)
}

func TestWorkOfAParkedMemberWaits(t *testing.T) {
	l := newLife(t, nil)
	parked := alice
	parked.Parked = "needs_reconnect: the password was changed"
	l.memory.members = []reconciler.Member{parked}
	copied := l.outlook.create(at("Made meanwhile", l.now.Add(48*time.Hour)), 0).ID
	l.tell(&l.outlook.calendar)
	key := reconciler.OutlookKey(copied)
	before := l.memory.items[key]
	reads, rounds, lists := l.outlook.reads+l.nightpos.reads, l.outlook.rounds, l.outlook.lists+l.nightpos.lists
	l.pass(3 * 24 * time.Hour)
	if got := []int{l.outlook.reads + l.nightpos.reads, l.outlook.rounds, l.outlook.lists + l.nightpos.lists}; got[0] != reads || got[1] != rounds || got[2] != lists {
		t.Errorf("in three days %d reads, %d rounds and %d listings, want none", got[0]-reads, got[1]-rounds, got[2]-lists)
	}
	after := l.memory.items[key]
	if after.Reason != parked.Parked || after.Attempts != 0 || after.Version != before.Version || !after.First.Equal(before.First) {
		t.Errorf("the item is %+v, want it as it was with the reason beside it", after)
	}
	// Another replica ended the parking; this one still knows the old list.
	l.memory.members, l.memory.stale = []reconciler.Member{alice}, []reconciler.Member{parked}
	l.pass(7 * time.Hour)
	if len(l.nightpos.records) != 1 {
		t.Errorf("NightPOS has %d records, want the event that was made meanwhile", len(l.nightpos.records))
	}
}

func TestWhoMustConnectAgainIsNotTriedOverAndOver(t *testing.T) {
	l := newLife(t, nil)
	engine, err := reconciler.NewEngine(reconciler.Config{
		Outlook: signedOut{l.outlook}, NightPOS: l.nightpos, Store: l.memory, Queue: l.memory, Observer: l.watcher, Database: "night",
		Now: func() time.Time { return l.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	mended := l.engine
	l.engine = engine
	copied := l.outlook.create(at("Made meanwhile", l.now.Add(48*time.Hour)), 0).ID
	l.tell(&l.outlook.calendar)
	reads := l.outlook.reads
	l.pass(24 * time.Hour)
	item, waits := l.memory.items[reconciler.OutlookKey(copied)]
	if !waits || item.Attempts != 0 || !strings.Contains(item.Reason, reconciler.ErrReconnect.Error()) {
		t.Errorf("the item is %+v, waiting %t, want it parked with the reason", item, waits)
	}
	if got := l.outlook.reads - reads; got < 1 || got > 8 {
		t.Errorf("the mailbox was asked %d times in a day, want hardly ever", got)
	}
	if l.watcher.failed["reconnect"] == 0 {
		t.Error("nobody was told")
	}
	l.engine = mended
	l.pass(7 * time.Hour)
	if len(l.nightpos.records) != 1 {
		t.Errorf("NightPOS has %d records, want the event that was made meanwhile", len(l.nightpos.records))
	}
}

// asked counts who asks for a reset, of which none is under way.
type asked struct {
	reconciler.Resets
	times int
}

func (a *asked) Reset(context.Context, string) (reconciler.Reset, bool, error) {
	a.times++
	return reconciler.Reset{}, false, nil
}

// TestAResetIsNotTakenForNobodys: the replica that comes upon it still has the list
// from before the member was parked for it.
func TestAResetIsNotTakenForNobodys(t *testing.T) {
	l := newLife(t, nil)
	resets := &asked{}
	engine, err := reconciler.NewEngine(reconciler.Config{
		Outlook: l.outlook, NightPOS: l.nightpos, Store: l.memory, Queue: l.memory, Database: "night", Resets: resets,
		Now: func() time.Time { return l.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	l.engine = engine
	parked := alice
	parked.Parked = "paused: a reset is under way"
	l.memory.members, l.memory.stale = []reconciler.Member{parked}, []reconciler.Member{alice}
	l.add(reconciler.Item{Key: reconciler.KeyReset, First: l.now})
	l.pass(time.Minute)
	if resets.times != 1 {
		t.Errorf("the reset was begun %d times, want once", resets.times)
	}
}
