package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/gateway/findings"
	"github.com/nightpos/outlook-gateway/outlook"
)

// clouds are the sign-ins that Microsoft runs, each with the hosts of its Graph.
var clouds = map[string][]string{
	"login.microsoftonline.com":           {"graph.microsoft.com"},
	"login.microsoftonline.us":            {"graph.microsoft.us", "dod-graph.microsoft.us"},
	"login.chinacloudapi.cn":              {"microsoftgraph.chinacloudapi.cn"},
	"login.partner.microsoftonline.cn":    {"microsoftgraph.chinacloudapi.cn"},
	"login.microsoftonline.eaglex.ic.gov": {"graph.eaglex.ic.gov"},
}

func (e *examiner) checkMicrosoft(ctx context.Context) []Row {
	s := &sheet{area: "microsoft"}
	elsewhere := e.applyConsole(ctx, s)
	e.checkSecretExpiry(s, elsewhere)
	e.checkTenant(s)
	if !e.has("MICROSOFT_LOGIN_URL", "MICROSOFT_TENANT", "MICROSOFT_GRAPH_URL", "MICROSOFT_CLIENT_CERTIFICATE") {
		return s.rows
	}
	e.checkGraph(ctx, s)
	config := outlook.Config{
		GraphURL: e.settings.MicrosoftGraphURL, LoginURL: e.settings.MicrosoftLoginURL, Tenant: e.settings.MicrosoftTenant,
		ClientID: e.settings.MicrosoftClientID, ClientSecret: e.settings.MicrosoftClientSecret.Reveal(), HTTP: e.Transport, Now: e.Now,
	}
	if e.has("GATEWAY_PUBLIC_URL") {
		config.RedirectURL = e.settings.PublicURL + gateway.RedirectPath
	}
	if e.settings.MicrosoftClientCertificate != "" {
		// It was read once already, with the settings.
		config.Certificate, _ = outlook.ParseCertificate([]byte(e.settings.MicrosoftClientCertificate.Reveal()))
	}
	diagnosis := outlook.NewDiagnosis(config)
	if !e.checkSignIn(ctx, s, diagnosis) || !e.has("MICROSOFT_CLIENT_ID", "MICROSOFT_CLIENT_SECRET") {
		return s.rows
	}
	known := true
	if elsewhere {
		s.setElsewhere(config.ClientID)
	} else {
		known = e.checkApplication(ctx, s, config, diagnosis)
	}
	if config.RedirectURL != "" && redirectRules(s, config.RedirectURL, e.settings.MicrosoftTenant) && known {
		e.checkRedirect(ctx, s, config.RedirectURL, diagnosis)
	}
	return s.rows
}

// checkSignIn asks Microsoft's sign-in for itself and compares it with Graph.
func (e *examiner) checkSignIn(ctx context.Context, s *sheet, diagnosis *outlook.Diagnosis) bool {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	cloud, err := diagnosis.Discover(ctx)
	var refused *outlook.SignInError
	switch {
	case errors.As(err, &refused):
		s.fail("tenant", findings.Say("microsoft.tenant.unknown", "Refusal", refusal(refused)), findings.Say("microsoft.tenant.unknown.todo"))
		return false
	case err != nil:
		found, advice := trouble(err, "MICROSOFT_LOGIN_URL")
		s.fail("login_url", findings.Say("microsoft.login_url.silent", "Trouble", found), advice)
		return false
	}
	s.ok("login_url", findings.Say("microsoft.login_url", "Address", e.settings.MicrosoftLoginURL))
	login, graph := hostOf(e.settings.MicrosoftLoginURL), hostOf(e.settings.MicrosoftGraphURL)
	advice := findings.Say("microsoft.cloud.todo")
	hosts, national := clouds[login]
	switch {
	case cloud.GraphHost != "" && !strings.EqualFold(cloud.GraphHost, graph):
		s.fail("cloud", findings.Say("microsoft.cloud.other", "Login", login, "Graph", cloud.GraphHost, "Own", graph), advice)
	case cloud.GraphHost == "" && national && !slices.Contains(hosts, graph), !national && !loopback(login) && slices.Contains(allGraphs(), graph), loopback(login) != loopback(graph):
		s.fail("cloud", findings.Say("microsoft.cloud.apart", "Login", login, "Graph", graph), advice)
	default:
		s.ok("cloud", findings.Say("microsoft.cloud"))
	}
	return true
}

