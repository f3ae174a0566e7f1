package doctor

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/gateway/findings"
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
	leastNightPOS   = 17
	firstWithJSON2  = 19
	firstWithoutRPC = 22
)

// register is the advice that mends what is registered in NightPOS.
func register() findings.Phrase { return findings.Say("register") }

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
		s.fail("login", findings.Say("nightpos.login.settings", "Error", err), findings.Say("nightpos.login.settings.todo"))
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
		found, advice := trouble(err, "NIGHTPOS_URL")
		s.fail("address", findings.Say("nightpos.address.silent", "Trouble", found), advice)
		return false
	}
	if target := got.redirected(); target != "" {
		if parsed, err := url.Parse(target); err == nil && parsed.Host != "" {
			elsewhere := parsed.Scheme + "://" + parsed.Host
			s.fail("address", findings.Say("nightpos.address.redirects", "Address", elsewhere), findings.Say("nightpos.address.redirects.todo", "Address", elsewhere))
			return false
		}
	}
	if got.status >= http.StatusInternalServerError {
		s.fail("address", findings.Say("nightpos.address.status", "Status", got.status), findings.Say("nightpos.address.status.todo"))
		return false
	}
	e.clockOf(s, findings.Say("clock.nightpos"), got)
	return true
}

func (e *examiner) checkVersion(ctx context.Context, s *sheet) bool {
	version, err := e.nightpos.own.Version(ctx)
	if err != nil {
		s.fail("address", findings.Say("nightpos.address.other", "Error", err), findings.Say("nightpos.address.other.todo"))
		return false
	}
	s.ok("address", findings.Say("nightpos.address", "Address", e.settings.NightPOSURL))
	protocol := e.settings.NightPOSProtocol
	switch {
	case version.Major < leastNightPOS:
		s.fail("version", findings.Say("nightpos.version.old", "Version", version.Name, "Least", leastNightPOS), findings.Say("nightpos.version.old.todo"))
		return false
	case protocol == nightpos.ProtocolJSON2 && version.Major < firstWithJSON2:
		s.fail("version", findings.Say("nightpos.version.json2", "Version", version.Name), findings.Say("nightpos.version.todo"))
		return false
	case protocol == nightpos.ProtocolJSONRPC && version.Major >= firstWithoutRPC:
		s.fail("version", findings.Say("nightpos.version.jsonrpc", "Version", version.Name), findings.Say("nightpos.version.todo"))
		return false
	}
	s.ok("version", findings.Say("nightpos.version", "Version", version.Name))
	return true
}

func (e *examiner) checkLogin(ctx context.Context, s *sheet) bool {
	account, err := e.nightpos.own.Account(ctx)
	login := e.settings.NightPOSLogin
	switch {
	case errors.Is(err, nightpos.ErrNoDatabase):
		s.fail("database", findings.Say("nightpos.database.none"), findings.Say("nightpos.database.none.todo"))
		return false
	case errors.Is(err, nightpos.ErrDenied) && e.settings.NightPOSProtocol == nightpos.ProtocolJSON2:
		s.fail("login", findings.Say("nightpos.login.json2"), findings.Say("nightpos.login.json2.todo", "Login", login))
		return false
	case errors.Is(err, nightpos.ErrDenied):
		s.fail("login", findings.Say("nightpos.login.denied"), findings.Say("nightpos.login.denied.todo", "Login", login))
		return false
	case err != nil:
		s.fail("login", findings.Say("nightpos.login.silent", "Error", err), findings.Say("nightpos.log"))
		return false
	}
	e.nightpos.account = account
	s.ok("database", findings.Say("nightpos.database", "Database", e.settings.NightPOSDatabase))
	if login == e.settings.NightPOSAdminLogin || login == "admin" {
		s.warn("login", findings.Say("nightpos.login.administrator", "Login", login), findings.Say("nightpos.login.administrator.todo"))
		return true
	}
	s.ok("login", findings.Say("nightpos.login", "Login", login, "ID", account.UserID, "Protocol", account.Protocol))
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
		s.warn("key", findings.Say("nightpos.key.password"), findings.Say("nightpos.key.password.todo"))
		return baseURL
	}
	keys, err := own.APIKeys(ctx)
	if err != nil || len(keys) == 0 {
		s.ok("key", findings.Say("nightpos.key.unknown"))
		return baseURL
	}
	var first nightpos.APIKey
	for _, key := range keys {
		if !key.Expires.IsZero() && (first.Expires.IsZero() || key.Expires.Before(first.Expires)) {
			first = key
		}
	}
	which := findings.Say("nightpos.key.name", "Name", first.Name)
	if len(keys) > 1 {
		which = findings.Say("nightpos.key.first", "Name", first.Name, "Number", len(keys))
	}
	switch {
	case first.Expires.IsZero():
		s.ok("key", findings.Say("nightpos.key.endless"))
	case first.Expires.Sub(e.Now()) < keyWarning:
		s.warn("key", findings.Say("nightpos.key.ends", "Key", which, "Day", first.Expires), findings.Say("nightpos.key.ends.todo"))
	default:
		s.ok("key", findings.Say("nightpos.key", "Key", which, "Day", first.Expires))
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
			s.warn("administrator", findings.Say("nightpos.administrator.none"), findings.Say("nightpos.administrator.none.todo"))
			return
		}
		*baseURL, e.nightpos.administrator = told, e.nightpos.own
		s.ok("administrator", findings.Say("nightpos.administrator.own"))
		return
	}
	client, err := e.nightposClient(login, e.settings.NightPOSAdminAPIKey.Reveal())
	if err == nil {
		*baseURL, err = client.BaseURL(ctx)
	}
	switch {
	case errors.Is(err, nightpos.ErrDenied):
		s.fail("administrator", findings.Say("nightpos.administrator.denied"), findings.Say("nightpos.administrator.todo"))
	case errors.Is(err, nightpos.ErrAccess):
		s.fail("administrator", findings.Say("nightpos.administrator.ordinary", "Login", login), findings.Say("nightpos.administrator.todo"))
	case err != nil:
		s.fail("administrator", findings.Say("nightpos.administrator.silent", "Error", err), findings.Say("nightpos.log"))
	default:
		e.nightpos.administrator = client
		s.ok("administrator", findings.Say("nightpos.administrator", "Login", login))
	}
}

