package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"go.uber.org/zap"
)

// Config is what a Server needs. Senders, Hints and Members have no defaults.
type Config struct {
	Senders *Senders
	Hints   Hints
	Members Members
	// Contents keep what notifications tell; nil where they have no content.
	Contents Contents
	// Connections lets people connect their mailboxes; nil switches that off.
	Connections *Connections
	// Dependencies are shown by readyz.
	Dependencies []Dependency
	// Metrics are shown by /metrics and told of every webhook; default new ones.
	Metrics *Metrics
	// Spill is how many NightPOS hints may wait in memory while the store
	// cannot be reached; default 10,000.
	Spill int
	// MaxConcurrency bounds how many posts to one webhook are worked on at once, and
	// with that how many bodies are on their way; more get 503 and Retry-After.
	// Default 512.
	MaxConcurrency int
	// Drain is for how long requests are still taken after the context has ended,
	// while readyz says that the server stops. Hosts have one of their own.
	Drain time.Duration
	// Now tells the time; default time.Now.
	Now func() time.Time
	// Log gets what goes wrong; default none.
	Log *zap.Logger
}

// Connections is what connecting people needs. All but AdminToken is required.
type Connections struct {
	People  People
	Tickets Tickets
	Admin   Admin
	// PublicURL is the gateway's own address, NightPOSURL that of NightPOS, and
	// LoginURL that of Microsoft's sign-in.
	PublicURL, NightPOSURL, LoginURL string
	// ClientID is the application's as it is set now; it is no secret.
	ClientID func() string
	// Keys sign links and states: the first makes new ones, all are accepted.
	Keys [][]byte
	// Random makes them.
	Random io.Reader
	// AdminToken opens the admin API; without one only an administrator's
	// NightPOS session does.
	AdminToken Secret
}

// Server answers HTTP.
type Server struct {
	config  Config
	router  *mux.Router
	spill   *spill
	metrics *Metrics
	health  *health
	// visitors is nil where nobody can connect.
	visitors *Visitors
}

// The routes, as metrics name them.
const (
	routeGraph     = "/webhooks/graph"
	routeLifecycle = "/webhooks/graph/lifecycle"
	routeNightPOS  = "/webhooks/nightpos"
)

const (
	// stopTime is how long requests under way may take once the server takes no
	// more: longer than a webhook has. Connections on which nothing has been asked
	// yet end sooner; see unusedTime.
	stopTime = 4 * time.Second
	// flushTime is how long what only memory holds may take on its way to the
	// store after that.
	flushTime = 2 * time.Second
)

// NewServer makes a server; Serve runs it.
func NewServer(config Config) (*Server, error) {
	if config.Senders == nil || config.Hints == nil || config.Members == nil {
		return nil, errors.New("a server needs its senders' secrets, a queue and the members")
	}
	if config.Metrics == nil {
		config.Metrics = NewMetrics("")
	}
	if config.Spill <= 0 {
		config.Spill = 10_000
	}
	if config.MaxConcurrency <= 0 {
		config.MaxConcurrency = 512
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = zap.NewNop()
	}
	s := &Server{
		config: config, router: mux.NewRouter().UseEncodedPath(), metrics: config.Metrics,
		spill: newSpill(config.Hints, config.Metrics, config.Spill),
	}
	s.routes()
	if config.Connections != nil {
		if err := s.connections(*config.Connections); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Server) routes() {
	for _, route := range []string{routeGraph, routeLifecycle} {
		s.webhook(route, route, &graphWebhook{
			route: route, intake: newIntake(s.config.MaxConcurrency), senders: s.config.Senders, hints: s.config.Hints, contents: s.config.Contents, observer: s.metrics,
			now: s.config.Now, log: s.config.Log,
		})
	}
	s.webhook(routeNightPOS, routeNightPOS+"/{token}", &nightposWebhook{
		route: routeNightPOS, intake: newIntake(s.config.MaxConcurrency), senders: s.config.Senders, hints: s.spill, members: s.config.Members,
		observer: s.metrics, now: s.config.Now, log: s.config.Log,
	})
	// The path comes before the methods: in the other order the router forgets
	// that only the method was wrong.
	s.health = newHealth(s.config.Dependencies, s.config.Now)
	s.router.Path("/healthz").Methods(http.MethodGet, http.MethodHead).HandlerFunc(live)
	s.router.Path("/readyz").Methods(http.MethodGet, http.MethodHead).HandlerFunc(s.health.ready)
	s.router.Path("/metrics").Methods(http.MethodGet, http.MethodHead).Handler(s.metrics.handler())
	s.router.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusNotFound, "no such address")
	})
	s.router.MethodNotAllowedHandler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusMethodNotAllowed, "this address takes another method")
	})
}