func allGraphs() []string {
	var hosts []string
	for _, graphs := range clouds {
		hosts = append(hosts, graphs...)
	}
	return hosts
}

// checkGraph asks Graph for something without a token, which it refuses in a way
// that is its own.
func (e *examiner) checkGraph(ctx context.Context, s *sheet) {
	advice := findings.Say("microsoft.graph_url.todo")
	got, err := e.call(ctx, http.MethodGet, e.settings.MicrosoftGraphURL+"/me", "", nil)
	if err != nil {
		found, reach := trouble(err, "MICROSOFT_GRAPH_URL")
		s.fail("graph_url", findings.Say("microsoft.graph_url.silent", "Trouble", found), reach)
		return
	}
	var told struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	switch {
	case got.status != http.StatusUnauthorized || json.Unmarshal(got.body, &told) != nil || told.Error.Code == "":
		s.fail("graph_url", findings.Say("microsoft.graph_url.other", "Status", got.status), advice)
	case !strings.HasSuffix(e.settings.MicrosoftGraphURL, "/v1.0"):
		s.warn("graph_url", findings.Say("microsoft.graph_url.version"), advice)
	default:
		s.ok("graph_url", findings.Say("microsoft.graph_url", "Address", e.settings.MicrosoftGraphURL))
	}
	e.clockOf(s, findings.Say("clock.graph"), got)
}

// checkApplication says whether the application is known.
func (e *examiner) checkApplication(ctx context.Context, s *sheet, config outlook.Config, diagnosis *outlook.Diagnosis) (known bool) {
	switch {
	case config.ClientID == "":
		s.fail("application", findings.Say("microsoft.application.no_id"), findings.Say("microsoft.application.no_id.todo"))
		return false
	case config.ClientSecret == "" && config.Certificate == nil:
		s.fail("application", findings.Say("microsoft.application.no_secret"), findings.Say("microsoft.application.no_secret.todo"))
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	proven, err := diagnosis.CheckApplication(ctx)
	var refused *outlook.SignInError
	switch {
	case errors.As(err, &refused):
		s.fail("application", findings.Say("microsoft.application.refused", "Refusal", refusal(refused)), refusalAdvice(refused.Number))
		return refused.Number != 700016
	case err != nil:
		found, advice := trouble(err, "MICROSOFT_LOGIN_URL")
		s.warn("application", findings.Say("microsoft.application.unsure", "Trouble", found), advice)
	case proven:
		s.ok("application", findings.Say("microsoft.application"))
	default:
		s.ok("application", findings.Say("microsoft.application.unproven"))
	}
	return true
}

// maxRedirect is how long a redirect URI may be, in characters.
const maxRedirect = 256

// redirectRules are Entra's for addresses that it sends browsers to.
func redirectRules(s *sheet, address, tenant string) bool {
	parsed, err := url.Parse(address)
	if err != nil {
		return false
	}
	advice := findings.Say("microsoft.redirect_uri.todo", "Path", gateway.RedirectPath)
	host := parsed.Hostname()
	switch {
	case len(address) > maxRedirect:
		s.fail("redirect_uri", findings.Say("microsoft.redirect_uri.long", "Number", len(address), "Most", maxRedirect), advice)
	case strings.ContainsAny(address, "!$'(),;"):
		s.fail("redirect_uri", findings.Say("microsoft.redirect_uri.characters"), advice)
	case strings.Contains(host, "*"):
		s.fail("redirect_uri", findings.Say("microsoft.redirect_uri.wildcard"), advice)
	case parsed.RawQuery != "" && tenant != "organizations":
		s.fail("redirect_uri", findings.Say("microsoft.redirect_uri.query"), advice)
	case host == "::1":
		s.fail("redirect_uri", findings.Say("microsoft.redirect_uri.loopback"), findings.Say("microsoft.redirect_uri.loopback.todo"))
	case parsed.Scheme != "https" && !loopback(host):
		s.fail("redirect_uri", findings.Say("microsoft.redirect_uri.http"), advice)
	default:
		return true
	}
	return false
}

// checkRedirect has Microsoft look at the redirect URI.
func (e *examiner) checkRedirect(ctx context.Context, s *sheet, address string, diagnosis *outlook.Diagnosis) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	err := diagnosis.CheckRedirect(ctx)
	var refused *outlook.SignInError
	switch {
	case errors.As(err, &refused) && refused.Number == 50011:
		s.fail("redirect_uri", findings.Say("microsoft.redirect_uri.unregistered", "Address", address), refusalAdvice(refused.Number))
	case errors.As(err, &refused) && refused.Number == 50194:
		s.fail("tenant", findings.Say("microsoft.refused", "Refusal", refusal(refused)), refusalAdvice(refused.Number))
	case errors.As(err, &refused):
		s.fail("redirect_uri", findings.Say("microsoft.refused", "Refusal", refusal(refused)), refusalAdvice(refused.Number))
	case err != nil:
		found, advice := trouble(err, "MICROSOFT_LOGIN_URL")
		s.warn("redirect_uri", findings.Say("microsoft.redirect_uri.unsure", "Address", address, "Trouble", found), advice)
	default:
		s.ok("redirect_uri", findings.Say("microsoft.redirect_uri", "Address", address))
	}
}

