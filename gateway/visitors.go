package gateway

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

const (
	// adminLife is how long the admin token, given once, opens the console; personLife
	// how long a connect link that was followed to its end does.
	adminLife  = 12 * time.Hour
	personLife = 7 * 24 * time.Hour
	// tokenRate and tokenBurst are how often a wrong admin token is called wrong.
	tokenRate  = 0.5
	tokenBurst = 10
)

// Visitor is who looks at the console.
type Visitor struct {
	// Person is whose calendar is the visitor's own; the zero Person for an
	// administrator who is known by the admin token alone.
	Person Person
	// Administrator says that the visitor may see and do everything.
	Administrator bool
	// FromNightPOS says that a NightPOS session tells who it is; signing out is done
	// there.
	FromNightPOS bool
	// key ties forms to this sign-in.
	key string
}

// Name is what the activity calls the visitor.
func (v Visitor) Name() string {
	if v.Person.Login != "" {
		return v.Person.Login
	}
	return byToken
}

// Visitors knows who is at a browser: by NightPOS's session where both share a
// domain, otherwise by a session of the gateway's own, which begins with the admin
// token or at the end of a connect link.
type Visitors struct {
	signIns *signIns
	token   Secret
	tries   *rate.Limiter
	stopped chan struct{}
}

// ErrWrongToken says that the admin token is another one, or that there is none;
// ErrTooManyTries that it was tried too often just now.
var (
	ErrWrongToken   = errors.New("wrong admin token")
	ErrTooManyTries = errors.New("too many tries")
	// ErrForeignForm says that a form was not sent by a page of this visitor's.
	ErrForeignForm = errors.New("the form is another sign-in's or another site's")
)

// session is what a cookie of the gateway's stands for.
type session struct {
	Person  Person    `json:"person,omitzero"`
	Expires time.Time `json:"expires"`
	// Token is a digest of the admin token that began it: with another token the
	// session ends.
	Token string `json:"token,omitempty"`
}

func newVisitors(signing *signIns, token Secret) *Visitors {
	return &Visitors{signIns: signing, token: token, tries: rate.NewLimiter(tokenRate, tokenBurst), stopped: make(chan struct{})}
}

// Who returns who is at the browser; the error wraps ErrNobody when nobody is
// signed in.
func (v *Visitors) Who(ctx context.Context, r *http.Request) (Visitor, error) {
	own, cookie, err := v.own(ctx, r)
	known := err == nil
	if err != nil && !errors.Is(err, ErrNobody) {
		return Visitor{}, err
	}
	person, err := v.signIns.atBrowser(ctx, r)
	switch {
	case err == nil:
		session, _ := r.Cookie("session_id")
		return Visitor{
			Person: person, Administrator: person.Administrator || known && own.Token != "", FromNightPOS: true, key: session.Value,
		}, nil
	case !known:
		return Visitor{}, err
	case own.Token != "":
		return Visitor{Administrator: true, key: cookie}, nil
	}
	// Who has left NightPOS has nothing to see here either.
	if person, err = v.signIns.people.Find(ctx, own.Person.ID); err != nil {
		return Visitor{}, err
	}
	return Visitor{Person: person, key: cookie}, nil
}

// own reads the gateway's own session.
func (v *Visitors) own(ctx context.Context, r *http.Request) (session, string, error) {
	cookie, err := r.Cookie(v.cookieName())
	if err != nil || !v.signIns.passes.genuine(passSession, cookie.Value) {
		return session{}, "", ErrNobody
	}
	content, err := v.signIns.tickets.Ticket(ctx, passSession+cookie.Value)
	if errors.Is(err, ErrSpent) {
		return session{}, "", ErrNobody
	}
	if err != nil {
		return session{}, "", fmt.Errorf("reading a session of the console: %w", err)
	}
	var found session
	if err := json.Unmarshal(content, &found); err != nil {
		return session{}, "", fmt.Errorf("reading a session of the console: %w", err)
	}
	if !v.signIns.now().Before(found.Expires) || found.Token != "" && (v.token == "" || found.Token != digestOf(v.token.Reveal())) {
		return session{}, "", ErrNobody
	}
	return found, cookie.Value, nil
}

// TokenSet says whether there is an admin token to sign in with.
func (v *Visitors) TokenSet() bool { return v.token != "" }

// SignIn begins an administrator's session with the admin token. Wrong ones alone
// count as tries, so that strangers who try keep nobody out who has the right one.
func (v *Visitors) SignIn(ctx context.Context, w http.ResponseWriter, r *http.Request, token string) error {
	if v.token == "" || !v.token.Equal(token) {
		if !v.tries.AllowN(v.signIns.now(), 1) {
			return ErrTooManyTries
		}
		return ErrWrongToken
	}
	return v.begin(ctx, w, r, session{Token: digestOf(token), Expires: v.signIns.now().Add(adminLife)})
}