func (e *examiner) checkDoor(ctx context.Context, s *sheet) bool {
	err := e.nightpos.own.Check(ctx)
	switch {
	case err == nil:
		s.ok("door", findings.Say("nightpos.door"))
		return true
	case errors.Is(err, nightpos.ErrNotRegistered) && strings.Contains(err.Error(), "closed"):
		s.fail("door", findings.Say("nightpos.door.closed"), register())
	case errors.Is(err, nightpos.ErrNotRegistered):
		s.fail("door", findings.Say("nightpos.door.missing"), register())
	default:
		s.fail("door", findings.Say("nightpos.door.fails", "Error", err), register())
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
	wrong, err := e.nightpos.administrator.Inspect(ctx, registration)
	if err != nil {
		s.fail("rules", findings.Say("nightpos.rules.unread", "Error", err), register())
		return
	}
	for _, one := range wrong {
		s.fail("rules", registered(one), register())
	}
	if len(wrong) == 0 {
		e.nightpos.inspected = true
		s.ok("rules", findings.Say("nightpos.rules"))
	}
}

// registered says what is wrong with something that the gateway registered.
func registered(one nightpos.Finding) findings.Phrase {
	return findings.Say("nightpos.rules.wrong",
		"What", findings.Say("registered."+string(one.Kind), "Name", one.Name), "Wrong", findings.Say("wrong."+string(one.Wrong)))
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
	var wrong []nightpos.Finding
	for _, token := range e.tokens() {
		registration.Token = token
		found, err := e.nightpos.own.Look(ctx, registration)
		if err != nil {
			s.fail("rules", findings.Say("nightpos.rules.unread", "Error", err), register())
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
		for _, one := range wrong {
			s.warn("rules", registered(one), findings.Say("nightpos.rules.wrong.wait"))
		}
		return
	}
	e.nightpos.inspected = true
	s.ok("rules", findings.Say("nightpos.rules.seen"))
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
			s.warn("base_url", findings.Say("nightpos.base_url.unread"), findings.Say("nightpos.base_url.unread.todo"))
		}
		return
	}
	base, err := url.Parse(strings.ToLower(text))
	if err != nil || base.Host == "" {
		s.fail("base_url", findings.Say("nightpos.base_url.wrong"), findings.Say("nightpos.base_url.wrong.todo", "Address", public.Scheme+"://"+public.Host))
		return
	}
	shared := site(public.Hostname()) == site(base.Hostname()) || site(public.Hostname()) == site(near)
	same := base.Scheme == public.Scheme && (base.Host == public.Host || base.Hostname() == public.Hostname() && loopback(public.Hostname()))
	told, own := base.Scheme+"://"+base.Host, public.Scheme+"://"+public.Host
	switch {
	case !shared:
		s.ok("base_url", findings.Say("nightpos.base_url.elsewhere", "Address", told))
	case same:
		s.ok("base_url", findings.Say("nightpos.base_url"))
	case base.Scheme == public.Scheme && base.Hostname() == near && near != public.Hostname():
		s.warn("base_url", findings.Say("nightpos.base_url.apart", "Address", told, "Own", own), findings.Say("nightpos.base_url.apart.todo"))
	default:
		s.fail("base_url", findings.Say("nightpos.base_url.other", "Address", told, "Own", own), findings.Say("nightpos.base_url.other.todo"))
	}
}

// usersLimit bounds how many people are looked at.
const usersLimit = 5_000

// named joins the first few names of a list.
func named(names []string) findings.Phrase {
	const most = 10
	if len(names) > most {
		return findings.Say("names.more", "Names", strings.Join(names[:most], ", "), "Number", len(names)-most)
	}
	return findings.Say("names", "Names", strings.Join(names, ", "))
}

func (e *examiner) checkBuiltIn(ctx context.Context, s *sheet) {
	ids := make([]int64, 0, len(e.nightpos.users))
	for _, user := range e.nightpos.users {
		ids = append(ids, user.UserID)
	}
	found, err := e.nightpos.own.BuiltInSyncs(ctx, ids...)
	if err != nil {
		s.fail("builtin_sync", findings.Say("nightpos.builtin_sync.unread", "Error", err), register())
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
		found := findings.Say("nightpos.builtin_sync.on", "People", named(active))
		if paused {
			found = findings.Say("nightpos.builtin_sync.paused", "People", named(active))
		}
		s.warn("builtin_sync", found, findings.Say("nightpos.builtin_sync.on.todo"))
	case len(stopped) > 0:
		s.ok("builtin_sync", findings.Say("nightpos.builtin_sync.stopped", "People", named(stopped)))
	default:
		s.ok("builtin_sync", findings.Say("nightpos.builtin_sync"))
	}
}
