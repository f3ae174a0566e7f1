package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// The states and kinds of a job, as the admin API names them.
const (
	jobRunning = "running"
	jobDone    = "done"
	jobFailed  = "failed"

	kindReset = "reset"
	kindUndo  = "undo"
)

// job is a reset, or the undoing of one, as it is kept.
type job struct {
	ID       string        `json:"id"`
	Kind     string        `json:"kind"`
	Lane     string        `json:"lane"`
	User     int64         `json:"user"`
	Reset    gateway.Reset `json:"reset,omitzero"`
	Restores string        `json:"restores,omitempty"`
	State    string        `json:"state"`
	Done     int           `json:"done"`
	Total    int           `json:"total"`
	Failed   int           `json:"failed,omitempty"`
	Error    string        `json:"error,omitempty"`
	Began    time.Time     `json:"began"`
	// Over says that nothing is left but to let go of the person: once that has
	// happened the job has ended, whether or not somebody could still note it.
	Over bool `json:"over,omitempty"`
}

// end is the job as it ends.
func (j job) end() job {
	j.State, j.Done = jobDone, j.Total
	if j.Failed > 0 {
		j.State, j.Error = jobFailed, fmt.Sprintf("%d events were refused, the last one because: %s", j.Failed, j.Error)
	}
	return j
}

// resetReason is why somebody who was reset has to connect again.
const resetReason = "the account was reset"

// resets keeps jobs in the store. It implements reconciler.Resets.
type resets struct{ service *Service }

func (r resets) read(ctx context.Context, id string) (job, error) {
	var kept job
	text, err := r.service.store.Job(ctx, id)
	if err != nil {
		return kept, err
	}
	if err := json.Unmarshal(text, &kept); err != nil {
		return kept, fmt.Errorf("reading a job: %w", err)
	}
	return kept, nil
}

func (r resets) save(ctx context.Context, kept job) error {
	text, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("keeping a job: %w", err)
	}
	return r.service.store.SaveJob(ctx, kept.ID, text)
}

// Reset implements reconciler.Resets.
func (r resets) Reset(ctx context.Context, lane string) (reconciler.Reset, bool, error) {
	state, err := r.service.store.MemberState(ctx, lane)
	if errors.Is(err, redis.ErrNotFound) || err == nil && state.Job == "" {
		return reconciler.Reset{}, false, nil
	}
	if err != nil {
		return reconciler.Reset{}, false, err
	}
	kept, err := r.read(ctx, state.Job)
	if err != nil {
		return reconciler.Reset{}, false, err
	}
	return resetOf(kept), true, nil
}

func resetOf(kept job) reconciler.Reset {
	return reconciler.Reset{
		Job: kept.ID, Restore: kept.Restores,
		Outlook:  kept.Reset.Events == "outlook" || kept.Reset.Events == "both",
		NightPOS: kept.Reset.Events == "nightpos" || kept.Reset.Events == "both",
	}
}

// Keep implements reconciler.Resets.
func (r resets) Keep(ctx context.Context, id string, deleted []reconciler.Deleted) error {
	entries := map[string][]byte{}
	for _, one := range deleted {
		text, err := json.Marshal(one)
		if err != nil {
			return fmt.Errorf("keeping what is deleted: %w", err)
		}
		entries[one.Name()] = text
	}
	return r.service.store.KeepUndo(ctx, id, entries)
}

// Kept implements reconciler.Resets. The halves of a pair follow one another.
func (r resets) Kept(ctx context.Context, id string, limit int) ([]reconciler.Deleted, error) {
	entries, err := r.service.store.Undo(ctx, id)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(entries))
	var kept []reconciler.Deleted
	for _, name := range names {
		var one reconciler.Deleted
		if err := json.Unmarshal(entries[name], &one); err != nil {
			return nil, fmt.Errorf("reading what was deleted: %w", err)
		}
		if len(kept) >= limit && one.RecordID != kept[len(kept)-1].RecordID {
			break
		}
		kept = append(kept, one)
	}
	return kept, nil
}

