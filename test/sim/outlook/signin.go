package outlook

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// authorizationCode is a consent on its way to the application.
type authorizationCode struct {
	box         *mailbox
	application string
	redirect    string
	tenant      string
	scopes      []string
	nonce       string
	challenge   string
	method      string
	issued      time.Time
	used        bool
}

// knownScopes are the ones a person can consent to here.
var knownScopes = []string{
	"openid", "profile", "email", "offline_access", "User.Read", "Calendars.Read", "Calendars.ReadWrite",
	"Calendars.Read.Shared", "Calendars.ReadWrite.Shared", "MailboxSettings.Read", "MailboxSettings.ReadWrite",
}

func (s *Server) serveSignIn(w http.ResponseWriter, r *http.Request) {
	tenant, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if rest == "oauth2/v2.0/token" && !s.knownTenant(tenant) {
		s.refuseToken(w, http.StatusBadRequest, "invalid_request", 90002, "Tenant '"+tenant+"' not found.")
		return
	}
	if !s.knownTenant(tenant) {
		http.Error(w, "AADSTS90002: Tenant '"+tenant+"' not found.", http.StatusBadRequest)
		return
	}
	switch rest {
	case "oauth2/v2.0/authorize":
		s.authorizePage(w, r, tenant)
	case "oauth2/v2.0/token":
		s.tokenEndpoint(w, r, tenant)
	case "v2.0/.well-known/openid-configuration":
		s.discovery(w, tenant)
	case "discovery/v2.0/keys":
		keys, err := publicKeys()
		if err != nil {
			http.Error(w, "no signing key", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		writeJSON(w, http.StatusOK, keys)
	default:
		http.NotFound(w, r)
	}
}

// knownTenant takes the tenant segments of 1.1: the people here have work or
// school accounts of one tenant.
func (s *Server) knownTenant(tenant string) bool {
	if slices.Contains([]string{"common", "organizations", "consumers", strings.ToLower(s.config.TenantID)}, strings.ToLower(tenant)) {
		return true
	}
	return slices.ContainsFunc(s.people, func(m *mailbox) bool {
		return strings.EqualFold(m.person.Address[strings.LastIndex(m.person.Address, "@")+1:], tenant)
	})
}

func (s *Server) discovery(w http.ResponseWriter, tenant string) {
	base := s.config.BaseURL + "/" + tenant
	issuer := s.config.BaseURL + "/" + s.config.TenantID + "/v2.0"
	if tenant == "common" || tenant == "organizations" {
		issuer = s.config.BaseURL + "/{tenantid}/v2.0"
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                issuer,
		"authorization_endpoint":                base + "/oauth2/v2.0/authorize",
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"jwks_uri":                              s.config.BaseURL + "/common/discovery/v2.0/keys",
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
	})
}

// acceptsRedirect compares a redirect address with the registered ones (1.14).
func (a Application) acceptsRedirect(address string) bool {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || len(address) > 256 {
		return false
	}
	if len(a.RedirectURIs) > 0 {
		return slices.Contains(a.RedirectURIs, address)
	}
	return parsed.Scheme == "https" || parsed.Scheme == "http" && near(parsed.Hostname())
}

// authorizePage consents at once for the person of login_hint, or asks who it is.
func (s *Server) authorizePage(w http.ResponseWriter, r *http.Request, tenant string) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "AADSTS9002313: the request is malformed.", http.StatusBadRequest)
		return
	}
	form := r.Form
	application, known := s.application(form.Get("client_id"))
	redirect := form.Get("redirect_uri")
	switch { // without a trustworthy address there is nowhere to send an error
	case !known:
		s.showError(w, 700016, "Application with identifier '"+form.Get("client_id")+"' was not found in the directory.")
		return
	case !application.acceptsRedirect(redirect):
		s.showError(w, 50011, "The redirect URI '"+redirect+"' specified in the request does not match the redirect URIs configured for the application.")
		return
	}
	if application.SingleTenant && !s.ownTenant(tenant) {
		s.showError(w, 50194, "Application '"+application.ID+"' is not configured as a multi-tenant application. Usage of the /common endpoint is not supported for such apps. Use a tenant-specific endpoint or configure the application to be multi-tenant.")
		return
	}
	fail := func(code, description string) {
		s.redirect(w, r, form, url.Values{"error": {code}, "error_description": {description}})
	}
	method := form.Get("code_challenge_method")
	if method == "" {
		method = "plain" // 1.3
	}
	scopes, unknown := splitScopes(form.Get("scope"))
	switch {
	case form.Get("response_type") != "code":
		fail("unsupported_response_type", "AADSTS700051: response_type '"+form.Get("response_type")+"' is not enabled for the application.")
	case len(scopes) == 0 && unknown == "":
		fail("invalid_request", "AADSTS900144: The request body must contain the following parameter: 'scope'.")
	case unknown != "":
		fail("invalid_scope", "AADSTS70011: The provided value for the input parameter 'scope' is not valid: '"+unknown+"'.")
	case method != "S256" && method != "plain":
		fail("invalid_request", "AADSTS50147: Invalid size or method of Code_Challenge parameter.")
	default:
		box := s.find(form.Get("login_hint"))
		if box == nil || r.Method != http.MethodPost && s.config.Switches.AccountPage && form.Get("prompt") == "select_account" || box.person.Password != "" && subtle.ConstantTimeCompare([]byte(r.PostForm.Get("password")), []byte(box.person.Password)) == 0 {
			if form.Get("prompt") == "none" {
				fail("login_required", "AADSTS50058: A silent sign-in request was sent but no user is signed in.")
				return
			}
			s.choose(w, r, form)
			return
		}
		if s.askConsent(w, r, application, box, scopes, tenant) {
			return
		}
		if len(application.Grants) > 0 {
			scopes = slices.DeleteFunc(scopes, func(scope string) bool { return !slices.Contains(application.Grants, scope) })
		}
		s.mutex.Lock()
		code := s.secret("0.A", 32)
		s.codes[code] = &authorizationCode{
			box: box, application: application.ID, redirect: redirect, tenant: tenant, scopes: scopes,
			nonce: form.Get("nonce"), challenge: form.Get("code_challenge"), method: method, issued: s.now(),
		}
		s.mutex.Unlock()
		s.redirect(w, r, form, url.Values{"code": {code}, "session_state": {s.guid("session " + box.objectID)}})
	}
}

