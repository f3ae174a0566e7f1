package redis

import (
	"errors"
	"net"
	"sync"
	"time"
)

// pipeLimit bounds what may wait to be written to the in-process engine.
const pipeLimit = 64 << 20

var errPipeFull = errors.New("the in-process engine does not keep up")

// pipe is the client's end of a connection to the in-process engine. A net.Pipe
// has no buffer: a client that writes a long pipeline of commands would wait for
// the engine, which waits for the client to read its first answers. So writes
// are taken at once and passed on by a goroutine, as a socket's buffer does.
type pipe struct {
	net.Conn
	// wake tells the goroutine of something to write; capacity 1.
	wake chan struct{}
	done chan struct{}
	once sync.Once

	mutex   sync.Mutex
	waiting []byte
	failed  error
}

func newPipe(connection net.Conn) *pipe {
	p := &pipe{Conn: connection, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go p.pass()
	return p
}

// Write takes everything at once.
func (p *pipe) Write(content []byte) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch {
	case p.failed != nil:
		return 0, p.failed
	case len(p.waiting)+len(content) > pipeLimit:
		return 0, errPipeFull
	}
	p.waiting = append(p.waiting, content...)
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return len(content), nil
}

// pass writes until the connection is closed.
func (p *pipe) pass() {
	for {
		select {
		case <-p.wake:
		case <-p.done:
			return
		}
		p.mutex.Lock()
		content := p.waiting
		p.waiting = nil
		p.mutex.Unlock()
		if _, err := p.Conn.Write(content); err != nil {
			p.mutex.Lock()
			p.failed = err
			p.mutex.Unlock()
			return
		}
	}
}

// Close ends both directions.
func (p *pipe) Close() error {
	p.once.Do(func() {
		close(p.done)
		p.mutex.Lock()
		p.failed = net.ErrClosed
		p.mutex.Unlock()
	})
	return p.Conn.Close()
}

// SetDeadline is about reading: writes do not wait.
func (p *pipe) SetDeadline(deadline time.Time) error { return p.SetReadDeadline(deadline) }

// SetWriteDeadline does nothing, since writes do not wait.
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }
