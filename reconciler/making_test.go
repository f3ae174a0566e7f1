package reconciler_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// dying is a store whose worker dies before it records anything.
type dying struct {
	*memory
	dead bool
}

func (d *dying) Commit(ctx context.Context, lease reconciler.Lease, commit reconciler.Commit) error {
	if d.dead {
		return errors.New("killed")
	}
	return d.memory.Commit(ctx, lease, commit)
}

// TestWhatIsDeletedWhileNobodyKnowsItsRecord: a worker makes a record and is killed
// before it has recorded for which copy. If a person deletes the copy before anybody
// looks again, the meeting is gone on both sides, and does not come back; if not, the
// two are brought together. What was made for a mailbox that the person no longer has
// stays, and comes to the new one.
func TestWhatIsDeletedWhileNobodyKnowsItsRecord(t *testing.T) {
	for name, play := range map[string]struct{ deleted, again bool }{
		"deleted": {deleted: true}, "left": {}, "in the mailbox of a former connection": {deleted: true, again: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, nil)
			member := l.memory.members[0]
			member.First.Began = l.born
			l.memory.members = []reconciler.Member{member}
			store := &dying{memory: l.memory, dead: true}
			var err error
			l.engine, err = reconciler.NewEngine(reconciler.Config{
				Outlook: l.outlook, NightPOS: l.nightpos, Store: store, Queue: l.memory, Database: "night", Now: func() time.Time { return l.now },
			})
			if err != nil {
				t.Fatal(err)
			}
			copied := l.outlook.create(at("Lunch", l.now.Add(48*time.Hour)), 0)
			l.tell(&l.outlook.calendar)
			batch, err := l.memory.Take(t.Context(), 100)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.engine.Process(t.Context(), batch); err == nil || len(l.nightpos.records) != 1 || len(l.memory.links) != 0 {
				t.Fatalf("the worker ends with %v, having made %d records and %d links; want an error, one, none", err, len(l.nightpos.records), len(l.memory.links))
			}
			store.dead = false
			if play.deleted {
				l.outlook.remove(copied.ID)
			}
			if play.again {
				// The person has another mailbox now, and all of NightPOS's is to come.
				l.now = l.now.Add(time.Minute)
				member.First.Began = l.now
				l.memory.members = []reconciler.Member{member}
			}
			l.tell(&l.outlook.calendar)
			l.tell(&l.nightpos.calendar)
			l.pass(time.Hour)
			if play.deleted && !play.again {
				l.want()
			} else {
				l.want("Lunch")
			}
		})
	}
}
