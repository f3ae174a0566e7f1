package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// Connect keeps a person's consent and starts to keep the calendar in step: the
// subscription first, so that nothing goes unheard, and then the first sync.
// The login is the person's in NightPOS.
func (s *Service) Connect(ctx context.Context, login string, token outlook.Token) (reconciler.Member, error) {
	users, err := s.clerk.suite.UsersByLogin(ctx, login)
	if err != nil {
		return reconciler.Member{}, fmt.Errorf("connecting %s: %w", login, err)
	}
	if len(users) == 0 {
		return reconciler.Member{}, fmt.Errorf("connecting %s: NightPOS knows no user of that login", login)
	}
	return s.admit(ctx, users[0], outlook.Consent{Token: token}, gateway.Choice{})
}

// admit makes a person a member, whichever way the consent came. First it is
// found out whose mailbox it is, with the new token and nothing kept; then the
// mailbox is claimed, so that nobody else gets it meanwhile; then the token is
// kept, since whoever sees the member expects one; and the member last.
func (s *Service) admit(ctx context.Context, member reconciler.Member, consent outlook.Consent, choice gateway.Choice) (reconciler.Member, error) {
	failed := func(err error) (reconciler.Member, error) {
		return reconciler.Member{}, fmt.Errorf("connecting %s: %w", member.Login, err)
	}
	if err := s.refuseBuiltInSync(ctx, member); err != nil {
		return reconciler.Member{}, err
	}
	profile, err := s.outlook.Whose(ctx, consent.Token)
	if err != nil {
		return failed(fmt.Errorf("asking Microsoft whose mailbox it is: %w", err))
	}
	if profile.ID == "" {
		return failed(errors.New("the answer of Microsoft does not tell whose mailbox it is"))
	}
	former, err := s.refuseMailbox(ctx, member, profile, consent.Tenant)
	if err != nil {
		return failed(err)
	}
	if former.Job != "" {
		return failed(ErrResetUnderWay)
	}
	member.Mailbox = profile.Address()
	err = s.tokens.SaveToken(ctx, member.ID, consent.Token)
	s.outlook.Forget(member.ID)
	if err == nil {
		err = s.join(ctx, redis.MemberState{Member: member, MailboxID: profile.ID, MailboxTenant: consent.Tenant}, choice)
	}
	if err != nil {
		return failed(errors.Join(err, s.store.ReleaseMailbox(context.WithoutCancel(ctx), member.ID)))
	}
	now := s.config.Now()
	err = s.store.Add(ctx, member.ID,
		reconciler.Item{Key: reconciler.KeySubscription, First: now, Version: reconciler.SignalConnected},
		reconciler.SweepItem(reconciler.PriorityPerson, now),
		reconciler.Item{Key: reconciler.KeyFirstSync, Priority: reconciler.PriorityBackfill, First: now})
	if err != nil {
		return failed(err)
	}
	// What was put off while the person was away comes due.
	if err := s.store.Hurry(ctx, member.ID); err != nil {
		return failed(err)
	}
	s.sweepOnceKnown(member.ID)
	return member, nil
}

// join records somebody who signed in, with what stays of a former connection. It
// may change meanwhile: a reset that begins or ends must not be undone by this.
func (s *Service) join(ctx context.Context, joining redis.MemberState, choice gateway.Choice) error {
	after := func(former redis.MemberState) redis.MemberState {
		state := joining
		state.First, state.Choices = s.firstSyncOf(former, choice), former.Choices
		state.MailboxTenant = cmp.Or(joining.MailboxTenant, former.MailboxTenant)
		state.Standing = former.After(reconciler.TurnSignedIn, "")
		return state
	}
	err := s.store.UpdateMember(ctx, joining.ID, func(state *redis.MemberState) (bool, error) {
		if state.Job != "" {
			return false, ErrResetUnderWay
		}
		*state = after(*state)
		return true, nil
	})
	if errors.Is(err, redis.ErrNotFound) {
		return s.store.SaveMember(ctx, after(redis.MemberState{}))
	}
	return err
}

// ErrResetUnderWay says that a reset, or its undoing, still works on a person's
// calendar. A reset ends the connection once it is done, whoever signed in meanwhile.
var ErrResetUnderWay = errors.New("the calendar is being reset: wait until that is done and connect again")

// firstSyncOf is the first sync of somebody who connects. Who only signs in again
// goes on with the one that was, unless something else was chosen by now.
func (s *Service) firstSyncOf(former redis.MemberState, choice gateway.Choice) reconciler.FirstSync {
	first := former.First
	if first.Began.IsZero() {
		first.Began, first.Quiet = s.config.Now().UTC(), s.config.Settings.QuietFirstSync
	}
	switch choice.FirstSync {
	case gateway.FirstSyncNew:
		first.New, first.Began = true, s.config.Now().UTC()
	case gateway.FirstSyncAll:
		first.New = false
	}
	for _, class := range choice.Send {
		first.Send, _ = first.Send.With(class)
	}
	return first
}

// ErrBuiltInSync says that NightPOS's own Outlook sync still works for a person.
// Two syncs between the same calendars double meetings.
var ErrBuiltInSync = errors.New("NightPOS's built-in Outlook sync is still on for this person: stop it in NightPOS " +
	"(Calendar, the Outlook button, Stop Synchronization; or an administrator under Users, Calendar, Reset Account) and connect again")

func (s *Service) refuseBuiltInSync(ctx context.Context, member reconciler.Member) error {
	found, err := s.clerk.suite.BuiltInSyncs(ctx, member.UserID)
	if err != nil {
		return fmt.Errorf("asking whether NightPOS's built-in sync is on for %s: %w", member.Login, err)
	}
	if found[member.UserID].Active() {
		return fmt.Errorf("connecting %s: %w", member.Login, ErrBuiltInSync)
	}
	return nil
}

// BuiltInSync implements gateway.Admin.
func (a admin) BuiltInSync(ctx context.Context, person gateway.Person) (bool, error) {
	found, err := a.service.clerk.suite.BuiltInSyncs(ctx, person.UserID)
	return found[person.UserID].Active(), err
}

// StopBuiltInSync implements gateway.Admin.
func (a admin) StopBuiltInSync(ctx context.Context, person gateway.Person) error {
	_, err := a.service.clerk.suite.StopBuiltInSync(ctx, person.UserID)
	return err
}

// sweepOnceKnown sweeps once more when every replica has heard of the member:
// until then one that has not may take a change in NightPOS for nobody's. If
// this process ends before, the sweep after its next start does it.
func (s *Service) sweepOnceKnown(lane string) {
	s.background.Go(func() {
		timer := time.NewTimer(2 * redis.MemberLife)
		defer timer.Stop()
		select {
		case <-s.running.Done():
			return
		case <-timer.C:
		}
		if err := s.sweep(s.running, lane); err != nil && s.running.Err() == nil {
			s.config.Log.Error("the second sweep of a new calendar could not be queued; its next regular sweep does it", zap.Error(err))
		}
	})
}
