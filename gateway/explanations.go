package gateway

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// explanation is a page for a sign-in that failed: what happened, in plain words,
// and what to do.
type explanation struct {
	// numbers are Microsoft's AADSTS numbers that mean this, words those of RFC
	// 6749 or the gateway's own. Numbers are looked at first: they are finer. Both
	// choose words to show and nothing else.
	numbers []int
	words   []string
	status  int
	// key stands before ".title" and ".text" in the catalogue, and before ".detail",
	// which names the failure's own detail; todo are the texts that say what to do.
	key  string
	todo []string
	// shows is what there is to compare or to copy.
	shows []shown
	// again offers to begin anew.
	again bool
	// stays: Microsoft mostly shows this on a page of its own and sends nobody
	// back, so that it is explained beforehand too.
	stays bool
}

// shown is something that a page shows along with its text.
type shown int

const (
	// showRedirect is the redirect URI, showClient the application's id,
	// showConsent the address at which an administrator consents for everybody.
	showRedirect shown = iota
	showClient
	showConsent
	// showDetail and showOwner are the failure's own.
	showDetail
	showOwner
)

// explanations follow the table of Microsoft's error codes.
var explanations = []explanation{
	{
		numbers: []int{90094, 65001}, words: []string{"consent_required"}, status: http.StatusForbidden, again: true, shows: []shown{showConsent, showClient},
		key: "consent", todo: []string{"consent.todo"},
	},
	{
		numbers: []int{90095}, status: http.StatusForbidden, again: true,
		key: "asked", todo: []string{"asked.todo"},
	},
	{
		numbers: []int{65004}, words: []string{"access_denied"}, status: http.StatusForbidden, again: true,
		key: "declined", todo: []string{"declined.todo"},
	},
	{
		numbers: []int{50194}, status: http.StatusBadGateway, stays: true, shows: []shown{showClient},
		key: "single_tenant", todo: []string{"single_tenant.todo", "for_administrator"},
	},
	{
		numbers: []int{50011, 500112}, status: http.StatusBadGateway, stays: true, shows: []shown{showRedirect, showClient},
		key: "redirect_uri", todo: []string{"redirect_uri.todo", "for_administrator"},
	},
	{
		numbers: []int{7000222}, status: http.StatusBadGateway, shows: []shown{showClient},
		key: "secret_expired", todo: []string{"secret_expired.todo", "for_administrator"},
	},
	{
		numbers: []int{7000215}, status: http.StatusBadGateway, shows: []shown{showClient},
		key: "secret_wrong", todo: []string{"secret_wrong.todo", "for_administrator"},
	},
	{
		numbers: []int{7000218}, status: http.StatusBadGateway, shows: []shown{showClient},
		key: "secret_missing", todo: []string{"secret_missing.todo", "for_administrator"},
	},
	{
		numbers: []int{700027}, status: http.StatusBadGateway, shows: []shown{showClient},
		key: "certificate", todo: []string{"certificate.todo", "for_administrator"},
	},
	{
		numbers: []int{7000112}, status: http.StatusBadGateway, shows: []shown{showClient},
		key: "disabled", todo: []string{"disabled.todo", "for_administrator"},
	},
	{
		numbers: []int{700016}, words: []string{"unauthorized_client"}, status: http.StatusBadGateway, stays: true, shows: []shown{showClient},
		key: "unknown_application", todo: []string{"unknown_application.todo", "for_administrator"},
	},
	{
		numbers: []int{700084}, status: http.StatusBadGateway, shows: []shown{showRedirect, showClient},
		key: "redirect_kind", todo: []string{"redirect_kind.todo", "for_administrator"},
	},
	{
		numbers: []int{9001023, 90002}, status: http.StatusBadGateway,
		key: "tenant", todo: []string{"tenant.todo", "for_administrator"},
	},
	{
		numbers: []int{70011, 700022}, words: []string{"invalid_scope", "invalid_resource"}, status: http.StatusBadGateway,
		key: "cloud", todo: []string{"cloud.todo", "for_administrator"},
	},
	{
		words: []string{"invalid_client"}, status: http.StatusBadGateway, shows: []shown{showClient},
		key: "application", todo: []string{"application.todo", "for_administrator"},
	},
	{
		numbers: []int{50105}, status: http.StatusForbidden, again: true, shows: []shown{showClient},
		key: "unassigned", todo: []string{"unassigned.todo"},
	},
	{
		numbers: []int{53003}, status: http.StatusForbidden, again: true,
		key: "conditional_access", todo: []string{"conditional_access.todo"},
	},
	{
		numbers: []int{50057, 50034, 50053, 50055}, status: http.StatusForbidden, again: true,
		key: "account", todo: []string{"account.todo"},
	},
	{
		numbers: []int{50074, 50076, 50078, 50079, 70043, 50058}, words: []string{"interaction_required", "login_required"}, status: http.StatusForbidden, again: true,
		key: "another_step", todo: []string{"try_again"},
	},
	{
		numbers: []int{54005, 70008, 70000, 700082, 50173, 501481, 700005, 9002313, 50147}, words: []string{"invalid_grant"}, status: http.StatusBadRequest, again: true,
		key: "stale", todo: []string{"try_again"},
	},
	{
		numbers: []int{50196}, status: http.StatusTooManyRequests, again: true,
		key: "too_often", todo: []string{"too_often.todo"},
	},
	{
		numbers: []int{90033, 90006, 50033}, words: []string{"temporarily_unavailable", "server_error", failureBusy}, status: http.StatusServiceUnavailable, again: true,
		key: "busy", todo: []string{"busy.todo"},
	},
	{
		numbers: []int{900144}, words: []string{"invalid_request", "unsupported_response_type"}, status: http.StatusBadGateway, shows: []shown{showRedirect, showClient},
		key: "malformed", todo: []string{"for_administrator"},
	},
	{
		words: []string{FailureScopes}, status: http.StatusForbidden, again: true, shows: []shown{showDetail, showClient},
		key: "scopes", todo: []string{"scopes.todo"},
	},
	{
		words: []string{FailureMailboxTaken}, status: http.StatusConflict, again: true, shows: []shown{showDetail, showOwner},
		key: "mailbox_taken", todo: []string{"mailbox_taken.todo"},
	},
	{
		words: []string{FailureOtherMailbox}, status: http.StatusConflict, again: true, shows: []shown{showDetail},
		key: "other_mailbox", todo: []string{"other_mailbox.todo"},
	},
	{
		words: []string{FailureBuiltIn}, status: http.StatusConflict,
		key: "built_in", todo: []string{"built_in.todo"},
	},
	{
		words: []string{FailureReset}, status: http.StatusConflict,
		key: "reset", todo: []string{"reset.todo"},
	},
	{
		words: []string{failureState}, status: http.StatusBadRequest, again: true,
		key: "state", todo: []string{"state.todo"},
	},
	{
		words: []string{failureBrowser}, status: http.StatusBadRequest, again: true,
		key: "browser", todo: []string{"try_again"},
	},
	{
		words: []string{failurePerson}, status: http.StatusForbidden, again: true,
		key: "person", todo: []string{"person.todo"},
	},
	{
		words: []string{failureGone}, status: http.StatusGone,
		key: "gone", todo: []string{"gone.todo"},
	},
	{
		words: []string{failureForeign}, status: http.StatusForbidden,
		key: "foreign", todo: []string{"foreign.todo"},
	},
	{
		words: []string{failureLink}, status: http.StatusGone,
		key: "link", todo: []string{"link.todo"},
	},
	{
		words: []string{failureSession}, status: http.StatusUnauthorized,
		key: "session", todo: []string{"session.todo"},
	},
	{
		words: []string{failureOther}, status: http.StatusForbidden, shows: []shown{showDetail},
		key: "other", todo: []string{"other.todo"},
	},
}

