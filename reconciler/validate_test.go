package reconciler_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// causes are those that a comparison of the calendar finds, by title; nothing may
// be written for it.
func (l *life) causes() map[string]reconciler.Cause {
	l.Helper()
	writes := l.outlook.writes + l.nightpos.writes
	found, err := l.engine.Validate(context.Background(), alice.ID)
	if err != nil {
		l.Fatal(err)
	}
	if got := l.outlook.writes + l.nightpos.writes; got != writes {
		l.Errorf("a comparison made %d writes", got-writes)
	}
	causes := map[string]reconciler.Cause{}
	for _, one := range found.Differences {
		causes[one.Event.Title] = one.Cause
	}
	return causes
}

// compare compares all linked pairs by their ids.
func (l *life) compare() []reconciler.Difference {
	l.Helper()
	var links []reconciler.Link
	for _, link := range l.memory.links {
		links = append(links, link)
	}
	found, err := l.engine.Compare(context.Background(), alice.ID, links)
	if err != nil {
		l.Fatal(err)
	}
	return found.Differences
}

// forge has the sides agree on what they show, though it is not the same.
func (l *life) forge(copied *reconciler.Copy) {
	l.Helper()
	link := l.linkOf(copied.ID)
	link.Outlook = reconciler.NewBase(l.outlook.copies[copied.ID].Event)
	link.NightPOS = reconciler.NewBase(l.nightpos.records[link.RecordID].Event)
	link.ChangeKey = l.outlook.copies[copied.ID].ChangeKey
	l.memory.links[link.RecordID] = link
}

func TestValidateTellsCausesApart(t *testing.T) {
	l := newLife(t, nil)
	l.outlook.create(at("equal", noon), 0)
	edited, gone, drifted := l.outlook.create(at("edited", noon), 0), l.outlook.create(at("gone", noon), 0), l.outlook.create(at("drifted", noon), 0)
	left := l.outlook.create(at("left", noon), 0)
	l.tell(&l.outlook.calendar)
	l.pass(time.Minute)
	l.want("equal", "edited", "gone", "drifted", "left")
	if diff := cmp.Diff(map[string]reconciler.Cause{}, l.causes()); diff != "" {
		t.Fatalf("when all is well (-want +got):\n%s", diff)
	}
	if got := l.compare(); len(got) != 0 {
		t.Fatalf("when all is well: got %+v", got)
	}
	l.outlook.create(at("new in Outlook", noon), 0)
	l.nightpos.create(at("new in NightPOS", noon), alice.UserID, "", true)
	l.retitle(edited, "edited in Outlook")
	l.outlook.remove(gone.ID)
	l.nightpos.remove(l.linkOf(left.ID).RecordID)
	l.retitle(drifted, "drifted in Outlook")
	l.forge(drifted)
	want := map[string]reconciler.Cause{
		"new in Outlook": reconciler.CauseOnlyOutlook, "new in NightPOS": reconciler.CauseOnlyNightPOS,
		"edited in Outlook": reconciler.CauseNotCarried, "gone": reconciler.CauseOnlyNightPOS, "left": reconciler.CauseOnlyOutlook,
		"drifted in Outlook": reconciler.CauseDiffers,
	}
	if diff := cmp.Diff(want, l.causes()); diff != "" {
		t.Errorf("causes (-want +got):\n%s", diff)
	}
	byID := map[string]reconciler.Cause{}
	for _, one := range l.compare() {
		byID[one.Event.Title] = one.Cause
	}
	delete(want, "new in Outlook")
	delete(want, "new in NightPOS")
	if diff := cmp.Diff(want, byID); diff != "" {
		t.Errorf("causes of linked pairs (-want +got):\n%s", diff)
	}
}

// What was agreed on wrongly stays so for every hint but the one that says so.
func TestDriftIsMendedByItsHint(t *testing.T) {
	l := newLife(t, nil)
	copied := l.outlook.create(at("title", noon), 0)
	l.tell(&l.outlook.calendar)
	l.pass(time.Minute)
	l.retitle(copied, "newer title")
	l.forge(copied)
	l.outlook.hints = nil
	record := l.linkOf(copied.ID).RecordID
	l.add(reconciler.Item{Key: reconciler.NightPOSKey(record), Priority: reconciler.PriorityBackfill, First: l.now})
	l.pass(time.Minute)
	if got := l.nightpos.records[record].Event.Title; got != "title" {
		t.Fatalf("an ordinary hint made NightPOS show %q", got)
	}
	l.add(reconciler.Item{Key: reconciler.NightPOSKey(record), Priority: reconciler.PriorityBackfill, First: l.now, Version: reconciler.VersionDrifted})
	writes := l.outlook.writes
	l.pass(time.Minute)
	l.want("newer title")
	if got := l.outlook.writes - writes; got != 0 {
		t.Errorf("Outlook, which was changed last, was written %d times", got)
	}
	if got := l.compare(); len(got) != 0 {
		t.Errorf("afterwards: got %+v, want them equal", got)
	}
	// What was written over is kept.
	lines := l.memory.lines
	if last := lines[len(lines)-1]; len(last.Conflicts) != 1 || last.Conflicts[0].Lost != "title" || last.Conflicts[0].Loser != reconciler.SideNightPOS {
		t.Errorf("the log says %+v, want the value that was lost", last)
	}
	writes = l.outlook.writes + l.nightpos.writes
	l.add(reconciler.Item{Key: reconciler.NightPOSKey(record), Priority: reconciler.PriorityBackfill, First: l.now, Version: reconciler.VersionDrifted})
	l.pass(time.Minute)
	if got := l.outlook.writes + l.nightpos.writes - writes; got != 0 {
		t.Errorf("a pair that is equal was written %d times", got)
	}
}
