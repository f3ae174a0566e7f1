package process_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is one that can be killed and started again. All it ever writes goes
// to one file.
type program struct {
	t           *testing.T
	name        string
	path        string
	arguments   []string
	environment []string
	log         string

	// mutex is held by whoever kills or starts it.
	mutex   sync.Mutex
	command *exec.Cmd
	ended   chan struct{}
}

// newProgram prepares a program of that name, which is ended with the test.
func newProgram(t *testing.T, folder, name, path string, environment []string, arguments ...string) *program {
	p := &program{
		t: t, name: name, path: path, arguments: arguments,
		environment: append([]string{"PATH=" + os.Getenv("PATH")}, environment...),
		log:         filepath.Join(folder, name+".log"),
	}
	t.Cleanup(func() {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		p.end(syscall.SIGKILL)
	})
	return p
}

// self is the program under test with these arguments.
func self(t *testing.T, folder, name string, environment []string, arguments ...string) *program {
	path := *binary
	if path == "" {
		path = os.Args[0]
		environment = append(environment, asProgram+"=1")
	}
	return newProgram(t, folder, name, path, environment, arguments...)
}

// start starts it; the mutex is held. It may not be ready yet.
func (p *program) start() {
	file, err := os.OpenFile(p.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Error(err)
		return
	}
	defer file.Close()
	// It is ended by signals alone.
	command := exec.CommandContext(context.WithoutCancel(p.t.Context()), p.path, p.arguments...)
	command.Env, command.Stdout, command.Stderr = p.environment, file, file
	if err := command.Start(); err != nil {
		p.t.Errorf("%s does not start: %v", p.name, err)
		return
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	p.command, p.ended = command, ended
}

// run starts it for the first time.
func (p *program) run() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.start()
}

// end ends it with a signal and waits; the mutex is held.
func (p *program) end(signal syscall.Signal) {
	if p.command == nil {
		return
	}
	_ = p.command.Process.Signal(signal)
	select {
	case <-p.ended:
	case <-time.After(stopLimit):
		p.t.Errorf("%s still runs %s after %s", p.name, stopLimit, signal)
		_ = p.command.Process.Kill()
		<-p.ended
	}
	p.command = nil
}

// stopLimit is how long a gateway may take to end after SIGTERM, and a little
// for a machine that has much to do.
const stopLimit = 15 * time.Second

// replace ends it, and starts it again after a while.
func (p *program) replace(signal syscall.Signal, after time.Duration) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.end(signal)
	time.Sleep(after)
	p.start()
}

// freeze stops it for a while, as a machine that hangs does.
func (p *program) freeze(how time.Duration) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.command == nil {
		return
	}
	_ = p.command.Process.Signal(syscall.SIGSTOP)
	time.Sleep(how)
	_ = p.command.Process.Signal(syscall.SIGCONT)
}

// written is everything it wrote so far.
func (p *program) written() string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(content)
}

// freeAddress is one of the loopback interface that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, patience time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s, after %s: %v", what, patience, err)
		}
		<-tick.C
	}
}

// answers checks that something takes requests.
func answers(address string) func() error {
	return func() error {
		answer, err := (&http.Client{Timeout: 2 * time.Second}).Get(address)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode >= http.StatusInternalServerError {
			return fmt.Errorf("%s answers %s", address, answer.Status)
		}
		return nil
	}
}

// lineWith finds the first line of a text that holds a word, cut behind it.
func lineWith(text, word string) string {
	for line := range strings.Lines(text) {
		if _, after, found := strings.Cut(line, word); found {
			return strings.TrimSpace(after)
		}
	}
	return ""
}
