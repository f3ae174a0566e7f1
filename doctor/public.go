package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/nightpos/outlook-gateway/gateway/findings"
)

// forward is the advice about proxies.
func forward() findings.Phrase { return findings.Say("forward") }

func (e *examiner) checkPublicURL(ctx context.Context) []Row {
	s := &sheet{area: "gateway"}
	if !e.has("GATEWAY_PUBLIC_URL") {
		return s.rows
	}
	if !e.checkReachable(ctx, s) || !e.checkHealthz(ctx, s) || !e.checkIdentity(ctx, s) {
		return s.rows
	}
	e.reached = true
	for _, route := range []string{"/webhooks/graph", "/webhooks/graph/lifecycle"} {
		e.checkHandshake(ctx, s, route)
	}
	e.checkBodySize(ctx, s)
	e.checkReady(ctx, s)
	return s.rows
}

// checkReachable compares where the public URL is with where Microsoft is.
func (e *examiner) checkReachable(ctx context.Context, s *sheet) bool {
	host := hostOf(e.settings.PublicURL)
	simulated := e.has("MICROSOFT_LOGIN_URL") && loopback(hostOf(e.settings.MicrosoftLoginURL))
	if loopback(host) {
		if !simulated {
			s.fail("public_url", findings.Say("gateway.public_url.loopback"), findings.Say("gateway.public_url.loopback.todo"))
			return false
		}
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	found, err := e.Resolve(ctx, host)
	if err != nil {
		s.fail("public_url", findings.Say("gateway.public_url.host", "Host", host), findings.Say("gateway.public_url.host.todo"))
		return false
	}
	private := func(address netip.Addr) bool {
		address = address.Unmap()
		return address.IsPrivate() || address.IsLoopback() || address.IsLinkLocalUnicast()
	}
	if !simulated && len(found) > 0 && !slices.ContainsFunc(found, func(address netip.Addr) bool { return !private(address) }) {
		s.warn("public_dns", findings.Say("gateway.public_dns", "Host", host, "Address", found[0]), findings.Say("gateway.public_dns.todo"))
	}
	return true
}

// checkHealthz finds out whether a gateway answers at the public URL.
func (e *examiner) checkHealthz(ctx context.Context, s *sheet) bool {
	got, err := e.call(ctx, http.MethodGet, e.settings.PublicURL+"/healthz", "", nil)
	if err != nil {
		if wrong, is := certificateTrouble(err); is {
			s.fail("certificate", findings.Say("gateway.certificate.wrong", "Trouble", wrong), findings.Say("trouble.certificate.todo", "Setting", "GATEWAY_PUBLIC_URL"))
			return false
		}
		found, advice := trouble(err, "GATEWAY_PUBLIC_URL")
		s.fail("public_url", findings.Say("gateway.public_url.silent", "Trouble", found), findings.Say("gateway.public_url.silent.todo", "Advice", advice))
		return false
	}
	e.checkCertificate(s, got)
	var told struct {
		Status string `json:"status"`
	}
	switch {
	case got.redirected() != "":
		s.fail("public_url", findings.Say("gateway.public_url.redirects", "Target", withoutQuery(got.redirected())), findings.Say("gateway.public_url.redirects.todo", "Advice", forward()))
		return false
	case got.status == http.StatusBadGateway, got.status == http.StatusServiceUnavailable, got.status == http.StatusGatewayTimeout:
		s.fail("public_url", findings.Say("gateway.public_url.proxy", "Status", got.status), findings.Say("gateway.public_url.proxy.todo"))
		return false
	case got.status != http.StatusOK, json.Unmarshal(got.body, &told) != nil, told.Status != "ok":
		s.fail("public_url", findings.Say("gateway.public_url.other", "Status", got.status), findings.Say("gateway.public_url.other.todo", "Advice", forward()))
		return false
	}
	s.ok("public_url", findings.Say("gateway.public_url", "Address", e.settings.PublicURL))
	return true
}

func withoutQuery(address string) string {
	before, _, _ := strings.Cut(address, "?")
	return before
}

// certificateWarning is how long before the end of a certificate it should have
// been renewed, also where that happens by itself.
const certificateWarning = 14 * oneDay

func (e *examiner) checkCertificate(s *sheet, got answer) {
	if got.tls == nil || len(got.tls.PeerCertificates) == 0 {
		return
	}
	end := got.tls.PeerCertificates[0].NotAfter
	if left := end.Sub(e.Now()); left < certificateWarning {
		s.warn("certificate", findings.Say("gateway.certificate.ends", "Day", end, "Count", int(left/oneDay)), findings.Say("gateway.certificate.ends.todo"))
		return
	}
	s.ok("certificate", findings.Say("gateway.certificate", "Day", end))
}

// checkIdentity posts something that a gateway with the same keys refuses in its
// own way, and any other in another.
func (e *examiner) checkIdentity(ctx context.Context, s *sheet) bool {
	if e.senders == nil {
		s.warn("identity", findings.Say("gateway.identity.unknown"), findings.Say("gateway.identity.unknown.todo"))
		return true
	}
	var got answer
	var err error
	for _, token := range e.tokens() {
		got, err = e.call(ctx, http.MethodPost, e.settings.PublicURL+"/webhooks/nightpos/"+token+"?on=save", "application/json", strings.NewReader("{}"))
		if err != nil || got.status != http.StatusNotFound {
			break
		}
	}
	if err != nil {
		found, advice := trouble(err, "GATEWAY_PUBLIC_URL")
		s.fail("identity", findings.Say("gateway.identity.silent", "Trouble", found), advice)
		return false
	}
	ours := strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json")
	switch {
	case got.redirected() != "":
		s.fail("identity", findings.Say("gateway.identity.redirects", "Target", target(got.redirected())), forward())
	case got.status == http.StatusBadRequest && ours && bytes.Contains(got.body, []byte("_id is missing")):
		s.ok("identity", findings.Say("gateway.identity"))
		return true
	case got.status == http.StatusBadRequest && ours:
		s.fail("identity", findings.Say("gateway.identity.query"), forward())
	case got.status == http.StatusNotFound && ours:
		s.fail("identity", findings.Say("gateway.identity.other"), findings.Say("gateway.identity.other.todo"))
	default:
		s.fail("identity", findings.Say("gateway.identity.stranger", "Status", got.status), forward())
	}
	return false
}

// target is where a redirect leads, without what may be secret in it.
func target(address string) findings.Phrase {
	parsed, err := url.Parse(address)
	switch {
	case err != nil:
		return findings.Say("target.address")
	case parsed.Host == "":
		return findings.Say("target.path")
	}
	return findings.Say("target", "Address", parsed.Scheme+"://"+parsed.Host)
}

// slowAnswer is what Graph takes for slow.
const slowAnswer = 3 * time.Second

// checkHandshake makes Graph's validation request.
func (e *examiner) checkHandshake(ctx context.Context, s *sheet, route string) {
	// Spaces, colons and what else has to be escaped, as real tokens have.
	token := "Validation: Testing client application reachability for subscription Request-Id: " + uuid.NewString() + " +&=<é>"
	got, err := e.call(ctx, http.MethodPost, e.settings.PublicURL+route+"?validationToken="+url.QueryEscape(token), "text/plain; charset=utf-8", nil)
	const check = "handshake"
	about := func(key string, arguments ...any) findings.Phrase {
		return findings.Say(key, append([]any{"Route", route}, arguments...)...)
	}
	media, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
	switch {
	case err != nil:
		found, advice := trouble(err, "GATEWAY_PUBLIC_URL")
		s.fail(check, about("gateway.handshake.silent", "Trouble", found), advice)
	case got.redirected() != "":
		s.fail(check, about("gateway.handshake.redirects", "Target", target(got.redirected())), forward())
	case got.status == http.StatusBadRequest && strings.HasPrefix(media, "application/problem+json"):
		s.fail(check, about("gateway.handshake.query"), forward())
	case got.status != http.StatusOK:
		s.fail(check, about("gateway.handshake.status", "Status", got.status), findings.Say("gateway.handshake.status.todo", "Advice", forward()))
	case media != "text/plain":
		s.fail(check, about("gateway.handshake.media", "Media", media), forward())
	case string(got.body) != token:
		s.fail(check, about("gateway.handshake.token"), forward())
	case got.took > slowAnswer:
		s.warn(check, about("gateway.handshake.slow", "Time", got.took.Round(100*time.Millisecond)), findings.Say("slow"))
	default:
		s.ok(check, about("gateway.handshake", "Milliseconds", got.took.Milliseconds()))
	}
}

// largeBody is more than Graph's collections have, and more than some proxies
// take before they are told to.
const largeBody = 1536 << 10

// checkBodySize posts as much as Graph may, with nothing in it.
func (e *examiner) checkBodySize(ctx context.Context, s *sheet) {
	body := `{"value":[]` + strings.Repeat(" ", largeBody) + "}"
	got, err := e.call(ctx, http.MethodPost, e.settings.PublicURL+"/webhooks/graph", "application/json", strings.NewReader(body))
	// Nothing in it is a notification, which the gateway may take or refuse.
	arrived := err == nil && (got.status == http.StatusAccepted || got.status == http.StatusBadRequest)
	advice := findings.Say("gateway.body_size.todo")
	switch {
	case err != nil:
		s.fail("body_size", findings.Say("gateway.body_size.breaks"), advice)
	case !arrived:
		s.fail("body_size", findings.Say("gateway.body_size.status", "Status", got.status), advice)
	case got.took > slowAnswer:
		s.warn("body_size", findings.Say("gateway.body_size.slow", "Time", got.took.Round(100*time.Millisecond)), findings.Say("slow"))
	default:
		s.ok("body_size", findings.Say("gateway.body_size", "Milliseconds", got.took.Milliseconds()))
	}
}

// checkReady shows what the running gateway says about itself.
func (e *examiner) checkReady(ctx context.Context, s *sheet) {
	got, err := e.call(ctx, http.MethodGet, e.settings.PublicURL+"/readyz", "", nil)
	var told struct {
		Dependencies []struct {
			Name, Status, Error string
		} `json:"dependencies"`
	}
	if err != nil || json.Unmarshal(got.body, &told) != nil {
		s.warn("ready", findings.Say("gateway.ready.silent"), forward())
		return
	}
	healthy := true
	for _, dependency := range told.Dependencies {
		name := findings.Say("dependency." + dependency.Name)
		found := findings.Say("gateway.ready.says", "Name", name, "Sentence", dependency.Error)
		switch dependency.Status {
		case "failed":
			healthy = false
			s.fail("ready", found, findings.Say("gateway.ready.says.todo", "Name", name))
		case "warning":
			healthy = false
			s.warn("ready", found, findings.Say("gateway.ready.says.look", "Name", name))
		}
	}
	if healthy {
		s.ok("ready", findings.Say("gateway.ready"))
	}
}
