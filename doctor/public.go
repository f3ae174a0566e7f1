package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// forwardRemedy is for proxies.
const forwardRemedy = "have the proxy pass /webhooks/, /microsoft_account/, /api/, /healthz, /readyz and / of the gateway to it as they are: path, query and body, without redirects"

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
	const remedy = "give the gateway an https address that the internet reaches, and set GATEWAY_PUBLIC_URL to it"
	if loopback(host) {
		if !simulated {
			s.fail("public_url", "GATEWAY_PUBLIC_URL is on the loopback interface: Microsoft cannot send notifications there", remedy)
			return false
		}
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	found, err := e.Resolve(ctx, host)
	if err != nil {
		s.fail("public_url", "the host "+host+" of GATEWAY_PUBLIC_URL is not known", "make a DNS entry for it, or correct GATEWAY_PUBLIC_URL")
		return false
	}
	private := func(address netip.Addr) bool {
		address = address.Unmap()
		return address.IsPrivate() || address.IsLoopback() || address.IsLinkLocalUnicast()
	}
	if !simulated && len(found) > 0 && !slices.ContainsFunc(found, func(address netip.Addr) bool { return !private(address) }) {
		s.warn("public_dns", fmt.Sprintf("from here %s has private addresses only (%s); if it has no others on the internet, Microsoft cannot send notifications there", host, found[0]),
			"make sure that the public DNS has a public address for it")
	}
	return true
}

// checkHealthz finds out whether a gateway answers at the public URL.
func (e *examiner) checkHealthz(ctx context.Context, s *sheet) bool {
	got, err := e.call(ctx, http.MethodGet, e.settings.PublicURL+"/healthz", "", nil)
	if err != nil {
		if wrong := certificateTrouble(err); wrong != "" {
			s.fail("certificate", "Microsoft will not post to GATEWAY_PUBLIC_URL: "+wrong, "give it a certificate of a public authority, with the whole chain, for the host of GATEWAY_PUBLIC_URL")
			return false
		}
		detail, remedy := trouble(err, "GATEWAY_PUBLIC_URL")
		s.fail("public_url", "GATEWAY_PUBLIC_URL does not lead to a gateway: "+detail, "start the gateway with `outlook-gateway serve`; if it runs, "+remedy)
		return false
	}
	e.checkCertificate(s, got)
	var told struct {
		Status string `json:"status"`
	}
	switch {
	case got.redirected() != "":
		s.fail("public_url", "GATEWAY_PUBLIC_URL redirects to "+withoutQuery(got.redirected())+", and neither Microsoft nor NightPOS follows that", "set GATEWAY_PUBLIC_URL to where it ends, or "+forwardRemedy)
		return false
	case got.status == http.StatusBadGateway, got.status == http.StatusServiceUnavailable, got.status == http.StatusGatewayTimeout:
		s.fail("public_url", fmt.Sprintf("the proxy at GATEWAY_PUBLIC_URL answers %d: the gateway behind it does not", got.status), "start the gateway with `outlook-gateway serve`, and have the proxy pass requests to GATEWAY_LISTEN")
		return false
	case got.status != http.StatusOK, json.Unmarshal(got.body, &told) != nil, told.Status != "ok":
		s.fail("public_url", fmt.Sprintf("something else than a gateway answers at GATEWAY_PUBLIC_URL (/healthz: HTTP status %d)", got.status), "correct GATEWAY_PUBLIC_URL, or "+forwardRemedy)
		return false
	}
	s.ok("public_url", "a gateway answers at %s", e.settings.PublicURL)
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
		s.warn("certificate", fmt.Sprintf("the certificate of GATEWAY_PUBLIC_URL ends on %s, in %d day(s)", end.Format(time.DateOnly), int(left/oneDay)), "renew it, and find out why it was not renewed by itself")
		return
	}
	s.ok("certificate", "the certificate is valid until %s", end.Format(time.DateOnly))
}

