package gateway

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/nightpos/outlook-gateway/gateway/languages"
)

//go:embed page/message.html
var messageSource string

//go:embed page/style.css
var styleSource []byte

//go:embed page/catalogue/en.json page/catalogue/th.json
var messageTexts embed.FS

var messagePage = template.Must(template.New("message").Parse(messageSource))

// pagePolicy lets a page load its stylesheet and nothing else. It has no
// form-action: browsers hold that against the redirect to Microsoft too, and
// against wherever Microsoft leads from there.
const pagePolicy = "default-src 'self'; script-src 'none'; base-uri 'none'; frame-ancestors 'none'"

const (
	// routeLanguage shows a page again in another language.
	routeLanguage = "/microsoft_account/language"
	// maxOutcome bounds what a page is about, as its form for another language sends
	// it.
	maxOutcome = 16 << 10
)

// pages are what people see on the way to Microsoft and back.
type pages struct {
	public, nightpos string
	login            string
	client           func() string
	texts            *languages.Catalogue
	// cookie is the name of the one that keeps a choice of language.
	cookie string
	// seal signs what a page is about, so that it can be shown again.
	seal func(outcome) (string, error)
}

// outcome is what a page is about, in no language yet.
type outcome struct {
	// Kind is one of the kinds below.
	Kind outcomeKind `json:"kind"`
	// Name and Login are the person's, Mailbox the connected one.
	Name    string `json:"name,omitempty"`
	Login   string `json:"login,omitempty"`
	Mailbox string `json:"mailbox,omitempty"`
	// Link is what a button connects, or what the person may begin anew with.
	Link    string         `json:"link,omitempty"`
	Failure *SignInFailure `json:"failure,omitempty"`
	// Request is that of the failure.
	Request string `json:"request,omitempty"`
}

type outcomeKind string

const (
	// outcomeAsk is the page of a link, outcomeDone that of a connected mailbox,
	// outcomeAgreed that of an administrator who has consented for an organization.
	outcomeAsk    outcomeKind = "ask"
	outcomeDone   outcomeKind = "done"
	outcomeAgreed outcomeKind = "agreed"
	outcomeFailed outcomeKind = "failed"
)

// message is one page in one language. All of it is escaped.
type message struct {
	texts *languages.Catalogue
	in    languages.Language
	// Base is the path of the public address; the template puts it before every
	// address.
	Base string
	// Kind is done, failed or ask.
	Kind, Title string
	Text        []string
	Facts       []fact
	Todo        string
	// Again is the path at which to begin anew, Link what a button connects.
	Again, Link, Button string
	Troubles            []message
	NightPOS            string
	// Console leads to the person's page.
	Console   bool
	Reference string
	// Outcome has the page shown again, in another language.
	Outcome string
}

// T is a text in the language of the page.
func (m message) T(key string, arguments ...any) string { return m.texts.Text(m.in, key, arguments...) }

// Lang is the language's name for browsers.
func (m message) Lang() string { return m.in.String() }

// fact is something to compare or to copy.
type fact struct {
	Name, Value string
	Copy        bool
}

// show answers with the page of an outcome.
func (p *pages) show(w http.ResponseWriter, r *http.Request, of outcome) {
	in := languages.Choose(r, p.cookie)
	p.showIn(w, in, of)
}

