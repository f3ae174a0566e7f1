package reconciler

import (
	"errors"
	"fmt"
	"time"
)

// ErrStale says that a guarded write found the event changed since it was
// read: read again, plan again.
var ErrStale = errors.New("the event changed since it was read")

// ErrGone says that the event a write was meant for no longer exists.
var ErrGone = errors.New("the event no longer exists")

// ErrReconnect says that the person's Microsoft sign-in is no longer valid and
// only the person can renew it.
var ErrReconnect = errors.New("the person must connect Outlook again")

// ErrLeaseLost says that another worker holds the lane now: whatever was about
// to be recorded must be dropped, the other worker will look for itself.
var ErrLeaseLost = errors.New("another worker holds this lane")

// RefusedError says that a server refused a write for good: repeating it
// unchanged is useless. The event is set aside with the reason until it changes.
type RefusedError struct {
	// Reason is the server's own words or code, without event content.
	Reason string
	Err    error
}

func (e *RefusedError) Error() string { return "refused: " + e.Reason }

// Unwrap returns the cause.
func (e *RefusedError) Unwrap() error { return e.Err }

// RetryError says that a server asked to be left alone for a while.
type RetryError struct {
	// After is how long to wait; zero when the server did not say.
	After time.Duration
	// Cause is a short stable name for metrics, such as "throttled".
	Cause string
	Err   error
}

func (e *RetryError) Error() string {
	if e.After > 0 {
		return fmt.Sprintf("%s, retry after %s: %v", e.Cause, e.After, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.Cause, e.Err)
}

// Unwrap returns the cause.
func (e *RetryError) Unwrap() error { return e.Err }
