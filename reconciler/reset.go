package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Reset is what is under way in a lane that is being reset, or in which a reset
// is being undone.
type Reset struct {
	// Job names it.
	Job string
	// Outlook and NightPOS say where the member's synced events are deleted.
	Outlook, NightPOS bool
	// Restore undoes the reset of that job instead.
	Restore string
}

// Deleted is an event that a reset deletes, as it has to be kept to be restored.
type Deleted struct {
	// Side is where it was deleted.
	Side            Side
	RecordID        int64
	GraphID         string
	Role            Role
	OrganizerUserID int64
	Event           Event
	// Series is set on series.
	Series *DeletedSeries
}

// Name tells it from all others of its job.
func (d Deleted) Name() string {
	return strconv.FormatInt(d.RecordID, 10) + "/" + d.GraphID + "/" + string(d.Side)
}

// Resets tells which resets are under way and remembers how far they are.
type Resets interface {
	// Reset returns what is under way in a lane; false when nothing is.
	Reset(ctx context.Context, lane string) (Reset, bool, error)
	// Keep keeps what is about to be deleted. Keeping it twice is as good as once.
	Keep(ctx context.Context, job string, deleted []Deleted) error
	// Kept returns about limit of what a job deleted and nobody has restored, and
	// never one half of a pair without the other.
	Kept(ctx context.Context, job string, limit int) ([]Deleted, error)
	// Restored says that these are there again.
	Restored(ctx context.Context, job string, deleted []Deleted) error
	// Progress counts events that are done, and those that could not be.
	Progress(ctx context.Context, job string, done int, failed []error) error
	// End says that nothing is left to do.
	End(ctx context.Context, lane string, reset Reset) error
}

// resetStep is how many events a reset does at a time; the lane's other work goes
// on in between.
const resetStep = 40

// Deletes says what a reset deletes of a pair, as both sides show it now: on each
// side at most what the member owns there. A meeting that somebody else organises
// is never the member's, on neither side; a stand-in in the member's mailbox is.
// What is archived or cancelled is gone already, and what is Aside, or stands in
// another calendar of the mailbox, is not synced; both stay as they are.
func (s State) Deletes(reset Reset) (inOutlook, inNightPOS bool) {
	if s.Link == nil || s.Link.Ended || s.Link.Aside || s.elsewhere() {
		return false, false
	}
	own := s.Record != nil && s.Record.OrganizerUserID == s.Member.UserID || s.Record == nil && s.Link.Role == RoleOrganizer
	inOutlook = reset.Outlook && s.there() && s.Copy.IsOrganizer && (own || s.Link.Role == RoleStandIn)
	inNightPOS = reset.NightPOS && s.active() && own && !s.Record.Masked
	return inOutlook, inNightPOS
}

// reset does the next step of what is under way. It returns when it wants to go
// on.
func (r *round) reset(ctx context.Context) (time.Time, error) {
	resets := r.engine.Resets
	reset, there, err := resets.Reset(ctx, r.lease.Lane)
	if err != nil || !there {
		return time.Time{}, err
	}
	var more bool
	if reset.Restore != "" {
		more, err = r.restoreStep(ctx, reset)
	} else {
		more, err = r.resetStep(ctx, reset)
	}
	if err != nil {
		return time.Time{}, err
	}
	if more {
		return r.engine.Now(), nil
	}
	if err := resets.End(ctx, r.lease.Lane, reset); err != nil {
		return time.Time{}, fmt.Errorf("ending a reset: %w", err)
	}
	return time.Time{}, nil
}

var errEnough = errors.New("enough for now")

