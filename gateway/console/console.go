package console

import (
	"bytes"
	"context"
	"errors"
	"html/template"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/gateway/languages"
)

// Config is what the console needs. Admin and Visitors have no defaults.
type Config struct {
	Admin    gateway.Admin
	Visitors *gateway.Visitors
	// Now tells the time; default time.Now.
	Now func() time.Time
	// Log gets what goes wrong; default none.
	Log *zap.Logger
}

// Console answers with the console's pages. It implements http.Handler for / and
// everything below gateway.ConsolePath.
type Console struct {
	Config
	routes  *http.ServeMux
	pages   map[string]*template.Template
	texts   *languages.Catalogue
	assets  *assets
	streams *streams
	places  chan struct{}
	// readings are places for pages that read calendars as a whole.
	readings chan struct{}
}

const (
	root = gateway.ConsolePath
	// pageTime bounds a page, and longTime one that reads a calendar as a whole;
	// answerTime is what is left to send it.
	pageTime   = 25 * time.Second
	longTime   = 5 * time.Minute
	answerTime = 20 * time.Second
	// pagePlaces is how many pages are made at once.
	pagePlaces = 64
	// readingPlaces is how many of those are made at once that read calendars as a
	// whole.
	readingPlaces = 4
	// maxForm bounds what a form sends.
	maxForm = 64 << 10
	// policy lets pages load what the gateway itself serves. Pico's arrows and ticks
	// are images inside its stylesheet. There is no form-action: browsers hold that
	// against the redirect to Microsoft too.
	policy = "default-src 'self'; img-src 'self' data:; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)

// New makes a console.
func New(config Config) (*Console, error) {
	if config.Admin == nil || config.Visitors == nil {
		return nil, errors.New("the console needs somebody who does the work, and to know who is at the browser")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = zap.NewNop()
	}
	c := &Console{Config: config, routes: http.NewServeMux(), streams: newStreams(), places: make(chan struct{}, pagePlaces), readings: make(chan struct{}, readingPlaces)}
	var err error
	if c.texts, err = languages.Read(catalogues, "catalogue"); err != nil {
		return nil, err
	}
	if c.assets, err = packedAssets(); err != nil {
		return nil, err
	}
	if c.pages, err = parsePages(); err != nil {
		return nil, err
	}
	c.addRoutes()
	return c, nil
}

func (c *Console) addRoutes() {
	get := func(path string, who access, work pageWork) {
		c.routes.Handle("GET "+path, c.page(who, pageTime, work))
	}
	post := func(path string, who access, work pageWork) {
		c.routes.Handle("POST "+path, c.page(who, pageTime, work))
	}
	for _, path := range []string{"/{$}", root + "/{$}", root} {
		get(path, signedIn, c.home)
	}
	c.routes.Handle("GET "+root+"/asset/{name}", c.assets)
	post(root+"/sign-in", anybody, c.signIn)
	post(root+"/sign-out", signedIn, c.signOut)
	post(root+"/language", anybody, c.language)
	c.routes.Handle("GET "+root+"/live/{of}", c.page(signedIn, liveTime+pageTime, c.live))

	get(root+"/mine", people, c.mine)
	c.routes.Handle("GET "+root+"/mine/preview", c.page(people, longTime, c.preview))
	post(root+"/mine/{action}", people, c.act)

	get(root+"/gateway", administrators, c.overview)
	get(root+"/people", administrators, c.everybody)
	get(root+"/people/{user}", administrators, c.person)
	c.routes.Handle("GET "+root+"/people/{user}/preview", c.page(administrators, longTime, c.preview))
	c.routes.Handle("GET "+root+"/people/{user}/reset", c.page(administrators, longTime, c.askReset))
	post(root+"/people/{user}/reset", administrators, c.reset)
	post(root+"/people/{user}/{action}", administrators, c.act)
	post(root+"/invite", administrators, c.invite)
	get(root+"/jobs/{job}", administrators, c.job)
	post(root+"/jobs/{job}/undo", administrators, c.undo)
	get(root+"/activity", administrators, c.activity)
	get(root+"/lag.json", administrators, c.lag)
	get(root+"/doctor", administrators, c.doctor)
	post(root+"/doctor", administrators, c.examine)
	get(root+"/settings", administrators, c.settings)
	post(root+"/settings", administrators, c.saveSettings)
	post(root+"/database", administrators, c.confirmDatabase)
	get(root+"/guide", administrators, c.guide)
	c.routes.Handle("/", c.page(anybody, pageTime, func(context.Context, *view, http.ResponseWriter, *http.Request) error {
		return &gateway.Refusal{Status: http.StatusNotFound, Text: "no such page"}
	}))
}

// ServeHTTP answers one request.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.routes.ServeHTTP(w, r) }

// access says whom a page is for.
type access int

const (
	anybody access = iota
	// signedIn may be a person or an administrator.
	signedIn
	// people are those who have a NightPOS user of their own.
	people
	administrators
)

// pageWork makes a page, or does what a form asks for. What it returns is shown as a
// page of its own.
type pageWork func(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error

// page is a page within its limits: its sender is known, its form is genuine.
func (c *Console) page(who access, limit time.Duration, work pageWork) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("Cache-Control", "no-store")
		header.Set("X-Frame-Options", "DENY")
		// A form's sender can be told apart only where browsers name it.
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Vary", "Cookie, Accept-Language")
		if limit > pageTime {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit + answerTime)) // the server's own limits are for short answers
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		v := c.newView(r)
		if err := c.admit(ctx, v, who, w, r); err != nil {
			c.fail(v, w, err)
			return
		}
		if who != anybody && !v.signedIn {
			status := http.StatusOK
			if r.Method == http.MethodPost {
				status = http.StatusUnauthorized
			}
			c.show(v, w, status, "sign-in", signInPage{})
			return
		}
		places := c.places
		if limit == longTime {
			places = c.readings
		}
		// Streams have places of their own.
		if limit == pageTime || limit == longTime {
			select {
			case places <- struct{}{}:
				defer func() { <-places }()
			default:
				c.fail(v, w, &gateway.Refusal{Status: http.StatusServiceUnavailable, Text: "too many pages at once"})
				return
			}
		}
		if err := work(ctx, v, w, r); err != nil {
			c.fail(v, w, err)
		}
	})
}

