package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
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
		s.fail("tenant", "Microsoft does not know the tenant of MICROSOFT_TENANT: "+refused.Error(), "set MICROSOFT_TENANT to common, organizations, consumers, or the tenant id that Entra shows under Overview")
		return false
	case err != nil:
		detail, remedy := trouble(err, "MICROSOFT_LOGIN_URL")
		s.fail("login_url", "Microsoft's sign-in cannot be asked: "+detail, remedy)
		return false
	}
	s.ok("login_url", "Microsoft's sign-in answers at %s", e.settings.MicrosoftLoginURL)
	login, graph := hostOf(e.settings.MicrosoftLoginURL), hostOf(e.settings.MicrosoftGraphURL)
	const remedy = "set MICROSOFT_LOGIN_URL and MICROSOFT_GRAPH_URL to the pair of one cloud, for example https://login.microsoftonline.us with https://graph.microsoft.us/v1.0, or leave both out"
	hosts, national := clouds[login]
	switch {
	case cloud.GraphHost != "" && !strings.EqualFold(cloud.GraphHost, graph):
		s.fail("cloud", fmt.Sprintf("the sign-in at %s belongs to Graph at %s, and MICROSOFT_GRAPH_URL is at %s", login, cloud.GraphHost, graph), remedy)
	case cloud.GraphHost == "" && national && !slices.Contains(hosts, graph), !national && !loopback(login) && slices.Contains(allGraphs(), graph), loopback(login) != loopback(graph):
		s.fail("cloud", fmt.Sprintf("the sign-in at %s and Graph at %s are of different clouds", login, graph), remedy)
	default:
		s.ok("cloud", "sign-in and Graph belong together")
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
	const remedy = "set MICROSOFT_GRAPH_URL to Graph with its version, for example https://graph.microsoft.com/v1.0, or leave it out"
	got, err := e.call(ctx, http.MethodGet, e.settings.MicrosoftGraphURL+"/me", "", nil)
	if err != nil {
		detail, advice := trouble(err, "MICROSOFT_GRAPH_URL")
		s.fail("graph_url", "Graph cannot be asked: "+detail, advice)
		return
	}
	var told struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	switch {
	case got.status != http.StatusUnauthorized || json.Unmarshal(got.body, &told) != nil || told.Error.Code == "":
		s.fail("graph_url", fmt.Sprintf("what answers at MICROSOFT_GRAPH_URL, with HTTP status %d, is not Graph", got.status), remedy)
	case !strings.HasSuffix(e.settings.MicrosoftGraphURL, "/v1.0"):
		s.warn("graph_url", "MICROSOFT_GRAPH_URL does not end in /v1.0, the version that the gateway was made for", remedy)
	default:
		s.ok("graph_url", "Graph answers at %s", e.settings.MicrosoftGraphURL)
	}
	e.clockOf(s, "Graph", got)
}

