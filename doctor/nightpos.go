package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// nightposKnown is what was found out about NightPOS.
type nightposKnown struct {
	own *nightpos.Client
	// administrator is nil when no account of the settings is one.
	administrator *nightpos.Client
	account       nightpos.Account
	signedIn      bool
	// inspected says that the automation rules could be read and are right.
	inspected bool
	users     []reconciler.Member
}

const (
	leastNightPOS      = 17
	firstWithJSON2     = 19
	firstWithoutRPC    = 22
	registerRemedy     = "run `outlook-gateway register` with NIGHTPOS_ADMIN_LOGIN and NIGHTPOS_ADMIN_API_KEY of an administrator"
	administratorWords = "set NIGHTPOS_ADMIN_LOGIN and NIGHTPOS_ADMIN_API_KEY to an administrator's"
)

func (e *examiner) nightposClient(login, key string) (*nightpos.Client, error) {
	return nightpos.New(nightpos.Config{
		URL: e.settings.NightPOSURL, Database: e.settings.NightPOSDatabase, Login: login, APIKey: key,
		Protocol: e.settings.NightPOSProtocol, HTTP: e.Transport, Now: e.Now, Timeout: callTime, Retries: -1,
	})
}

func (e *examiner) checkNightPOS(ctx context.Context) []Row {
	s := &sheet{area: "nightpos"}
	if !e.has("NIGHTPOS_URL") || !e.checkAddress(ctx, s) || !e.has("NIGHTPOS_DB", "NIGHTPOS_LOGIN", "NIGHTPOS_API_KEY", "NIGHTPOS_PROTOCOL") {
		return s.rows
	}
	own, err := e.nightposClient(e.settings.NightPOSLogin, e.settings.NightPOSAPIKey.Reveal())
	if err != nil {
		s.fail("login", err.Error(), "correct the settings NIGHTPOS_*")
		return s.rows
	}
	e.nightpos.own = own
	if !e.checkVersion(ctx, s) || !e.checkLogin(ctx, s) {
		return s.rows
	}
	e.nightpos.signedIn = true
	baseURL := e.checkKey(ctx, s)
	e.checkAdministrator(ctx, s, &baseURL)
	door := e.checkDoor(ctx, s)
	e.checkRules(ctx, s)
	e.checkBaseURL(s, baseURL)
	users, err := own.Users(ctx, usersLimit)
	if err == nil {
		e.nightpos.users = users
		if door {
			e.checkBuiltIn(ctx, s)
		}
	}
	return s.rows
}

// checkAddress asks for a page that every NightPOS has without a sign-in.
func (e *examiner) checkAddress(ctx context.Context, s *sheet) bool {
	got, err := e.call(ctx, http.MethodGet, e.settings.NightPOSURL+"/web/health", "", nil)
	if err != nil {
		detail, remedy := trouble(err, "NIGHTPOS_URL")
		s.fail("address", "NightPOS cannot be reached: "+detail, remedy)
		return false
	}
	if target := got.redirected(); target != "" {
		if parsed, err := url.Parse(target); err == nil && parsed.Host != "" {
			s.fail("address", "NIGHTPOS_URL redirects to "+parsed.Scheme+"://"+parsed.Host+", and calls follow no redirect", "set NIGHTPOS_URL to "+parsed.Scheme+"://"+parsed.Host)
			return false
		}
	}
	if got.status >= http.StatusInternalServerError {
		s.fail("address", fmt.Sprintf("NIGHTPOS_URL answers with HTTP status %d", got.status), "start NightPOS, or correct the proxy in front of it")
		return false
	}
	e.clockOf(s, "NightPOS", got)
	return true
}

func (e *examiner) checkVersion(ctx context.Context, s *sheet) bool {
	version, err := e.nightpos.own.Version(ctx)
	if err != nil {
		s.fail("address", "something answers at NIGHTPOS_URL, but not as NightPOS does: "+err.Error(),
			"set NIGHTPOS_URL to the address of NightPOS itself, without a path such as /web")
		return false
	}
	s.ok("address", "NightPOS answers at %s", e.settings.NightPOSURL)
	protocol := e.settings.NightPOSProtocol
	switch {
	case version.Major < leastNightPOS:
		s.fail("version", fmt.Sprintf("NightPOS is version %s; the gateway needs %d or later", version.Name, leastNightPOS), "upgrade NightPOS")
		return false
	case protocol == nightpos.ProtocolJSON2 && version.Major < firstWithJSON2:
		s.fail("version", fmt.Sprintf("NightPOS is version %s, which does not speak json2", version.Name), "set NIGHTPOS_PROTOCOL to auto")
		return false
	case protocol == nightpos.ProtocolJSONRPC && version.Major >= firstWithoutRPC:
		s.fail("version", fmt.Sprintf("NightPOS is version %s, which no longer speaks jsonrpc", version.Name), "set NIGHTPOS_PROTOCOL to auto")
		return false
	}
	s.ok("version", "NightPOS is version %s", version.Name)
	return true
}

