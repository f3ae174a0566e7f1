package reconciler_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// asIs is a side that shows everything as it is written.
type asIs struct{}

func (asIs) Project(event reconciler.Event) reconciler.Event { return event }

// withheldState draws a state of a member in the middle of a first sync.
func withheldState(t *rapid.T) reconciler.State {
	began := time.Date(2028, 11, 22, 9, 0, 0, 500_000_000, time.UTC)
	at := func(name string) time.Time {
		made := began.Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, name)) * rapid.SampledFrom([]time.Duration{time.Hour, time.Millisecond}).Draw(t, name+" in"))
		if rapid.Bool().Draw(t, name+" to the second") {
			return made.Truncate(time.Second)
		}
		return made
	}
	member := reconciler.Member{ID: "6", UserID: 6, Address: "alice@nightpos.example", Mailbox: "alice@nightpos.example", First: reconciler.FirstSync{
		Began: began, New: rapid.Bool().Draw(t, "new"), Quiet: rapid.Bool().Draw(t, "quiet"),
		Send: reconciler.Classes{WithAttendees: rapid.Bool().Draw(t, "with"), Past: rapid.Bool().Draw(t, "past")},
	}}
	event := func(side string) reconciler.Event {
		start := began.Add(time.Duration(rapid.IntRange(-2, 2).Draw(t, side+" start")*24+1) * time.Hour)
		made := reconciler.Event{
			Title: rapid.SampledFrom([]string{"One", "Two"}).Draw(t, side+" title"),
			When:  reconciler.When{Start: start, End: start.Add(time.Hour)}, ShowAs: reconciler.ShowAsBusy,
		}
		for index := range rapid.IntRange(0, 2).Draw(t, side+" people") {
			made.People = append(made.People, reconciler.Person{Address: fmt.Sprintf("p%d@customer.example", index)})
		}
		return made
	}
	state := reconciler.State{
		Member: member, Database: "night", Outlook: asIs{}, NightPOS: asIs{}, Now: began, Policy: reconciler.PolicyNewest,
		ByAddress: func(reconciler.Person) (reconciler.Member, bool) { return reconciler.Member{}, false },
		ByUser:    func(id int64) (reconciler.Member, bool) { return member, id == 6 },
	}
	sides := rapid.IntRange(1, 3).Draw(t, "sides")
	if sides&1 != 0 {
		state.Copy = &reconciler.Copy{
			ID: "copy", ICalUID: "uid", ChangeKey: "1", IsOrganizer: rapid.Bool().Draw(t, "organizes"), Created: at("copied"), Modified: at("saved"), Event: event("outlook"),
		}
	}
	if sides&2 != 0 {
		state.Record = &reconciler.Record{
			ID: 5, OrganizerUserID: rapid.SampledFrom([]int64{0, 6, 7}).Draw(t, "owner"), Archived: rapid.Bool().Draw(t, "archived"),
			Created: at("recorded"), Modified: at("written"), Stamp: "s", Event: event("nightpos"),
		}
	}
	return state
}

// TestWithhold: what a first sync lets through never mails about what is old, and
// what is new, or agreed on before, is let through as it was planned.
func TestWithhold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := withheldState(t)
		first := state.Member.First
		// What is known to the second may have been made at its very end.
		before := func(made time.Time) bool {
			if made.Equal(made.Truncate(time.Second)) {
				made = made.Add(time.Second - 1)
			}
			return made.Before(first.Began)
		}
		old := (state.Copy == nil || before(state.Copy.Created)) && (state.Record == nil || before(state.Record.Created))
		plan := state.Plan()
		kept, withheld := state.Withhold(plan)
		if !old {
			if withheld != (reconciler.Withheld{}) || kept.Outlook != plan.Outlook || kept.NightPOS != plan.NightPOS || kept.Mails != plan.Mails {
				t.Fatalf("something new is kept back: %+v", withheld)
			}
			return
		}
		if (withheld.Why == "") != (kept.Outlook == plan.Outlook && kept.NightPOS == plan.NightPOS) {
			t.Fatalf("%+v says why, of %+v are left %+v and %+v", withheld, plan, kept.Outlook, kept.NightPOS)
		}
		if first.Quiet && kept.Mails > 0 && !first.Send.WithAttendees && !first.Send.Past {
			t.Fatalf("a quiet first sync mails %d people: %+v", kept.Mails, kept.Outlook)
		}
		if first.New && (state.Copy == nil || state.Record == nil) && !kept.Idle() {
			t.Fatalf("something old crosses, of new ones only: %+v", kept)
		}
		if kept.Outlook != nil && kept.Outlook.Action == reconciler.ActionDelete {
			t.Fatalf("a first sync deletes %+v", kept.Outlook)
		}
		again, same := state.Withhold(state.Plan())
		if same != withheld || again.Idle() != kept.Idle() {
			t.Fatalf("the same state gives %+v and %+v", withheld, same)
		}
	})
}

