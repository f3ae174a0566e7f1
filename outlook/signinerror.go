package outlook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// ErrApplication says that Microsoft does not accept the gateway's own
// registration (expired secret, wrong secret, disabled application): nobody's
// token can be renewed until an administrator acts.
var ErrApplication = errors.New("the application is not accepted by Microsoft")

// SignInError is an error that Microsoft's sign-in answered with. It wraps
// reconciler.ErrReconnect when only the person can go on, and ErrApplication
// when only an administrator can.
type SignInError struct {
	// Word is the value of RFC 6749, such as invalid_grant. It alone decides what
	// follows: Microsoft's numbers and texts may change.
	Word string
	// SubError is a finer word of Microsoft's, such as consent_required; often
	// empty.
	SubError string
	// Number is Microsoft's AADSTS number, zero when there was none.
	Number int
	// Description is Microsoft's own text. It may name people and is therefore
	// never logged.
	Description string
	// TraceID and CorrelationID are what Microsoft's support asks for.
	TraceID, CorrelationID string
	kind                   error
}

// Error names word and number, and what is known of that number.
func (e *SignInError) Error() string {
	text := e.Word
	if e.Number != 0 {
		text += ", AADSTS" + strconv.Itoa(e.Number)
	}
	if meaning := e.Meaning(); meaning != "" {
		return meaning + " (" + text + ")"
	}
	return "Microsoft's sign-in answered " + text
}

// Unwrap returns the kind.
func (e *SignInError) Unwrap() error { return e.kind }

// meanings are for people to read, and for nothing else.
var meanings = map[int]string{
	50011:   "the redirect URI is not registered with the application",
	50034:   "the account no longer exists in its organization",
	50053:   "the account is locked after too many attempts to sign in",
	50055:   "the password of the account has expired",
	50057:   "the account is disabled",
	50074:   "the organization asks for a second factor",
	50076:   "the organization asks for a second factor",
	50078:   "the second factor has to be shown again",
	50079:   "the organization asks to register a second factor",
	50105:   "the organization has not assigned the person to the application",
	50173:   "the password was changed or all sessions were signed out",
	50194:   "the application belongs to one organization alone: MICROSOFT_TENANT must be that tenant's id",
	50196:   "Microsoft sees the same question asked over and over",
	53003:   "the organization's conditional access keeps the gateway out",
	54005:   "the sign-in was used twice",
	65001:   "the consent was withdrawn, or an administrator has to give it",
	70000:   "the stored sign-in is not valid",
	70008:   "the stored sign-in has expired",
	70011:   "a scope that the gateway asks for does not exist",
	70043:   "the organization asks to sign in again after some time",
	700005:  "the sign-in belongs to another tenant",
	700016:  "the application is not known in the directory: check MICROSOFT_CLIENT_ID and MICROSOFT_TENANT",
	700027:  "the certificate is not registered with the application, or has expired",
	700082:  "the stored sign-in was not used for too long",
	700084:  "the redirect URI is registered as a single-page application and has to be registered as web",
	90002:   "there is no such tenant: check MICROSOFT_TENANT",
	501481:  "the sign-in was finished by another browser than began it",
	7000112: "the application is disabled in Entra",
	7000215: "the client secret is wrong: MICROSOFT_CLIENT_SECRET, or what the console's settings have in its place, must be its value, not its id",
	7000218: "Microsoft was shown neither a client secret nor a certificate",
	7000222: "the client secret has expired: make a new one in Entra and set MICROSOFT_CLIENT_SECRET, or enter it in the console's settings if the one before was entered there",
	9001023: "the tenant path does not serve this kind of sign-in: set MICROSOFT_TENANT to a tenant's id",
}

// Meaning is what a known number means, in plain words; empty for others.
func (e *SignInError) Meaning() string { return meanings[e.Number] }

var aadsts = regexp.MustCompile(`^AADSTS(\d{4,9})`)

// signInError sorts what the sign-in service answered.
func signInError(ctx context.Context, err error, now time.Time) error {
	if err == nil {
		return nil
	}
	var answered *oauth2.RetrieveError
	if !errors.As(err, &answered) {
		return unreachable(ctx, err)
	}
	told := &SignInError{Word: answered.ErrorCode, Description: answered.ErrorDescription}
	var body struct {
		Codes         []int  `json:"error_codes"`
		SubError      string `json:"suberror"`
		TraceID       string `json:"trace_id"`
		CorrelationID string `json:"correlation_id"`
	}
	// Gateways in between answer with pages; the status is enough then.
	_ = json.Unmarshal(answered.Body, &body)
	told.SubError, told.TraceID, told.CorrelationID = clip(body.SubError), clip(body.TraceID), clip(body.CorrelationID)
	if len(body.Codes) > 0 {
		told.Number = body.Codes[0]
	} else if found := aadsts.FindStringSubmatch(told.Description); found != nil {
		told.Number, _ = strconv.Atoi(found[1])
	}
	told.Word = clip(strings.ToLower(told.Word))
	switch told.Word {
	case "invalid_grant", "interaction_required", "consent_required", "login_required", "access_denied":
		told.kind = reconciler.ErrReconnect
		return told
	case "invalid_client", "unauthorized_client", "invalid_request", "invalid_scope", "unsupported_grant_type":
		told.kind = ErrApplication
		return &reconciler.RetryError{Cause: "application", Err: told}
	case "":
		told.Word = "an error"
		if answered.Response != nil {
			told.Word = fmt.Sprintf("HTTP status %d", answered.Response.StatusCode)
		}
	}
	after := time.Duration(0)
	if answered.Response != nil {
		after = retryAfter(answered.Response.Header.Get("Retry-After"), now)
	}
	return &reconciler.RetryError{After: after, Cause: causeSignIn, Err: told}
}

// clip bounds what a server says about itself.
func clip(text string) string { return text[:min(len(text), 100)] }
