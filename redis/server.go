package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

// server is a redis-server that belongs to this process: started with it, started
// again when it dies, ended with it.
type server struct {
	program string
	folder  string
	socket  string
	// scratch holds the socket: a path below the data folder may be longer than
	// the 107 bytes that a socket's may have.
	scratch string
	lock    *os.File
	log     *zap.Logger
	cancel  context.CancelFunc
	ended   chan struct{}

	mutex   sync.Mutex
	process *os.Process
}

const (
	serverStart = 10 * time.Second
	serverStop  = 3 * time.Second
)

// startServer starts redis-server with its data in the folder, in append-only
// form, and waits until it answers. Each write is on disk before it is
// acknowledged. Syncing every second would not do, even where only the process
// dies: while the disk is busy syncing, redis-server then holds back the writes
// themselves for up to two seconds and acknowledges them nevertheless.
func startServer(ctx context.Context, program, folder string, log *zap.Logger) (*server, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("starting the embedded redis-server: %w", err)
	}
	lock, err := lockFolder(folder)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "outlook-gateway-")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the embedded redis-server: %w", err), lock.Close())
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &server{
		program: program, folder: folder, scratch: scratch, socket: filepath.Join(scratch, "redis.sock"),
		lock: lock, log: log, cancel: cancel, ended: make(chan struct{}),
	}
	started := make(chan error, 1)
	go s.supervise(background, started)
	select {
	case err = <-started:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the embedded redis-server: %w", err), s.stop())
	}
	return s, nil
}

// lockFolder keeps a second gateway from using the same data.
func lockFolder(folder string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600) // #nosec G304 -- the administrator names the folder
	if err != nil {
		return nil, fmt.Errorf("GATEWAY_DATA_DIR %s cannot be used: %w", folder, err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("GATEWAY_DATA_DIR %s is in use by another gateway; stop that one, or give this one a folder of its own", folder), file.Close())
	}
	return file, nil
}

// supervise keeps the program running until the context ends. The first start
// is reported; later ones are tried again for ever.
func (s *server) supervise(ctx context.Context, started chan<- error) {
	defer close(s.ended)
	first := true
	for ctx.Err() == nil {
		exited, err := s.start(ctx)
		if first {
			started <- err
			if err != nil {
				return
			}
			first = false
		}
		if err == nil {
			select {
			case <-exited:
				s.log.Error("the embedded redis-server ended; starting it again")
			case <-ctx.Done():
				s.terminate(exited)
				return
			}
		} else if ctx.Err() == nil {
			s.log.Error("the embedded redis-server does not start", zap.Error(err))
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// start runs the program and waits until it accepts connections.
func (s *server) start(ctx context.Context) (exited <-chan struct{}, err error) {
	_ = os.Remove(s.socket)
	// It outlives the context, to be ended in order by terminate.
	command := exec.CommandContext(context.WithoutCancel(ctx), s.program, // #nosec G204 -- found on PATH, or named by the administrator
		"--port", "0", "--unixsocket", s.socket, "--unixsocketperm", "700",
		"--dir", s.folder, "--appendonly", "yes", "--appendfsync", "always", "--save", "",
		"--daemonize", "no", "--maxmemory-policy", "noeviction", "--loglevel", "warning")
	command.SysProcAttr = childAttributes()
	if err := command.Start(); err != nil {
		return nil, err
	}
	s.mutex.Lock()
	s.process = command.Process
	s.mutex.Unlock()
	ending := make(chan struct{})
	var cause error
	go func() {
		cause = command.Wait()
		close(ending)
	}()
	deadline := time.NewTimer(serverStart)
	defer deadline.Stop()
	for {
		connection, err := (&net.Dialer{}).DialContext(ctx, "unix", s.socket)
		if err == nil {
			return ending, connection.Close()
		}
		select {
		case <-ending:
			return nil, fmt.Errorf("%s ended at once: %w", s.program, cause)
		case <-deadline.C:
			s.terminate(ending)
			return nil, fmt.Errorf("%s does not answer after %s", s.program, serverStart)
		case <-ctx.Done():
			s.terminate(ending)
			return nil, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// terminate asks the program to end, which syncs its data, and insists after a
// while.
func (s *server) terminate(exited <-chan struct{}) {
	s.mutex.Lock()
	process := s.process
	s.mutex.Unlock()
	_ = process.Signal(syscall.SIGTERM)
	select {
	case <-exited:
	case <-time.After(serverStop):
		_ = process.Kill()
		<-exited
	}
}

// stop ends the program and gives the folder free.
func (s *server) stop() error {
	s.cancel()
	<-s.ended
	return errors.Join(os.RemoveAll(s.scratch), s.lock.Close())
}
