package outlook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// errUnauthorized says that Graph does not take a token.
var errUnauthorized = errors.New("the token was not taken")

// ErrForbidden says that the person's consent does not cover a call.
var ErrForbidden = errors.New("access was refused by Microsoft")

// ErrMalformedID says that an id cannot be one of this mailbox's.
var ErrMalformedID = errors.New("the id is not one of this mailbox")

// GraphError is an error that Graph answered with.
type GraphError struct {
	// Status is the HTTP status, of an item in the case of a batch.
	Status int
	// Code is Graph's, such as ErrorItemNotFound; styles vary.
	Code string
	// Existing is the event that was made with the same transaction id.
	Existing string
	// message may quote an event and is therefore shown nowhere.
	message string
	kind    error
}

func (e *GraphError) Error() string { return fmt.Sprintf("Graph answered %d %s", e.Status, e.Code) }

// Unwrap returns the kind, one of the errors above or of the reconciler's.
func (e *GraphError) Unwrap() error { return e.kind }

// is compares codes as they must be compared: without regard to case or prefix.
func (e *GraphError) is(code string) bool {
	fold := func(text string) string { return strings.TrimPrefix(strings.ToLower(text), "error") }
	return fold(e.Code) == fold(code)
}

// otherwiseMissing says that it is not the item that is missing: the mailbox is
// being moved or has lost its licence, or it was not Graph that answered. Taken
// for the absence of an event, that would archive a whole calendar.
func (e *GraphError) otherwiseMissing() bool {
	return e.Code == "" || slices.ContainsFunc(missingMailbox, e.is)
}

var missingMailbox = []string{
	"MailboxNotEnabledForRESTAPI", "MailboxNotHostedInExchangeOnline", "MailboxNotSupportedForRESTAPI", "InvalidUser",
	"MailboxStoreUnavailable", "NonExistentMailbox", "Request_ResourceNotFound", "UnknownError",
}

// graphError reads the error of an answer. The HTTP status decides; codes tell
// finer differences within it.
func graphError(status int, header http.Header, body []byte, now time.Time) error {
	var envelope struct {
		Error struct {
			Code     string `json:"code"`
			Message  string `json:"message"`
			Existing string `json:"@event.existingEventId"`
		} `json:"error"`
	}
	// Gateways in between answer with pages; the status is enough then.
	_ = json.Unmarshal(body, &envelope)
	answered := &GraphError{
		Status: status, Code: envelope.Error.Code, Existing: envelope.Error.Existing, message: envelope.Error.Message,
	}
	if len(answered.Code) > 100 {
		answered.Code = answered.Code[:100]
	}
	retry := func(cause string) error {
		return &reconciler.RetryError{After: retryAfter(header.Get("Retry-After"), now), Cause: cause, Err: answered}
	}
	switch {
	case status == http.StatusUnauthorized:
		answered.kind = errUnauthorized
	case status == http.StatusForbidden:
		answered.kind = ErrForbidden
	case status == http.StatusNotFound && answered.otherwiseMissing():
		return retry("outlook_mailbox")
	case status == http.StatusNotFound, status == http.StatusGone:
		answered.kind = reconciler.ErrGone
	case status == http.StatusPreconditionFailed:
		answered.kind = reconciler.ErrStale
	case status == http.StatusTooManyRequests:
		return retry("throttled")
	case status == http.StatusLocked, status == http.StatusFailedDependency, status == http.StatusRequestTimeout:
		return retry("outlook_busy")
	case status >= http.StatusInternalServerError:
		return retry(causeUnavailable)
	case answered.is("IdMalformed") || answered.is("InvalidIdMalformed"):
		answered.kind = ErrMalformedID
	}
	return answered
}

// unnamedPause is how long a mailbox is left alone that is throttled without a
// word about how long; beyond that the lane's own pauses grow.
const unnamedPause = 2 * time.Second

// pauseOf is how long an error asks for the mailbox to be left alone.
func pauseOf(err error) time.Duration {
	var retry *reconciler.RetryError
	var answered *GraphError
	switch {
	case !errors.As(err, &retry):
		return 0
	case retry.After == 0 && errors.As(err, &answered) && answered.Status == http.StatusTooManyRequests:
		return unnamedPause
	}
	return retry.After
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

// unreachable wraps an error of the way to Microsoft.
func unreachable(ctx context.Context, err error) error {
	if cause := ctx.Err(); errors.Is(cause, context.Canceled) {
		return cause
	}
	var sent *url.Error
	if errors.As(err, &sent) {
		// The address in front holds ids and says nothing.
		err = sent.Err
	}
	return &reconciler.RetryError{Cause: causeUnreachable, Err: err}
}

// crossing is a refusal that a person can do something about.
const crossing = "Outlook: an occurrence of a series cannot be moved to or past the day of the one before it or the one after it"

// refusal turns the error of a write into the reconciler's terms: what Graph
// says is wrong with the content is refused for good.
func refusal(err error) error {
	var answered *GraphError
	var retry *reconciler.RetryError
	if !errors.As(err, &answered) || errors.As(err, &retry) || errors.Is(err, reconciler.ErrReconnect) ||
		errors.Is(err, reconciler.ErrGone) || errors.Is(err, reconciler.ErrStale) {
		return err
	}
	if errors.Is(err, ErrMalformedID) {
		return fmt.Errorf("%w: %w", reconciler.ErrGone, err)
	}
	if answered.Status == http.StatusConflict {
		// It is with something that happens at the same time.
		return &reconciler.RetryError{Cause: "conflict", Err: err}
	}
	if answered.is("OccurrenceCrossingBoundary") {
		return &reconciler.RefusedError{Reason: crossing, Err: err}
	}
	return &reconciler.RefusedError{Reason: "Outlook: " + strconv.Itoa(answered.Status) + " " + answered.Code, Err: err}
}