// splitScopes brings scopes into their short form and names the first unknown one.
func splitScopes(text string) (scopes []string, unknown string) {
	for given := range strings.FieldsSeq(text) {
		short := given[strings.LastIndex(given, "/")+1:] // 1.19
		at := slices.IndexFunc(knownScopes, func(known string) bool { return strings.EqualFold(known, short) })
		if at < 0 {
			return nil, given
		}
		if !slices.Contains(scopes, knownScopes[at]) {
			scopes = append(scopes, knownScopes[at])
		}
	}
	return scopes, ""
}

var (
	formPost = template.Must(template.New("post").Parse(`<!DOCTYPE html><html lang="en"><head><title>Working...</title></head><body onload="document.forms[0].submit()"><form method="POST" action="{{.Address}}">{{range $name, $value := .Values}}<input type="hidden" name="{{$name}}" value="{{index $value 0}}">{{end}}<button>Continue</button></form></body></html>`))

	choosePage = template.Must(template.New("choose").Parse(`<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sign in</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:4rem auto;padding:0 1rem;color:#1b1b1b;background:#f5f6f8}h1{font-size:1.4rem}form{margin:.5rem 0}button{width:100%;text-align:left;font:inherit;padding:.7rem 1rem;border:1px solid #c8ccd4;border-radius:6px;background:#fff;cursor:pointer}button:hover,button:focus{border-color:#0b5cad}input{width:100%;box-sizing:border-box;font:inherit;padding:.5rem;margin:.25rem 0;border:1px solid #c8ccd4;border-radius:6px}small{display:block;color:#555}</style></head>
<body><h1>Pick an account</h1><p>Simulated Microsoft sign-in.</p>{{$form := .Form}}{{range .People}}<form method="POST">{{range $name, $value := $form}}<input type="hidden" name="{{$name}}" value="{{index $value 0}}">{{end}}<input type="hidden" name="login_hint" value="{{.Address}}">{{if .Password}}<label>Password of {{.Name}}<input type="password" name="password"></label>{{end}}<button>{{.Name}}<small>{{.Address}}</small></button></form>{{end}}</body></html>`))
)

