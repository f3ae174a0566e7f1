package reconciler_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// pair is a life with one meeting on both sides.
func pair(t *testing.T) (l *life, copied *reconciler.Copy, record *reconciler.Record) {
	t.Helper()
	l = newLife(t, func(l *life) { copied = l.outlook.create(at("Review", noon), 0) })
	record = l.nightpos.records[l.linkOf(copied.ID).RecordID]
	l.outlook.hints, l.nightpos.hints = nil, nil
	return l, copied, record
}

// day is a day with its sweep.
const day = 25 * time.Hour

// TestNotFoundOnceIsNotGone: Graph does not find a copy that is there, while the
// record is deleted or archived or nothing happened at all. What is known of one half
// says nothing about the other.
func TestNotFoundOnceIsNotGone(t *testing.T) {
	for name, row := range map[string]struct {
		act  func(l *life, copied *reconciler.Copy, record *reconciler.Record)
		want []string
	}{
		"the record is deleted": {act: func(l *life, _ *reconciler.Copy, record *reconciler.Record) { l.nightpos.remove(record.ID) }},
		"the record is archived": {act: func(l *life, _ *reconciler.Copy, record *reconciler.Record) {
			archived := *record
			archived.Archived = true
			l.nightpos.save(&archived, true)
		}},
		"the record is deleted, and the first attempt failed": {act: func(l *life, _ *reconciler.Copy, record *reconciler.Record) {
			l.outlook.faults = []fault{faultBefore}
			l.nightpos.remove(record.ID)
			l.tell(&l.nightpos.calendar)
			unseen := l.outlook.unseen
			l.outlook.unseen = nil
			l.pass(100 * time.Millisecond)
			l.outlook.unseen = unseen
		}},
		"nothing happened": {act: func(l *life, copied *reconciler.Copy, _ *reconciler.Record) {
			l.add(reconciler.Item{Key: reconciler.OutlookKey(copied.ID), First: l.now})
		}, want: []string{"Review"}},
		"a new title in NightPOS": {act: func(l *life, _ *reconciler.Copy, record *reconciler.Record) {
			renamed := *record
			renamed.Event.Title = "Renamed"
			l.nightpos.save(&renamed, true)
		}, want: []string{"Renamed"}},
	} {
		t.Run(name, func(t *testing.T) {
			l, copied, record := pair(t)
			l.outlook.unseen = map[string]int{copied.ID: 1}
			row.act(l, copied, record)
			l.tell(&l.nightpos.calendar)
			l.pass(time.Minute)
			if l.outlook.unseen[copied.ID] != 0 {
				t.Fatal("the copy was not looked for")
			}
			l.want(row.want...)
			l.pass(day)
			l.want(row.want...)
		})
	}
}

// TestADeletedHintSpeaksOfItsOwnSide: both halves were deleted, and told of, which
// takes no second look; where one side told of both, the other is looked at twice.
func TestADeletedHintSpeaksOfItsOwnSide(t *testing.T) {
	for name, row := range map[string]struct {
		tell  func(l *life)
		reads int
	}{
		"both tell":      {tell: func(l *life) { l.tell(&l.nightpos.calendar); l.tell(&l.outlook.calendar) }, reads: 1},
		"NightPOS tells": {tell: func(l *life) { l.tell(&l.nightpos.calendar) }, reads: 2},
	} {
		t.Run(name, func(t *testing.T) {
			l, copied, record := pair(t)
			l.nightpos.remove(record.ID)
			l.outlook.remove(copied.ID)
			reads := l.outlook.reads
			row.tell(l)
			l.pass(10 * time.Millisecond)
			l.pass(time.Minute)
			if got := l.outlook.reads - reads; got != row.reads {
				t.Errorf("the copy was looked for %d times, want %d", got, row.reads)
			}
			if len(l.memory.links) != 0 || len(l.memory.items) > 2 {
				t.Errorf("left are the links %+v and the items %+v", l.memory.links, l.memory.items)
			}
		})
	}
}

// TestARefusedDeletionIsTriedAgain: somebody deletes a meeting in NightPOS, and
// Outlook does not let it be deleted for a day. The meeting stays linked, does not
// come back, the log says why, and there are few attempts.
func TestARefusedDeletionIsTriedAgain(t *testing.T) {
	for name, remove := range map[string]func(l *life, record *reconciler.Record){
		"deleted": func(l *life, record *reconciler.Record) { l.nightpos.remove(record.ID) },
		"archived": func(l *life, record *reconciler.Record) {
			archived := *record
			archived.Archived = true
			l.nightpos.save(&archived, true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, copied, record := pair(t)
			l.outlook.refusals = 1000
			remove(l, record)
			l.tell(&l.nightpos.calendar)
			l.pass(time.Hour)
			attempts := 1000 - l.outlook.refusals
			if attempts < 4 || attempts > 8 {
				t.Errorf("%d attempts within the first hour, want about six", attempts)
			}
			l.pass(day)
			if got := 1000 - l.outlook.refusals - attempts; got < 4 || got > 10 {
				t.Errorf("%d attempts within the day after, want about six", got)
			}
			if got := l.linkOf(copied.ID); got.Ended {
				t.Errorf("the link has ended: %+v", got)
			}
			for _, record := range l.nightpos.records {
				if !record.Archived {
					t.Errorf("the meeting has come back: %+v", record)
				}
			}
			last := l.memory.lines[len(l.memory.lines)-1].Reason
			if !strings.Contains(last, "403") || !strings.Contains(last, "tried again") {
				t.Errorf("the log says %q", last)
			}
			l.outlook.refusals = 0
			l.pass(7 * time.Hour)
			l.want()
			l.pass(day)
			l.want()
		})
	}
}

// TestARefusalThatIsOverIsSoonForgotten: the first attempts after a refusal do not
// wait for a sweep.
func TestARefusalThatIsOverIsSoonForgotten(t *testing.T) {
	l, _, record := pair(t)
	l.outlook.refusals = 2
	l.nightpos.remove(record.ID)
	l.tell(&l.nightpos.calendar)
	l.pass(5 * time.Minute)
	l.want()
	if len(l.memory.links) != 0 {
		t.Errorf("the links are %+v", l.memory.links)
	}
}
