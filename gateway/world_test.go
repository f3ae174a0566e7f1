package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
)

var (
	alice = reconciler.Member{ID: "6", UserID: 6, PartnerID: 7}
	bob   = reconciler.Member{ID: "7", UserID: 7, PartnerID: 8}
)

var errAway = errors.New("the store is away")

// store is the queue and the members, and can be away, slow or broken.
type store struct {
	mutex sync.Mutex
	hints []reconciler.Hint
	// contents are what notifications told; lost says that none can be kept.
	contents []reconciler.Content
	lost     bool
	echoes   int
	away     bool
	slow     time.Duration
	broken   bool
	waiting  chan struct{}
}

func (s *store) set(change func(*store)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	change(s)
}

func (s *store) state() (hints []reconciler.Hint, away, broken bool, slow time.Duration, waiting chan struct{}) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]reconciler.Hint{}, s.hints...), s.away, s.broken, s.slow, s.waiting
}

// kept are the hints in the store, as "lane key version".
func (s *store) kept() []string {
	hints, _, _, _, _ := s.state()
	kept := []string{}
	for _, hint := range hints {
		kept = append(kept, strings.Join([]string{hint.Lane, hint.Item.Key, hint.Item.Version}, " "))
	}
	return kept
}

func (s *store) access(ctx context.Context) error {
	_, away, broken, slow, waiting := s.state()
	if broken {
		panic("the store is broken")
	}
	if waiting != nil {
		select {
		case <-waiting:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if slow > 0 {
		timer := time.NewTimer(slow)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if away {
		return errAway
	}
	return ctx.Err()
}

func (s *store) AddHints(ctx context.Context, hints []reconciler.Hint) (int, error) {
	if err := s.access(ctx); err != nil {
		return 0, err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.hints = append(s.hints, hints...)
	return s.echoes, nil
}

func (s *store) KeepContents(ctx context.Context, contents []reconciler.Content) error {
	if err := s.access(ctx); err != nil {
		return err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.lost {
		return errAway
	}
	if len(s.hints) > 0 {
		return errors.New("the hints were there first")
	}
	s.contents = append(s.contents, contents...)
	return nil
}

func (s *store) Members(ctx context.Context) ([]reconciler.Member, error) {
	if err := s.access(ctx); err != nil {
		return nil, err
	}
	return []reconciler.Member{alice, bob}, nil
}

// world is a server and what it was given.
type world struct {
	testing.TB
	server  *gateway.Server
	senders *gateway.Senders
	store   *store
	logs    *observer.ObservedLogs
}

func key(fill byte) []byte { return bytes.Repeat([]byte{fill}, 32) }

func newSenders(t testing.TB, keys ...[]byte) *gateway.Senders {
	t.Helper()
	senders, err := gateway.NewSenders(keys, "night", rand.NewChaCha8([32]byte{}))
	if err != nil {
		t.Fatal(err)
	}
	return senders
}

func newWorld(t testing.TB, change func(*gateway.Config)) *world {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	w := &world{TB: t, senders: newSenders(t, key(1)), store: &store{}, logs: logs}
	config := gateway.Config{Senders: w.senders, Hints: w.store, Members: w.store, Log: zap.New(core)}
	if change != nil {
		change(&config)
	}
	var err error
	if w.server, err = gateway.NewServer(config); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) clientState(lane string) string {
	w.Helper()
	state, err := w.senders.ClientState(lane)
	if err != nil {
		w.Fatal(err)
	}
	return state
}

func (w *world) serve(request *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	w.server.ServeHTTP(recorder, request)
	return recorder
}

func (w *world) do(method, target, body string) *httptest.ResponseRecorder {
	return w.serve(httptest.NewRequestWithContext(w.Context(), method, target, strings.NewReader(body)))
}

func (w *world) post(target, body string) *httptest.ResponseRecorder {
	return w.do(http.MethodPost, target, body)
}

// metric is the value of a series in /metrics, as text; empty when absent.
func (w *world) metric(series string) string {
	for line := range strings.Lines(w.do(http.MethodGet, "/metrics", "").Body.String()) {
		if value, found := strings.CutPrefix(line, series+" "); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

const (
	graph     = "/webhooks/graph"
	lifecycle = "/webhooks/graph/lifecycle"
)

// nightpos is the address that NightPOS posts to.
func (w *world) nightpos(trigger string) string {
	return "/webhooks/nightpos/" + w.senders.Token() + "?on=" + trigger
}
