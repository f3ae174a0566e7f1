package gateway

import (
	"bytes"
	_ "embed"
	"fmt"
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

// pagePolicy lets a page load its stylesheet and nothing else.
const pagePolicy = "default-src 'self'; script-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"

// pages are what people see on the way to Microsoft and back.
type pages struct {
	public, nightpos string
	login, client    string
}

// message is one page.
type message struct {
	Base, Kind, Title string
	Text              []string
	Shown, Todo       string
	Again             bool
	NightPOS          string
	Reference         string
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

func (p *pages) connected(w http.ResponseWriter, person Person, mailbox string) {
	p.show(w, http.StatusOK, message{
		Kind: "done", Title: "Outlook is connected",
		Text: []string{
			fmt.Sprintf("The NightPOS calendar of %s and the Outlook calendar of %s are kept in step from now on.", person.Name, mailbox),
			"What is there already is being compared. You can close this page.",
		},
		NightPOS: p.nightpos,
	})
}

func (p *pages) failed(w http.ResponseWriter, failure SignInFailure) {
	why := explain(failure)
	shown := message{Kind: "failed", Title: why.title, Text: []string{why.text}, Todo: why.todo, Again: why.again}
	switch why.shows {
	case "redirect":
		shown.Shown = p.public + RedirectPath
	case "consent":
		shown.Shown = p.login + "/organizations/v2.0/adminconsent?" + url.Values{
			"client_id": {p.client}, "redirect_uri": {p.public + RedirectPath}, "scope": {"https://graph.microsoft.com/.default"},
		}.Encode()
	case "detail":
		shown.Shown = failure.Detail
	}
	if failure.Word == failureSession {
		shown.NightPOS = p.nightpos
	}
	reference := []string{}
	if failure.Number != 0 {
		reference = append(reference, "AADSTS"+strconv.Itoa(failure.Number))
	}
	if id := w.Header().Get("X-Request-Id"); id != "" {
		reference = append(reference, "request "+id)
	}
	shown.Reference = strings.Join(reference, ", ")
	p.show(w, why.status, shown)
}

// style answers with the stylesheet.
func style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(styleSource)
}