// admit finds out who is there and whether they may.
func (c *Console) admit(ctx context.Context, v *view, who access, w http.ResponseWriter, r *http.Request) error {
	visitor, err := c.Visitors.Who(ctx, r)
	switch {
	case err == nil:
		v.know(visitor)
	case !errors.Is(err, gateway.ErrNobody):
		return err
	}
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			return &gateway.Refusal{Status: http.StatusBadRequest, Text: "the form cannot be read"}
		}
		if err := c.Visitors.CheckOrigin(r); err != nil {
			return err
		}
		if v.signedIn {
			if err := c.Visitors.CheckForm(visitor, r); err != nil {
				return err
			}
		}
	}
	switch {
	case !v.signedIn || who == anybody || who == signedIn:
	case who == people && visitor.Person.ID == "":
		return &gateway.Refusal{Status: http.StatusNotFound, Text: "the admin token has no calendar"}
	case who == administrators && !visitor.Administrator:
		return &gateway.Refusal{Status: http.StatusForbidden, Text: "this is for administrators of NightPOS"}
	}
	return nil
}

// show answers with a page.
func (c *Console) show(v *view, w http.ResponseWriter, status int, name string, page any) {
	v.Page, v.Name = page, name
	var content bytes.Buffer
	if err := c.pages[name].ExecuteTemplate(&content, "layout", v); err != nil {
		c.Log.Error("a page of the console could not be made", zap.String("page", name), zap.Error(err))
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(content.Bytes())
}

// failure is the page of an error.
type failure struct{ Reason reason }

// fail answers with what went wrong and what to do.
func (c *Console) fail(v *view, w http.ResponseWriter, err error) {
	var refusal *gateway.Refusal
	status, text := http.StatusServiceUnavailable, ""
	switch {
	case errors.As(err, &refusal):
		status, text = refusal.Status, refusal.Text
	case errors.Is(err, gateway.ErrForeignForm):
		status, text = http.StatusForbidden, err.Error()
	case errors.Is(err, gateway.ErrNobody):
		status, text = http.StatusNotFound, "nobody with this id or login is connected"
	case errors.Is(err, context.DeadlineExceeded):
		text = "that took too long"
	default:
		c.Log.Warn("a page of the console failed", zap.Error(err))
		text = "the store, NightPOS or Microsoft cannot be reached just now"
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	c.show(v, w, status, "failure", failure{v.explain(text)})
}

// turn leads the browser to a page after a form, so that reloading repeats nothing.
func (c *Console) turn(v *view, w http.ResponseWriter, r *http.Request, path, done string) {
	address := v.Base + path
	if done != "" {
		address += "?done=" + done
	}
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// note keeps who did what. That the note is lost undoes nothing.
func (c *Console) note(ctx context.Context, v *view, action string, user int64, detail string) {
	by := v.visitor.Name()
	if err := c.Admin.Audit(ctx, gateway.Deed{At: c.Now().UTC(), By: by, Action: action, User: user, Detail: detail}); err != nil {
		c.Log.Warn("who did what could not be noted", zap.String("action", action), zap.String("by", by), zap.Error(err))
	}
}