// admit begins the session of a person who has followed a connect link to its end.
func (v *Visitors) admit(ctx context.Context, w http.ResponseWriter, r *http.Request, person Person) error {
	return v.begin(ctx, w, r, session{Person: person, Expires: v.signIns.now().Add(personLife)})
}

// begin ends the session that the browser had, and gives it a new one under
// another name.
func (v *Visitors) begin(ctx context.Context, w http.ResponseWriter, r *http.Request, begun session) error {
	v.end(ctx, r)
	pass, err := v.signIns.passes.make(passSession)
	if err != nil {
		return err
	}
	content, err := json.Marshal(begun)
	if err != nil {
		return err
	}
	life := begun.Expires.Sub(v.signIns.now())
	if err := v.signIns.tickets.SaveTicket(ctx, passSession+pass, content, life); err != nil {
		return fmt.Errorf("beginning a session of the console: %w", err)
	}
	v.setCookie(w, pass, int(life/time.Second))
	return nil
}

// SignOut ends the gateway's own session.
func (v *Visitors) SignOut(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	v.end(ctx, r)
	v.setCookie(w, "", -1)
}

func (v *Visitors) end(ctx context.Context, r *http.Request) {
	cookie, err := r.Cookie(v.cookieName())
	if err != nil || !v.signIns.passes.genuine(passSession, cookie.Value) {
		return
	}
	if _, err := v.signIns.tickets.TakeTicket(ctx, passSession+cookie.Value); err != nil && !errors.Is(err, ErrSpent) {
		v.signIns.log.Warn("a session of the console could not be ended; it ends by itself", zap.Error(err))
	}
}

func (v *Visitors) setCookie(w http.ResponseWriter, value string, age int) {
	// Lax: a person comes back from Microsoft's site.
	http.SetCookie(w, &http.Cookie{
		Name: v.cookieName(), Value: value, Path: "/", HttpOnly: true, Secure: v.signIns.secure(), SameSite: http.SameSiteLaxMode, MaxAge: age,
	})
}

func (v *Visitors) cookieName() string { return v.signIns.cookieName() + "_session" }

// CookieName makes the name of a cookie that is this host's alone, wherever https
// is spoken; secure says whether it is.
func (v *Visitors) CookieName(word string) (name string, secure bool) {
	return v.signIns.cookieName() + "_" + word, v.signIns.secure()
}

// FormToken is what every form of a visitor carries.
func (v *Visitors) FormToken(visitor Visitor) string {
	return base64.RawURLEncoding.EncodeToString(mac(v.signIns.passes.keys[passForm][0], []byte(visitor.key)))
}

// CheckForm returns ErrForeignForm unless a page of this visitor's sent the form.
func (v *Visitors) CheckForm(visitor Visitor, r *http.Request) error {
	if err := v.CheckOrigin(r); err != nil {
		return err
	}
	sum, err := base64.RawURLEncoding.DecodeString(r.PostForm.Get("form"))
	if err != nil {
		return ErrForeignForm
	}
	for _, key := range v.signIns.passes.keys[passForm] {
		if hmac.Equal(mac(key, []byte(visitor.key)), sum) {
			return nil
		}
	}
	return ErrForeignForm
}

// CheckOrigin returns ErrForeignForm if a page of another site sent a request.
func (v *Visitors) CheckOrigin(r *http.Request) error {
	if err := v.signIns.guard.Check(r); err != nil {
		return ErrForeignForm
	}
	return nil
}

// ConnectAddress is where the visitor's own browser begins to connect a mailbox.
func (v *Visitors) ConnectAddress(ctx context.Context, visitor Visitor) (string, error) {
	if visitor.FromNightPOS {
		return v.signIns.public + routeConnect, nil
	}
	address, _, err := v.Link(ctx, visitor.Person, Choice{})
	return address, err
}

// Link makes a single-use link that connects a person's Outlook.
func (v *Visitors) Link(ctx context.Context, person Person, choice Choice) (address string, expires time.Time, err error) {
	return v.signIns.makeLink(ctx, person, choice)
}

// Find finds a user of NightPOS by id or login; the error wraps ErrNobody.
func (v *Visitors) Find(ctx context.Context, user string) (Person, error) {
	return v.signIns.people.Find(ctx, user)
}

// Stopped is closed when the server stops: what lasts, such as a stream, has to end.
func (v *Visitors) Stopped() <-chan struct{} { return v.stopped }

// RedirectURI is what has to be registered with the application at Microsoft.
func (v *Visitors) RedirectURI() string { return v.signIns.public + RedirectPath }

// Base is the path of the public address, without a slash at its end.
func (v *Visitors) Base() string {
	address, err := url.Parse(v.signIns.public)
	if err != nil {
		return ""
	}
	return address.EscapedPath()
}

// NightPOS is NightPOS's address.
func (v *Visitors) NightPOS() string { return v.signIns.pages.nightpos }
