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
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway/languages"
)

const (
	routeConnect = "/microsoft_account/connect"
	// RedirectPath is where Microsoft sends browsers back to; with the public
	// address before it, it is registered with the application.
	RedirectPath = "/microsoft_account/authentication"
	routeStyle   = "/microsoft_account/style.css"
	// ConsolePath is where the console lies besides /, which on a shared domain is
	// NightPOS's own.
	ConsolePath = "/microsoft_account/console"

	// signInLife is how long a sign-in may take, linkLife how long a connect link
	// is good.
	signInLife = 15 * time.Minute
	linkLife   = 24 * time.Hour
	// browserLife is how long a browser is known again: longer than any sign-in.
	browserLife = 24 * time.Hour
	// signInTime bounds one request of it, and signInPlaces how many wait at once:
	// anybody may ask, and each asks NightPOS, Microsoft or the store.
	signInTime   = 25 * time.Second
	signInPlaces = 64
	// maxForm bounds the form that begins a sign-in, maxCode the code that comes
	// back, which Microsoft makes one or two kilobytes long.
	maxForm = 4 << 10
	maxCode = 8 << 10
)

// signIns connects people: it sends a browser to Microsoft and takes it back.
type signIns struct {
	people  People
	tickets Tickets
	passes  *passes
	pages   *pages
	public  string
	// guard keeps pages of other sites from beginning a sign-in.
	guard  *http.CrossOriginProtection
	places chan struct{}
	now    func() time.Time
	log    *zap.Logger
	// visitors lets a person who came by a link see the console afterwards.
	visitors *Visitors
}

// newSignIns checks the public address, since it decides about cookies.
func newSignIns(config Connections, now func() time.Time, log *zap.Logger) (*signIns, error) {
	made, err := newPasses(config.Keys, config.Random)
	if err != nil {
		return nil, err
	}
	public, err := url.Parse(config.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("GATEWAY_PUBLIC_URL: %w", err)
	}
	texts, err := languages.Read(messageTexts, "page/catalogue")
	if err != nil {
		return nil, err
	}
	s := &signIns{
		people: config.People, tickets: config.Tickets, passes: made, public: config.PublicURL, now: now, log: log,
		pages: &pages{public: config.PublicURL, nightpos: config.NightPOSURL, login: config.LoginURL, client: config.ClientID, texts: texts, seal: made.seal},
		guard: http.NewCrossOriginProtection(), places: make(chan struct{}, signInPlaces),
	}
	s.pages.cookie = s.cookieName() + "_language"
	// Where a proxy changes the name of the host, the origin still is this one.
	if err := s.guard.AddTrustedOrigin(public.Scheme + "://" + public.Host); err != nil {
		return nil, fmt.Errorf("GATEWAY_PUBLIC_URL: %w", err)
	}
	return s, nil
}

// bounded answers a page within the time and the places there are.
func (s *signIns) bounded(page func(ctx context.Context, w http.ResponseWriter, r *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.places <- struct{}{}:
			defer func() { <-s.places }()
			ctx, cancel := context.WithTimeout(r.Context(), signInTime)
			defer cancel()
			page(ctx, w, r)
		default:
			s.fail(w, r, &SignInFailure{Word: failureBusy})
		}
	}
}

// attempt is a sign-in under way.
type attempt struct {
	Person   Person    `json:"person"`
	Verifier string    `json:"verifier"`
	Expires  time.Time `json:"expires"`
	// Browser is the digest of the cookie of the browser that began it.
	Browser string `json:"browser"`
	// Link is the connect link it came by; without one it came by the person's
	// NightPOS session.
	Link string `json:"link,omitempty"`
}

// linkTicket is what a connect link stands for.
type linkTicket struct {
	Person  Person    `json:"person"`
	Expires time.Time `json:"expires"`
	Choice  Choice    `json:"choice,omitzero"`
}

// makeLink makes a single-use link that connects a person's Outlook.
func (s *signIns) makeLink(ctx context.Context, person Person, choice Choice) (address string, expires time.Time, err error) {
	pass, err := s.passes.make(passLink)
	if err != nil {
		return "", time.Time{}, err
	}
	expires = s.now().Add(linkLife).UTC().Truncate(time.Second)
	if err := s.saveLink(ctx, pass, linkTicket{Person: person, Expires: expires, Choice: choice}); err != nil {
		return "", time.Time{}, fmt.Errorf("making a connect link: %w", err)
	}
	return s.public + routeConnect + "?link=" + url.QueryEscape(pass), expires, nil
}