// choose shows the people there are.
func (s *Server) choose(w http.ResponseWriter, _ *http.Request, form url.Values) {
	var people []Person
	for _, m := range s.people {
		people = append(people, m.person)
	}
	kept := url.Values{}
	for name, values := range form {
		if name != "login_hint" && name != "password" {
			kept[name] = values
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// A browser that has gone away needs no page.
	_ = choosePage.Execute(w, map[string]any{"People": people, "Form": kept})
}

// redirect sends the browser back to the application (1.3).
func (s *Server) redirect(w http.ResponseWriter, r *http.Request, form, values url.Values) {
	if form.Has("state") {
		values.Set("state", form.Get("state"))
	}
	address := form.Get("redirect_uri")
	switch form.Get("response_mode") {
	case "form_post":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = formPost.Execute(w, map[string]any{"Address": address, "Values": values})
	case "fragment":
		http.Redirect(w, r, address+"#"+values.Encode(), http.StatusFound)
	default:
		joint := "?"
		if strings.Contains(address, "?") {
			joint = "&"
		}
		http.Redirect(w, r, address+joint+values.Encode(), http.StatusFound)
	}
}

// refuseToken writes the error body of the token endpoint (1.11).
func (s *Server) refuseToken(w http.ResponseWriter, status int, code string, number int, text string) {
	s.refuse(w, status, code, number, text, "")
}

func (s *Server) refuse(w http.ResponseWriter, status int, code string, number int, text, sub string) {
	s.mutex.Lock()
	s.counter++
	trace, correlation := s.guid(fmt.Sprintf("trace %d", s.counter)), s.guid(fmt.Sprintf("correlation %d", s.counter))
	s.mutex.Unlock()
	at := s.now().UTC().Format("2006-01-02 15:04:05Z")
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store, no-cache")
	body := map[string]any{
		"error": code,
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
			number, text, trace, correlation, at),
		"error_codes": []int{number}, "timestamp": at, "trace_id": trace, "correlation_id": correlation,
		"error_uri": fmt.Sprintf("%s/error?code=%d", s.config.BaseURL, number),
	}
	if sub != "" {
		body["suberror"] = sub
	}
	writeJSON(w, status, body)
}

// tokenEndpoint redeems codes and refresh tokens (1.6, 1.7, 1.12).
func (s *Server) tokenEndpoint(w http.ResponseWriter, r *http.Request, tenant string) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); r.Method != http.MethodPost || err != nil {
		s.refuseToken(w, http.StatusBadRequest, "invalid_request", 900561, "The endpoint only accepts POST requests with a form.")
		return
	}
	form := r.PostForm
	call := SignInCall{Time: s.now(), Tenant: tenant, Grant: form.Get("grant_type"), Application: form.Get("client_id"), Mailbox: s.holder(form)}
	carry := func(w http.ResponseWriter) { s.redeem(w, r, tenant) }
	if !s.spoilSignIn(w, r, call, carry) {
		carry(w)
	}
}

// holder is whose code or refresh token a form holds.
func (s *Server) holder(form url.Values) string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if held := s.codes[form.Get("code")]; held != nil {
		return held.box.person.Address
	}
	if held := s.refresh[form.Get("refresh_token")]; held != nil {
		return held.box.person.Address
	}
	return ""
}

func (s *Server) redeem(w http.ResponseWriter, r *http.Request, tenant string) {
	form := r.PostForm
	application, refused := s.credentials(r, tenant)
	if refused != nil {
		s.refuseToken(w, refused.status, refused.word, refused.number, refused.text)
		return
	}
	switch form.Get("grant_type") {
	case "authorization_code":
		s.redeemCode(w, form, application.ID, tenant)
	case "refresh_token":
		s.redeemRefresh(w, form, application.ID)
	case "":
		s.refuseToken(w, http.StatusBadRequest, "invalid_request", 900144, "The request body must contain the following parameter: 'grant_type'.")
	default:
		s.refuseToken(w, http.StatusBadRequest, "unsupported_grant_type", 70003, "The app requested an unsupported grant type '"+form.Get("grant_type")+"'.")
	}
}

