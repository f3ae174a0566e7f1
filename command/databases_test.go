package command_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Which of several databases a command is for has to be said, and is checked.
func TestCommandsOfOneDatabaseOfSeveral(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gateway.yaml")
	content := `
gateway_secret_key: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
databases:
  - {name: day, gateway_public_url: "https://day.example.com", nightpos_url: "https://n.example.com", nightpos_db: day, nightpos_login: g, nightpos_api_key: k}
  - {name: night, gateway_public_url: "https://day.example.com", nightpos_url: "https://n.example.com", nightpos_db: night, nightpos_login: g, nightpos_api_key: k}
`
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		arguments string
		code      int
		says      string
	}{
		{"register", 1, "say which with --database day or night"},
		{"register --database noon", 1, "--database noon is not in the list; there are day, night"},
		{"register --remove --rotate-secret", 2, "can't be used together"},
		{"backup " + filepath.Join(t.TempDir(), "kept"), 1, "say which with --database"},
		{"users", 2, "say which with --database"},
		{"users --database day", 2, "the admin token is missing"},
		{"serve", 1, "database night: GATEWAY_PUBLIC_URL is wrong: it is that of database day"},
	} {
		arguments := append(strings.Fields(one.arguments), "--config", path)
		if code, out, said := run(t, nil, arguments...); code != one.code || !strings.Contains(said, one.says) {
			t.Errorf("%s: got %d, %q, %q, want %d and %q", one.arguments, code, out, said, one.code, one.says)
		}
	}
}
