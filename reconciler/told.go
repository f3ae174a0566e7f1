package reconciler

import (
	"context"
	"maps"
	"slices"
	"time"
)

// A notification with content tells what a copy showed, but for the text of its
// body, when it was saved. That may be an old story by the time it arrives, and the
// body may have changed in the same moment, so it is believed where nothing can be
// wrong with it or where what is wrong is found later, and else the copy is read.

// PreviewOpen is the Preview of a text that may go on beyond it.
const PreviewOpen = "+"

// emptyPreview is the Preview of no text at all.
var emptyPreview = DigestPreview("")

// DigestPreview is Copy.Preview of the beginning of a text.
func DigestPreview(text string) string { return digest("preview", text) }

// saw takes down which version of the copy is known.
func (l *Link) saw(copied Copy) {
	l.ChangeKey, l.Saved, l.Preview = copied.ChangeKey, time.Time{}, copied.Preview
	if copied.Preview != "" {
		l.Saved = copied.Modified
	}
}

// believes says whether what a notification showed may stand for the copy. It must
// be newer than what is known, be about the very version that the hint named, and
// leave nothing open that this mailbox's copy speaks for: an attendee's copy speaks
// for the answer alone. Of the organizer's the text must be as it was, as far as
// its beginning shows, which then has to be all of it; and another difference must be
// the reason for the new version, since of a text that only looks different its
// beginning shows nothing, and of a move to another calendar nothing shows anything.
func (l *Link) believes(told Copy, item Item) bool {
	switch {
	case l.Ended || l.Held || l.Alone || l.Apart || l.Aside || l.Series != nil || l.ChangeKey == "" || l.Saved.IsZero():
		return false
	case item.Attempts > 0 || told.ChangeKey == "" || told.ChangeKey != item.Version || told.ID != l.GraphID:
		return false
	case !told.Modified.After(l.Saved) || told.Cancelled || told.Recurring || told.ICalUID != l.ICalUID:
		return false
	case l.Role == RoleAttendee:
		return !told.IsOrganizer
	case l.Role != RoleOrganizer || !told.IsOrganizer || told.Preview == PreviewOpen || told.Preview != l.Preview || len(l.Outlook) == 0:
		return false
	}
	now := NewBase(told.Event)
	now[string(FieldBody)] = l.Outlook[string(FieldBody)]
	return !maps.Equal(now, l.Outlook)
}

// credit asks what notifications told of the copies of this round, and takes in
// what can be believed by itself. What is left is to be read.
func (r *round) credit(ctx context.Context) {
	if r.engine.Told == nil {
		return
	}
	var ids []string
	for _, subject := range r.subjects {
		if subject.creditable() {
			ids = append(ids, subject.graphID)
		}
	}
	if len(ids) == 0 {
		return
	}
	told := r.engine.Told(ctx, r.member, ids)
	for _, subject := range r.subjects {
		copied, there := told[subject.graphID]
		if !there || !subject.creditable() {
			continue
		}
		// People are compared under the addresses that NightPOS knows.
		unified := copied
		unified.Event = r.unifyEvent(copied.Event)
		if subject.link.believes(unified, subject.items[0]) {
			r.see(subject, copied)
		}
	}
}

// creditable says that one notification spoke of the subject, and nobody else.
func (s *subject) creditable() bool {
	if s.link == nil || len(s.items) != 1 {
		return false
	}
	side, _, _ := ParseKey(s.items[0].Key)
	return side == SideOutlook && s.items[0].Version != "" && s.items[0].Version != VersionDeleted
}

// told says that the subject's copy was not read.
func (s *subject) told() bool { return s.state.Copy != nil && s.state.Copy.Told }

// doubted are the copies that are to be read after all, now that the records are
// known: nothing is written to a copy, and nothing deleted anywhere, that was not
// looked at.
func (r *round) doubted() []string {
	var ids []string
	for _, subject := range r.subjects {
		if subject.skip || !subject.told() {
			continue
		}
		state := r.frame(subject.items)
		state.Copy, state.Record, state.Link = subject.state.Copy, subject.state.Record, subject.link
		plan := state.Plan()
		harmless := plan.keep == fateLive && plan.Outlook == nil && !plan.Wait && plan.Role == subject.link.Role && plan.Reason == "" &&
			(plan.NightPOS == nil || plan.NightPOS.Action == ActionUpdate || plan.NightPOS.Action == ActionAnswer)
		if !harmless {
			subject.state.Copy, subject.original = nil, nil
			ids = append(ids, subject.graphID)
		}
	}
	return ids
}

// reread reads the copies that are doubted.
func (r *round) reread(ctx context.Context) {
	ids := r.doubted()
	if len(ids) == 0 {
		return
	}
	copies, itemErrors, err := r.engine.Outlook.Read(ctx, r.member, ids)
	for _, subject := range r.subjects {
		if subject.skip || !slices.Contains(ids, subject.graphID) {
			continue
		}
		failed := err
		if failed == nil {
			failed = itemErrors[subject.graphID]
		}
		if failed != nil {
			r.abandon(subject, failed)
			continue
		}
		if copied, there := copies[subject.graphID]; there {
			r.see(subject, copied)
		}
	}
}