func (e *examiner) checkLogin(ctx context.Context, s *sheet) bool {
	account, err := e.nightpos.own.Account(ctx)
	login := e.settings.NightPOSLogin
	switch {
	case errors.Is(err, nightpos.ErrNoDatabase):
		s.fail("database", "NightPOS has no database of the name in NIGHTPOS_DB", "set NIGHTPOS_DB to the database's name; it is shown under /web/database/selector, or by the hosting")
		return false
	case errors.Is(err, nightpos.ErrDenied) && e.settings.NightPOSProtocol == nightpos.ProtocolJSON2:
		s.fail("login", "NightPOS refuses NIGHTPOS_API_KEY", "make an API key of the account "+login+" (its preferences, Account Security) and set NIGHTPOS_API_KEY to it: json2 takes no password")
		return false
	case errors.Is(err, nightpos.ErrDenied):
		s.fail("login", "NightPOS refuses NIGHTPOS_LOGIN with NIGHTPOS_API_KEY: the login does not exist, or the key or password is wrong or has expired",
			"make a new API key of the account "+login+" (its preferences, Account Security) and set NIGHTPOS_API_KEY to it")
		return false
	case err != nil:
		s.fail("login", "NightPOS does not answer a sign-in: "+err.Error(), "look into NightPOS's log")
		return false
	}
	e.nightpos.account = account
	s.ok("database", "the database %s is there", e.settings.NightPOSDatabase)
	if login == e.settings.NightPOSAdminLogin || login == "admin" {
		s.warn("login", "the gateway signs in with the account "+login+" of an administrator: what that person does in NightPOS is taken for the gateway's own work and not told to Outlook at once",
			"make an ordinary internal user for the gateway alone and set NIGHTPOS_LOGIN and NIGHTPOS_API_KEY to it")
		return true
	}
	s.ok("login", "%s is signed in (user %d, %s)", login, account.UserID, account.Protocol)
	return true
}

// keyWarning is how long before the end of a key there is a warning.
const keyWarning = 30 * 24 * time.Hour

// checkKey finds out whether it is a key or a password, and when the key ends. It
// returns web.base.url if it learned that on the way.
func (e *examiner) checkKey(ctx context.Context, s *sheet) (baseURL string) {
	own, account := e.nightpos.own, e.nightpos.account
	password := account.Protocol == nightpos.ProtocolJSONRPC && account.Version.Major >= firstWithJSON2 && e.settings.NightPOSProtocol == nightpos.ProtocolAuto
	if account.Protocol == nightpos.ProtocolJSONRPC {
		told, err := own.PasswordSession(ctx)
		if err == nil {
			password, baseURL = true, told
		}
	}
	if password {
		s.warn("key", "NIGHTPOS_API_KEY is the account's password: it ends when somebody changes it or asks for a second factor",
			"make an API key of the account (its preferences, Account Security) and set NIGHTPOS_API_KEY to it")
		return baseURL
	}
	keys, err := own.APIKeys(ctx)
	if err != nil || len(keys) == 0 {
		s.ok("key", "NIGHTPOS_API_KEY is a key; when it ends cannot be read from NightPOS")
		return baseURL
	}
	var first nightpos.APIKey
	for _, key := range keys {
		if !key.Expires.IsZero() && (first.Expires.IsZero() || key.Expires.Before(first.Expires)) {
			first = key
		}
	}
	of := ""
	if len(keys) > 1 {
		of = fmt.Sprintf(", the first of the account's %d to end,", len(keys))
	}
	switch {
	case first.Expires.IsZero():
		s.ok("key", "NIGHTPOS_API_KEY is a key without an end")
	case first.Expires.Sub(e.Now()) < keyWarning:
		s.warn("key", fmt.Sprintf("the API key %q%s ends on %s", first.Name, of, first.Expires.Format(time.DateOnly)),
			"make a new API key of the account before that and set NIGHTPOS_API_KEY to it; from version 19 on its longest life is set on a group as API key duration")
	default:
		s.ok("key", "NIGHTPOS_API_KEY is a key; %q%s ends on %s", first.Name, of, first.Expires.Format(time.DateOnly))
	}
	return baseURL
}