// checkIdentity posts something that a gateway with the same keys refuses in its
// own way, and any other in another.
func (e *examiner) checkIdentity(ctx context.Context, s *sheet) bool {
	if e.senders == nil {
		s.warn("identity", "whether the gateway at GATEWAY_PUBLIC_URL is this one cannot be told: its key is not known here", "run `doctor` with the settings, and on the machine, of the gateway")
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
		detail, remedy := trouble(err, "GATEWAY_PUBLIC_URL")
		s.fail("identity", "a post to the webhook of NightPOS is not answered: "+detail, remedy)
		return false
	}
	ours := strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json")
	switch {
	case got.redirected() != "":
		s.fail("identity", "posts to the webhook of NightPOS are redirected to "+withoutHost(got.redirected())+", and NightPOS follows no redirect", forwardRemedy)
	case got.status == http.StatusBadRequest && ours && bytes.Contains(got.body, []byte("_id is missing")):
		s.ok("identity", "it is this gateway: it has the same key")
		return true
	case got.status == http.StatusBadRequest && ours:
		s.fail("identity", "the query of addresses does not arrive at the gateway", forwardRemedy)
	case got.status == http.StatusNotFound && ours:
		s.fail("identity", "a gateway with another key, or for another database, answers at GATEWAY_PUBLIC_URL",
			"give every replica, and `doctor`, the same GATEWAY_SECRET_KEY and NIGHTPOS_DB, and run `outlook-gateway register` afterwards")
	default:
		s.fail("identity", fmt.Sprintf("the webhook of NightPOS answers %d, and not as a gateway does", got.status), forwardRemedy)
	}
	return false
}

// withoutHost is the path of an address without what may be secret in it.
func withoutHost(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "another address"
	}
	if parsed.Host == "" {
		return "another path"
	}
	return parsed.Scheme + "://" + parsed.Host
}

// slowAnswer is what Graph takes for slow.
const slowAnswer = 3 * time.Second

// checkHandshake makes Graph's validation request.
func (e *examiner) checkHandshake(ctx context.Context, s *sheet, route string) {
	// Spaces, colons and what else has to be escaped, as real tokens have.
	token := "Validation: Testing client application reachability for subscription Request-Id: " + uuid.NewString() + " +&=<é>"
	got, err := e.call(ctx, http.MethodPost, e.settings.PublicURL+route+"?validationToken="+url.QueryEscape(token), "text/plain; charset=utf-8", nil)
	const check = "handshake"
	media, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
	switch {
	case err != nil:
		detail, remedy := trouble(err, "GATEWAY_PUBLIC_URL")
		s.fail(check, route+" does not answer Graph's validation: "+detail, remedy)
	case got.redirected() != "":
		s.fail(check, route+" redirects to "+withoutHost(got.redirected())+"; Graph follows no redirect", forwardRemedy)
	case got.status == http.StatusBadRequest && strings.HasPrefix(media, "application/problem+json"):
		s.fail(check, "the query of Graph's validation does not arrive at "+route, forwardRemedy)
	case got.status != http.StatusOK:
		s.fail(check, fmt.Sprintf("%s answers Graph's validation with HTTP status %d", route, got.status), forwardRemedy+"; a login page or firewall in front must let Microsoft through")
	case media != "text/plain":
		s.fail(check, fmt.Sprintf("%s answers Graph's validation as %q, and it must be text/plain", route, media), forwardRemedy)
	case string(got.body) != token:
		s.fail(check, route+" answers Graph's validation with another token than was sent: something in between changes addresses or answers", forwardRemedy)
	case got.took > slowAnswer:
		s.warn(check, fmt.Sprintf("%s took %s to answer Graph's validation; Graph waits for 10 s, and for notifications for 3 s", route, got.took.Round(100*time.Millisecond)), "find out what in front of the gateway is slow")
	default:
		s.ok(check, "%s answers Graph's validation in %d ms, asked from this machine", route, got.took.Milliseconds())
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
	const remedy = "let the proxy pass bodies of 2 MB (nginx: client_max_body_size 2m)"
	switch {
	case err != nil:
		s.fail("body_size", "notifications of a large batch do not pass what is in front of the gateway: the connection breaks", remedy)
	case !arrived:
		s.fail("body_size", fmt.Sprintf("notifications of a large batch do not pass what is in front of the gateway: it answers %d", got.status), remedy)
	case got.took > slowAnswer:
		s.warn("body_size", fmt.Sprintf("a large batch of notifications took %s to be answered; Graph waits for 3 s", got.took.Round(100*time.Millisecond)), "find out what in front of the gateway is slow")
	default:
		s.ok("body_size", "large batches of notifications arrive (%d ms)", got.took.Milliseconds())
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
		s.warn("ready", "the running gateway does not show how it is", forwardRemedy)
		return
	}
	healthy := true
	for _, dependency := range told.Dependencies {
		detail := "the running gateway says of " + dependency.Name + ": " + dependency.Error
		switch dependency.Status {
		case "failed":
			healthy = false
			s.fail("ready", detail, "see the rows about "+dependency.Name+", and the log of the gateway")
		case "warning":
			healthy = false
			s.warn("ready", detail, "see the rows about "+dependency.Name)
		}
	}
	if healthy {
		s.ok("ready", "the running gateway is ready, and so is everything it depends on")
	}
}
