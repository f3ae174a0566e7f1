package service_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/redis"
	"github.com/nightpos/outlook-gateway/service"
	"github.com/nightpos/outlook-gateway/test/network"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// world is a network with a NightPOS that can be switched on and made to hang, an
// Outlook, and the settings of a gateway between them.
type world struct {
	*testing.T
	network  network.Network
	nightpos *simnightpos.Server
	outlook  *simoutlook.Server
	config   service.Config
	logs     *observer.ObservedLogs

	mutex sync.Mutex
	hang  bool
}

// newWorld must be called in a synctest bubble.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t}
	var err error
	w.nightpos, err = simnightpos.New(simnightpos.Config{
		BaseURL: "http://nightpos.test", Transport: w.network.Transport(),
		Latency: func(string, string) time.Duration {
			w.mutex.Lock()
			defer w.mutex.Unlock()
			if w.hang {
				return time.Hour
			}
			return 0
		},
		People: []simnightpos.Person{{Name: "Gateway", Login: "gateway", Address: "gateway@nightpos.example", Password: "the-password"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.outlook, err = simoutlook.New(simoutlook.Config{
		BaseURL: "http://outlook.test", Transport: w.network.Transport(), Switches: simoutlook.Switches{AnyAddress: true},
		People: []simoutlook.Person{{Name: "Alice", Address: "alice@nightpos.example", TimeZone: "Romance Standard Time"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	engine, err := redis.NewInProcess("", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.nightpos.Close()
		w.outlook.Close()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	w.host("outlook.test", w.outlook.Handler())
	core, logs := observer.New(zapcore.DebugLevel)
	w.logs = logs
	application := simoutlook.DefaultApplication
	w.config = service.Config{
		Transport: w.network.Transport(), Engine: engine, Log: zap.New(core), Random: rand.NewChaCha8([32]byte{}), Spread: rand.New(rand.NewPCG(1, 1)),
		Settings: gateway.Settings{
			PublicURL: "http://gateway.test", SecretKeys: [][]byte{[]byte("0123456789abcdef0123456789abcdef")},
			MicrosoftClientID: application.ID, MicrosoftClientSecret: gateway.Secret(application.Secret), MicrosoftTenant: "common",
			MicrosoftLoginURL: "http://outlook.test", MicrosoftGraphURL: "http://outlook.test/v1.0",
			NightPOSURL: "http://nightpos.test", NightPOSDatabase: "night", NightPOSLogin: "gateway", NightPOSAPIKey: "the-password", NightPOSProtocol: "auto",
			PastDays: 365, FutureDays: 730, Conflict: "newest", QuietFirstSync: true,
		},
	}
	return w
}

// host serves a simulator until the end of the test.
func (w *world) host(name string, handler http.Handler) {
	w.Helper()
	listener, err := w.network.Listen(name)
	if err != nil {
		w.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(listener) }()
	w.Cleanup(func() { _ = server.Close(); <-ended })
}

func (w *world) start() (*service.Service, error) {
	w.Helper()
	listener, err := w.network.Listen("gateway.test")
	if err != nil {
		w.Fatal(err)
	}
	w.config.Listener = listener
	running, err := service.Start(w.Context(), w.config)
	if err != nil {
		_ = listener.Close()
	}
	return running, err
}

// ready asks readyz, and returns the dependency of that name.
func (w *world) ready(name string) (int, gateway.DependencyStatus) {
	w.Helper()
	client := &http.Client{Transport: w.network.Transport()}
	answer, err := client.Get("http://gateway.test/readyz")
	if err != nil {
		w.Fatal(err)
	}
	defer answer.Body.Close()
	var told struct{ Dependencies []gateway.DependencyStatus }
	if err := json.NewDecoder(answer.Body).Decode(&told); err != nil {
		w.Fatal(err)
	}
	for _, dependency := range told.Dependencies {
		if dependency.Name == name {
			return answer.StatusCode, dependency
		}
	}
	w.Fatalf("readyz knows no %s: %+v", name, told)
	return 0, gateway.DependencyStatus{}
}

func TestWrongAccountsStopTheStart(t *testing.T) {
	for name, one := range map[string]struct {
		change func(*gateway.Settings)
		says   string
	}{
		"a wrong key":      {func(s *gateway.Settings) { s.NightPOSAPIKey = "hush" }, "NIGHTPOS_LOGIN or NIGHTPOS_API_KEY is wrong"},
		"a wrong login":    {func(s *gateway.Settings) { s.NightPOSLogin = "nobody" }, "NIGHTPOS_LOGIN or NIGHTPOS_API_KEY is wrong"},
		"a wrong database": {func(s *gateway.Settings) { s.NightPOSDatabase = "day" }, "NIGHTPOS_DB is wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.host("nightpos.test", w.nightpos.Handler())
				one.change(&w.config.Settings)
				running, err := w.start()
				if err == nil {
					_ = running.Close()
					t.Fatal("it started")
				}
				if said := err.Error(); !strings.Contains(said, one.says) || !strings.Contains(said, "; example: ") || strings.Contains(said, "\n") || strings.Contains(said, "hush") {
					t.Errorf("got %q, want one line with %q and an example", said, one.says)
				}
			})
		})
	}
}

// NightPOS may be down when the gateway starts: hints are taken all the same, and
// registering is tried again until it works.
func TestStartsWithoutNightPOS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.config.Settings.NightPOSLogin, w.config.Settings.NightPOSAPIKey = "admin", "admin"
		running, err := w.start()
		if err != nil {
			t.Fatal(err)
		}
		code, suite := w.ready("nightpos")
		if code != http.StatusOK || suite.Status != "failed" || suite.Error == "" {
			t.Errorf("without NightPOS: readyz answers %d, %+v, want 200 and that it failed", code, suite)
		}
		w.host("nightpos.test", w.nightpos.Handler())
		time.Sleep(time.Minute)
		for _, name := range []string{"nightpos", "registration", "store"} {
			if code, dependency := w.ready(name); code != http.StatusOK || dependency.Status == "failed" {
				t.Errorf("a minute after NightPOS came up: %d, %+v", code, dependency)
			}
		}
		if err := running.Close(); err != nil {
			t.Error(err)
		}
	})
}

// An ordinary account cannot register; the log and readyz say what to do, and
// what an administrator then does is found.
func TestSaysHowToRegister(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.host("nightpos.test", w.nightpos.Handler())
		running, err := w.start()
		if err != nil {
			t.Fatal(err)
		}
		if code, registration := w.ready("registration"); code != http.StatusOK || registration.Status != "failed" || !strings.Contains(registration.Error, "register") {
			t.Errorf("unregistered: %d, %+v, want a word on register", code, registration)
		}
		said := false
		for _, entry := range w.logs.FilterLevelExact(zapcore.WarnLevel).All() {
			said = said || strings.Contains(fmt.Sprint(entry.Message, entry.ContextMap()), "`outlook-gateway register`")
		}
		if !said {
			t.Error("the log does not say which command to run")
		}
		w.config.Settings.NightPOSAdminLogin, w.config.Settings.NightPOSAdminAPIKey = "admin", "admin"
		changed, err := service.Register(t.Context(), w.config)
		if err != nil || len(changed) == 0 {
			t.Errorf("registering: %v, %v", changed, err)
		}
		if changed, err = service.Register(t.Context(), w.config); err != nil || len(changed) > 0 {
			t.Errorf("registering again: %v, %v, want nothing changed", changed, err)
		}
		time.Sleep(30 * time.Minute)
		for _, name := range []string{"nightpos", "registration"} {
			if code, dependency := w.ready(name); code != http.StatusOK || dependency.Status != "ok" {
				t.Errorf("once registered: %d, %+v", code, dependency)
			}
		}
		if err := running.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Whatever hangs, the process ends within ten seconds of being told to.
func TestStopsInTime(t *testing.T) {
	for name, disturb := range map[string]func(*world, *service.Service){
		"at rest": func(*world, *service.Service) {},
		"in the middle of a sweep that hangs": func(w *world, running *service.Service) {
			w.mutex.Lock()
			w.hang = true
			w.mutex.Unlock()
			if err := running.Sweep(w.Context(), "6"); err != nil {
				w.Fatal(err)
			}
			time.Sleep(time.Second)
		},
		"right after somebody connected": func(*world, *service.Service) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.host("nightpos.test", w.nightpos.Handler())
				w.config.Settings.NightPOSLogin, w.config.Settings.NightPOSAPIKey = "admin", "admin"
				running, err := w.start()
				if err != nil {
					t.Fatal(err)
				}
				access, refresh, expires := w.outlook.Token(t.Context(), "alice@nightpos.example", simoutlook.DefaultApplication.ID, []string{"openid", "offline_access", "User.Read", "Calendars.ReadWrite"})
				if _, err := running.Connect(t.Context(), "alice", outlook.Token{AccessToken: access, RefreshToken: refresh, Expires: expires}); err != nil {
					t.Fatal(err)
				}
				if name != "right after somebody connected" {
					time.Sleep(time.Minute)
				}
				disturb(w, running)
				began := time.Now()
				if err := running.Close(); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("stopping took %s, want at most 10 s", took)
				}
				client := &http.Client{Transport: w.network.Transport()}
				if _, err := client.Get("http://gateway.test/healthz"); err == nil {
					t.Error("a stopped gateway answers")
				}
			})
		})
	}
}