// checkAdministrator finds out whether an account of the settings is an
// administrator's, and with it web.base.url.
func (e *examiner) checkAdministrator(ctx context.Context, s *sheet, baseURL *string) {
	login := e.settings.NightPOSAdminLogin
	if login == "" || !e.has("NIGHTPOS_ADMIN_LOGIN", "NIGHTPOS_ADMIN_API_KEY") {
		told, err := e.nightpos.own.BaseURL(ctx)
		if err != nil {
			s.warn("administrator", "no account of the settings is an administrator's: what somebody switches off or edits of the gateway's in NightPOS is noticed and not mended, and the rules cannot be read",
				administratorWords+" when you run `doctor` and `register`")
			return
		}
		*baseURL, e.nightpos.administrator = told, e.nightpos.own
		s.ok("administrator", "the gateway's own account is an administrator's: it mends what it needs in NightPOS")
		return
	}
	client, err := e.nightposClient(login, e.settings.NightPOSAdminAPIKey.Reveal())
	if err == nil {
		*baseURL, err = client.BaseURL(ctx)
	}
	switch {
	case errors.Is(err, nightpos.ErrDenied):
		s.fail("administrator", "NightPOS refuses NIGHTPOS_ADMIN_LOGIN with NIGHTPOS_ADMIN_API_KEY", administratorWords+", or leave both out")
	case errors.Is(err, nightpos.ErrAccess):
		s.fail("administrator", login+" is no administrator (Administration: Settings)", administratorWords+", or leave both out")
	case err != nil:
		s.fail("administrator", "the administrator cannot be tried: "+err.Error(), "look into NightPOS's log")
	default:
		e.nightpos.administrator = client
		s.ok("administrator", "%s is an administrator: `register` mends what is needed in NightPOS", login)
	}
}

func (e *examiner) checkDoor(ctx context.Context, s *sheet) bool {
	err := e.nightpos.own.Check(ctx)
	switch {
	case err == nil:
		s.ok("door", "the server action is there and open to the gateway's account")
		return true
	case errors.Is(err, nightpos.ErrNotRegistered) && strings.Contains(err.Error(), "closed"):
		s.fail("door", "the server action \"Outlook gateway: door\" is closed to the gateway's account: it is not in the group \"Outlook gateway: account\"", registerRemedy)
	case errors.Is(err, nightpos.ErrNotRegistered):
		s.fail("door", "NightPOS has no server action \"Outlook gateway: door\": events can be neither read nor written", registerRemedy)
	default:
		s.fail("door", "the server action \"Outlook gateway: door\" fails: "+err.Error(), registerRemedy+", which brings it up to date")
	}
	return false
}

func (e *examiner) checkRules(ctx context.Context, s *sheet) {
	if e.senders == nil || !e.has("GATEWAY_PUBLIC_URL") {
		return // what arrives tells of them all the same
	}
	registration := nightpos.Registration{
		PublicURL: e.settings.PublicURL, PageURL: e.settings.PublicURL + gateway.ConsolePath,
		Token: e.senders.Token(), AccountID: e.nightpos.account.UserID,
	}
	if e.nightpos.administrator == nil {
		e.lookAtRules(ctx, s, registration)
		return
	}
	registration.Known = e.tokens()
	findings, err := e.nightpos.administrator.Inspect(ctx, registration)
	if err != nil {
		s.fail("rules", "what is registered cannot be read: "+err.Error(), registerRemedy)
		return
	}
	for _, finding := range findings {
		s.fail("rules", finding.What+" "+finding.Wrong, registerRemedy)
	}
	if len(findings) == 0 {
		e.nightpos.inspected = true
		s.ok("rules", "the automation rules, the server action and the group are there, switched on and as they should be")
	}
}

// likelyRotations is how often the secret of the webhooks is thought to have been
// rotated: which one is in use only the running gateway knows.
const likelyRotations = 20

