package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// admin does what the admin API asks for.
type admin struct{ service *Service }

// refuse is an error that the caller can do something about.
func refuse(status int, format string, arguments ...any) error {
	return &gateway.Refusal{Status: status, Text: fmt.Sprintf(format, arguments...)}
}

// statusTime bounds the checks of a status.
const statusTime = 5 * time.Second

// Status implements gateway.Admin.
func (a admin) Status(ctx context.Context) (gateway.Status, error) {
	s := a.service
	now := s.config.Now()
	status := gateway.Status{
		Version: s.config.Version, Started: s.started.UTC(), UptimeSeconds: int64(now.Sub(s.started) / time.Second),
		StoreKind: s.store.Kind(), Users: map[string]int{}, OutlookSync: !s.console.current().Off, Stopped: s.engine.Stopped(),
	}
	checking, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	status.Dependencies = s.Health(checking)
	for _, dependency := range status.Dependencies {
		switch dependency.Name {
		case "store":
			status.Store = dependency
		case "nightpos":
			status.NightPOS = dependency
		case "microsoft":
			status.Microsoft = dependency
		}
	}
	depth, oldest, err := s.store.Depth(ctx)
	if err != nil {
		return gateway.Status{}, err
	}
	status.Queue.Depth = depth
	if !oldest.IsZero() {
		status.Queue.Oldest, status.Queue.OldestSeconds = &oldest, max(now.Sub(oldest).Seconds(), 0)
	}
	states, err := s.store.MemberStates(ctx)
	if err != nil {
		return gateway.Status{}, err
	}
	for _, state := range states {
		status.Users[string(state.Phase(true))]++
	}
	if end := s.expiry.end(); !end.IsZero() {
		day, left := end.Format(time.DateOnly), int(end.Sub(now)/oneDay)
		status.SecretExpires, status.SecretDaysLeft = &day, &left
	}
	return status, nil
}

// Find implements gateway.Admin.
func (a admin) Find(ctx context.Context, user string) (string, error) {
	if _, err := strconv.ParseInt(user, 10, 64); err == nil {
		if state, err := a.service.store.MemberState(ctx, user); err == nil {
			return state.ID, nil
		} else if !errors.Is(err, redis.ErrNotFound) {
			return "", err
		}
	}
	states, err := a.states(ctx)
	if err != nil {
		return "", err
	}
	index := slices.IndexFunc(states, func(state redis.MemberState) bool { return strings.EqualFold(state.Login, user) })
	if index < 0 {
		return "", gateway.ErrNobody
	}
	return states[index].ID, nil
}

// states is everybody as of now.
func (a admin) states(ctx context.Context) ([]redis.MemberState, error) {
	if _, err := a.service.store.MembersNow(ctx); err != nil {
		return nil, err
	}
	return a.service.store.MemberStates(ctx)
}

// readersAtOnce is how many people are read at the same time.
const readersAtOnce = 8

// Users implements gateway.Admin.
func (a admin) Users(ctx context.Context, after string, limit int) ([]gateway.User, bool, error) {
	states, err := a.states(ctx)
	if err != nil {
		return nil, false, err
	}
	states = slices.Clone(states)
	slices.SortFunc(states, func(one, other redis.MemberState) int { return int(one.UserID - other.UserID) })
	from, err := strconv.ParseInt(after, 10, 64)
	if err != nil && after != "" {
		return nil, false, refuse(http.StatusBadRequest, "after must be the id of a user")
	}
	states = slices.DeleteFunc(states, func(state redis.MemberState) bool { return state.UserID <= from })
	more := len(states) > limit
	states = states[:min(limit, len(states))]
	users, err := a.showAll(ctx, states)
	return users, more, err
}

// User implements gateway.Admin.
func (a admin) User(ctx context.Context, id string) (gateway.User, error) {
	state, err := a.state(ctx, id)
	if err != nil {
		return gateway.User{}, err
	}
	return a.show(ctx, state)
}

func (a admin) state(ctx context.Context, id string) (redis.MemberState, error) {
	state, err := a.service.store.MemberState(ctx, id)
	if errors.Is(err, redis.ErrNotFound) {
		return redis.MemberState{}, gateway.ErrNobody
	}
	return state, err
}

// show reads everything about a person that the API tells.
func (a admin) show(ctx context.Context, state redis.MemberState) (gateway.User, error) {
	s := a.service
	user := gateway.User{ID: state.UserID, Login: state.Login, Name: state.Name, Mailbox: state.Mailbox, Job: state.Job}
	subscription, err := records{s.store}.Subscription(ctx, state.ID)
	if err != nil {
		return gateway.User{}, err
	}
	if subscription.ID != "" {
		user.Subscription = &gateway.UserSubscription{ID: subscription.ID, Expires: subscription.Expires.UTC()}
	}
	now := s.config.Now()
	user.State = state.Phase(subscription.Live(now))
	if user.Pending, err = s.store.Pending(ctx, state.ID, soon); err != nil {
		return gateway.User{}, err
	}
	if user.Moving, err = s.store.Pending(ctx, state.ID, 0); err != nil {
		return gateway.User{}, err
	}
	sweeps, err := s.store.Sweeps(ctx, state.ID)
	if err != nil {
		return gateway.User{}, err
	}
	last, err := s.store.Crossed(ctx, state.ID)
	if err != nil {
		return gateway.User{}, err
	}
	if sweeps.Heard.After(last) {
		last = sweeps.Heard.UTC()
	}
	if !last.IsZero() {
		user.LastSync = &last
	}
	if user.FirstSync, err = a.firstSync(ctx, state, sweeps); err != nil {
		return gateway.User{}, err
	}
	if state.Halted.Open() {
		user.Question = &gateway.Question{Side: state.Halted.Missing, Count: state.Halted.Count, Of: state.Halted.Of, Since: state.Halted.Since.UTC()}
	}
	trouble, err := s.store.Trouble(ctx, state.ID)
	if err != nil {
		return gateway.User{}, err
	}
	if said := lastError(state, trouble); said != "" {
		user.LastError = &said
	}
	return user, nil
}

