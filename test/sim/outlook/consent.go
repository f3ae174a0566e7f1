package outlook

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// pageStyle dresses the pages of the sign-in.
const pageStyle = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:4rem auto;padding:0 1rem;color:#1b1b1b;background:#f5f6f8}h1{font-size:1.4rem}form{margin:.5rem 0}button{font:inherit;padding:.6rem 1.2rem;border:1px solid #c8ccd4;border-radius:6px;background:#fff;cursor:pointer}button.accept{background:#0b5cad;border-color:#0b5cad;color:#fff}small{color:#555}code{overflow-wrap:anywhere}</style>`

var (
	consentPage = template.Must(template.New("consent").Parse(`<!DOCTYPE html><html lang="en"><head><title>Permissions requested</title>` + pageStyle + `</head>
<body><p><small>{{.Address}}</small></p>{{if .Admin}}<h1>Need admin approval</h1><p>This application needs permission to access resources in your organization that only an admin can grant.</p>{{else}}<h1>Permissions requested</h1><p>This application would like to:</p><ul>{{range .Scopes}}<li>{{.}}</li>{{end}}</ul>{{end}}
<form method="POST">{{range $name, $value := .Form}}<input type="hidden" name="{{$name}}" value="{{index $value 0}}">{{end}}
{{if .Admin}}<button name="consent" value="return">Return to the application without granting consent</button>{{else}}<button name="consent" value="cancel">Cancel</button> <button class="accept" name="consent" value="accept">Accept</button>{{end}}</form></body></html>`))

	errorPage = template.Must(template.New("error").Parse(`<!DOCTYPE html><html lang="en"><head><title>Sign in</title>` + pageStyle + `</head>
<body><h1>Sorry, but we’re having trouble signing you in.</h1><p><code>{{.}}</code></p></body></html>`))
)

// ownTenant says whether a tenant segment names the people's own directory.
func (s *Server) ownTenant(tenant string) bool {
	return !slices.Contains([]string{"common", "organizations", "consumers"}, strings.ToLower(tenant))
}

// askConsent does what comes between picking an account and the way back to the
// application, and says whether the browser was answered with it.
func (s *Server) askConsent(w http.ResponseWriter, r *http.Request, application Application, box *mailbox, scopes []string, tenant string) bool {
	form := r.Form
	if s.config.ConsentFaults != nil {
		call := SignInCall{Time: s.now(), Tenant: tenant, Application: application.ID, Mailbox: box.person.Address}
		if fault := s.config.ConsentFaults(call); fault != nil {
			if fault.Status != 0 {
				s.showError(w, fault.Number, fault.Text)
				return true
			}
			s.sendBack(w, r, fault.Error, fault.SubError, fault.Number, fault.Text)
			return true
		}
	}
	given := form.Get("consent")
	switch {
	case application.AdminConsent && given == "return":
		s.sendBack(w, r, "access_denied", "", 90094, "An administrator of the organization has to grant consent to the application.")
	case given == "cancel":
		s.sendBack(w, r, "access_denied", "cancel", 65004, "User declined to consent to access the app.")
	case application.AdminConsent, s.config.Switches.ConsentPage && given != "accept":
		kept := url.Values{}
		for name, values := range form {
			if name != "consent" {
				kept[name] = values
			}
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		// A browser that has gone away needs no page.
		_ = consentPage.Execute(w, map[string]any{"Address": box.person.Address, "Admin": application.AdminConsent, "Scopes": scopes, "Form": kept})
	default:
		return false
	}
	return true
}

// sendBack sends the browser back to the application with an error (1.5, 1.12).
func (s *Server) sendBack(w http.ResponseWriter, r *http.Request, word, sub string, number int, text string) {
	values := url.Values{"error": {word}, "error_description": {s.describe(number, text)}, "error_uri": {fmt.Sprintf("%s/error?code=%d", s.config.BaseURL, number)}}
	if sub != "" {
		values.Set("error_subcode", sub)
	}
	s.redirect(w, r, r.Form, values)
}

// showError is for errors that Microsoft keeps to itself.
func (s *Server) showError(w http.ResponseWriter, number int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusBadRequest)
	_ = errorPage.Execute(w, s.describe(number, text))
}

// describe is the text of an error, with what Microsoft's support asks for.
func (s *Server) describe(number int, text string) string {
	s.mutex.Lock()
	s.counter++
	trace, correlation := s.guid(fmt.Sprintf("trace %d", s.counter)), s.guid(fmt.Sprintf("correlation %d", s.counter))
	s.mutex.Unlock()
	return fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
		number, text, trace, correlation, s.now().UTC().Format("2006-01-02 15:04:05Z"))
}
