package weeks_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/nightpos/outlook-gateway/service"
)

// process is one running gateway with all of its ways out, which can be cut.
type process struct {
	*service.Service
	ways *ways
}

// ways are how a process reaches the world: the calendars and the store. Every
// request, every answer, and everything that is said to the store or heard from
// it is a step; between two steps nobody outside can tell what a process does.
type ways struct {
	mutex sync.Mutex
	store *store
	dead  bool
	// left is after how many steps more it dies; 0 means not at all.
	left int
	// frozen is until when every step takes: the process is stopped, and then goes
	// on as if nothing had happened.
	frozen time.Time
}

var errKilled = errors.New("the gateway was killed")

// step is called before and after whatever leaves the process.
func (w *ways) step() error {
	w.mutex.Lock()
	if w.left > 0 {
		w.left--
		w.dead = w.dead || w.left == 0
	}
	dead, frozen := w.dead, w.frozen
	w.mutex.Unlock()
	if dead {
		return errKilled
	}
	if pause := time.Until(frozen); pause > 0 {
		time.Sleep(pause)
	}
	return nil
}

func (w *ways) kill(after int) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.left, w.dead = after, w.dead || after == 0
}

// doom ends a process that was to die later.
func (w *ways) doom() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.left, w.dead = 0, w.dead || w.left > 0
}

func (w *ways) freeze(during time.Duration) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.frozen = time.Now().Add(during)
}

func (w *ways) killed() bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.dead
}

// transport carries a process's calls to both calendars.
type transport struct {
	ways *ways
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := t.ways.step(); err != nil {
		return nil, err
	}
	answer, err := t.next.RoundTrip(request)
	if dead := t.ways.step(); dead != nil {
		if err == nil {
			answer.Body.Close()
		}
		return nil, dead
	}
	return answer, err
}

// store is what is wrong with the store, for all processes alike.
type store struct {
	mutex sync.Mutex
	down  bool
	slow  time.Duration
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
}

var errStoreDown = errors.New("the store is down")

func (s *store) set(down bool, slow time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.down, s.slow = down, slow
}

func (s *store) step() error {
	s.mutex.Lock()
	down, slow := s.down, s.slow
	s.mutex.Unlock()
	if down {
		return errStoreDown
	}
	time.Sleep(slow)
	return nil
}

// forgetScripts has the store forget every script, as after a failover.
func (s *store) forgetScripts(ctx context.Context) error {
	connection, err := s.dial(ctx, "", "")
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err := connection.Write([]byte("*2\r\n$6\r\nSCRIPT\r\n$5\r\nFLUSH\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 5)
	if _, err := connection.Read(answer); err != nil {
		return err
	}
	if string(answer) != "+OK\r\n" {
		return errors.New("the store did not forget its scripts")
	}
	return nil
}

// dialer is how a process reaches the store.
func (w *ways) dialer(ctx context.Context, network, address string) (net.Conn, error) {
	if err := errors.Join(w.step(), w.store.step()); err != nil {
		return nil, err
	}
	connection, err := w.store.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &line{Conn: connection, ways: w}, nil
}

// line is a process's connection to the store.
type line struct {
	net.Conn
	ways *ways
}

func (l *line) Write(content []byte) (int, error) {
	if err := errors.Join(l.ways.step(), l.ways.store.step()); err != nil {
		return 0, err
	}
	return l.Conn.Write(content)
}

func (l *line) Read(into []byte) (int, error) {
	count, err := l.Conn.Read(into)
	if dead := l.ways.step(); dead != nil {
		return 0, dead
	}
	return count, err
}