// Microsoft may be out, and nobody's token renewed, from the day on that a new
// GATEWAY_SECRET_KEY is put in front until the former one is taken out.
func TestAKeyCanBeTakenOutAfterOneStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.host("nightpos.test", w.nightpos.Handler())
		w.config.Settings.NightPOSLogin, w.config.Settings.NightPOSAPIKey = "admin", "admin"
		former := w.config.Settings.SecretKeys[0]
		present := []byte("fedcba9876543210fedcba9876543210")
		stay := func(then func(*service.Service), keys ...[]byte) {
			t.Helper()
			w.config.Settings.SecretKeys = keys
			running, err := w.start()
			if err != nil {
				t.Fatal(err)
			}
			then(running)
			if err := running.Close(); err != nil {
				t.Error(err)
			}
		}
		stay(func(running *service.Service) {
			access, refresh, expires := w.outlook.Token(t.Context(), "alice@nightpos.example", simoutlook.DefaultApplication.ID, []string{"openid", "offline_access", "User.Read", "Calendars.ReadWrite"})
			if _, err := running.Connect(t.Context(), "alice", outlook.Token{AccessToken: access, RefreshToken: refresh, Expires: expires}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}, former)
		w.config.Settings.MicrosoftLoginURL, w.config.Settings.MicrosoftGraphURL = "http://out.test", "http://out.test/v1.0"
		stay(func(*service.Service) { time.Sleep(10 * time.Second) }, present, former)
		if found := w.logs.FilterMessageSnippet("every token is encrypted with the present key").Len(); found != 1 {
			t.Errorf("the log says %d times that the former key can go, want once", found)
		}
		stay(func(running *service.Service) {
			if token, _, err := running.Store().Token(t.Context(), "6"); err != nil || len(token) == 0 {
				t.Errorf("with the new key alone: got %d bytes, %v, want the token", len(token), err)
			}
		}, present)
	})
}
