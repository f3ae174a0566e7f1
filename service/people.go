package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
		UserID: session.UserID, ID: strconv.FormatInt(session.UserID, 10), Login: session.Login, Name: session.Name, Administrator: session.System,
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
	return gateway.Person{UserID: found[0].UserID, ID: found[0].ID, Login: found[0].Login, Name: found[0].Name, Address: found[0].Address}, nil
}

// SignInURL implements gateway.People.
func (p people) SignInURL(state, verifier, loginHint string) string {
	return p.service.outlook.AuthCodeURL(state, verifier, loginHint)
}

// Connect implements gateway.People.
func (p people) Connect(ctx context.Context, person gateway.Person, code, verifier string) (string, error) {
	token, err := p.service.outlook.Exchange(ctx, code, verifier)
	if err != nil {
		return "", signInFailure(err)
	}
	member, err := p.service.Connect(ctx, person.Login, token)
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
	switch {
	case errors.As(err, &told):
		failure.Word, failure.Number = told.Word, told.Number
	case errors.As(err, &taken):
		failure.Word, failure.Detail = gateway.FailureMailboxTaken, taken.Mailbox
		if taken.Own {
			failure.Word = gateway.FailureOtherMailbox
		}
	case errors.Is(err, ErrBuiltInSync):
		failure.Word = gateway.FailureBuiltIn
	case errors.Is(err, outlook.ErrScopes):
		failure.Word = gateway.FailureScopes
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
}

func (e *MailboxError) Error() string {
	if e.Own {
		return fmt.Sprintf("the person is connected with the mailbox %s", e.Mailbox)
	}
	return fmt.Sprintf("the mailbox %s is somebody else's", e.Mailbox)
}

// refuseMailbox keeps one mailbox from being two people's, and one person from
// having two. A mailbox whose address is that of another user is that user's,
// connected or not: whoever passes a connect link on must not get it.
func (s *Service) refuseMailbox(ctx context.Context, member reconciler.Member, profile outlook.Profile) error {
	owners, err := s.clerk.suite.UsersByAddress(ctx, profile.Address())
	if err != nil {
		return err
	}
	if len(owners) > 0 && !slices.ContainsFunc(owners, func(owner reconciler.Member) bool { return owner.ID == member.ID }) {
		return &MailboxError{Mailbox: profile.Address()}
	}
	if _, err := s.store.MembersNow(ctx); err != nil {
		return err
	}
	known, err := s.store.MemberStates(ctx)
	if err != nil {
		return err
	}
	for _, other := range known {
		same := other.MailboxID == profile.ID
		if other.MailboxID == "" {
			same = reconciler.Person{Address: other.Mailbox}.Key() == reconciler.Person{Address: profile.Address()}.Key()
		}
		switch {
		case same && other.ID != member.ID:
			return &MailboxError{Mailbox: profile.Address()}
		case !same && other.ID == member.ID:
			return &MailboxError{Own: true, Mailbox: other.Mailbox}
		}
	}
	return nil
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
