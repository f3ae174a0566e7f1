package process_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

// balancer stands before the gateways, as an ingress does: it tries one after
// the other until one answers. What a gateway took and did not answer in time,
// another one gets as well.
type balancer struct {
	gateways  []string
	next      atomic.Uint64
	transport http.RoundTripper
	told      *told
}

const (
	// mostBody is more than anybody sends here.
	mostBody = 8 << 20
	// balancerPatience is how long a gateway that does not answer a webhook is
	// waited for: NightPOS waits for a second.
	balancerPatience = 300 * time.Millisecond
	// pagePatience is the same for what takes its time.
	pagePatience = 30 * time.Second
)

// RoundTrip implements http.RoundTripper.
func (b *balancer) RoundTrip(request *http.Request) (*http.Response, error) {
	var body []byte
	if request.Body != nil {
		var err error
		if body, err = io.ReadAll(io.LimitReader(request.Body, mostBody)); err != nil {
			return nil, err
		}
	}
	answer, err := b.forward(request, body)
	b.told.note(request.URL.Path, body, err == nil && answer.StatusCode == http.StatusAccepted)
	return answer, err
}

func (b *balancer) forward(request *http.Request, body []byte) (*http.Response, error) {
	patience := pagePatience
	if request.Method == http.MethodPost && !bytes.HasPrefix([]byte(request.URL.Path), []byte("/api/")) {
		patience = balancerPatience
	}
	from := b.next.Add(1)
	var failed error
	for attempt := range len(b.gateways) {
		ctx, cancel := context.WithTimeout(request.Context(), patience)
		again := request.Clone(ctx)
		again.URL.Host = b.gateways[(from+uint64(attempt))%uint64(len(b.gateways))]
		again.Body = io.NopCloser(bytes.NewReader(body))
		answer, err := b.transport.RoundTrip(again)
		if err != nil || answer.StatusCode == http.StatusServiceUnavailable && attempt+1 < len(b.gateways) {
			if err == nil {
				err = answer.Body.Close()
			}
			cancel()
			failed = errors.Join(failed, err)
			continue
		}
		answer.Body = &cancelling{ReadCloser: answer.Body, cancel: cancel}
		return answer, nil
	}
	return nil, failed
}

// cancelling ends a request's context with its answer.
type cancelling struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (c *cancelling) Close() error {
	defer c.cancel()
	return c.ReadCloser.Close()
}

// serveBalancer listens until the test ends, and returns its address.
func serveBalancer(t *testing.T, gateways []string, told *told) string {
	t.Helper()
	dialer := &net.Dialer{Timeout: balancerPatience}
	transport := &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 4}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: gateways[0]})
			r.Out.Host = r.In.Host
		},
		Transport: &balancer{gateways: gateways, transport: transport, told: told},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); transport.CloseIdleConnections() })
	return "http://" + listener.Addr().String()
}
