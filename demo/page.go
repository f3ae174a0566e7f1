package demo

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
)

//go:embed page
var files embed.FS

// maximumBody bounds what the page may send.
const maximumBody = 1 << 16

// longestView bounds what a calendar is asked for at once.
const longestView = 62 * 24 * time.Hour

// page answers the browser.
type page struct {
	world   *World
	log     *zap.Logger
	index   *template.Template
	presets *presets
}

// NewPage makes the handler of the page and of the small API behind it. It
// answers requests to loopback hosts only, and takes edits only from its own
// pages, since whoever may ask acts as any of the people.
func NewPage(world *World, log *zap.Logger) (http.Handler, error) {
	index, err := template.ParseFS(files, "page/index.html")
	if err != nil {
		return nil, fmt.Errorf("reading the page: %w", err)
	}
	static, err := fs.Sub(files, "page")
	if err != nil {
		return nil, fmt.Errorf("reading the page: %w", err)
	}
	p := &page{world: world, log: log, index: index, presets: newPresets(world)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.show)
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static)))
	mux.HandleFunc("GET /api/state", p.answering(p.state))
	mux.HandleFunc("GET /api/activity", p.answering(p.activity))
	mux.HandleFunc("GET /api/mails", p.answering(p.mails))
	mux.HandleFunc("GET /api/stream", p.stream)
	mux.HandleFunc("GET /api/{side}/events", p.answering(p.events))
	mux.HandleFunc("POST /api/{side}/events", p.answering(p.create))
	mux.HandleFunc("PATCH /api/{side}/events/{id}", p.answering(p.update))
	mux.HandleFunc("DELETE /api/{side}/events/{id}", p.answering(p.remove))
	mux.HandleFunc("POST /api/{side}/events/{id}/answer", p.answering(p.answer))
	mux.HandleFunc("POST /api/nightpos/events/{id}/archive", p.answering(p.archive))
	mux.HandleFunc("POST /api/presets/{preset}/run", p.answering(p.preset))
	return guard(http.NewCrossOriginProtection().Handler(mux)), nil
}

// guard sets the headers of every answer and turns away other hosts' names,
// under which a foreign page could reach a loopback address.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-store")
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "The demo answers on loopback addresses only.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (p *page) show(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := p.index.Execute(w, map[string]any{"Members": p.world.Members}); err != nil {
		p.log.Warn("the page of the demo was not sent", zap.Error(err))
	}
}

// refusal is an error with a status for the browser.
type refusal struct {
	status int
	reason string
}

func (r refusal) Error() string { return r.reason }

// answering turns what a handler returns into JSON; errors become
// {"error": "…"} in words for the person.
func (p *page) answering(handle func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maximumBody)
		answer, err := handle(r)
		status := http.StatusOK
		if err != nil {
			var refused refusal
			status = http.StatusUnprocessableEntity // the side said no
			switch {
			case errors.As(err, &refused):
				status = refused.status
			case errors.Is(err, ErrGone):
				status = http.StatusGone
			}
			answer = map[string]string{"error": err.Error()}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			p.log.Debug("an answer of the demo was not sent", zap.Error(err))
		}
	}
}

// acting finds the calendar and the person that a request is about.
func (p *page) acting(r *http.Request) (Calendar, Member, error) {
	member, err := p.member(r)
	if err != nil {
		return nil, Member{}, err
	}
	switch side := Side(r.PathValue("side")); side {
	case Outlook, NightPOS:
		return p.world.Calendar(side), member, nil
	default:
		return nil, Member{}, refusal{http.StatusNotFound, "There are two calendars: outlook and nightpos."}
	}
}

func (p *page) member(r *http.Request) (Member, error) {
	login := r.URL.Query().Get("person")
	index := slices.IndexFunc(p.world.Members, func(m Member) bool { return m.Login == login })
	if index < 0 {
		return Member{}, refusal{http.StatusNotFound, fmt.Sprintf("There is nobody called %q in the demo.", login)}
	}
	return p.world.Members[index], nil
}

// decode reads a body of JSON into a value, unknown names refused.
func decode(r *http.Request, into any) error {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/json" {
		return refusal{http.StatusUnsupportedMediaType, "The body must be application/json."}
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return refusal{http.StatusBadRequest, "The body cannot be read: " + err.Error()}
	}
	return nil
}

func (p *page) state(r *http.Request) (any, error) {
	health := []Health{}
	if p.world.Gateway != nil {
		health = p.world.Gateway.Health(r.Context())
	}
	return map[string]any{"members": p.world.Members, "gateway": p.world.Gateway != nil, "health": health}, nil
}

func (p *page) activity(*http.Request) (any, error) {
	feed := p.world.Watch.Activities()
	if feed == nil {
		feed = []Activity{}
	}
	return feed, nil
}

// shownMails bounds the list on the page; the totals count all.
const shownMails = 100

func (p *page) mails(*http.Request) (any, error) {
	answer := map[string]any{}
	for _, side := range []Side{Outlook, NightPOS} {
		all := p.world.Calendar(side).Mails()
		byGateway := 0
		for _, mail := range all {
			if mail.ByGateway {
				byGateway++
			}
		}
		latest := slices.Clone(all[max(0, len(all)-shownMails):])
		slices.Reverse(latest)
		if latest == nil {
			latest = []Mail{}
		}
		answer[string(side)] = map[string]any{"total": len(all), "by_gateway": byGateway, "latest": latest}
	}
	return answer, nil
}

func (p *page) events(r *http.Request) (any, error) {
	calendar, member, err := p.acting(r)
	if err != nil {
		return nil, err
	}
	from, errFrom := time.Parse(time.RFC3339, r.URL.Query().Get("from"))
	to, errTo := time.Parse(time.RFC3339, r.URL.Query().Get("to"))
	if errFrom != nil || errTo != nil || !from.Before(to) || to.Sub(from) > longestView {
		return nil, refusal{http.StatusBadRequest, "from and to must be times such as 2026-11-23T00:00:00Z, at most two months apart."}
	}
	events, err := calendar.Events(r.Context(), member.Login, from, to)
	if err != nil {
		return nil, err
	}
	if events == nil {
		events = []Event{}
	}
	return p.world.Watch.Paired(Side(r.PathValue("side")), events), nil
}
