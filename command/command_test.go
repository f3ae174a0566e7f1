package command_test

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nightpos/outlook-gateway/command"
)

// run carries out one command line with an environment of its own.
func run(t *testing.T, environment map[string]string, args ...string) (code int, out, err string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = command.Run(t.Context(), args, command.Surroundings{
		Out: &stdout, Err: &stderr,
		Lookup: func(name string) (string, bool) { value, given := environment[name]; return value, given },
	})
	return code, stdout.String(), stderr.String()
}

func TestVersionIsOneLine(t *testing.T) {
	code, out, err := run(t, nil, "version")
	if code != 0 || err != "" || !regexp.MustCompile(`^outlook-gateway \S+ \(commit \S+, go1\.\S+\)\n$`).MatchString(out) {
		t.Errorf("got %d, %q, %q", code, out, err)
	}
}

func TestHelp(t *testing.T) {
	code, out, _ := run(t, nil, "--help")
	for _, name := range []string{"backup", "demo", "disconnect", "doctor", "pause", "preview", "register", "reset", "restore", "resume", "serve", "sim", "sync", "undo", "users", "validate", "version"} {
		if !strings.Contains(out, "\n  "+name) {
			t.Errorf("--help does not show %s", name)
		}
	}
	if code != 0 {
		t.Errorf("--help ended with %d", code)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{
		{}, {"surf"}, {"serve", "--fast"}, {"serve", "now"}, {"demo", "--json"}, {"sim"}, {"sim", "nightpos", "--version", "16"}, {"sim", "nightpos", "--version"}, {"serve", "--config"},
	} {
		code, out, err := run(t, nil, args...)
		if code != 2 || out != "" || strings.Count(err, "\n") != 1 || !strings.HasPrefix(err, "outlook-gateway: ") {
			t.Errorf("%q: got %d, %q and %q, want 2 and one line that says why", args, code, out, err)
		}
	}
}

// complete is everything that serve asks for; nothing answers at its addresses.
func complete() map[string]string {
	return map[string]string{
		"GATEWAY_LISTEN": "127.0.0.1:0", "GATEWAY_PUBLIC_URL": "http://127.0.0.1:9",
		"NIGHTPOS_URL": "http://127.0.0.1:9", "NIGHTPOS_DB": "night", "NIGHTPOS_LOGIN": "gateway", "NIGHTPOS_API_KEY": "hush",
		"MICROSOFT_CLIENT_ID": "11111111-2222-3333-4444-555555555555", "MICROSOFT_CLIENT_SECRET": "hush",
	}
}

func TestWrongSettingsStopTheStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, value := range map[string]string{
		"GATEWAY_PUBLIC_URL": "", "NIGHTPOS_API_KEY": "", "MICROSOFT_CLIENT_ID": "not an id",
		"GATEWAY_SECRET_KEY": "hush", "GATEWAY_LISTEN": taken.Addr().String(), "REDIS_URL": "hush", "GATEWAY_DATA_DIR": "/dev/null/data",
	} {
		environment := complete()
		environment["GATEWAY_DATA_DIR"] = t.TempDir()
		environment[name] = value
		code, out, said := run(t, environment, "serve")
		if code != 1 || out != "" || strings.Count(said, "\n") != 1 || !strings.Contains(said, name) || strings.Contains(said, "hush") {
			t.Errorf("serve without a right %s: got %d, %q and %q, want 1 and one line that names it", name, code, out, said)
		}
	}
	environment := complete()
	environment["NIGHTPOS_DB"] = ""
	if code, _, said := run(t, environment, "register"); code != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "NIGHTPOS_DB is missing") {
		t.Errorf("register: got %d and %q", code, said)
	}
	if code, _, said := run(t, complete(), "serve", "--config", "/nowhere.yaml"); code != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "/nowhere.yaml") {
		t.Errorf("serve with a file that is not there: got %d and %q", code, said)
	}
}

// Being told to end during the start is no failure.
func TestInterruptedStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"sim", "nightpos", "--listen", "127.0.0.1:0"}, {"sim", "outlook", "--listen", "127.0.0.1:0", "--tls"}} {
		var out, failed bytes.Buffer
		code := command.Run(ctx, args, command.Surroundings{Out: &out, Err: &failed, Lookup: func(string) (string, bool) { return "", false }})
		if code != 0 || failed.Len() > 0 {
			t.Errorf("%q: got %d and %q, want 0", args, code, failed.String())
		}
	}
}

// A command that was interrupted has not done what it was told to, and must not
// look as if it had: a script goes by its exit code.
func TestInterruptedCommands(t *testing.T) {
	environment := complete()
	environment["GATEWAY_DATA_DIR"], environment["GATEWAY_LOG_LEVEL"] = t.TempDir(), "error"
	file := filepath.Join(t.TempDir(), "backup")
	if code, _, said := run(t, environment, "backup", file); code != 0 {
		t.Fatalf("backup: got %d and %q", code, said)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{
		{"backup", filepath.Join(t.TempDir(), "backup")}, {"restore", file}, {"register"}, {"register", "--remove"}, {"doctor"}, {"demo", "--check"},
	} {
		var out, failed bytes.Buffer
		code := command.Run(ctx, args, command.Surroundings{
			Out: &out, Err: &failed,
			Lookup: func(name string) (string, bool) { value, given := environment[name]; return value, given },
		})
		if code != 1 || failed.String() != "outlook-gateway: interrupted, not finished\n" {
			t.Errorf("%q: got %d and %q, want 1 and that it was interrupted", args, code, failed.String())
		}
	}
}
