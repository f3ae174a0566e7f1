package gateway

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

//go:embed page/message.html
var messageSource string

//go:embed page/style.css
var styleSource []byte

var messagePage = template.Must(template.New("message").Parse(messageSource))

// pagePolicy lets a page load its stylesheet and nothing else. It has no
// form-action: browsers hold that against the redirect to Microsoft too, and
// against wherever Microsoft leads from there.
const pagePolicy = "default-src 'self'; script-src 'none'; base-uri 'none'; frame-ancestors 'none'"

// pages are what people see on the way to Microsoft and back.
type pages struct {
	public, nightpos string
	login            string
	client           func() string
}

// message is one page. All of it is escaped.
type message struct {
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
}

// fact is something to compare or to copy.
type fact struct {
	Name, Value string
	Copy        bool
}

func (p *pages) show(w http.ResponseWriter, status int, shown message) {
	shown.Base = strings.TrimSuffix(p.path(), "/")
	var page bytes.Buffer
	if err := messagePage.Execute(&page, shown); err != nil {
		writeProblem(w, http.StatusInternalServerError, "the page could not be made")
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", pagePolicy)
	// A form's sender can be told apart only where browsers name it.
	header.Set("Referrer-Policy", "same-origin")
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		header.Set("Retry-After", "60")
	}
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes())
}

// path is the path of the public address, under which the gateway is reached.
func (p *pages) path() string {
	address, err := url.Parse(p.public)
	if err != nil {
		return ""
	}
	return address.Path
}

// ask is the page of a link: whose calendar it connects, and a button.
func (p *pages) ask(w http.ResponseWriter, person Person, link string) {
	shown := message{
		Kind: "ask", Title: "Connect your Outlook calendar?",
		Text: []string{"Both calendars are kept in step from then on: what you change in one follows in the other. Microsoft asks you to sign in and to agree."},
		Facts: []fact{
			{Name: "NightPOS calendar", Value: nameAndLogin(person)},
			{Name: "Outlook calendar", Value: "the one of the account that you sign in with next"},
		},
		Link: link, Button: "Connect " + person.Name + "'s calendar",
		Todo: "If you are not " + person.Name + ", close this page: your Outlook would become part of somebody else's calendar. Links are personal; ask for one of your own.",
	}
	for _, one := range explanations {
		if one.stays {
			shown.Troubles = append(shown.Troubles, p.explained(one, SignInFailure{Number: one.numbers[0]}))
		}
	}
	p.show(w, http.StatusOK, shown)
}

func nameAndLogin(person Person) string {
	if person.Login == person.Name {
		return person.Name
	}
	return person.Name + " (" + person.Login + ")"
}

func (p *pages) connected(w http.ResponseWriter, person Person, mailbox string) {
	p.show(w, http.StatusOK, message{
		Kind: "done", Title: person.Name + "'s calendar is connected to " + mailbox,
		Text: []string{
			"Both calendars are kept in step from now on. What is there already is being compared, which takes a few minutes where there is much of it.",
			"You can close this page.",
		},
		Facts:    []fact{{Name: "NightPOS", Value: nameAndLogin(person)}, {Name: "Outlook mailbox", Value: mailbox}},
		NightPOS: p.nightpos, Console: true,
	})
}

// agreed is for the administrator of an organization who has consented for all.
func (p *pages) agreed(w http.ResponseWriter) {
	p.show(w, http.StatusOK, message{
		Kind: "done", Title: "Your organization has agreed",
		Text: []string{"Its people can connect their calendars now. Tell whoever sent you here to begin anew.", "You can close this page."},
	})
}

func (p *pages) failed(w http.ResponseWriter, failure SignInFailure) {
	why := explain(failure)
	shown := p.explained(why, failure)
	if why.again {
		shown.Again = routeConnect
		if failure.link != "" {
			shown.Again += "?link=" + url.QueryEscape(failure.link)
		}
	}
	if failure.Word == failureSession || failure.Word == failurePerson {
		shown.NightPOS = p.nightpos
	}
	if id := w.Header().Get("X-Request-Id"); id != "" {
		shown.Reference = strings.TrimPrefix(shown.Reference+", request "+id, ", ")
	}
	p.show(w, why.status, shown)
}

// explained is what an explanation says of a failure.
func (p *pages) explained(why explanation, failure SignInFailure) message {
	shown := message{Kind: "failed", Title: why.title, Text: []string{why.text}, Todo: why.todo}
	for _, what := range why.shows {
		switch what {
		case showRedirect:
			shown.Facts = append(shown.Facts, fact{"Redirect URI to register", p.public + RedirectPath, true})
		case showClient:
			shown.Facts = append(shown.Facts, fact{"Application (client) id", p.client(), true})
		case showConsent:
			shown.Facts = append(shown.Facts, fact{"Address for the administrator", p.login + "/organizations/v2.0/adminconsent?" + url.Values{
				"client_id": {p.client()}, "redirect_uri": {p.public + RedirectPath}, "scope": {"https://graph.microsoft.com/.default"},
			}.Encode(), true})
		case showDetail:
			if failure.Detail != "" {
				shown.Facts = append(shown.Facts, fact{why.detail, failure.Detail, false})
			}
		case showOwner:
			if failure.Owner != "" {
				shown.Facts = append(shown.Facts, fact{"Belongs in NightPOS to", failure.Owner, false})
			}
		}
	}
	var reference []string
	if failure.Number != 0 {
		reference = append(reference, "AADSTS"+strconv.Itoa(failure.Number))
	}
	if failure.Trace != "" {
		reference = append(reference, "Microsoft's trace id "+failure.Trace)
	}
	shown.Reference = strings.Join(reference, ", ")
	return shown
}

// style answers with the stylesheet.
func style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(styleSource)
}
