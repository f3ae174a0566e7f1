package reconciler_test

import (
	"testing"
	"time"
)

// TestAnEditThatIsTakenBackAfterAFailedWrite: both sides are edited, the write that was
// to overrule one of them fails, and before it is tried again the edit that won is taken
// back. What is left is the other side's edit, and not two titles for good. (Found by
// the histories of one meeting after 850,000 of them: rapid.seed=1511205116.)
func TestAnEditThatIsTakenBackAfterAFailedWrite(t *testing.T) {
	for name, failing := range map[string]fault{"not written": faultBefore, "written, with the answer lost": faultAfter} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t, nil)
			copied := l.outlook.create(at("Agreed", l.now.Add(48*time.Hour)), 0)
			l.tell(&l.outlook.calendar)
			l.tell(&l.nightpos.calendar)
			l.pass(time.Minute)
			l.want("Agreed")
			for _, record := range l.nightpos.records {
				next := *record
				next.Event.Title = "Overruled"
				l.nightpos.save(&next, true)
			}
			l.now = l.now.Add(time.Minute)
			l.retitle(copied, "Won")
			l.nightpos.faults = []fault{failing}
			l.tell(&l.outlook.calendar)
			l.tell(&l.nightpos.calendar)
			l.pass(0)
			l.retitle(copied, "Agreed")
			l.tell(&l.outlook.calendar)
			l.tell(&l.nightpos.calendar)
			l.pass(time.Hour)
			shown := ""
			for _, record := range l.nightpos.records {
				shown = record.Event.Title
			}
			l.want(shown)
		})
	}
}