// checkTenant says who can sign in.
func (e *examiner) checkTenant(s *sheet) {
	switch tenant := e.settings.MicrosoftTenant; {
	case !e.has("MICROSOFT_TENANT"):
	case tenant == "common":
		s.ok("tenant", findings.Say("microsoft.tenant.common"))
	case tenant == "consumers":
		s.warn("tenant", findings.Say("microsoft.tenant.consumers"), findings.Say("microsoft.tenant.consumers.todo"))
	default:
		s.ok("tenant", findings.Say("microsoft.tenant", "Tenant", tenant))
	}
}

// personalDomains are where Microsoft gives personal accounts; those with a
// country behind it, such as hotmail.fr, begin the same.
var personalDomains = []string{"outlook.", "hotmail.", "live.", "msn."}

// checkPersonalAccounts compares the tenant with people's addresses in NightPOS.
func (e *examiner) checkPersonalAccounts() []Row {
	s := &sheet{area: "microsoft"}
	if tenant := e.settings.MicrosoftTenant; !e.has("MICROSOFT_TENANT") || tenant == "common" || tenant == "consumers" {
		return nil
	}
	var personal []string
	for _, user := range e.nightpos.users {
		domain := strings.ToLower(user.Address[strings.LastIndexByte(user.Address, '@')+1:])
		if slices.ContainsFunc(personalDomains, func(known string) bool { return strings.HasPrefix(domain, known) }) {
			personal = append(personal, user.Login)
		}
	}
	if len(personal) > 0 {
		s.warn("personal_accounts", findings.Say("microsoft.personal_accounts", "People", named(personal)), findings.Say("microsoft.personal_accounts.todo"))
	}
	return s.rows
}

const oneDay = 24 * time.Hour

// secretSteps are the days before its end at which a secret is spoken of.
var secretSteps = []int{1, 7, 30, 60}

// checkSecretExpiry counts down to the end of the secret or certificate.
func (e *examiner) checkSecretExpiry(s *sheet, elsewhere bool) {
	what, advice := findings.Say("secret"), findings.Say("secret.todo")
	end := e.settings.MicrosoftClientSecretExpires
	if e.settings.MicrosoftClientCertificate != "" && e.has("MICROSOFT_CLIENT_CERTIFICATE") {
		if certificate, err := outlook.ParseCertificate([]byte(e.settings.MicrosoftClientCertificate.Reveal())); err == nil {
			what, advice, end = findings.Say("certificate"), findings.Say("certificate.todo"), certificate.Expires
		}
	}
	switch {
	case !e.has("MICROSOFT_CLIENT_SECRET_EXPIRES"):
		return
	case end.IsZero():
		if e.settings.MicrosoftClientSecret != "" || elsewhere {
			s.warn("secret_expiry", findings.Say("microsoft.secret_expiry.unknown"), findings.Say("microsoft.secret_expiry.unknown.todo"))
		}
		return
	case !end.After(e.Now()):
		s.fail("secret_expiry", findings.Say("microsoft.secret_expiry.ended", "What", what, "Day", end), advice)
		return
	}
	left := end.Sub(e.Now())
	for _, days := range secretSteps {
		if left <= time.Duration(days)*oneDay {
			s.warn("secret_expiry", findings.Say("microsoft.secret_expiry.ends", "What", what, "Day", end, "Count", days), advice)
			return
		}
	}
	s.ok("secret_expiry", findings.Say("microsoft.secret_expiry", "What", what, "Day", end, "Count", int(left/oneDay)))
}
