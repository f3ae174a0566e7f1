package nightpos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// The kinds of refusal, found with errors.Is.
var (
	// ErrDenied says that login, key or password are wrong.
	ErrDenied = errors.New("NightPOS refused the sign-in")
	// ErrAccess says that the account lacks the rights for a call.
	ErrAccess = errors.New("NightPOS: no access")
	// ErrMissing says that a record named in a call does not exist.
	ErrMissing = errors.New("NightPOS: record does not exist")
	// ErrInvalid says that NightPOS will not take the values of a call.
	ErrInvalid = errors.New("NightPOS: values refused")
	// ErrNoDatabase says that NightPOS has no database of the name given.
	ErrNoDatabase = errors.New("NightPOS: no such database")
	// ErrNoSession says that a browser is not signed in to NightPOS.
	ErrNoSession = errors.New("no NightPOS session")
	// ErrNotRegistered says that the door is not there or not open to this
	// account: `register` must be run with an administrator's account.
	ErrNotRegistered = errors.New("NightPOS is not prepared for the gateway: run register")
)

// CallError is an error that NightPOS itself answered with.
type CallError struct {
	// Call is model and method.
	Call string
	// Name is the last part of the error's Python name, such as "AccessError".
	// The part before it differs between white labels.
	Name string
	// message is NightPOS's text; it may quote event titles, or the door's
	// whole code, and is therefore shown nowhere.
	message string
	kind    error
}

func (e *CallError) Error() string {
	return fmt.Sprintf("NightPOS answered %s with %s", e.Call, e.Name)
}

// Unwrap returns the kind, one of the errors above, or nil.
func (e *CallError) Unwrap() error { return e.kind }

// noDatabase is what PostgreSQL says, in English unless somebody had it changed.
var noDatabase = regexp.MustCompile(`database "[^"]*" does not exist`)

// newCallError recognises an error by the end of its name only: the status is
// always 200, the code and the texts differ between versions and languages, and
// white labels rename the package.
func newCallError(call, fullName, message string) error {
	name := fullName[strings.LastIndexByte(fullName, '.')+1:]
	answered := &CallError{Call: call, Name: name, message: message}
	switch name {
	case "AccessDenied":
		answered.kind = ErrDenied
	case "AccessError":
		answered.kind = ErrAccess
	case "MissingError":
		answered.kind = ErrMissing
	case "UserError", "ValidationError", "ValueError", "TypeError", "RedirectWarning":
		answered.kind = ErrInvalid
	case "SessionExpiredException":
		answered.kind = ErrNoSession
	case "SerializationFailure", "TransactionRollbackError", "LockNotAvailable", "DeadlockDetected",
		"OperationalError", "InterfaceError", "PoolError", "QueryCanceled":
		// The database gave up for now, not for good. One that is not there at all
		// looks nearly the same, and may be there again in a moment.
		if noDatabase.MatchString(message) {
			answered.kind = ErrNoDatabase
		}
		return &reconciler.RetryError{Cause: "nightpos_database", Err: answered}
	case "":
		answered.Name = "an unnamed error"
	}
	return answered
}

// unreachable wraps an error of the way to NightPOS.
func unreachable(ctx context.Context, err error) error {
	if cause := ctx.Err(); errors.Is(cause, context.Canceled) {
		return cause
	}
	return &reconciler.RetryError{Cause: causeUnreachable, Err: withoutAddress(err)}
}

// withoutAddress drops the URL that net/http puts before its errors: it is long
// and the same every time.
func withoutAddress(err error) error {
	var sent *url.Error
	if errors.As(err, &sent) {
		return sent.Err
	}
	return err
}

// statusError is for answers that are no JSON-RPC answers at all, mostly from a
// proxy in front of NightPOS.
func statusError(answer *http.Response, now time.Time) error {
	err := fmt.Errorf("NightPOS answered with HTTP status %d", answer.StatusCode)
	if answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode >= http.StatusInternalServerError {
		return &reconciler.RetryError{After: retryAfter(answer.Header.Get("Retry-After"), now), Cause: causeUnavailable, Err: err}
	}
	return err
}

// retryAfter reads both forms of the header; at most an hour is believed.
func retryAfter(value string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(max(seconds, 0), 3600)) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), time.Hour)
}

// refusal turns the error of a write that went alone into the reconciler's
// terms; errors it does not know stay as they are and count as temporary.
func refusal(err error) error {
	var answered *CallError
	switch {
	case !errors.As(err, &answered) || errors.Is(err, ErrNotRegistered):
		return err
	case errors.Is(err, ErrMissing):
		return fmt.Errorf("%w: %w", reconciler.ErrGone, err)
	case errors.Is(err, ErrInvalid), errors.Is(err, ErrAccess):
		return &reconciler.RefusedError{Reason: "NightPOS: " + answered.Name, Err: err}
	}
	return err
}