// lastError is what happened and what to do.
func lastError(state redis.MemberState, trouble string) string {
	switch {
	case state.Refused != "":
		return state.Refused + "; have the person connect again, with a connect link or from NightPOS"
	case state.Halted.Open():
		return fmt.Sprintf("%d of %d synced events are gone from %s and nothing was deleted on the other side yet: "+
			`if that is right POST /api/v1/users/%s/answer {"deletions":"apply"}, otherwise {"deletions":"keep"}`,
			state.Halted.Count, state.Halted.Of, sideName(state.Halted.Missing), state.ID)
	case state.Paused || state.Job != "":
		return ""
	case trouble != "":
		return trouble + "; it is tried again by itself"
	}
	return ""
}

func sideName(side reconciler.Side) string {
	if side == reconciler.SideOutlook {
		return "Outlook"
	}
	return "NightPOS"
}

// ready refuses what cannot be done for a person now.
func (a admin) ready(ctx context.Context, id string) (redis.MemberState, error) {
	state, err := a.state(ctx, id)
	if err != nil {
		return state, err
	}
	switch {
	case state.Refused != "":
		return state, refuse(http.StatusConflict, "this person has to connect Outlook again first; make a connect link")
	case state.Job != "":
		return state, refuse(http.StatusConflict, "a reset of this person is under way: job %s", state.Job)
	}
	return state, nil
}

// Sync implements gateway.Admin.
func (a admin) Sync(ctx context.Context, id string) error {
	state, err := a.ready(ctx, id)
	if err != nil {
		return err
	}
	if state.Paused {
		return refuse(http.StatusConflict, "this person is paused; resume first")
	}
	return a.service.Sweep(ctx, id)
}

// turn changes a person's standing.
func (a admin) turn(ctx context.Context, id string, turn reconciler.Turn, word string) error {
	err := a.service.store.UpdateMember(ctx, id, func(state *redis.MemberState) (bool, error) {
		next := state.After(turn, word)
		changed := next != state.Standing
		state.Standing = next
		return changed, nil
	})
	if errors.Is(err, redis.ErrNotFound) {
		return gateway.ErrNobody
	}
	return err
}

// Pause implements gateway.Admin.
func (a admin) Pause(ctx context.Context, id string) error {
	return a.turn(ctx, id, reconciler.TurnPaused, "")
}

// Resume implements gateway.Admin. What happened meanwhile waits in the lane, and
// a sweep finds the rest.
func (a admin) Resume(ctx context.Context, id string) error {
	state, err := a.state(ctx, id)
	if err != nil || !state.Paused {
		return err
	}
	if err := a.turn(ctx, id, reconciler.TurnResumed, ""); err != nil {
		return err
	}
	if err := a.service.Sweep(ctx, id); err != nil {
		return err
	}
	return a.service.store.Hurry(ctx, id)
}

// removalTime bounds what Microsoft is asked when somebody disconnects.
const removalTime = 8 * time.Second

// Disconnect implements gateway.Admin. Nobody works on the lane any more when the
// subscription goes; one that cannot be removed now ends by itself within a week,
// and what it tells meanwhile is dropped.
func (a admin) Disconnect(ctx context.Context, id string) error {
	state, err := a.state(ctx, id)
	if err != nil {
		return err
	}
	if state.Job != "" {
		return refuse(http.StatusConflict, "a reset of this person is under way: job %s", state.Job)
	}
	if err := a.turn(ctx, id, reconciler.TurnPaused, ""); err != nil {
		return err
	}
	a.service.unsubscribe(ctx, state)
	// No change of mind half way, even if the caller hangs up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removalTime)
	defer cancel()
	if err := a.service.store.RemoveMember(ctx, id); err != nil {
		return err
	}
	a.service.outlook.Forget(id)
	return a.service.store.ForgetLinks(ctx, id)
}

// unsubscribe takes the subscription away at Microsoft, as far as that is to be
// had now.
func (s *Service) unsubscribe(ctx context.Context, state redis.MemberState) {
	if state.Refused != "" {
		return // Microsoft would not hear of it
	}
	ctx, cancel := context.WithTimeout(ctx, removalTime)
	defer cancel()
	if err := s.manager.Remove(ctx, state.Member); err != nil {
		s.config.Log.Warn("a subscription could not be removed; it ends by itself within a week", zap.String("lane", state.ID), zap.Error(err))
	}
}
