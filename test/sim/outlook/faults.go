package outlook

import (
	"net/http"
	"strconv"
	"time"
)

// CallInfo describes a Graph call to Config.Faults.
type CallInfo struct {
	Method      string
	Path        string
	Template    string
	Mailbox     string
	Application string
	BatchItem   bool
}

// Fault is an answer that is not the true one. The zero Fault changes nothing.
type Fault struct {
	Status     int    // HTTP status; 0 leaves the true answer
	Code       string // Graph error code; empty picks the usual one of the status
	Message    string
	RetryAfter time.Duration // 0 means no Retry-After header; rounded up to seconds
	// AfterCommit carries the call out before the fault is answered: the caller
	// cannot know that it happened.
	AfterCommit bool
	// Drop closes the connection instead of answering; in a batch, it is a 504
	// of the item.
	Drop bool
	// Delay is waited before anything else.
	Delay time.Duration
}

func (f *Fault) strikes() bool { return f != nil && (f.Status != 0 || f.Drop) }

func (f *Fault) answer() error {
	status := f.Status
	if f.Drop {
		status = http.StatusGatewayTimeout
	}
	usual := usualFaults[status]
	code, message := f.Code, f.Message
	if code == "" {
		code = usual[0]
	}
	if code == "" {
		code = "UnknownError"
	}
	if message == "" {
		message = usual[1]
	}
	refused := failure(status, code, "%s", message)
	if f.RetryAfter > 0 {
		refused.header = retryAfter(f.RetryAfter)
	}
	return refused
}

var usualFaults = map[int][2]string{
	http.StatusUnauthorized:        {"InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."},
	http.StatusForbidden:           {"ErrorAccessDenied", "Access is denied. Check credentials and try again."},
	http.StatusNotFound:            {"ErrorItemNotFound", "The specified object was not found in the store."},
	http.StatusConflict:            {"ErrorConflict", "The operation conflicts with another one."},
	http.StatusGone:                {"syncStateNotFound", "The sync state generation is not found; a full resync is needed."},
	http.StatusPreconditionFailed:  {"ErrorIrresolvableConflict", conflictMessage},
	http.StatusTooManyRequests:     {"ApplicationThrottled", "Application is over its MailboxConcurrency limit."},
	http.StatusInternalServerError: {"ErrorInternalServerError", "An internal server error occurred. The operation failed."},
	http.StatusBadGateway:          {"UnknownError", ""},
	http.StatusServiceUnavailable:  {"ServiceUnavailable", "The service is temporarily unavailable. Please retry after some time."},
	http.StatusGatewayTimeout:      {"gatewayTimeout", "The request timed out."},
}

const conflictMessage = "The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item."

func retryAfter(pause time.Duration) http.Header {
	seconds := int((pause + time.Second - 1) / time.Second)
	return http.Header{"Retry-After": {strconv.Itoa(seconds)}}
}
