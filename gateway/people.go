package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Person is a user of NightPOS.
type Person struct {
	UserID int64
	// ID is UserID in decimal.
	ID          string
	Login, Name string
	// Address is the person's mail address in NightPOS, by which Microsoft may
	// guess the account; it may be empty.
	Address string
	// Zone is the IANA name of the person's own time zone, empty if unknown.
	Zone string
	// Administrator says that the person may change NightPOS's settings.
	Administrator bool
}

// ErrNobody says that there is no such person, or that nobody is signed in.
var ErrNobody = errors.New("nobody")

// People knows the users of NightPOS and connects them with their mailboxes.
type People interface {
	// AtBrowser is who a NightPOS session, the value of its cookie, belongs to;
	// the error wraps ErrNobody when it is nobody's.
	AtBrowser(ctx context.Context, session string) (Person, error)
	// Find finds a person by user id or login; the error wraps ErrNobody.
	Find(ctx context.Context, user string) (Person, error)
	// SignInURL is where a browser is sent to consent; see outlook.AuthCodeURL.
	SignInURL(state, verifier, loginHint string) string
	// Connect redeems the code that a browser came back with and connects the
	// person, with a first sync as chosen. It returns the mailbox's address. What
	// the person or an administrator can do something about is a *SignInFailure.
	Connect(ctx context.Context, person Person, code, verifier string, choice Choice) (mailbox string, err error)
}

// Choice is what an administrator chose for a person's first sync, when making
// the connect link.
type Choice struct {
	// FirstSync is FirstSyncAll, FirstSyncNew, or empty when nothing was chosen.
	FirstSync string `json:"first_sync,omitempty"`
	// Send are classes that a quiet first sync need not keep back.
	Send []reconciler.Class `json:"send,omitempty"`
}

// What a first sync brings across: everything, or only what is new from then on.
const (
	FirstSyncAll = "all"
	FirstSyncNew = "new"
)

// Tickets keeps notes that are used once; see redis.Store.
type Tickets interface {
	SaveTicket(ctx context.Context, name string, content []byte, life time.Duration) error
	// Ticket only looks, TakeTicket uses the ticket up. The error wraps ErrSpent
	// when there is none.
	Ticket(ctx context.Context, name string) ([]byte, error)
	TakeTicket(ctx context.Context, name string) ([]byte, error)
}

// ErrSpent says that a ticket was used, is too old, or never was.
var ErrSpent = errors.New("the ticket is spent")

// SignInFailure is why a sign-in did not connect anybody. Word is that of RFC
// 6749 or one of the failure words below; Number is Microsoft's AADSTS number,
// zero for none. Both only choose the page that explains it.
type SignInFailure struct {
	Word   string `json:"word,omitempty"`
	Number int    `json:"number,omitempty"`
	// Detail is shown where a page has a place for it, such as an address.
	Detail string `json:"detail,omitempty"`
	// Owner is the name of the person a mailbox belongs to, if known.
	Owner string `json:"owner,omitempty"`
	// Trace is what Microsoft's support asks for.
	Trace string `json:"trace,omitempty"`
	Err   error  `json:"-"`
	// link is the connect link that the person may use again.
	link string
}

func (f *SignInFailure) Error() string {
	if f.Err != nil {
		return f.Word + ": " + f.Err.Error()
	}
	return f.Word
}

// Unwrap returns what lies behind it.
func (f *SignInFailure) Unwrap() error { return f.Err }

// The failure words that are not Microsoft's.
const (
	FailureScopes       = "gateway_scopes"        // consent to less than is needed; Detail is what lacks
	FailureMailboxTaken = "gateway_mailbox_taken" // the mailbox is somebody else's in NightPOS; Detail is the mailbox
	FailureOtherMailbox = "gateway_other_mailbox" // the person has another one; Detail is that
	FailureBuiltIn      = "gateway_built_in"      // NightPOS's own sync is on
	FailureReset        = "gateway_reset"         // a reset is under way

	failureState   = "gateway_state"   // unknown, used or old state
	failureBrowser = "gateway_browser" // another browser than began it
	failureLink    = "gateway_link"    // unknown, used or old link
	failureSession = "gateway_session" // nobody is signed in
	failureOther   = "gateway_other_person"
	failurePerson  = "gateway_person_changed" // somebody else is signed in by now
	failureGone    = "gateway_person_gone"    // archived or removed
	failureForeign = "gateway_foreign_page"   // another site's page began it
	failureBusy    = "gateway_busy"           // a server cannot be reached
)