// unexplained is for what Microsoft may invent.
var unexplained = explanation{
	status: http.StatusBadGateway, again: true,
	key: "unexplained", todo: []string{"unexplained.todo"},
}

// explain finds the page for a failure.
func explain(failure SignInFailure) explanation {
	for _, one := range explanations {
		for _, number := range one.numbers {
			if number == failure.Number {
				return one
			}
		}
	}
	for _, one := range explanations {
		for _, word := range one.words {
			if word == failure.Word {
				return one
			}
		}
	}
	return unexplained
}

// refusalOf reads the error that Microsoft sent a browser back with, if it did.
// Whatever a stranger writes there, only words, numbers and ids are kept.
func refusalOf(query url.Values) *SignInFailure {
	if !query.Has("error") {
		return nil
	}
	description := query.Get("error_description")
	failure := &SignInFailure{Word: "an unknown error", Number: aadstsOf(description)}
	if word := strings.ToLower(query.Get("error")); plainWord.MatchString(word) {
		failure.Word = word
	}
	if found := traceID.FindStringSubmatch(description); found != nil {
		failure.Trace = found[1]
	}
	return failure
}

var (
	plainWord = regexp.MustCompile(`^[a-z_]{1,60}$`)
	traceID   = regexp.MustCompile(`Trace ID: ([0-9A-Za-z-]{8,64})`)
)

// aadstsOf finds the number in Microsoft's description of an error.
func aadstsOf(description string) int {
	_, rest, found := strings.Cut(description, "AADSTS")
	if !found {
		return 0
	}
	end := strings.IndexFunc(rest, func(letter rune) bool { return letter < '0' || letter > '9' })
	if end < 0 {
		end = len(rest)
	}
	number, _ := strconv.Atoi(rest[:min(end, 9)])
	return number
}