func (s *signIns) saveLink(ctx context.Context, pass string, ticket linkTicket) error {
	content, err := json.Marshal(ticket)
	if err != nil {
		return err
	}
	life := ticket.Expires.Sub(s.now())
	if life < time.Second {
		return nil // over anyway
	}
	return s.tickets.SaveTicket(ctx, passLink+pass, content, life)
}

// connect is where a person arrives. Who is signed in to NightPOS goes on to
// Microsoft at once. A person who opens a link is first asked whether it is the
// right calendar, so that nobody connects somebody else's unawares; a program has
// nobody to ask and goes on. Opening a link uses nothing up, so that a mail
// scanner takes nothing away.
func (s *signIns) connect(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("link") {
		link := r.URL.Query().Get("link")
		ticket, err := s.ofLink(ctx, r, link)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		if navigates(r) {
			s.pages.show(w, r, outcome{Kind: outcomeAsk, Name: ticket.Person.Name, Login: ticket.Person.Login, Link: link})
		} else {
			s.begin(ctx, w, r, ticket.Person, link)
		}
		return
	}
	person, err := s.ofSession(ctx, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.begin(ctx, w, r, person, "")
}

// navigates says that a browser shows the answer to a person. Every browser of
// the last years says so, and nothing else does.
func navigates(r *http.Request) bool { return r.Header.Get("Sec-Fetch-Mode") == "navigate" }

// follow is the button on a link's page.
func (s *signIns) follow(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	if err := s.guard.Check(r); err != nil {
		s.fail(w, r, &SignInFailure{Word: failureForeign})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, &SignInFailure{Word: failureLink})
		return
	}
	link := r.PostForm.Get("link")
	ticket, err := s.ofLink(ctx, r, link)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.begin(ctx, w, r, ticket.Person, link)
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
	return s.active(ctx, present)
}