// tokens are the secrets that NightPOS's webhooks may carry, the first ones first.
func (e *examiner) tokens() []string {
	var tokens []string
	for generation := range likelyRotations {
		if token, err := e.senders.TokenOf(generation); err == nil {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// lookAtRules has the gateway's own account ask what somebody spoiled.
func (e *examiner) lookAtRules(ctx context.Context, s *sheet, registration nightpos.Registration) {
	var wrong []string
	for _, token := range e.tokens() {
		registration.Token = token
		found, err := e.nightpos.own.Look(ctx, registration)
		if err != nil {
			s.fail("rules", err.Error(), registerRemedy)
			return
		}
		if wrong == nil || len(found) < len(wrong) {
			wrong = found
		}
		// With another secret than they carry, every rule is wrong.
		if len(found) < nightpos.RuleCount {
			break
		}
	}
	if len(wrong) > 0 {
		s.warn("rules", fmt.Sprintf("%d automation rule(s) are missing or were changed: the running gateway has to %s", len(wrong), strings.Join(wrong, "; ")),
			"wait ten minutes for the gateway to do it, and look who changes them if this row comes again")
		return
	}
	e.nightpos.inspected = true
	s.ok("rules", "the automation rules are there, switched on and as they should be")
}

// site is what a browser takes for one place: the registrable domain, or the host
// itself where there is none.
func site(host string) string {
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil || strings.Trim(host, "0123456789.") == "" {
		return host
	}
	return domain
}

// checkBaseURL compares how NightPOS calls itself with the public URL: people come
// from the one to the other, and are known by NightPOS's cookie.
func (e *examiner) checkBaseURL(s *sheet, text string) {
	if !e.has("GATEWAY_PUBLIC_URL") {
		return
	}
	public, err := url.Parse(e.settings.PublicURL)
	if err != nil {
		return
	}
	near := hostOf(e.settings.NightPOSURL)
	if text == "" {
		if site(near) == site(public.Hostname()) {
			s.warn("base_url", "web.base.url of NightPOS cannot be read by this account",
				"compare it with GATEWAY_PUBLIC_URL under Settings, Technical, System Parameters: scheme and host must be the same; or "+administratorWords+" and run `doctor` again")
		}
		return
	}
	base, err := url.Parse(strings.ToLower(text))
	if err != nil || base.Host == "" {
		s.fail("base_url", "web.base.url of NightPOS is no address", "set it to "+public.Scheme+"://"+public.Host+" under Settings, Technical, System Parameters")
		return
	}
	shared := site(public.Hostname()) == site(base.Hostname()) || site(public.Hostname()) == site(near)
	same := base.Scheme == public.Scheme && (base.Host == public.Host || base.Hostname() == public.Hostname() && loopback(public.Hostname()))
	told := base.Scheme + "://" + base.Host
	switch {
	case !shared:
		s.ok("base_url", "NightPOS is %s and the gateway is elsewhere: people connect by links", told)
	case same:
		s.ok("base_url", "web.base.url has the scheme and host of GATEWAY_PUBLIC_URL")
	case base.Scheme == public.Scheme && base.Hostname() == near && near != public.Hostname():
		s.warn("base_url", fmt.Sprintf("NightPOS is %s and the gateway %s://%s: the browser does not show NightPOS's session to the gateway, so that people connect by links only", told, public.Scheme, public.Host),
			"put both behind one address with a reverse proxy (docker compose --profile proxy shows how) and set GATEWAY_PUBLIC_URL to NightPOS's scheme and host; or connect people by links")
	default:
		s.fail("base_url", fmt.Sprintf("web.base.url of NightPOS is %s, and GATEWAY_PUBLIC_URL begins with %s://%s", told, public.Scheme, public.Host),
			"set both to the address that people use; web.base.url is under Settings, Technical, System Parameters (add web.base.url.freeze = True, or the next administrator's sign-in changes it)")
	}
}

// usersLimit bounds how many people are looked at.
const usersLimit = 5_000

// named joins the first few names of a list.
func named(names []string) string {
	const most = 10
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

func (e *examiner) checkBuiltIn(ctx context.Context, s *sheet) {
	ids := make([]int64, 0, len(e.nightpos.users))
	for _, user := range e.nightpos.users {
		ids = append(ids, user.UserID)
	}
	found, err := e.nightpos.own.BuiltInSyncs(ctx, ids...)
	if err != nil {
		s.fail("builtin_sync", "how NightPOS's own Outlook sync stands cannot be read: "+err.Error(), registerRemedy)
		return
	}
	var active, stopped []string
	paused := false
	for _, user := range e.nightpos.users {
		state := found[user.UserID]
		paused = paused || state.Paused
		switch {
		case state.Active():
			active = append(active, user.Login)
		case state.Connected:
			stopped = append(stopped, user.Login)
		}
	}
	switch {
	case len(active) > 0:
		detail := "NightPOS's own Outlook sync has a token of, and is on for: " + named(active)
		if paused {
			detail += " (it is paused for the whole database, which is not enough: series are refused all the same)"
		}
		s.warn("builtin_sync", detail+"; these people cannot connect before it is stopped",
			"stop it for each of them in NightPOS: Calendar, the Outlook button, Stop Synchronization; or as an administrator Users, Calendar, Reset Account")
	case len(stopped) > 0:
		s.ok("builtin_sync", "NightPOS's own Outlook sync is stopped for everybody it has a token of: %s", named(stopped))
	default:
		s.ok("builtin_sync", "NightPOS's own Outlook sync is on for nobody")
	}
}
