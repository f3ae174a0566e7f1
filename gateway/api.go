package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

// api is the admin API.
type api struct {
	token   Secret
	admin   Admin
	people  People
	signIns *signIns
	// places and calls bound what administrators do. What anybody can do is bounded
	// apart from it, so that strangers keep nobody out: refusals how often callers
	// are told that they may not, askings and sessions how often NightPOS is asked
	// whose a session is.
	places, askings           chan struct{}
	calls, refusals, sessions *rate.Limiter
	now                       func() time.Time
	log                       *zap.Logger
}

func newAPI(config Connections, signing *signIns, now func() time.Time, log *zap.Logger) *api {
	return &api{
		token: config.AdminToken, admin: config.Admin, people: config.People, signIns: signing, now: now, log: log,
		places: make(chan struct{}, apiPlaces), askings: make(chan struct{}, apiPlaces),
		calls: rate.NewLimiter(apiRate, apiBurst), refusals: rate.NewLimiter(apiRate, apiBurst), sessions: rate.NewLimiter(apiRate, apiBurst),
	}
}

const (
	// apiTime bounds one call, and longTime one that reads a calendar as a whole.
	apiTime  = 20 * time.Second
	longTime = 5 * time.Minute
	// apiPlaces is how many calls are worked on at once; apiRate and apiBurst how
	// many are let in, of all administrators together, and how many are refused, of
	// all strangers together.
	apiPlaces = 32
	apiRate   = 200
	apiBurst  = 1000
)

// deed is a call of the API by somebody who may. It answers by returning a status
// and what to show, or an error.
type deed func(ctx context.Context, r *http.Request) (status int, shown any, err error)

// caller is the context's key of who calls.
type caller struct{}

// byToken is who calls with the admin token.
const byToken = "admin token"

// route adds a call within its limits.
func (a *api) route(router *mux.Router, method, path string, limit time.Duration, work deed) {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusForbidden, "a page of another site may not do this")
	}))
	router.Path("/api/v1" + path).Methods(method).Handler(protection.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		by, allowed := a.authorized(ctx, w, r)
		if !allowed {
			return
		}
		if !a.calls.AllowN(a.now(), 1) {
			tooMany(w)
			return
		}
		if !take(a.places) {
			busy(w)
			return
		}
		defer func() { <-a.places }()
		if limit > apiTime {
			// The server's own limits are for pages and webhooks.
			control := http.NewResponseController(w)
			_ = control.SetWriteDeadline(time.Now().Add(limit + apiTime))
		}
		status, shown, err := work(context.WithValue(ctx, caller{}, by), r)
		if err != nil {
			a.fail(w, err)
			return
		}
		if shown == nil {
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(status)
			return
		}
		if linked, ok := shown.(page); ok {
			if linked.next != "" {
				w.Header().Set("Link", "<"+linked.next+`>; rel="next"`)
			}
			shown = linked.items
		}
		writeJSON(w, status, shown)
	})))
}

func tooMany(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	writeProblem(w, http.StatusTooManyRequests, "too many calls; at most "+strconv.Itoa(apiRate)+" in a second, on average")
}

func busy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	writeProblem(w, http.StatusServiceUnavailable, "too many calls are being worked on; try again")
}

// page is a list with the address of what follows.
type page struct {
	items any
	next  string
}

// fail answers with an error.
func (a *api) fail(w http.ResponseWriter, err error) {
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		writeProblem(w, refusal.Status, refusal.Text)
	case errors.Is(err, ErrNobody):
		writeProblem(w, http.StatusNotFound, "nobody with this id or login is connected; GET /api/v1/users shows who is")
	case errors.Is(err, context.DeadlineExceeded):
		writeProblem(w, http.StatusServiceUnavailable, "that took too long; try again")
	default:
		a.log.Warn("a call of the admin API failed", zap.Error(err))
		w.Header().Set("Retry-After", "5")
		writeProblem(w, http.StatusServiceUnavailable, "the store, NightPOS or Microsoft cannot be reached just now; try again, readyz says which")
	}
}

// done notes who did what. That the note is lost undoes nothing.
func (a *api) done(ctx context.Context, action string, user int64, detail string) {
	by, _ := ctx.Value(caller{}).(string)
	if err := a.admin.Audit(ctx, Deed{At: a.now().UTC(), By: by, Action: action, User: user, Detail: detail}); err != nil {
		a.log.Warn("who did what could not be noted", zap.String("action", action), zap.String("by", by), zap.Error(err))
	}
}

// authorized lets administrators pass: those with the admin token, and those with
// an administrator's NightPOS session; it returns who it is, and when it refuses
// it has answered already. A session counts only for requests that a page of
// another site cannot make.
//
// The token is compared before anything is counted: comparing takes no time, and
// whoever has it is let in whatever others try meanwhile. That leaves guessers as
// many guesses as they can send, of at least 32 characters each.
func (a *api) authorized(ctx context.Context, w http.ResponseWriter, r *http.Request) (by string, allowed bool) {
	if given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); bearer {
		if a.token != "" && a.token.Equal(given) {
			return byToken, true
		}
		a.refuse(w, `, error="invalid_token"`, "the admin token is wrong; it is the value of GATEWAY_ADMIN_TOKEN")
		return "", false
	}
	person := Person{}
	err := ErrNobody
	if _, none := r.Cookie("session_id"); none == nil {
		// NightPOS has to be asked, for anybody who sends something.
		if !a.sessions.AllowN(a.now(), 1) {
			tooMany(w)
			return "", false
		}
		if !take(a.askings) {
			busy(w)
			return "", false
		}
		defer func() { <-a.askings }()
		person, err = a.signIns.atBrowser(ctx, r)
	}
	switch {
	case errors.Is(err, ErrNobody):
		a.refuse(w, "", "send Authorization: Bearer with the value of GATEWAY_ADMIN_TOKEN, or sign in to NightPOS as an administrator")
	case err != nil:
		a.log.Warn("NightPOS could not be asked who is at the browser", zap.Error(err))
		writeProblem(w, http.StatusServiceUnavailable, "NightPOS cannot be asked who you are just now; try again")
	case !person.Administrator:
		writeProblem(w, http.StatusForbidden, "this is for administrators of NightPOS")
	default:
		return person.Login, true
	}
	return "", false
}

// refuse tells a stranger what is missing, within the limit of such answers.
func (a *api) refuse(w http.ResponseWriter, challenge, text string) {
	if !a.refusals.AllowN(a.now(), 1) {
		tooMany(w)
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="outlook-gateway"`+challenge)
	writeProblem(w, http.StatusUnauthorized, text)
}

// maxAPIBody bounds what callers of the API send.
const maxAPIBody = 64 << 10

// readJSON reads the optional body of a request.
func readJSON(r *http.Request, into any) error {
	content, err := io.ReadAll(io.LimitReader(r.Body, maxAPIBody+1))
	switch {
	case err != nil:
		return &Refusal{http.StatusBadRequest, "the body could not be read to its end"}
	case len(content) > maxAPIBody:
		return &Refusal{http.StatusRequestEntityTooLarge, "the body is larger than " + strconv.Itoa(maxAPIBody) + " bytes"}
	case len(bytes.TrimSpace(content)) == 0:
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(into)
	// More would overlook a bracket too many.
	if _, more := decoder.Token(); err != nil || more != io.EOF {
		return &Refusal{http.StatusBadRequest, "the body is not the JSON object that was expected"}
	}
	return nil
}