// active is a person as NightPOS knows them now.
func (s *signIns) active(ctx context.Context, known Person) (Person, error) {
	person, err := s.people.Find(ctx, known.ID)
	switch {
	case errors.Is(err, ErrNobody):
		return Person{}, &SignInFailure{Word: failureGone}
	case err != nil:
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
// browser shows that the link was passed on; most browsers tell nothing, and
// NightPOS need not be asked for those.
func (s *signIns) ofLink(ctx context.Context, r *http.Request, link string) (linkTicket, error) {
	ticket, err := s.link(ctx, link, s.tickets.Ticket)
	if err != nil {
		return linkTicket{}, err
	}
	if ticket.Person, err = s.active(ctx, ticket.Person); err != nil {
		return linkTicket{}, err
	}
	present, err := s.atBrowser(ctx, r)
	switch {
	case errors.Is(err, ErrNobody):
	case err != nil:
		return linkTicket{}, err
	case present.UserID != ticket.Person.UserID:
		return linkTicket{}, &SignInFailure{Word: failureOther, Detail: ticket.Person.Name}
	}
	return ticket, nil
}

// link reads what a link stands for, by looking at the ticket or by taking it.
func (s *signIns) link(ctx context.Context, link string, read func(context.Context, string) ([]byte, error)) (linkTicket, error) {
	if !s.passes.genuine(passLink, link) {
		return linkTicket{}, &SignInFailure{Word: failureLink}
	}
	content, err := read(ctx, passLink+link)
	if errors.Is(err, ErrSpent) {
		return linkTicket{}, &SignInFailure{Word: failureLink}
	}
	if err != nil {
		return linkTicket{}, &SignInFailure{Word: failureBusy, Err: err}
	}
	var ticket linkTicket
	if err := json.Unmarshal(content, &ticket); err != nil {
		return linkTicket{}, fmt.Errorf("reading a connect link: %w", err)
	}
	if !s.now().Before(ticket.Expires) {
		return linkTicket{}, &SignInFailure{Word: failureLink}
	}
	return ticket, nil
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
	content, err := json.Marshal(attempt{Person: person, Verifier: verifier, Expires: s.now().Add(signInLife), Browser: digestOf(browser), Link: link})
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

// browser gives the browser a cookie by which it is known when it comes back. One
// it has already stays, for the sake of its other tabs, and lives on.
func (s *signIns) browser(w http.ResponseWriter, r *http.Request) (string, error) {
	var word string
	if cookie, err := r.Cookie(s.cookieName()); err == nil && len(cookie.Value) == 32 {
		word = cookie.Value
	} else if word, err = s.passes.word(); err != nil {
		return "", err
	}
	// Lax: the browser comes back from Microsoft's site.
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: word, Path: "/", HttpOnly: true, Secure: s.secure(),
		SameSite: http.SameSiteLaxMode, MaxAge: int(browserLife / time.Second),
	})
	return word, nil
}

func digestOf(word string) string {
	sum := sha256.Sum256([]byte(word))
	return hex.EncodeToString(sum[:])
}

// authentication answers the browser that Microsoft sends back.
func (s *signIns) authentication(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	refused := refusalOf(query)
	if refused != nil && !query.Has("state") {
		// Microsoft may leave it out with an error, and the error is worth a page.
		s.fail(w, r, refused)
		return
	}
	if strings.EqualFold(query.Get("admin_consent"), "true") && !query.Has("state") {
		s.pages.show(w, r, outcome{Kind: outcomeAgreed})
		return
	}
	begun, err := s.comeBack(ctx, r, query.Get("state"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	person, mailbox, err := s.finish(ctx, begun, refused, query.Get("code"))
	var failure *SignInFailure
	if errors.As(err, &failure) {
		failure.link = begun.Link
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.log.Info("connected Outlook", zap.String("person", person.ID))
	if begun.Link != "" {
		if err := s.visitors.admit(ctx, w, r, person); err != nil {
			s.log.Warn("a person who has connected has to sign in to see the console", zap.Error(err))
		}
	}
	s.pages.show(w, r, outcome{Kind: outcomeDone, Name: person.Name, Login: person.Login, Mailbox: mailbox})
}

// finish connects the mailbox, and uses up the link that the sign-in came by, if
// any. A link that was used up in vain is made good again.
func (s *signIns) finish(ctx context.Context, begun attempt, refused *SignInFailure, code string) (Person, string, error) {
	switch {
	case refused != nil:
		return Person{}, "", refused
	case code == "" || len(code) > maxCode:
		return Person{}, "", &SignInFailure{Word: "invalid_response"}
	}
	person, err := s.active(ctx, begun.Person)
	if err != nil {
		return Person{}, "", err
	}
	if begun.Link == "" {
		mailbox, err := s.people.Connect(ctx, person, code, begun.Verifier, Choice{})
		return person, mailbox, err
	}
	ticket, err := s.link(ctx, begun.Link, s.tickets.TakeTicket)
	if err != nil {
		return Person{}, "", err
	}
	mailbox, err := s.people.Connect(ctx, person, code, begun.Verifier, ticket.Choice)
	if err != nil {
		// The person may have gone away meanwhile; the link is theirs all the same.
		restoring, cancel := context.WithTimeout(context.WithoutCancel(ctx), signInTime)
		defer cancel()
		if lost := s.saveLink(restoring, begun.Link, ticket); lost != nil {
			s.log.Warn("a connect link could not be made good again; a new one is needed", zap.Error(lost))
		}
	}
	return person, mailbox, err
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
		if !s.now().Before(begun.Expires) {
			return attempt{}, &SignInFailure{Word: failureState}
		}
		// Before it is used up: somebody who only saw the address cannot end it.
		cookie, err := r.Cookie(s.cookieName())
		if err != nil || subtle.ConstantTimeCompare([]byte(digestOf(cookie.Value)), []byte(begun.Browser)) != 1 {
			return attempt{}, &SignInFailure{Word: failureBrowser}
		}
		if err := s.samePerson(ctx, r, begun); err != nil {
			return attempt{}, err
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

// samePerson says whether who began a sign-in by a NightPOS session is still who
// is signed in there: browsers are shared, too.
func (s *signIns) samePerson(ctx context.Context, r *http.Request, begun attempt) error {
	if begun.Link != "" {
		return nil
	}
	present, err := s.atBrowser(ctx, r)
	if errors.Is(err, ErrNobody) || err == nil && present.UserID != begun.Person.UserID {
		return &SignInFailure{Word: failurePerson}
	}
	return err
}

// fail shows the page for an error. Microsoft's own description is never shown
// or logged: it names people, and anybody can make it up.
func (s *signIns) fail(w http.ResponseWriter, r *http.Request, err error) {
	var failure *SignInFailure
	if !errors.As(err, &failure) {
		failure = &SignInFailure{Word: failureBusy, Err: err}
	}
	if failure.Err != nil {
		s.log.Warn("a sign-in failed", zap.String("word", failure.Word), zap.Int("aadsts", failure.Number), zap.String("trace", failure.Trace),
			zap.String("request", w.Header().Get("X-Request-Id")), zap.Error(failure.Err))
	} else {
		s.log.Info("a sign-in ended without a connection", zap.String("word", failure.Word), zap.Int("aadsts", failure.Number), zap.String("trace", failure.Trace))
	}
	s.pages.show(w, r, outcome{Kind: outcomeFailed, Failure: failure, Link: failure.link, Request: w.Header().Get("X-Request-Id")})
}