func (p *pages) showIn(w http.ResponseWriter, in languages.Language, of outcome) {
	status, shown := p.message(in, of)
	var page bytes.Buffer
	var err error
	if shown.Outcome, err = p.seal(of); err == nil {
		err = messagePage.Execute(&page, shown)
	}
	if err != nil {
		writeProblem(w, http.StatusInternalServerError, "the page could not be made")
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", in.String())
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", pagePolicy)
	header.Set("Vary", "Cookie, Accept-Language")
	// A form's sender can be told apart only where browsers name it.
	header.Set("Referrer-Policy", "same-origin")
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		header.Set("Retry-After", "60")
	}
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

// base is the path of the public address, under which the gateway is reached.
func (p *pages) base() string {
	address, err := url.Parse(p.public)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(address.Path, "/")
}

// message puts an outcome into words.
func (p *pages) message(in languages.Language, of outcome) (status int, shown message) {
	shown = message{texts: p.texts, in: in, Base: p.base()}
	switch of.Kind {
	case outcomeAsk:
		p.ask(&shown, of)
	case outcomeDone:
		shown.Kind, shown.Title = "done", shown.T("connected.title", "Name", of.Name, "Mailbox", of.Mailbox)
		shown.Text = []string{shown.T("connected.text"), shown.T("close")}
		shown.Facts = []fact{{Name: "NightPOS", Value: of.person()}, {Name: shown.T("fact.mailbox"), Value: of.Mailbox}}
		shown.NightPOS, shown.Console = p.nightpos, true
	case outcomeAgreed:
		shown.Kind, shown.Title, shown.Text = "done", shown.T("agreed.title"), []string{shown.T("agreed.text"), shown.T("close")}
	default:
		return p.failed(&shown, of), shown
	}
	return http.StatusOK, shown
}

// ask is the page of a link: whose calendar it connects, and a button.
func (p *pages) ask(shown *message, of outcome) {
	shown.Kind, shown.Title, shown.Text = "ask", shown.T("ask.title"), []string{shown.T("ask.text")}
	shown.Facts = []fact{
		{Name: shown.T("fact.nightpos"), Value: of.person()},
		{Name: shown.T("fact.outlook"), Value: shown.T("fact.outlook.next")},
	}
	shown.Link, shown.Button, shown.Todo = of.Link, shown.T("ask.button", "Name", of.Name), shown.T("ask.todo", "Name", of.Name)
	for _, one := range explanations {
		if one.stays {
			trouble := message{texts: p.texts, in: shown.in}
			p.explained(&trouble, one, SignInFailure{Number: one.numbers[0]})
			shown.Troubles = append(shown.Troubles, trouble)
		}
	}
}

func (o outcome) person() string {
	if o.Login == o.Name {
		return o.Name
	}
	return o.Name + " (" + o.Login + ")"
}

func (p *pages) failed(shown *message, of outcome) (status int) {
	failure := SignInFailure{Word: failureBusy}
	if of.Failure != nil {
		failure = *of.Failure
	}
	why := explain(failure)
	p.explained(shown, why, failure)
	if why.again {
		shown.Again = routeConnect
		if of.Link != "" {
			shown.Again += "?link=" + url.QueryEscape(of.Link)
		}
	}
	if failure.Word == failureSession || failure.Word == failurePerson {
		shown.NightPOS = p.nightpos
	}
	if of.Request != "" {
		shown.Reference = strings.TrimPrefix(shown.Reference+", "+shown.T("page.request", "Request", of.Request), ", ")
	}
	return why.status
}

// explained is what an explanation says of a failure.
func (p *pages) explained(shown *message, why explanation, failure SignInFailure) {
	shown.Kind, shown.Title, shown.Text = "failed", shown.T(why.key+".title"), []string{shown.T(why.key + ".text")}
	var todo []string
	for _, key := range why.todo {
		todo = append(todo, shown.T(key))
	}
	shown.Todo = strings.Join(todo, " ")
	for _, what := range why.shows {
		switch what {
		case showRedirect:
			shown.Facts = append(shown.Facts, fact{shown.T("fact.redirect"), p.public + RedirectPath, true})
		case showClient:
			shown.Facts = append(shown.Facts, fact{shown.T("fact.client"), p.client(), true})
		case showConsent:
			shown.Facts = append(shown.Facts, fact{shown.T("fact.consent"), p.login + "/organizations/v2.0/adminconsent?" + url.Values{
				"client_id": {p.client()}, "redirect_uri": {p.public + RedirectPath}, "scope": {"https://graph.microsoft.com/.default"},
			}.Encode(), true})
		case showDetail:
			if failure.Detail != "" {
				shown.Facts = append(shown.Facts, fact{shown.T(why.key + ".detail"), failure.Detail, false})
			}
		case showOwner:
			if failure.Owner != "" {
				shown.Facts = append(shown.Facts, fact{shown.T("fact.owner"), failure.Owner, false})
			}
		}
	}
	var reference []string
	if failure.Number != 0 {
		reference = append(reference, "AADSTS"+strconv.Itoa(failure.Number))
	}
	if failure.Trace != "" {
		reference = append(reference, shown.T("page.trace", "Trace", failure.Trace))
	}
	shown.Reference = strings.Join(reference, ", ")
}

// language shows a page again in another language, and remembers that one. The page
// itself brings what it was about: a sign-in that is over cannot be asked again.
func (s *signIns) language(_ context.Context, w http.ResponseWriter, r *http.Request) {
	if err := s.guard.Check(r); err != nil {
		s.fail(w, r, &SignInFailure{Word: failureForeign})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxOutcome)
	chosen, spoken := languages.Parse(r.PostFormValue("language"))
	of, genuine := s.passes.unseal(r.PostFormValue("page"))
	if !spoken || !genuine {
		s.fail(w, r, &SignInFailure{Word: failureForeign})
		return
	}
	languages.Remember(w, s.pages.cookie, s.secure(), chosen)
	s.pages.showIn(w, chosen, of)
}

// style answers with the stylesheet.
func style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(styleSource)
}
