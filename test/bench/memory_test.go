package bench_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/command"
)

// memory is what the process of the gateway holds, in bytes.
type memory struct {
	// idle is the resident set once nothing is to do, and peak the largest it
	// was, while every calendar was swept after the start.
	idle, peak int64
}

// environment are the settings with which the command line serves what the
// world's own gateway served.
func (w *world) environment() map[string]string {
	settings := w.config.Settings
	return map[string]string{
		"GATEWAY_LISTEN": strings.TrimPrefix(settings.PublicURL, "http://"), "GATEWAY_PUBLIC_URL": settings.PublicURL,
		"GATEWAY_SECRET_KEY": base64.StdEncoding.EncodeToString(secretKey), "GATEWAY_LOG_LEVEL": "warn", "REDIS_URL": settings.RedisURL.Reveal(),
		"MICROSOFT_CLIENT_ID": settings.MicrosoftClientID, "MICROSOFT_CLIENT_SECRET": settings.MicrosoftClientSecret.Reveal(),
		"MICROSOFT_LOGIN_URL": settings.MicrosoftLoginURL, "MICROSOFT_GRAPH_URL": settings.MicrosoftGraphURL,
		"NIGHTPOS_URL": settings.NightPOSURL, "NIGHTPOS_DB": settings.NightPOSDatabase,
		"NIGHTPOS_LOGIN": settings.NightPOSLogin, "NIGHTPOS_API_KEY": settings.NightPOSAPIKey.Reveal(),
	}
}

// ready waits until the gateway answers.
func (w *world) ready(ended <-chan error) {
	w.t.Helper()
	for {
		select {
		case err := <-ended:
			w.t.Fatalf("serving ended: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.config.Settings.PublicURL+"/readyz", nil)
		w.must(err)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return
		}
	}
}

// build makes the binary as a release is made.
func build(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "outlook-gateway")
	building := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", path, "github.com/nightpos/outlook-gateway")
	building.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := building.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, output)
	}
	return path
}

// resting is how long nothing has been to do when memory is read.
const resting = 30 * time.Second

// remember ends the world's own gateway, starts the binary in its place and
// reads its memory after it has swept every calendar and come to rest.
func (w *world) remember() memory {
	w.t.Helper()
	binary := build(w.t)
	w.stop()
	process := exec.Command(binary, "serve")
	process.Stderr = os.Stderr
	for name, value := range w.environment() {
		process.Env = append(process.Env, name+"="+value)
	}
	w.must(process.Start())
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	defer func() {
		_ = process.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			w.t.Errorf("serving ended: %v", err)
		}
	}()
	w.ready(ended)
	w.rest()
	time.Sleep(resting)
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(process.Process.Pid), "status"))
	w.must(err)
	return memory{idle: field(w.t, status, "VmRSS"), peak: field(w.t, status, "VmHWM")}
}

// rest waits until nothing is left to do in any lane of the store.
func (w *world) rest() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 15*time.Minute)
	defer cancel()
	store := openStore(w.t, w.config.Settings.RedisURL.Reveal(), "")
	waiting := func() int {
		total := 0
		for _, member := range w.members {
			count, err := store.Pending(ctx, member.ID, 10*time.Minute)
			w.must(err)
			total += count
		}
		return total
	}
	for calm := 0; calm < 3; {
		time.Sleep(time.Second)
		if waiting() == 0 {
			calm++
		} else {
			calm = 0
		}
	}
}

// field reads a size out of /proc/PID/status.
func field(t testing.TB, status []byte, name string) int64 {
	t.Helper()
	for line := range bytes.Lines(status) {
		if value, found := bytes.CutPrefix(line, []byte(name+":")); found {
			var kilobytes int64
			if _, err := fmt.Sscanf(string(value), "%d kB", &kilobytes); err == nil {
				return kilobytes << 10
			}
		}
	}
	t.Fatalf("/proc/PID/status has no %s", name)
	return 0
}

// notes keeps what several goroutines write.
type notes struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (n *notes) Write(line []byte) (int, error) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.text.Write(line)
}

func (n *notes) String() string {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.text.String()
}

// TestServe has the command line take over from a gateway, with the settings by
// which its memory is measured, and end well.
func TestServe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wishes{people: 2, redisURL: startRedis(t)})
	defer w.close()
	w.stop()
	environment := w.environment()
	output := &notes{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		code := command.Run(ctx, []string{"serve"}, command.Surroundings{
			Out: output, Err: output,
			Lookup: func(name string) (string, bool) { value, given := environment[name]; return value, given },
		})
		if code != 0 {
			ended <- fmt.Errorf("exit code %d", code)
		}
		close(ended)
	}()
	w.ready(ended)
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("serve: got %v, want exit code 0\n%s", err, output.String())
	}
	members, err := openStore(t, w.config.Settings.RedisURL.Reveal(), "").MembersNow(t.Context())
	if err != nil || len(members) != 2 {
		t.Errorf("members after serving: got %d (%v), want 2", len(members), err)
	}
}