// TestStandings: whatever happens in whatever order, a person is in one phase, and
// nothing is done for who is paused, is reset or has to sign in.
func TestStandings(t *testing.T) {
	turns := []reconciler.Turn{
		reconciler.TurnSignedIn, reconciler.TurnRefused, reconciler.TurnPaused, reconciler.TurnResumed, reconciler.TurnSynced, reconciler.TurnReset, reconciler.TurnKept,
	}
	rapid.Check(t, func(t *rapid.T) {
		var standing reconciler.Standing
		paused, refused, job, synced := false, false, false, false
		for _, turn := range rapid.SliceOf(rapid.SampledFrom(turns)).Draw(t, "turns") {
			standing = standing.After(turn, "word")
			switch turn {
			case reconciler.TurnSignedIn:
				refused, synced = false, false
			case reconciler.TurnRefused:
				refused, job = true, false
			case reconciler.TurnPaused:
				paused = true
			case reconciler.TurnResumed:
				paused = false
			case reconciler.TurnSynced:
				synced = true
			case reconciler.TurnReset:
				job = true
			case reconciler.TurnKept:
				job = false
			}
		}
		subscribed := rapid.Bool().Draw(t, "subscribed")
		want := reconciler.PhaseConnected
		switch {
		case refused:
			want = reconciler.PhaseNeedsReconnect
		case paused || job:
			want = reconciler.PhasePaused
		case !subscribed:
			want = reconciler.PhaseConnecting
		case !synced:
			want = reconciler.PhaseSyncing
		}
		if got := standing.Phase(subscribed); got != want {
			t.Fatalf("got %s, want %s for %+v", got, want, standing)
		}
		if (standing.Obstacle() != "") != (refused || paused || job) {
			t.Fatalf("the obstacle is %q for %+v", standing.Obstacle(), standing)
		}
	})
}

// TestDeletes: a reset deletes what the member owns, on the sides it was asked to,
// and nothing that is somebody else's.
func TestDeletes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := withheldState(t)
		if rapid.Bool().Draw(t, "linked") {
			state.Link = &reconciler.Link{RecordID: 5, GraphID: "copy", Ended: rapid.Bool().Draw(t, "ended"), Role: rapid.SampledFrom([]reconciler.Role{
				reconciler.RoleOrganizer, reconciler.RoleAttendee, reconciler.RoleGuest, reconciler.RoleStandIn,
			}).Draw(t, "role")}
		}
		reset := reconciler.Reset{Outlook: rapid.Bool().Draw(t, "outlook"), NightPOS: rapid.Bool().Draw(t, "nightpos")}
		inOutlook, inNightPOS := state.Deletes(reset)
		switch {
		case inOutlook && (!reset.Outlook || state.Copy == nil || !state.Copy.IsOrganizer || state.Link == nil || state.Link.Ended):
			t.Fatalf("it deletes %+v in Outlook", state.Copy)
		case inNightPOS && (!reset.NightPOS || state.Record == nil || state.Record.Archived || state.Record.OrganizerUserID != 6 || state.Link == nil):
			t.Fatalf("it deletes %+v in NightPOS", state.Record)
		case inOutlook && state.Record != nil && state.Record.OrganizerUserID != 6 && state.Link.Role != reconciler.RoleStandIn:
			t.Fatalf("it deletes somebody else's %+v in Outlook", state.Copy)
		}
	})
}
