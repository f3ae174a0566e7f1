package command_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nightpos/outlook-gateway/redis"
)

// A backup goes from one embedded store to another, of whatever kind is to be had
// here, with the key of the first.
func TestBackupAndRestoreCommands(t *testing.T) {
	const key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	seal, err := redis.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	from, to := t.TempDir(), t.TempDir()
	store, err := redis.Open(t.Context(), redis.Config{DataDir: from, Seal: seal})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.SaveToken(t.Context(), "6", []byte("token")); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "backup")
	environment := map[string]string{"GATEWAY_DATA_DIR": from, "GATEWAY_SECRET_KEY": key, "GATEWAY_LOG_LEVEL": "error"}
	if code, out, said := run(t, environment, "backup", file); code != 0 || said != "" || !strings.HasPrefix(out, "1 keys are in "+file) {
		t.Fatalf("backup: got %d, %q, %q", code, out, said)
	}
	content, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(content, []byte("lane:6")) {
		t.Fatalf("the backup holds %q, %v", content, err)
	}
	environment["GATEWAY_DATA_DIR"] = to
	if code, out, said := run(t, environment, "restore", file); code != 0 || said != "" || !strings.HasPrefix(out, "1 keys were restored") {
		t.Fatalf("restore: got %d, %q, %q", code, out, said)
	}
	if code, _, said := run(t, environment, "restore", file); code != 1 || !strings.Contains(said, "--replace") || strings.Count(said, "\n") != 1 {
		t.Errorf("restoring again: got %d, %q, want 1 and what to do", code, said)
	}
	if code, _, said := run(t, environment, "restore", file, "--replace"); code != 0 {
		t.Errorf("restoring with --replace: got %d, %q", code, said)
	}
	if store, err = redis.Open(t.Context(), redis.Config{DataDir: to, Seal: seal}); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if token, _, err := store.Token(t.Context(), "6"); err != nil || string(token) != "token" {
		t.Errorf("got %q, %v", token, err)
	}
	for _, args := range [][]string{{"backup", "/nowhere/backup"}, {"restore", "/nowhere/backup"}} {
		if code, _, said := run(t, map[string]string{"GATEWAY_DATA_DIR": t.TempDir()}, args...); code != 1 || strings.Count(said, "\n") != 1 {
			t.Errorf("%q: got %d, %q", args, code, said)
		}
	}
	if code, _, said := run(t, map[string]string{"REDIS_URL": "redis://127.0.0.1:1"}, "backup", file); code != 1 || !strings.Contains(said, "GATEWAY_SECRET_KEY is missing") {
		t.Errorf("without a key: got %d, %q", code, said)
	}
	left, err := filepath.Glob(file + "*")
	if err != nil || len(left) != 1 {
		t.Errorf("beside the backup there are %v, %v", left, err)
	}
}