func (s *Server) redeemCode(w http.ResponseWriter, form url.Values, application, tenant string) {
	s.mutex.Lock()
	held := s.codes[form.Get("code")]
	var number int
	var text string
	switch {
	case held == nil || held.application != application:
		number, text = 9002313, "Invalid request. Request is malformed or invalid."
	case held.used:
		number, text = 54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token."
	case s.now().Sub(held.issued) > codeLifetime:
		number, text = 70008, "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource."
	case held.tenant != tenant:
		number, text = 700005, "The provided authorization code is intended to be used against another tenant."
	case held.redirect != form.Get("redirect_uri"):
		number, text = 500112, "The reply address does not match the reply address provided when requesting Authorization code."
	case !held.verified(form.Get("code_verifier")):
		number, text = 501481, "The Code_Verifier does not match the code_challenge supplied in the authorization request."
	default:
		held.used = true
	}
	s.mutex.Unlock()
	if number != 0 {
		s.refuseToken(w, http.StatusBadRequest, "invalid_grant", number, text)
		return
	}
	s.answerToken(w, held.box, application, held.scopes, held.nonce)
}

// verified checks the proof key of RFC 7636.
func (c *authorizationCode) verified(verifier string) bool {
	switch {
	case c.challenge == "":
		return verifier == ""
	case c.method == "plain":
		return verifier == c.challenge
	}
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:]) == c.challenge
}

func (s *Server) redeemRefresh(w http.ResponseWriter, form url.Values, application string) {
	token := form.Get("refresh_token")
	s.mutex.Lock()
	held := s.refresh[token]
	var number int
	var text string
	var scopes []string
	status := "invalid_grant"
	switch {
	case held == nil || held.application != application:
		number, text = 70000, "The provided value for the input parameter 'refresh_token' is not valid."
	case held.revoked:
		number, text = 50173, "The provided grant has expired due to it being revoked, a fresh auth token is needed."
	case s.now().After(held.expires):
		number, text = 700082, "The refresh token has expired due to inactivity."
	default:
		scopes = held.scopes
		if given := form.Get("scope"); given != "" {
			asked, unknown := splitScopes(given)
			if unknown != "" {
				status, number, text = "invalid_scope", 70011, "The provided value for the input parameter 'scope' is not valid: '"+unknown+"'."
			}
			for _, scope := range asked {
				if !slices.Contains(held.scopes, scope) {
					number, text = 65001, "The user or administrator has not consented to use the application with ID '"+application+"'. Send an interactive authorization request for this user and resource."
				}
			}
			// Whoever refreshes keeps being able to.
			scopes = asked
			if !slices.Contains(scopes, "offline_access") {
				scopes = append(scopes, "offline_access")
			}
		}
		if number == 0 && s.config.Switches.RefreshTokenOnce {
			held.revoked = true
		}
	}
	s.mutex.Unlock()
	if number != 0 {
		s.refuseToken(w, http.StatusBadRequest, status, number, text)
		return
	}
	s.answerToken(w, held.box, application, scopes, "")
}

func (s *Server) answerToken(w http.ResponseWriter, box *mailbox, application string, scopes []string, nonce string) {
	s.mutex.Lock()
	access, refresh, expires := s.issue(box, application, scopes)
	lifetime := int(expires.Sub(s.now()) / time.Second)
	s.mutex.Unlock()
	var shown []string
	for _, scope := range scopes {
		if scope == "offline_access" {
			continue
		}
		if s.config.Switches.QualifiedScopes && strings.Contains(scope, ".") {
			scope = "https://graph.microsoft.com/" + scope
		}
		shown = append(shown, scope)
	}
	body := map[string]any{
		"token_type": "Bearer", "scope": strings.Join(shown, " "), "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": access,
	}
	if refresh != "" {
		body["refresh_token"] = refresh
	}
	if slices.Contains(scopes, "openid") {
		token, err := s.identityToken(box, application, nonce, scopes)
		if err != nil {
			http.Error(w, "no signing key", http.StatusInternalServerError)
			return
		}
		body["id_token"] = token
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store, no-cache")
	writeJSON(w, http.StatusOK, body)
}
