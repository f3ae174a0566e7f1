package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

const (
	routeConnect = "/microsoft_account/connect"
	// RedirectPath is where Microsoft sends browsers back to; with the public
	// address before it, it is registered with the application.
	RedirectPath = "/microsoft_account/authentication"
	routeStyle   = "/microsoft_account/style.css"

	// signInLife is how long a sign-in may take, linkLife how long a connect link
	// is good.
	signInLife = 15 * time.Minute
	linkLife   = 24 * time.Hour
	// signInTime bounds one request of it.
	signInTime = 25 * time.Second
)

// signIns connects people: it sends a browser to Microsoft and takes it back.
type signIns struct {
	people  People
	tickets Tickets
	passes  *passes
	pages   *pages
	public  string
	now     func() time.Time
	log     *zap.Logger
}

// attempt is a sign-in under way.
type attempt struct {
	Person   Person `json:"person"`
	Verifier string `json:"verifier"`
	// Browser is the digest of the cookie of the browser that began it.
	Browser string `json:"browser"`
	// Link is the connect link it came by, if any.
	Link string `json:"link,omitempty"`
}

// linkTicket is what a connect link stands for.
type linkTicket struct {
	Person Person `json:"person"`
}

// makeLink makes a single-use link that connects a person's Outlook.
func (s *signIns) makeLink(ctx context.Context, person Person) (address string, expires time.Time, err error) {
	pass, err := s.passes.make(passLink)
	if err != nil {
		return "", time.Time{}, err
	}
	content, err := json.Marshal(linkTicket{Person: person})
	if err != nil {
		return "", time.Time{}, fmt.Errorf("making a connect link: %w", err)
	}
	if err := s.tickets.SaveTicket(ctx, passLink+pass, content, linkLife); err != nil {
		return "", time.Time{}, fmt.Errorf("making a connect link: %w", err)
	}
	return s.public + routeConnect + "?link=" + url.QueryEscape(pass), s.now().Add(linkLife).UTC().Truncate(time.Second), nil
}

// connect sends a person to Microsoft: whom a link names, or who is signed in to
// NightPOS. A link is used up only once Microsoft has sent the browser back, so
// that a mail scanner that opens it takes nothing away.
func (s *signIns) connect(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), signInTime)
	defer cancel()
	link := r.URL.Query().Get("link")
	var person Person
	var err error
	if link == "" {
		person, err = s.ofSession(ctx, r)
	} else {
		person, err = s.ofLink(ctx, r, link)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.begin(ctx, w, r, person, link)
}

// ofSession is who is signed in to NightPOS, with the address known there.
func (s *signIns) ofSession(ctx context.Context, r *http.Request) (Person, error) {
	present, err := s.atBrowser(ctx, r)
	if err != nil {
		if errors.Is(err, ErrNobody) {
			err = &SignInFailure{Word: failureSession}
		}
		return Person{}, err
	}
	person, err := s.people.Find(ctx, present.ID)
	if err != nil {
		return Person{}, &SignInFailure{Word: failureBusy, Err: err}
	}
	return person, nil
}

// atBrowser is who is signed in to NightPOS.
func (s *signIns) atBrowser(ctx context.Context, r *http.Request) (Person, error) {
	cookie, err := r.Cookie("session_id")
	if err != nil || cookie.Value == "" {
		return Person{}, ErrNobody
	}
	person, err := s.people.AtBrowser(ctx, cookie.Value)
	if err != nil && !errors.Is(err, ErrNobody) {
		err = &SignInFailure{Word: failureBusy, Err: err}
	}
	return person, err
}

// ofLink is whom a link connects. Somebody else's NightPOS session in the same
// browser shows that the link was passed on.
func (s *signIns) ofLink(ctx context.Context, r *http.Request, link string) (Person, error) {
	if !s.passes.genuine(passLink, link) {
		return Person{}, &SignInFailure{Word: failureLink}
	}
	content, err := s.tickets.Ticket(ctx, passLink+link)
	if errors.Is(err, ErrSpent) {
		return Person{}, &SignInFailure{Word: failureLink}
	}
	if err != nil {
		return Person{}, &SignInFailure{Word: failureBusy, Err: err}
	}
	var ticket linkTicket
	if err := json.Unmarshal(content, &ticket); err != nil {
		return Person{}, fmt.Errorf("reading a connect link: %w", err)
	}
	present, err := s.atBrowser(ctx, r)
	switch {
	case errors.Is(err, ErrNobody):
	case err != nil:
		return Person{}, err
	case present.UserID != ticket.Person.UserID:
		return Person{}, &SignInFailure{Word: failureOther, Detail: ticket.Person.Name}
	}
	return ticket.Person, nil
}

