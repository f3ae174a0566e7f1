package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// people is what the gateway's pages know of NightPOS's users, and how they
// connect them.
type people struct{ service *Service }

// AtBrowser implements gateway.People.
func (p people) AtBrowser(ctx context.Context, cookie string) (gateway.Person, error) {
	session, err := p.service.clerk.suite.Session(ctx, cookie)
	if errors.Is(err, nightpos.ErrNoSession) {
		return gateway.Person{}, gateway.ErrNobody
	}
	if err != nil {
		return gateway.Person{}, err
	}
	return gateway.Person{
		UserID: session.UserID, ID: strconv.FormatInt(session.UserID, 10), Login: session.Login, Name: session.Name, Zone: session.Zone, Administrator: session.System,
	}, nil
}

// Find implements gateway.People. A login that looks like an id is found by its
// id.
func (p people) Find(ctx context.Context, user string) (gateway.Person, error) {
	suite := p.service.clerk.suite
	var found []reconciler.Member
	var err error
	if id, failed := strconv.ParseInt(user, 10, 64); failed == nil {
		found, err = suite.UsersByID(ctx, id)
	} else {
		found, err = suite.UsersByLogin(ctx, user)
	}
	if err != nil {
		return gateway.Person{}, err
	}
	if len(found) == 0 {
		return gateway.Person{}, gateway.ErrNobody
	}
	return gateway.Person{UserID: found[0].UserID, ID: found[0].ID, Login: found[0].Login, Name: found[0].Name, Address: found[0].Address, Zone: found[0].Zone}, nil
}

// SignInURL implements gateway.People.
func (p people) SignInURL(state, verifier, loginHint string) string {
	return p.service.outlook.AuthCodeURL(state, verifier, loginHint)
}

// Connect implements gateway.People.
func (p people) Connect(ctx context.Context, person gateway.Person, code, verifier string, choice gateway.Choice) (string, error) {
	consent, err := p.service.outlook.Exchange(ctx, code, verifier)
	if err != nil {
		return "", signInFailure(err)
	}
	found, err := p.service.clerk.suite.UsersByID(ctx, person.UserID)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("NightPOS knows no active user %d", person.UserID)
	}
	if err != nil {
		return "", signInFailure(err)
	}
	member, err := p.service.admit(ctx, found[0], consent, choice)
	if err != nil {
		return "", signInFailure(err)
	}
	return member.Mailbox, nil
}

// signInFailure chooses the page that explains an error.
func signInFailure(err error) error {
	failure := &gateway.SignInFailure{Err: err}
	var taken *MailboxError
	var told *outlook.SignInError
	var scopes *outlook.ScopesError
	switch {
	case errors.As(err, &told):
		failure.Word, failure.Number, failure.Trace = told.Word, told.Number, told.TraceID
	case errors.As(err, &taken):
		failure.Word, failure.Detail, failure.Owner = gateway.FailureMailboxTaken, taken.Mailbox, taken.Owner
		if taken.Own {
			failure.Word = gateway.FailureOtherMailbox
		}
	case errors.Is(err, ErrBuiltInSync):
		failure.Word = gateway.FailureBuiltIn
	case errors.Is(err, ErrResetUnderWay):
		failure.Word = gateway.FailureReset
	case errors.As(err, &scopes):
		failure.Word, failure.Detail = gateway.FailureScopes, strings.Join(scopes.Missing, ", ")
	default:
		failure.Word = "temporarily_unavailable"
	}
	return failure
}

// MailboxError says that a mailbox cannot be connected to a person.
type MailboxError struct {
	// Own says that the person is connected with Mailbox, another one; otherwise
	// Mailbox is somebody else's.
	Own     bool
	Mailbox string
	// Owner is that somebody's name, as far as it is known.
	Owner string
}

func (e *MailboxError) Error() string {
	if e.Own {
		return "the person is connected with another mailbox"
	}
	return "the mailbox is somebody else's"
}

// refuseMailbox keeps one mailbox from being two people's, and one person from
// having two; otherwise the mailbox is claimed for the person, and what is known
// of a former connection is returned. A mailbox whose address is that of another
// user is that user's, connected or not: whoever passes a connect link on must
// not get it.
func (s *Service) refuseMailbox(ctx context.Context, member reconciler.Member, profile outlook.Profile, tenant string) (redis.MemberState, error) {
	addresses := []string{profile.Mail}
	if !strings.EqualFold(profile.Mail, profile.UserPrincipalName) {
		addresses = append(addresses, profile.UserPrincipalName)
	}
	for _, address := range addresses {
		owners, err := s.clerk.suite.UsersByAddress(ctx, address)
		if err != nil {
			return redis.MemberState{}, err
		}
		if len(owners) > 0 && !slices.ContainsFunc(owners, func(owner reconciler.Member) bool { return owner.ID == member.ID }) {
			return redis.MemberState{}, &MailboxError{Mailbox: profile.Address(), Owner: owners[0].Name}
		}
	}
	former, err := s.store.MemberState(ctx, member.ID)
	if err != nil && !errors.Is(err, redis.ErrNotFound) {
		return redis.MemberState{}, err
	}
	if former.MailboxTenant != "" && tenant != "" && former.MailboxTenant != tenant {
		return redis.MemberState{}, &MailboxError{Own: true, Mailbox: former.Mailbox}
	}
	// An id is unique across tenants; with the tenant in the name, a connection
	// that does not know its tenant would not be recognised.
	err = s.store.ClaimMailbox(ctx, member.ID, strings.ToLower(profile.ID))
	var taken *redis.TakenError
	switch {
	case errors.Is(err, redis.ErrOtherMailbox):
		return redis.MemberState{}, &MailboxError{Own: true, Mailbox: former.Mailbox}
	case errors.As(err, &taken):
		owner, err := s.store.MemberState(ctx, taken.Lane)
		if err != nil && !errors.Is(err, redis.ErrNotFound) {
			return redis.MemberState{}, err
		}
		return redis.MemberState{}, &MailboxError{Mailbox: profile.Address(), Owner: owner.Name}
	}
	return former, err
}

// tickets is the store of single-use notes, as the pages see it.
type tickets struct{ store *redis.Store }

// SaveTicket implements gateway.Tickets.
func (t tickets) SaveTicket(ctx context.Context, name string, content []byte, life time.Duration) error {
	return t.store.SaveTicket(ctx, name, content, life)
}

// Ticket implements gateway.Tickets.
func (t tickets) Ticket(ctx context.Context, name string) ([]byte, error) {
	content, err := t.store.Ticket(ctx, name)
	return content, spent(err)
}

// TakeTicket implements gateway.Tickets.
func (t tickets) TakeTicket(ctx context.Context, name string) ([]byte, error) {
	content, err := t.store.TakeTicket(ctx, name)
	return content, spent(err)
}

func spent(err error) error {
	if errors.Is(err, redis.ErrNotFound) {
		return gateway.ErrSpent
	}
	return err
}