// checkApplication says whether the application is known.
func (e *examiner) checkApplication(ctx context.Context, s *sheet, config outlook.Config, diagnosis *outlook.Diagnosis) (known bool) {
	switch {
	case config.ClientID == "":
		s.fail("application", "MICROSOFT_CLIENT_ID is missing: nobody can connect", "register an application in Entra (any organization and personal accounts) and set MICROSOFT_CLIENT_ID to its application (client) id, here or in the console")
		return false
	case config.ClientSecret == "" && config.Certificate == nil:
		s.fail("application", "MICROSOFT_CLIENT_SECRET is missing: nobody can connect", "make a client secret of the application in Entra and set MICROSOFT_CLIENT_SECRET to its value (not its id), here or in the console")
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	proven, err := diagnosis.CheckApplication(ctx)
	var refused *outlook.SignInError
	switch {
	case errors.As(err, &refused):
		s.fail("application", "Microsoft refuses the application: "+refused.Error(), applicationRemedy(refused.Number))
		return refused.Number != 700016
	case err != nil:
		detail, remedy := trouble(err, "MICROSOFT_LOGIN_URL")
		s.warn("application", "whether Microsoft takes the application could not be found out: "+detail, remedy)
	case proven:
		s.ok("application", "Microsoft takes the application and its secret or certificate")
	default:
		s.ok("application", "Microsoft has nothing against the application; with this tenant it tells no more before a person signs in")
	}
	return true
}

// applicationRemedy is what to do about what Microsoft says of an application.
func applicationRemedy(number int) string {
	switch number {
	case 700016:
		return "set MICROSOFT_CLIENT_ID to the application (client) id that Entra shows under App registrations, and MICROSOFT_TENANT to a tenant that knows it"
	case 7000215, 7000218:
		return "set MICROSOFT_CLIENT_SECRET to the value of a client secret, not its id; Entra shows it once, so make a new one"
	case 7000222:
		return "make a new client secret in Entra and set MICROSOFT_CLIENT_SECRET and MICROSOFT_CLIENT_SECRET_EXPIRES; nobody has to connect again"
	case 7000112:
		return "switch the application on again in Entra, under Enterprise applications, Properties"
	case 700027:
		return "upload the certificate of MICROSOFT_CLIENT_CERTIFICATE to the application in Entra, under Certificates & secrets"
	case 50194:
		return "set MICROSOFT_TENANT to the tenant id of the application, or let it sign in accounts of any organization under Authentication in Entra"
	case 50011:
		return "add it in Entra under Authentication, as a redirect URI of the platform Web"
	}
	return "compare MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET and MICROSOFT_TENANT with the registration in Entra"
}

// maxRedirect is how long a redirect URI may be, in characters.
const maxRedirect = 256

// redirectRules are Entra's for addresses that it sends browsers to.
func redirectRules(s *sheet, address, tenant string) bool {
	parsed, err := url.Parse(address)
	if err != nil {
		return false
	}
	const remedy = "correct GATEWAY_PUBLIC_URL: the redirect URI is that and " + gateway.RedirectPath
	host := parsed.Hostname()
	switch {
	case len(address) > maxRedirect:
		s.fail("redirect_uri", fmt.Sprintf("the redirect URI has %d characters, and Entra takes %d", len(address), maxRedirect), remedy)
	case strings.ContainsAny(address, "!$'(),;"):
		s.fail("redirect_uri", "the redirect URI has one of the characters ! $ ' ( ) , ; which Entra does not take", remedy)
	case strings.Contains(host, "*"):
		s.fail("redirect_uri", "the redirect URI has a wildcard, which Entra does not take where personal accounts may sign in", remedy)
	case parsed.RawQuery != "" && tenant != "organizations":
		s.fail("redirect_uri", "the redirect URI has a query, which Entra does not take where personal accounts may sign in", remedy)
	case host == "::1":
		s.fail("redirect_uri", "Entra does not take the host [::1] in a redirect URI", "use http://localhost in GATEWAY_PUBLIC_URL for trying things out, and https for everything else")
	case parsed.Scheme != "https" && !loopback(host):
		s.fail("redirect_uri", "Entra takes https redirect URIs only", remedy)
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
		s.fail("redirect_uri", "the redirect URI "+address+" is not registered with the application", applicationRemedy(refused.Number))
	case errors.As(err, &refused) && refused.Number == 50194:
		s.fail("tenant", "Microsoft refuses sign-ins: "+refused.Error(), applicationRemedy(refused.Number))
	case errors.As(err, &refused):
		s.fail("redirect_uri", "Microsoft refuses sign-ins: "+refused.Error(), applicationRemedy(refused.Number))
	case err != nil:
		detail, remedy := trouble(err, "MICROSOFT_LOGIN_URL")
		s.warn("redirect_uri", "whether "+address+" is registered could not be found out: "+detail, remedy)
	default:
		s.ok("redirect_uri", "Microsoft takes the redirect URI %s", address)
	}
}

// checkTenant says who can sign in.
func (e *examiner) checkTenant(s *sheet) {
	switch tenant := e.settings.MicrosoftTenant; {
	case !e.has("MICROSOFT_TENANT"):
	case tenant == "common":
		s.ok("tenant", "work, school and personal accounts can connect, if the application allows them")
	case tenant == "consumers":
		s.warn("tenant", "MICROSOFT_TENANT is consumers: personal accounts can connect, and work and school accounts cannot",
			"set MICROSOFT_TENANT to common for both, to organizations or a tenant id for work and school accounts alone")
	default:
		s.ok("tenant", "work and school accounts can connect (MICROSOFT_TENANT is %s); personal accounts, such as those of outlook.com, cannot", tenant)
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
		s.warn("personal_accounts", "these people have personal accounts by their addresses and cannot connect with MICROSOFT_TENANT as it is: "+named(personal),
			"set MICROSOFT_TENANT to common, and let the application sign in personal accounts too, in Entra under Authentication")
	}
	return s.rows
}

const oneDay = 24 * time.Hour

// secretSteps are the days before its end at which a secret is spoken of.
var secretSteps = []int{1, 7, 30, 60}

// checkSecretExpiry counts down to the end of the secret or certificate.
func (e *examiner) checkSecretExpiry(s *sheet, elsewhere bool) {
	what, remedy := "the client secret", "make a new client secret in Entra and set MICROSOFT_CLIENT_SECRET and MICROSOFT_CLIENT_SECRET_EXPIRES; nobody has to connect again"
	end := e.settings.MicrosoftClientSecretExpires
	if e.settings.MicrosoftClientCertificate != "" && e.has("MICROSOFT_CLIENT_CERTIFICATE") {
		if certificate, err := outlook.ParseCertificate([]byte(e.settings.MicrosoftClientCertificate.Reveal())); err == nil {
			what, end = "the application's certificate", certificate.Expires
			remedy = "make a new certificate, upload it to the application in Entra and set MICROSOFT_CLIENT_CERTIFICATE; nobody has to connect again"
		}
	}
	switch {
	case !e.has("MICROSOFT_CLIENT_SECRET_EXPIRES"):
		return
	case end.IsZero():
		if e.settings.MicrosoftClientSecret != "" || elsewhere {
			s.warn("secret_expiry", "when the client secret ends is not known, so that nobody will be warned", "set MICROSOFT_CLIENT_SECRET_EXPIRES to the day that Entra shows, for example 2028-11-22")
		}
		return
	case !end.After(e.Now()):
		s.fail("secret_expiry", fmt.Sprintf("%s ended on %s: nobody's sign-in can be renewed", what, end.Format(time.DateOnly)), remedy)
		return
	}
	left := end.Sub(e.Now())
	for _, days := range secretSteps {
		if left <= time.Duration(days)*oneDay {
			s.warn("secret_expiry", fmt.Sprintf("%s ends on %s, within %d day(s): then nobody's sign-in can be renewed", what, end.Format(time.DateOnly), days), remedy)
			return
		}
	}
	s.ok("secret_expiry", "%s is good until %s, for %d days", what, end.Format(time.DateOnly), int(left/oneDay))
}
