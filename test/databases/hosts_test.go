package databases_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/redis"
	"github.com/nightpos/outlook-gateway/service"
	"github.com/nightpos/outlook-gateway/test/network"
	"github.com/nightpos/outlook-gateway/test/world"
)

// TestALockedDatabaseHoldsUpNobody starts a gateway of two databases, in one of which
// its account is locked for now; a host that is nobody's learns nothing.
func TestALockedDatabaseHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &network.Network{}
		engine, err := redis.NewInProcess("", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := engine.Close(); err != nil {
				t.Error(err)
			}
		}()
		var all []gateway.Settings
		build := func(name string) *database {
			d := newDatabase(t, name, world.Options{
				Database: name, Engine: engine, Network: memory, Prefix: name + ".", AdminToken: strings.Repeat(name, 20), Apart: true,
			})
			settings := d.Config().Settings
			settings.Name = name
			all = append(all, settings)
			return d
		}
		day, night := build("day"), build("night")
		defer night.Close()
		defer day.Close()
		all[1].NightPOSAPIKey = "the-next-password-of-the-account"
		listener, err := memory.Listen("day.gateway.sim")
		if err != nil {
			t.Fatal(err)
		}
		memory.Alias("night.gateway.sim", "day.gateway.sim")
		config := day.Config()
		config.Listener = listener
		fleet, err := service.StartAll(context.Background(), config, all)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := fleet.Close(); err != nil {
				t.Error(err)
			}
		}()
		status := func(host, path string) int {
			t.Helper()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://day.gateway.sim"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = host
			answer, err := day.Transport().RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			return answer.StatusCode
		}
		expect := func(when, host, path string, want int) {
			t.Helper()
			if got := status(host, path); got != want {
				t.Errorf("%s: http://%s%s is answered with %d, want %d", when, host, path, got, want)
			}
		}
		if fleet.Service("night") != nil {
			t.Error("the locked database is served")
		}
		expect("locked", "night.gateway.sim", "/readyz", http.StatusServiceUnavailable)
		expect("locked", "night.gateway.sim", "/healthz", http.StatusOK)
		expect("locked", "DAY.gateway.sim:80", "/readyz", http.StatusOK)
		expect("locked", "elsewhere.sim", "/readyz", http.StatusOK)
		expect("locked", "elsewhere.sim", "/healthz", http.StatusOK)
		for _, path := range []string{"/", "/metrics", "/api/v1/status", "/webhooks/graph", "/microsoft_account/connect"} {
			expect("nobody's host", "elsewhere.sim", path, http.StatusMisdirectedRequest)
		}
		day.Adopt(fleet.Service("day"), "alice")
		day.Quiet()
		gatewayUser := night.NightPOS.Member("gateway").ID
		if err := night.NightPOS.Member("admin").WriteUser(t.Context(), gatewayUser, map[string]any{"password": all[1].NightPOSAPIKey.Reveal()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		expect("unlocked", "night.gateway.sim", "/readyz", http.StatusOK)
		night.Adopt(fleet.Service("night"), "alice")
		night.Quiet()
		for _, settings := range all {
			settings.NightPOSAPIKey = "nobody's password"
			if _, err := service.StartAll(context.Background(), service.Config{Transport: day.Transport(), Engine: engine}, []gateway.Settings{settings}); err == nil || !strings.Contains(err.Error(), "database "+settings.Name) {
				t.Errorf("when no database can be served: got %v, want an error that names them", err)
			}
		}
	})
}