// connections adds the pages and calls by which people connect.
func (s *Server) connections(config Connections) error {
	signing, err := newSignIns(config, s.config.Now, s.config.Log.Named("signin"))
	if err != nil {
		return err
	}
	s.router.Path(routeConnect).Methods(http.MethodGet).HandlerFunc(signing.bounded(signing.connect))
	s.router.Path(routeConnect).Methods(http.MethodPost).HandlerFunc(signing.bounded(signing.follow))
	s.router.Path(RedirectPath).Methods(http.MethodGet).HandlerFunc(signing.bounded(signing.authentication))
	s.router.Path(routeLanguage).Methods(http.MethodPost).HandlerFunc(signing.bounded(signing.language))
	s.router.Path(routeStyle).Methods(http.MethodGet, http.MethodHead).HandlerFunc(style)
	newAPI(config, signing, s.config.Now, s.config.Log.Named("api")).routes(s.router)
	s.visitors = newVisitors(signing, config.AdminToken)
	signing.visitors = s.visitors
	return nil
}

// Visitors knows who is at a browser; nil without Connections.
func (s *Server) Visitors() *Visitors { return s.visitors }

// Mount adds the console, which answers at / and below ConsolePath. It must be
// called before Serve.
func (s *Server) Mount(console http.Handler) {
	s.router.Path("/").Handler(console)
	s.router.Path(ConsolePath).Handler(console)
	s.router.PathPrefix(ConsolePath + "/").Handler(console)
}

// webhook adds a route that is measured. Each bounds its posts by an intake of its
// own: whoever crowds Graph's, whose sender is known only when the body was read,
// must not keep NightPOS out, which never posts again.
func (s *Server) webhook(name, path string, handler http.Handler) {
	s.router.Path(path).Methods(http.MethodPost).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.config.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		handler.ServeHTTP(recorder, r)
		s.metrics.Acknowledged(name, recorder.status, s.config.Now().Sub(began))
	})
}

// statusRecorder remembers the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets an http.ResponseController find the connection.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// ServeHTTP answers one request: it gives it an id, sets the headers that keep
// browsers from misreading an answer, and turns a panic into a 500.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := uuid.NewString()
	header := w.Header()
	header.Set("X-Request-Id", id)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(cause)
		}
		// The path may hold the NightPOS token, so it is not logged.
		s.config.Log.Error("a request failed in an unforeseen way", zap.String("request", id),
			zap.String("method", r.Method), zap.String("cause", fmt.Sprint(cause)), zap.ByteString("stack", debug.Stack()))
		writeProblem(w, http.StatusInternalServerError, "something unforeseen went wrong; the log of the gateway has request "+id)
	}()
	s.router.ServeHTTP(w, r)
}

// Serve answers on the listener until the context ends and Config.Drain is over, then
// lets requests under way finish and returns nil. It closes the listener.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	return s.during(ctx, func(ctx context.Context) error {
		return serveHTTP(ctx, listener, s, s.config.Log, s.config.Drain, s.stopping, s.stopStreams)
	})
}

// stopping has readyz say that the server takes no more soon.
func (s *Server) stopping() { s.health.stopping.Store(true) }

// stopStreams ends answers that would go on for ever.
func (s *Server) stopStreams() {
	if s.visitors != nil {
		close(s.visitors.stopped)
	}
}

// during does what goes on beside the requests, while they are served.
func (s *Server) during(ctx context.Context, serve func(context.Context) error) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	group.Go(func() { s.spill.run(running) })
	err := serve(ctx)
	stop()
	group.Wait()
	// What only memory holds goes to the store before the process ends.
	flushing, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	s.spill.flush(flushing) // what it leaves is reported below
	if left := s.spill.size(); left > 0 {
		s.config.Log.Error("changes from NightPOS were left in memory as the store could not be reached; the next sweep finds them",
			zap.String("count", strconv.Itoa(left)))
	}
	return err
}

// serveHTTP answers on the listener until the context ends, then calls stopping and
// goes on for the time of the drain, then calls ending and lets requests under way
// finish. Each connection ends with the first answer of the drain on it: the end of
// the server must not meet a request on its way on one that it keeps open.
func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler, log *zap.Logger, drain time.Duration, stopping, ending func()) error {
	draining := &atomic.Bool{}
	unused := &unusedConnections{open: map[net.Conn]bool{}}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if draining.Load() {
				w.Header().Set("Connection", "close")
			}
			handler.ServeHTTP(w, r)
		}),
		ConnState:         unused.follow,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          zap.NewStdLog(log.Named("http")),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	var drained <-chan time.Time
	select {
	case err := <-served:
		return fmt.Errorf("serving HTTP: %w", err)
	case <-ctx.Done():
		draining.Store(true)
		stopping()
		drained = time.After(drain)
	}
	var err error
	select {
	case err = <-served:
		err = fmt.Errorf("serving HTTP: %w", err)
	case <-drained:
		ending()
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		defer time.AfterFunc(unusedTime, unused.close).Stop()
		if err = server.Shutdown(closing); err != nil {
			err = errors.Join(fmt.Errorf("stopping HTTP: requests did not end within %s: %w", stopTime, err), server.Close())
		}
		if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, fmt.Errorf("serving HTTP: %w", ended))
		}
	}
	return err
}
