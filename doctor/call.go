package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
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
func (e *examiner) clockOf(s *sheet, who string, a answer) {
	if at := a.date(); !at.IsZero() {
		e.clock(s, who, at.Add(500*time.Millisecond).Sub(e.Now().Add(-a.took/2)), time.Second+a.took)
	}
}

// certificateTrouble says what is wrong with a server's certificate; empty when
// the error is about something else.
func certificateTrouble(err error) string {
	var verification *tls.CertificateVerificationError
	if !errors.As(err, &verification) {
		return ""
	}
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate has expired, or is not valid yet"
	case errors.As(err, &unknown):
		return "its certificate is of an authority that is not known, or the certificates in between are not sent along"
	case errors.As(err, &name):
		return "its certificate is for another host"
	}
	return "its certificate is not valid"
}

// trouble says why a server could not be asked, and what to do. Setting names the
// one that holds the address.
func trouble(err error, setting string) (detail, remedy string) {
	var name *net.DNSError
	var sent *url.Error
	var timeout interface{ Timeout() bool }
	switch {
	case certificateTrouble(err) != "":
		return certificateTrouble(err), "give the server a certificate of a public authority, with the whole chain, for the host of " + setting
	case errors.As(err, &name):
		return fmt.Sprintf("the host %s is not known", name.Name), "correct " + setting + ", or the DNS of this machine"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at that host and port", "start the server there, or correct the host and port of " + setting
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %s", callTime), "let this machine reach the host of " + setting + " (firewall, proxy, routes)"
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "it speaks http and not https", "put a certificate in front of it, or correct " + setting
	case errors.As(err, &sent):
		err = sent.Err
	}
	return err.Error(), "make sure that " + setting + " is right and that this machine reaches it"
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