// Restored implements reconciler.Resets.
func (r resets) Restored(ctx context.Context, id string, deleted []reconciler.Deleted) error {
	names := make([]string, len(deleted))
	for index, one := range deleted {
		names[index] = one.Name()
	}
	return r.service.store.DropUndo(ctx, id, names...)
}

// Progress implements reconciler.Resets.
func (r resets) Progress(ctx context.Context, id string, done int, failed []error) error {
	kept, err := r.read(ctx, id)
	if err != nil {
		return err
	}
	kept.Done += done
	kept.Failed += len(failed)
	kept.Total = max(kept.Total, kept.Done)
	for _, err := range failed {
		kept.Error = err.Error()
	}
	return r.save(ctx, kept)
}

// End implements reconciler.Resets. After a reset the person has to connect
// again: nothing of the connection is left but who it was.
func (r resets) End(ctx context.Context, lane string, reset reconciler.Reset) error {
	s := r.service
	kept, err := r.read(ctx, reset.Job)
	if err != nil {
		return err
	}
	kept.Over = true
	if err := r.save(ctx, kept); err != nil {
		return err
	}
	if kept.Kind == kindReset {
		if err := s.detach(ctx, lane, kept.Reset.NextSync == gateway.FirstSyncNew); err != nil {
			return err
		}
	} else if err := (admin{s}).turn(ctx, lane, reconciler.TurnKept, ""); err != nil {
		return err
	}
	if err := r.save(ctx, kept.end()); err != nil {
		return err
	}
	if kept.Kind == kindUndo {
		return s.store.Hurry(ctx, lane)
	}
	return nil
}

// detach ends a connection and remembers whose it was and what is to cross when
// the person connects again.
func (s *Service) detach(ctx context.Context, lane string, onlyNew bool) error {
	state, err := s.store.MemberState(ctx, lane)
	if err != nil {
		return err
	}
	s.unsubscribe(ctx, state)
	if err := s.store.ForgetToken(ctx, lane); err != nil {
		return err
	}
	s.outlook.Forget(lane)
	if err := s.store.EmptyLinks(ctx, lane); err != nil {
		return err
	}
	return s.store.UpdateMember(ctx, lane, func(state *redis.MemberState) (bool, error) {
		state.Standing = state.After(reconciler.TurnRefused, resetReason)
		state.Paused, state.First = false, reconciler.FirstSync{New: onlyNew}
		return true, nil
	})
}

// Reset implements gateway.Admin.
func (a admin) Reset(ctx context.Context, id string, asked gateway.Reset) (string, error) {
	state, err := a.ready(ctx, id)
	if err != nil {
		return "", err
	}
	total, err := a.service.store.CountLinks(ctx, id)
	if err != nil {
		return "", err
	}
	return a.start(ctx, state, job{Kind: kindReset, Reset: asked, Total: total})
}

// jobReminder is when a lane looks for a job whose beginning was cut off.
const jobReminder = time.Minute

// start begins a job in a person's lane.
func (a admin) start(ctx context.Context, state redis.MemberState, kept job) (string, error) {
	s := a.service
	kept.ID, kept.Lane, kept.User, kept.State, kept.Began = uuid.NewString(), state.ID, state.UserID, jobRunning, s.config.Now().UTC()
	if err := (resets{s}).save(ctx, kept); err != nil {
		return "", err
	}
	// A worker that comes upon this item before the member has the job would find
	// nothing to do; without it, a member with a job whose item never came would
	// wait for ever.
	item := reconciler.Item{Key: reconciler.KeyReset, First: s.config.Now(), Due: s.config.Now().Add(jobReminder)}
	if err := s.store.Add(ctx, state.ID, item); err != nil {
		return "", err
	}
	var other string
	err := s.store.UpdateMember(ctx, state.ID, func(state *redis.MemberState) (bool, error) {
		if other = state.Job; other != "" {
			return false, nil
		}
		state.Standing = state.After(reconciler.TurnReset, kept.ID)
		return true, nil
	})
	if err != nil {
		return "", err
	}
	if other != "" {
		return "", refuse(http.StatusConflict, "a reset of this person is under way: job %s", other)
	}
	item.Due = s.config.Now()
	return kept.ID, s.store.Add(ctx, state.ID, item)
}