// begin sends the browser to Microsoft.
func (s *signIns) begin(ctx context.Context, w http.ResponseWriter, r *http.Request, person Person, link string) {
	state, err := s.passes.make(passState)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	verifier, err := s.passes.word()
	if err != nil {
		s.fail(w, r, err)
		return
	}
	// RFC 7636 wants at least 43 characters.
	verifier += verifier
	browser, err := s.browser(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	content, err := json.Marshal(attempt{Person: person, Verifier: verifier, Browser: digestOf(browser), Link: link})
	if err == nil {
		err = s.tickets.SaveTicket(ctx, passState+state, content, signInLife)
	}
	if err != nil {
		s.fail(w, r, &SignInFailure{Word: failureBusy, Err: err})
		return
	}
	http.Redirect(w, r, s.people.SignInURL(state, verifier, person.Address), http.StatusSeeOther)
}

// cookieName says to browsers that the cookie is this host's alone and only for
// https, wherever that is spoken.
func (s *signIns) cookieName() string {
	if s.secure() {
		return "__Host-outlook_gateway"
	}
	return "outlook_gateway"
}

func (s *signIns) secure() bool { return strings.HasPrefix(s.public, "https://") }

// browser gives the browser a cookie by which it is known when it comes back, or
// finds the one it has.
func (s *signIns) browser(w http.ResponseWriter, r *http.Request) (string, error) {
	if cookie, err := r.Cookie(s.cookieName()); err == nil && len(cookie.Value) == 32 {
		return cookie.Value, nil
	}
	word, err := s.passes.word()
	if err != nil {
		return "", err
	}
	// Lax: the browser comes back from Microsoft's site.
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: word, Path: "/", HttpOnly: true, Secure: s.secure(),
		SameSite: http.SameSiteLaxMode, MaxAge: int(signInLife / time.Second),
	})
	return word, nil
}

func digestOf(word string) string {
	sum := sha256.Sum256([]byte(word))
	return hex.EncodeToString(sum[:])
}

// authentication answers the browser that Microsoft sends back.
func (s *signIns) authentication(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), signInTime)
	defer cancel()
	query := r.URL.Query()
	begun, err := s.comeBack(ctx, r, query.Get("state"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if word := query.Get("error"); word != "" {
		s.fail(w, r, &SignInFailure{Word: strings.ToLower(word), Number: aadstsOf(query.Get("error_description"))})
		return
	}
	if query.Get("code") == "" {
		s.fail(w, r, &SignInFailure{Word: failureState})
		return
	}
	if begun.Link != "" {
		if _, err := s.tickets.TakeTicket(ctx, passLink+begun.Link); errors.Is(err, ErrSpent) {
			s.fail(w, r, &SignInFailure{Word: failureLink})
			return
		} else if err != nil {
			s.fail(w, r, &SignInFailure{Word: failureBusy, Err: err})
			return
		}
	}
	mailbox, err := s.people.Connect(ctx, begun.Person, query.Get("code"), begun.Verifier)
	if err != nil {
		s.fail(w, r, s.withLink(ctx, begun, err))
		return
	}
	s.log.Info("connected Outlook", zap.String("person", begun.Person.ID))
	s.pages.connected(w, begun.Person, mailbox)
}

// withLink makes the link good again that an attempt used up in vain.
func (s *signIns) withLink(ctx context.Context, begun attempt, cause error) error {
	if begun.Link == "" {
		return cause
	}
	content, err := json.Marshal(linkTicket{Person: begun.Person})
	if err == nil {
		err = s.tickets.SaveTicket(ctx, passLink+begun.Link, content, time.Hour)
	}
	if err != nil {
		s.log.Warn("a connect link could not be made good again; a new one is needed", zap.Error(err))
	}
	return cause
}

// comeBack uses up the state that a browser brings.
func (s *signIns) comeBack(ctx context.Context, r *http.Request, state string) (attempt, error) {
	if !s.passes.genuine(passState, state) {
		return attempt{}, &SignInFailure{Word: failureState}
	}
	content, err := s.tickets.Ticket(ctx, passState+state)
	if err == nil {
		var begun attempt
		if err := json.Unmarshal(content, &begun); err != nil {
			return attempt{}, fmt.Errorf("reading a sign-in: %w", err)
		}
		// Before it is used up: somebody who only saw the address cannot end it.
		cookie, err := r.Cookie(s.cookieName())
		if err != nil || subtle.ConstantTimeCompare([]byte(digestOf(cookie.Value)), []byte(begun.Browser)) != 1 {
			return attempt{}, &SignInFailure{Word: failureBrowser}
		}
		if _, err := s.tickets.TakeTicket(ctx, passState+state); err == nil {
			return begun, nil
		} else if !errors.Is(err, ErrSpent) {
			return attempt{}, &SignInFailure{Word: failureBusy, Err: err}
		}
		return attempt{}, &SignInFailure{Word: failureState}
	}
	if errors.Is(err, ErrSpent) {
		return attempt{}, &SignInFailure{Word: failureState}
	}
	return attempt{}, &SignInFailure{Word: failureBusy, Err: err}
}

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

// fail shows the page for an error. Microsoft's own description is never shown
// or logged: it names people, and anybody can make it up.
func (s *signIns) fail(w http.ResponseWriter, r *http.Request, err error) {
	var failure *SignInFailure
	if !errors.As(err, &failure) {
		failure = &SignInFailure{Word: failureBusy, Err: err}
	}
	if failure.Err != nil {
		s.log.Warn("a sign-in failed", zap.String("word", clipped(failure.Word)), zap.Int("aadsts", failure.Number),
			zap.String("request", w.Header().Get("X-Request-Id")), zap.Error(failure.Err))
	} else {
		s.log.Info("a sign-in ended without a connection", zap.String("word", clipped(failure.Word)), zap.Int("aadsts", failure.Number))
	}
	s.pages.failed(w, *failure)
}

// clipped bounds a word that a browser brought.
func clipped(word string) string { return word[:min(len(word), 60)] }
