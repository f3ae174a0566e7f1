package command

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// simCommand runs a simulator for trying things out and for others' tests.
type simCommand struct {
	NightPOS simNightPOS `cmd:"" name:"nightpos" help:"A NightPOS database \"night\" with admin/admin, alice/alice and bob/bob, webhooks included."`
	Outlook  simOutlook  `cmd:"" name:"outlook" help:"Microsoft sign-in and Graph with mailboxes for the same people."`
}

// simNightPOS is the simulated NightPOS.
type simNightPOS struct {
	Listen  string `help:"Address to listen on." default:"127.0.0.1:8069"`
	Version int    `help:"Version of NightPOS to be: 17, 18 or 19." enum:"17,18,19" default:"18"`
}

// Run serves until interrupted.
func (c simNightPOS) Run(in *invocation) error {
	in.untilInterrupted = true
	listener, err := listen(in.ctx, c.Listen)
	if err != nil {
		return err
	}
	server, err := simnightpos.New(simnightpos.Config{Version: c.Version, BaseURL: "http://" + listener.Addr().String()})
	if err != nil {
		_ = listener.Close()
		return err
	}
	defer server.Close()
	fmt.Fprintf(in.Out, "A simulated NightPOS %d with the database night is at http://%s (admin/admin, alice/alice, bob/bob). Interrupt to stop.\n", c.Version, listener.Addr())
	for _, login := range []string{"admin", "alice", "bob"} {
		fmt.Fprintf(in.Out, "API key of %s: %s\n", login, server.Member(login).APIKey(0))
	}
	return serveHTTP(in.ctx, listener, behindTheScenes(server.Handler(), func() any {
		return map[string]any{"mails": server.Mails(), "counts": server.Counts()}
	}))
}

// simOutlook is the simulated Outlook.
type simOutlook struct {
	Listen string `help:"Address to listen on." default:"127.0.0.1:8365"`
	TLS    bool   `help:"Speak HTTPS with a certificate made for the occasion."`
}

// Run serves until interrupted.
func (c simOutlook) Run(in *invocation) error {
	in.untilInterrupted = true
	listener, err := listen(in.ctx, c.Listen)
	if err != nil {
		return err
	}
	scheme := "http"
	address := listener.Addr().String()
	if c.TLS {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return fmt.Errorf("reading the address listened on: %w", err)
		}
		certificate, _, err := simoutlook.SelfSigned(host, "localhost")
		if err != nil {
			_ = listener.Close()
			return err
		}
		scheme = "https"
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	}
	server, err := simoutlook.New(simoutlook.Config{BaseURL: scheme + "://" + address, People: []simoutlook.Person{
		{Name: "Administrator", Address: "admin@nightpos.example", TimeZone: "Romance Standard Time"},
		{Name: "Alice", Address: "alice@nightpos.example", TimeZone: "Romance Standard Time"},
		{Name: "Bob", Address: "bob@nightpos.example", TimeZone: "Eastern Standard Time"},
	}})
	if err != nil {
		_ = listener.Close()
		return err
	}
	defer server.Close()
	application := simoutlook.DefaultApplication
	fmt.Fprintf(in.Out, "A simulated Outlook is at %s://%s: sign-in there, Graph under /v1.0, application %s with the secret %s, mailboxes of admin, alice and bob @nightpos.example. Interrupt to stop.\n",
		scheme, address, application.ID, application.Secret)
	return serveHTTP(in.ctx, listener, behindTheScenes(server.Handler(), func() any {
		return map[string]any{"mails": server.Mails(), "counts": server.Counts(), "delivery": server.Delivery()}
	}))
}

// behindTheScenes adds a page for tests, /simulator, with what no client of the
// real server could see: the mails it would have sent, and the calls it was made.
func behindTheScenes(handler http.Handler, seen func() any) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", handler)
	mux.HandleFunc("GET /simulator", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		// A client that has gone away needs no answer.
		_ = json.NewEncoder(w).Encode(seen())
	})
	return mux
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--listen is wrong: %w; example: 127.0.0.1:8069", err)
	}
	return listener, nil
}

// serveHTTP serves until the context ends.
func serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err := server.Shutdown(closing); err != nil {
		_ = server.Close()
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}