// PreviewReset implements gateway.Admin.
func (a admin) PreviewReset(ctx context.Context, id string, asked gateway.Reset) (gateway.ResetPreview, error) {
	preview := gateway.ResetPreview{Reset: asked}
	if _, err := a.ready(ctx, id); err != nil {
		return preview, err
	}
	would, err := a.service.engine.PreviewReset(ctx, id, resetOf(job{Reset: asked}))
	preview.Synced, preview.Outlook, preview.NightPOS, preview.Mails = would.Synced, would.Outlook, would.NightPOS, would.Mails
	return preview, err
}

// job reads a job. One whose person went away, or whose sign-in ended, is
// abandoned: it will not go on.
func (a admin) job(ctx context.Context, id string) (kept job, abandoned bool, err error) {
	s := a.service
	kept, err = resets{s}.read(ctx, id)
	if err != nil || kept.State != jobRunning {
		return kept, false, err
	}
	state, err := s.store.MemberState(ctx, kept.Lane)
	switch {
	case err != nil && !errors.Is(err, redis.ErrNotFound):
		return kept, false, err
	case err == nil && state.Job == kept.ID:
		return kept, false, nil
	}
	// It may have ended since it was read.
	kept, err = resets{s}.read(ctx, id)
	if err != nil || kept.State != jobRunning {
		return kept, false, err
	}
	if kept.Over {
		return kept.end(), false, nil
	}
	return kept, true, nil
}

// Job implements gateway.Admin.
func (a admin) Job(ctx context.Context, id string) (gateway.Job, error) {
	s := a.service
	kept, abandoned, err := a.job(ctx, id)
	if errors.Is(err, redis.ErrNotFound) {
		return gateway.Job{}, refuse(http.StatusNotFound, "there is no such job, or it is older than 30 days")
	}
	if err != nil {
		return gateway.Job{}, err
	}
	shown := gateway.Job{ID: kept.ID, Kind: kept.Kind, User: kept.User, State: kept.State, Done: kept.Done, Total: kept.Total, Error: kept.Error}
	switch {
	case abandoned:
		shown.State = jobFailed
		shown.Error = strings.TrimPrefix(kept.Error+"; the sign-in ended before it was done, connect again and repeat it", "; ")
	case kept.State == jobRunning && shown.Error == "":
		if shown.Error, err = s.store.Trouble(ctx, kept.Lane); err != nil {
			return gateway.Job{}, err
		}
	}
	entries, err := s.store.CountUndo(ctx, id)
	if err != nil {
		return gateway.Job{}, err
	}
	if entries > 0 {
		until := kept.Began.Add(redis.JobLife)
		shown.Restorable, shown.Until = entries, &until
	}
	return shown, nil
}

// Undo implements gateway.Admin.
func (a admin) Undo(ctx context.Context, id string) (string, error) {
	s := a.service
	former, err := a.Job(ctx, id)
	if err != nil {
		return "", err
	}
	if former.State == jobRunning {
		return "", refuse(http.StatusConflict, "that job is still running")
	}
	if former.Restorable == 0 {
		return "", refuse(http.StatusConflict, "that job deleted nothing that could be restored, or more than 30 days ago")
	}
	kept, err := resets{s}.read(ctx, id)
	if err != nil {
		return "", err
	}
	state, err := a.ready(ctx, kept.Lane)
	if err != nil {
		return "", err
	}
	s.config.Log.Info("restoring what a reset deleted", zap.String("job", id))
	return a.start(ctx, state, job{Kind: kindUndo, Restores: id, Total: former.Restorable})
}