// resetStep takes the next links, deletes what is to be deleted of them, and
// forgets them, so that a step that is done again finds nothing to do.
func (r *round) resetStep(ctx context.Context, reset Reset) (more bool, err error) {
	var links []Link
	err = r.engine.Store.AllLinks(ctx, r.lease.Lane, func(link Link) error {
		if len(links) == resetStep {
			return errEnough
		}
		links = append(links, link)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return false, fmt.Errorf("reading links: %w", err)
	}
	if len(links) == 0 {
		return false, nil
	}
	single, repeating := withoutSeries(links)
	states, err := r.states(ctx, single)
	if err != nil {
		return false, err
	}
	series, err := r.seriesStates(ctx, repeating)
	if err != nil {
		return false, err
	}
	var deleted []Deleted
	var copies []OutlookWrite
	var records []RecordWrite
	for _, state := range states {
		inOutlook, inNightPOS := state.Deletes(reset)
		if inOutlook {
			copies = append(copies, OutlookWrite{Action: ActionDelete, ID: state.Copy.ID, Current: state.Copy})
			deleted = append(deleted, deletedOf(SideOutlook, state))
		}
		if inNightPOS {
			records = append(records, RecordWrite{Action: ActionDelete, ID: state.Record.ID, Current: state.Record})
			deleted = append(deleted, deletedOf(SideNightPOS, state))
		}
	}
	for _, subject := range series {
		inOutlook, inNightPOS := subject.state.Deletes(reset)
		if inOutlook {
			deleted = append(deleted, deletedSeries(SideOutlook, &subject.state))
		}
		if inNightPOS {
			deleted = append(deleted, deletedSeries(SideNightPOS, &subject.state))
		}
	}
	if err := r.engine.Resets.Keep(ctx, reset.Job, deleted); err != nil {
		return false, fmt.Errorf("keeping what a reset deletes: %w", err)
	}
	if err := r.held.confirm(ctx); err != nil {
		return false, err
	}
	var failed []error
	settle := func(err error) error {
		var refused *RefusedError
		switch {
		case err == nil || errors.Is(err, ErrGone):
		case errors.As(err, &refused):
			failed = append(failed, err)
		default:
			return err
		}
		return nil
	}
	if len(copies) > 0 {
		for _, result := range r.engine.Outlook.Write(ctx, r.member, copies) {
			if err := settle(result.Err); err != nil {
				return false, fmt.Errorf("deleting in Outlook: %w", err)
			}
		}
	}
	if len(records) > 0 {
		for _, result := range r.engine.NightPOS.Write(ctx, records) {
			if err := settle(result.Err); err != nil {
				return false, fmt.Errorf("deleting in NightPOS: %w", err)
			}
		}
	}
	for _, subject := range series {
		inOutlook, inNightPOS := subject.state.Deletes(reset)
		if err := settle(r.resetSeries(ctx, subject, inOutlook, inNightPOS)); err != nil {
			return false, err
		}
	}
	commit := Commit{}
	for _, one := range deleted {
		from := one.Side.Other()
		commit.Activities = append(commit.Activities, Activity{
			Time: r.engine.Now(), Lane: r.lease.Lane, RecordID: one.RecordID, GraphID: one.GraphID, From: from, Action: ActionDelete,
			Reason: "reset " + reset.Job, Mails: r.mailsOf(one),
		})
	}
	for _, link := range links {
		commit.Drop = append(commit.Drop, link.RecordID)
	}
	if err := r.engine.Resets.Progress(ctx, reset.Job, len(links), failed); err != nil {
		return false, fmt.Errorf("recording how far a reset is: %w", err)
	}
	if err := r.engine.Store.Commit(ctx, r.lease, commit); err != nil {
		return false, fmt.Errorf("recording what a reset did: %w", err)
	}
	return true, nil
}

// mailsOf is how many people Outlook writes to because an event is deleted.
func (r *round) mailsOf(one Deleted) int {
	if one.Side != SideOutlook {
		return 0
	}
	return len(one.addresses(r.member))
}

func deletedOf(side Side, state State) Deleted {
	one := Deleted{Side: side, RecordID: state.Link.RecordID, GraphID: state.Link.GraphID, Role: state.Link.Role}
	if side == SideOutlook {
		one.Event = state.Copy.Event
	} else {
		one.Event = state.Record.Event
	}
	if state.Record != nil {
		one.OrganizerUserID = state.Record.OrganizerUserID
	}
	return one
}

// states reads both halves of links.
func (r *round) states(ctx context.Context, links []Link) ([]State, error) {
	var graphIDs []string
	var recordIDs []int64
	for _, link := range links {
		if link.GraphID != "" {
			graphIDs = append(graphIDs, link.GraphID)
		}
		recordIDs = append(recordIDs, link.RecordID)
	}
	copies := map[string]Copy{}
	if len(graphIDs) > 0 {
		found, failed, err := r.engine.Outlook.Read(ctx, r.member, graphIDs)
		if err != nil {
			return nil, fmt.Errorf("reading events: %w", err)
		}
		for _, err := range failed {
			return nil, fmt.Errorf("reading events: %w", err)
		}
		copies = found
	}
	records, err := r.engine.NightPOS.Read(ctx, recordIDs)
	if err != nil {
		return nil, fmt.Errorf("reading records: %w", err)
	}
	states := make([]State, 0, len(links))
	for _, link := range links {
		state := State{Member: r.member, Database: r.engine.Database, Link: &link, Outlook: r.engine.Outlook, NightPOS: r.engine.NightPOS, Now: r.engine.Now()}
		if found, there := copies[link.GraphID]; there {
			unified := &subject{}
			r.see(unified, found)
			state.Copy = unified.state.Copy
		}
		if found, there := records[link.RecordID]; there {
			state.Record = &found
		}
		states = append(states, state)
	}
	return states, nil
}

// Resetting is what a reset would do.
type Resetting struct {
	// Synced is how many pairs there are; Outlook and NightPOS how many events
	// would be deleted.
	Synced, Outlook, NightPOS int
	// Mails are whom Outlook would write to, with how many cancellations.
	Mails map[string]int
}

// PreviewReset says what a reset of a lane would do, and does nothing.
func (e *Engine) PreviewReset(ctx context.Context, lane string, reset Reset) (Resetting, error) {
	resetting := Resetting{Mails: map[string]int{}}
	round, err := e.onlooker(ctx, lane)
	if err != nil {
		return resetting, err
	}
	var links []Link
	look := func() error {
		single, repeating := withoutSeries(links)
		links = nil
		states, err := round.states(ctx, single)
		for _, state := range states {
			resetting.count(state, reset, func() Deleted { return deletedOf(SideOutlook, state) })
		}
		if err != nil {
			return err
		}
		series, err := round.seriesStates(ctx, repeating)
		for _, subject := range series {
			state := &subject.state
			resetting.count(state.State, reset, func() Deleted { return deletedSeries(SideOutlook, state) })
		}
		return err
	}
	err = e.Store.AllLinks(ctx, lane, func(link Link) error {
		if link.Ended || link.Aside {
			return nil
		}
		if links = append(links, link); len(links) < readStep {
			return nil
		}
		return look()
	})
	if err == nil && len(links) > 0 {
		err = look()
	}
	return resetting, err
}

// count adds what a reset would do about one pair.
func (r *Resetting) count(state State, reset Reset, inOutlook func() Deleted) {
	if state.Copy == nil || state.Record == nil {
		return
	}
	r.Synced++
	there, here := state.Deletes(reset)
	if here {
		r.NightPOS++
	}
	if there {
		r.Outlook++
		for _, address := range inOutlook().addresses(state.Member) {
			r.Mails[address]++
		}
	}
}

// readStep is how many pairs are read at once by who only looks.
const readStep = 200

// restoreStep brings back some of what a reset deleted: a record with its people,
// a copy without them, since Outlook would invite them again. Both are linked, so
// that what is there on both sides again goes on as one. What has come back by
// itself is left alone.
func (r *round) restoreStep(ctx context.Context, reset Reset) (more bool, err error) {
	kept, err := r.engine.Resets.Kept(ctx, reset.Restore, resetStep)
	if err != nil || len(kept) == 0 {
		return false, err
	}
	pairs := map[int64][]Deleted{}
	for _, one := range kept {
		pairs[one.RecordID] = append(pairs[one.RecordID], one)
	}
	var failed []error
	for _, id := range slices.Sorted(maps.Keys(pairs)) {
		if err := r.restore(ctx, reset, pairs[id]); err != nil {
			var refused *RefusedError
			if !errors.As(err, &refused) {
				return false, err
			}
			failed = append(failed, err)
		}
	}
	if err := r.engine.Resets.Restored(ctx, reset.Restore, kept); err != nil {
		return false, fmt.Errorf("recording what was restored: %w", err)
	}
	return true, r.engine.Resets.Progress(ctx, reset.Job, len(kept), failed)
}

// restore brings back what was deleted of one pair.
func (r *round) restore(ctx context.Context, reset Reset, deleted []Deleted) error {
	pair := deleted[0]
	back, err := r.back(ctx, pair)
	if err != nil || back {
		return err
	}
	if pair.Series != nil {
		return r.restoreSeries(ctx, reset, deleted)
	}
	states, err := r.states(ctx, []Link{{RecordID: pair.RecordID, GraphID: pair.GraphID, Role: pair.Role}})
	if err != nil {
		return err
	}
	state := states[0]
	state.Link = nil
	commit := Commit{}
	for _, side := range []Side{SideNightPOS, SideOutlook} {
		index := slices.IndexFunc(deleted, func(one Deleted) bool { return one.Side == side })
		if index < 0 {
			continue
		}
		if err := r.remake(ctx, reset, deleted[index], &state); err != nil {
			return err
		}
		line := Activity{Time: r.engine.Now(), Lane: r.lease.Lane, From: side.Other(), Action: ActionCreate, Reason: "undo " + reset.Restore}
		if state.Record != nil {
			line.RecordID = state.Record.ID
		}
		if state.Copy != nil {
			line.GraphID = state.Copy.ID
		}
		commit.Activities = append(commit.Activities, line)
	}
	if state.Copy != nil && state.Record != nil {
		settled := state.Settle(Plan{Role: pair.Role, keep: fateLive, held: true}, nil, nil)
		if settled.Link != nil {
			settled.Link.Updated = r.engine.Now()
			commit.Links = append(commit.Links, *settled.Link)
		}
	}
	return r.restored(ctx, commit)
}

// restored records what was brought back.
func (r *round) restored(ctx context.Context, commit Commit) error {
	if err := r.engine.Store.Commit(ctx, r.lease, commit); err != nil {
		return fmt.Errorf("recording what was restored: %w", err)
	}
	meetings := map[string]int64{}
	for _, link := range commit.Links {
		if link.ICalUID != "" {
			meetings[link.ICalUID] = link.RecordID
		}
	}
	if len(meetings) == 0 {
		return nil
	}
	if err := r.engine.Store.SetMeetings(ctx, meetings); err != nil {
		return fmt.Errorf("recording what was restored: %w", err)
	}
	return nil
}

// back says that a next sync has brought a pair together again already.
func (r *round) back(ctx context.Context, pair Deleted) (bool, error) {
	links, err := r.engine.Store.Links(ctx, r.lease.Lane, nonEmpty(pair.GraphID), []int64{pair.RecordID})
	if err != nil {
		return false, fmt.Errorf("reading links: %w", err)
	}
	return slices.ContainsFunc(links, func(link Link) bool { return !link.Ended && link.GraphID != "" }), nil
}

// remake makes again what was deleted on one side.
func (r *round) remake(ctx context.Context, reset Reset, one Deleted, state *State) error {
	if err := r.held.confirm(ctx); err != nil {
		return err
	}
	if one.Side == SideNightPOS {
		if state.Record != nil {
			return nil
		}
		result := r.engine.NightPOS.Write(ctx, []RecordWrite{{
			Action: ActionCreate, Event: one.Event, Fields: NewFieldSet(Fields()...), OrganizerUserID: one.OrganizerUserID,
			Key: "undo_" + reset.Restore + "_" + strconv.FormatInt(one.RecordID, 10),
		}})[0]
		if result.Err != nil {
			return fmt.Errorf("restoring in NightPOS: %w", result.Err)
		}
		state.Record = result.Record
		return nil
	}
	if state.Copy != nil {
		return nil
	}
	event := one.Event
	event.People = nil
	write := OutlookWrite{
		Action: ActionCreate, Event: event, Fields: NewFieldSet(Fields()...), RecordID: one.RecordID,
		Key: uuid.NewSHA1(uuid.NameSpaceOID, []byte("nightpos-outlook-gateway/undo/"+reset.Restore+"/"+one.Name())).String(),
	}
	if state.Record != nil {
		write.RecordID = state.Record.ID
	}
	result := r.engine.Outlook.Write(ctx, r.member, []OutlookWrite{write})[0]
	switch {
	case result.Err != nil:
		return fmt.Errorf("restoring in Outlook: %w", result.Err)
	case result.Existed:
		copies, _, err := r.engine.Outlook.Read(ctx, r.member, []string{result.Copy.ID})
		if err != nil {
			return fmt.Errorf("restoring in Outlook: %w", err)
		}
		if made, there := copies[result.Copy.ID]; there {
			state.Copy = &made
		}
		return nil
	}
	state.Copy = result.Copy
	return nil
}

func nonEmpty(id string) []string {
	if id == "" {
		return nil
	}
	return []string{id}
}
