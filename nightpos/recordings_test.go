package nightpos_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// The tests of this file are named after the recordings whose NightPOS they hold
// the client against; those of the whole gateway are in test/webhooks.

// Ids that do not exist, or not any more, are left out of what is read, and their
// writes fail as those of records that are gone, each by itself.
func Test060MissingIDs(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		kept, gone := *w.write(w.create("kept", meeting())).Record, *w.write(w.create("gone", meeting())).Record
		if err := w.sim.Member("alice").Unlink(t.Context(), int(gone.ID)); err != nil {
			t.Fatal(err)
		}
		const never = 999_999
		records, err := w.client.Read(t.Context(), []int64{gone.ID, kept.ID, never})
		if _, found := records[kept.ID]; err != nil || len(records) != 1 || !found {
			t.Errorf("reading mixed ids: got %v, %v, want %d alone", records, err, kept.ID)
		}
		if records, err := w.client.Read(t.Context(), []int64{gone.ID, never}); err != nil || len(records) != 0 {
			t.Errorf("reading missing ids: got %v, %v, want nothing and no error", records, err)
		}
		rename := func(record reconciler.Record) reconciler.RecordWrite {
			return update(record, func(e *reconciler.Event) { e.Title = "Renamed" }, reconciler.FieldTitle)
		}
		results := w.client.Write(t.Context(), []reconciler.RecordWrite{
			rename(gone), rename(kept), {Action: reconciler.ActionArchive, ID: never},
		})
		for index, want := range []error{reconciler.ErrGone, nil, reconciler.ErrGone} {
			if got := results[index].Err; !errors.Is(got, want) {
				t.Errorf("write %d: got %v, want %v", index, got, want)
			}
		}
		if got := w.read(kept.ID).Event.Title; got != "Renamed" {
			t.Errorf("the event that is there is called %q, want Renamed", got)
		}
	})
}

// A method that returns None is answered with neither result nor error, and was
// carried out all the same. The door always returns something, so that there it is
// no answer.
func Test063NoneResults(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		event := meeting()
		event.Privacy = reconciler.PrivacyPublic
		record := *w.write(w.create("key", event)).Record
		result, err := w.rpc("calendar.event", "action_archive", []any{record.ID})
		if err != nil || result != nil {
			t.Fatalf("archiving: got %v, %v, want neither", result, err)
		}
		if !w.read(record.ID).Archived {
			t.Error("what was archived is read as there")
		}
	})
	wire := &wire{answer: always(200, `{"jsonrpc":"2.0","id":3}`)}
	if records, err := wire.client(t).Read(t.Context(), []int64{1}); err == nil {
		t.Errorf("a door without a result: got %v, want an error", records)
	}
}

// NightPOS has no cool-down after wrong passwords; the gateway asks once for each
// sign-in, and the right key opens at once.
func Test402BadLogins(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		for try := range 8 {
			if _, err := w.signIn(account, fmt.Sprintf("bad%d", try)).UserID(t.Context()); !errors.Is(err, nightpos.ErrDenied) {
				t.Fatalf("wrong password %d: got %v, want %v", try, err, nightpos.ErrDenied)
			}
		}
		if id, err := w.signIn(account, password).UserID(t.Context()); err != nil || id != w.account {
			t.Errorf("the right one: got %d, %v, want %d", id, err, w.account)
		}
	})
}
