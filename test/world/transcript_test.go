package world

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/service"
)

// TestEveryLogIsSearched holds that what the gateway logs is looked through for the
// texts of events and for secrets.
func TestEveryLogIsSearched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var given *zap.Logger
		w := New(t, Options{Gateway: func(config *service.Config) { given = config.Log }})
		defer w.Close()
		w.Quiet()
		start := time.Now().AddDate(0, 0, 1)
		if _, err := w.NightPOS.Member("alice").Create(t.Context(), map[string]any{
			"name": "Salary of the cook", "start": start.UTC().Format(time.DateTime), "stop": start.Add(time.Hour).UTC().Format(time.DateTime),
		}); err != nil {
			t.Fatal(err)
		}
		w.Quiet()
		if leaks := w.logged.leaks(append(w.texts(), secrets...)); len(leaks) > 0 {
			t.Errorf("got %q, want nothing", leaks)
		}
		kept := w.logged.lines
		given.Debug("a write failed", zap.String("event", "Salary of the cook"), zap.String("key", accountPassword))
		if leaks := w.logged.leaks(append(w.texts(), secrets...)); len(leaks) != 2 {
			t.Errorf("got %q, want a title and a password", leaks)
		}
		w.logged.lines = kept
	})
}
