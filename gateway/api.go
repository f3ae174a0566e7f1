package gateway

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"go.uber.org/zap"
)

// api is the admin API.
type api struct {
	token   Secret
	people  People
	signIns *signIns
	log     *zap.Logger
}

// authorized lets administrators pass: those with the admin token, and those with
// an administrator's NightPOS session. A session counts only for requests that a
// page of another site cannot make.
func (a *api) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); bearer {
			if a.token == "" || !a.token.Equal(given) {
				w.Header().Set("WWW-Authenticate", `Bearer realm="outlook-gateway", error="invalid_token"`)
				writeProblem(w, http.StatusUnauthorized, "the admin token is wrong; it is the value of GATEWAY_ADMIN_TOKEN")
				return
			}
			next(w, r)
			return
		}
		person, err := a.signIns.atBrowser(r.Context(), r)
		switch {
		case errors.Is(err, ErrNobody):
			w.Header().Set("WWW-Authenticate", `Bearer realm="outlook-gateway"`)
			writeProblem(w, http.StatusUnauthorized, "send Authorization: Bearer with the value of GATEWAY_ADMIN_TOKEN, or sign in to NightPOS as an administrator")
		case err != nil:
			a.log.Warn("NightPOS could not be asked who is at the browser", zap.Error(err))
			writeProblem(w, http.StatusServiceUnavailable, "NightPOS cannot be asked who you are just now; try again")
		case !person.Administrator:
			writeProblem(w, http.StatusForbidden, "this is for administrators of NightPOS")
		default:
			next(w, r)
		}
	}
}

// connectLink makes a link for a person.
func (a *api) connectLink(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		FirstSync string   `json:"first_sync"`
		Send      []string `json:"send"`
	}
	if !readJSON(w, r, &asked) {
		return
	}
	switch {
	case asked.FirstSync != "" && asked.FirstSync != "all":
		writeProblem(w, http.StatusUnprocessableEntity, `first_sync: this version brings "all" events across; leave it out or send "all"`)
		return
	case len(asked.Send) > 0:
		writeProblem(w, http.StatusUnprocessableEntity, "send: this version holds no classes of events back; leave it out")
		return
	}
	person, ok := a.person(w, r)
	if !ok {
		return
	}
	address, expires, err := a.signIns.makeLink(r.Context(), person)
	if err != nil {
		a.log.Error("a connect link could not be made", zap.Error(err))
		writeProblem(w, http.StatusServiceUnavailable, "the store cannot be reached; try again")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"url": address, "expires": expires.Format(time.RFC3339)})
}

// person finds {user}; when it fails it has answered already.
func (a *api) person(w http.ResponseWriter, r *http.Request) (Person, bool) {
	// The router matches, and hands out, the path as it was written.
	user, err := url.PathUnescape(mux.Vars(r)["user"])
	if err != nil {
		writeProblem(w, http.StatusBadRequest, "the user in the address is not written as a URL wants it")
		return Person{}, false
	}
	person, err := a.people.Find(r.Context(), user)
	switch {
	case errors.Is(err, ErrNobody):
		writeProblem(w, http.StatusNotFound, "NightPOS has no user with this id or login")
		return Person{}, false
	case err != nil:
		a.log.Warn("NightPOS could not be asked about a user", zap.Error(err))
		writeProblem(w, http.StatusServiceUnavailable, "NightPOS cannot be reached just now; try again")
		return Person{}, false
	}
	return person, true
}

// maxAPIBody bounds what callers of the API send.
const maxAPIBody = 64 << 10

// readJSON reads the optional body of a request; when it fails it has answered
// already.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxAPIBody))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	var exceeded *http.MaxBytesError
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return true
	case errors.As(err, &exceeded):
		tooLarge(w)
	default:
		writeProblem(w, http.StatusBadRequest, "the body is not the JSON object that was expected")
	}
	return false
}
