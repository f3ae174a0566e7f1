package gateway

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Hosts answers for the servers of several databases on one listener, each under the
// host of its public address. A host that is nobody's gets nothing but the health of
// the process.
type Hosts struct {
	log   *zap.Logger
	drain time.Duration
	// ended is closed when no request is under way any more.
	ended chan struct{}

	mutex   sync.Mutex
	servers map[string]*Server
	// failing are why databases cannot be served for now, by host.
	failing map[string]string
	// draining and stopped say how far the end has come; see serveHTTP.
	draining, stopped bool
}

// NewHosts makes one without servers. The drain is as Config has it.
func NewHosts(log *zap.Logger, drain time.Duration) *Hosts {
	if log == nil {
		log = zap.NewNop()
	}
	return &Hosts{log: log, drain: drain, ended: make(chan struct{}), servers: map[string]*Server{}, failing: map[string]string{}}
}

// Fails has the host of a public address answer that its database cannot be served,
// and why, until a server is there for it.
func (h *Hosts) Fails(publicURL, why string) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.failing[canonicalHost(hostOf(publicURL))] = why
}

// Serve answers on the listener until the context ends and the drain is over, then
// lets requests under way finish and returns nil. It closes the listener.
func (h *Hosts) Serve(ctx context.Context, listener net.Listener) error {
	defer close(h.ended)
	return serveHTTP(ctx, listener, h, h.log, h.drain, h.stopping, h.stopStreams)
}

// stopping has every server say that it takes no more soon.
func (h *Hosts) stopping() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.draining = true
	for _, server := range h.servers {
		server.stopping()
	}
}

// stopStreams ends the answers of every server that would go on for ever.
func (h *Hosts) stopStreams() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.stopped = true
	for _, server := range h.servers {
		server.stopStreams()
	}
}

// ServeBehind has the hosts answer for the server, under the host of its public
// address, until they have ended, which is to be when the context ends as well.
func (s *Server) ServeBehind(ctx context.Context, hosts *Hosts, publicURL string) error {
	host := canonicalHost(hostOf(publicURL))
	return s.during(ctx, func(context.Context) error {
		hosts.mutex.Lock()
		if hosts.draining {
			s.stopping()
		}
		if hosts.stopped {
			s.stopStreams()
		}
		hosts.servers[host] = s
		delete(hosts.failing, host)
		hosts.mutex.Unlock()
		<-hosts.ended
		return nil
	})
}

// canonicalHost is a host in small letters, without the port that goes without
// saying.
func canonicalHost(host string) string {
	host = strings.ToLower(host)
	for _, port := range []string{":443", ":80"} {
		host = strings.TrimSuffix(host, port)
	}
	return host
}

// ServeHTTP hands a request to the server of its host.
func (h *Hosts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := canonicalHost(r.Host)
	h.mutex.Lock()
	server, failing := h.servers[host], h.failing[host]
	h.mutex.Unlock()
	switch {
	case server != nil:
		server.ServeHTTP(w, r)
	case r.URL.Path == "/healthz":
		live(w, r)
	case failing != "":
		w.Header().Set("Retry-After", "60")
		writeProblem(w, http.StatusServiceUnavailable, failing)
	case r.URL.Path == "/readyz":
		h.ready(w)
	default:
		writeProblem(w, http.StatusMisdirectedRequest, "this gateway serves no database under this host; a proxy in front of it must pass the Host on")
	}
}

// ready tells a load balancer, which asks for no database in particular, whether
// the process serves at all. Which databases there are is nobody's business.
func (h *Hosts) ready(w http.ResponseWriter) {
	h.mutex.Lock()
	serving, draining := len(h.servers), h.draining
	h.mutex.Unlock()
	if draining {
		writeProblem(w, http.StatusServiceUnavailable, "the gateway is about to stop; send nothing new here")
		return
	}
	if serving == 0 {
		writeProblem(w, http.StatusServiceUnavailable, "no database can be served; the log says why")
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}
