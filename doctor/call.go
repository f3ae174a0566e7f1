package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/nightpos/outlook-gateway/gateway/findings"
)

// answer is what a call came back with.
type answer struct {
	status int
	header http.Header
	body   []byte
	tls    *tls.ConnectionState
	took   time.Duration
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 20

// call makes one HTTP call and follows no redirect: webhooks follow none either.
func (e *examiner) call(ctx context.Context, method, address, kind string, body io.Reader) (answer, error) {
	header := http.Header{}
	if kind != "" {
		header.Set("Content-Type", kind)
	}
	return e.callWith(ctx, method, address, header, body)
}

func (e *examiner) callWith(ctx context.Context, method, address string, header http.Header, body io.Reader) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return answer{}, err
	}
	request.Header = header
	began := time.Now()
	got, err := e.Transport.RoundTrip(request)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	content, err := io.ReadAll(io.LimitReader(got.Body, maxAnswer))
	return answer{status: got.StatusCode, header: got.Header, body: content, tls: got.TLS, took: time.Since(began)}, err
}

// redirected is where an answer sends the caller, empty for nowhere.
func (a answer) redirected() string {
	if a.status < 300 || a.status > 399 {
		return ""
	}
	return a.header.Get("Location")
}

// date is the time that an answer was made, zero when it does not tell.
func (a answer) date() time.Time {
	at, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at
}

// clockOf compares the clock behind an answer that came just now with ours. A date
// has no fractions of seconds.
func (e *examiner) clockOf(s *sheet, who findings.Phrase, a answer) {
	if at := a.date(); !at.IsZero() {
		e.clock(s, who, at.Add(500*time.Millisecond).Sub(e.Now().Add(-a.took/2)), time.Second+a.took)
	}
}

// certificateTrouble says what is wrong with a server's certificate; false when the
// error is about something else.
func certificateTrouble(err error) (findings.Phrase, bool) {
	var verification *tls.CertificateVerificationError
	if !errors.As(err, &verification) {
		return findings.Phrase{}, false
	}
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return findings.Say("trouble.certificate.expired"), true
	case errors.As(err, &unknown):
		return findings.Say("trouble.certificate.authority"), true
	case errors.As(err, &name):
		return findings.Say("trouble.certificate.host"), true
	}
	return findings.Say("trouble.certificate"), true
}

// trouble says why a server could not be asked, and what to do. Setting names the
// one that holds the address.
func trouble(err error, setting string) (found, advice findings.Phrase) {
	advise := func(key string) findings.Phrase { return findings.Say(key, "Setting", setting) }
	var name *net.DNSError
	var sent *url.Error
	var timeout interface{ Timeout() bool }
	certificate, of := certificateTrouble(err)
	switch {
	case of:
		return certificate, advise("trouble.certificate.todo")
	case errors.As(err, &name):
		return findings.Say("trouble.host", "Host", name.Name), advise("trouble.host.todo")
	case errors.Is(err, syscall.ECONNREFUSED):
		return findings.Say("trouble.refused"), advise("trouble.refused.todo")
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return findings.Say("trouble.silent", "Time", callTime), advise("trouble.silent.todo")
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return findings.Say("trouble.http"), advise("trouble.http.todo")
	case errors.As(err, &sent):
		err = sent.Err
	}
	return findings.Say("trouble.other", "Error", err), advise("trouble.other.todo")
}

// hostOf is the host of an address that was checked with the settings.
func hostOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return parsed.Hostname()
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
