package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"go.uber.org/zap"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// Surroundings is what a gateway is started with in the demo: the two servers
// between which it stands, its accounts there, and the people's consent.
type Surroundings struct {
	// Listener is the gateway's own, on a free port of loopback, and PublicURL
	// its address. The gateway closes it.
	Listener  net.Listener
	PublicURL string
	// DataDir is an empty folder, removed after the gateway was closed.
	DataDir string
	Log     *zap.Logger
	Now     func() time.Time

	MicrosoftLoginURL, MicrosoftGraphURL string
	ClientID, ClientSecret               string

	NightPOSURL, NightPOSDatabase           string
	NightPOSLogin, NightPOSPassword         string
	NightPOSAdminLogin, NightPOSAdminSecret string

	Members []Member
	// Consent is the token that Microsoft gives the gateway for a member, as
	// after the sign-in page.
	Consent func(ctx context.Context, login string) (Consent, error)
}

// Consent is a granted token.
type Consent struct {
	AccessToken, RefreshToken string
	Expires                   time.Time
	Scopes                    []string
}

// Scopes are what the gateway asks people for.
var scopes = []string{"openid", "offline_access", "User.Read", "Calendars.ReadWrite"}

// people are the members of every demo.
var people = []Member{
	{Login: "alice", Name: "Alice", Address: "alice@nightpos.example", Zone: "Europe/Brussels", OutlookZone: "Romance Standard Time", Password: "alice"},
	{Login: "bob", Name: "Bob", Address: "bob@nightpos.example", Zone: "America/New_York", OutlookZone: "Eastern Standard Time", Password: "bob"},
}

// host serves a handler on a listener until it is closed.
func host(listener net.Listener, handler http.Handler, log *zap.Logger) (end func()) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("a server of the demo stopped", zap.Stringer("address", listener.Addr()), zap.Error(err))
		}
	}()
	return func() {
		server.Close() // what still hangs on to it is this process
		<-ended
	}
}

func loopback(ctx context.Context) (net.Listener, string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("listening on loopback: %w", err)
	}
	return listener, "http://" + listener.Addr().String(), nil
}

// open starts both sides, follows them, and then starts the gateway. What was
// started is ended again where it fails.
func open(ctx context.Context, options Options) (world *World, err error) {
	var ends []func()
	defer func() {
		if err != nil {
			for index := len(ends) - 1; index >= 0; index-- {
				ends[index]()
			}
		}
	}()

	listener, graphURL, err := loopback(ctx)
	if err != nil {
		return nil, err
	}
	config := simoutlook.Config{BaseURL: graphURL, Now: options.Now, Seed: options.Seed}
	for _, member := range people {
		config.People = append(config.People, simoutlook.Person{Name: member.Name, Address: member.Address, TimeZone: member.OutlookZone})
	}
	outlook, err := simoutlook.New(config)
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("starting the simulated Outlook: %w", err)
	}
	ends = append(ends, host(listener, outlook.Handler(), options.Log), outlook.Close)

	listener, nightposURL, err := loopback(ctx)
	if err != nil {
		return nil, err
	}
	nightpos, err := options.NightPOS(NightPOSStart{URL: nightposURL, Database: nightposDatabase, Now: options.Now, Seed: options.Seed})
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("starting the simulated NightPOS: %w", err)
	}
	ends = append(ends, host(listener, nightpos.Handler(), options.Log), nightpos.Close)

	transport := http.DefaultTransport.(*http.Transport).Clone()
	ends = append(ends, transport.CloseIdleConnections)
	calls := newNightPOSCalls(nightposURL, nightposDatabase, transport)
	ledger, err := newLedger(ctx, nightpos, calls, people)
	if err != nil {
		return nil, err
	}
	world = NewWorld(ctx, World{
		Members: people, Now: options.Now, Outlook: NewOutlook(outlook, people),
		NightPOS: NewNightPOS(NightPOSCalendar{
			URL: nightposURL, Database: nightposDatabase, Transport: transport, Members: people,
			Mails: ledger.mails, GatewayWrites: ledger.gatewayWrites, Watch: ledger.watch,
		}),
	}, options.Log)
	// Ended after the watch, which reads from them.
	world.closers = append(ends, world.closers...)
	ends = []func(){world.Close}

	if options.Gateway != nil {
		if err := between(ctx, world, outlook, options, graphURL, nightposURL); err != nil {
			return nil, err
		}
	}
	return world, nil
}

// between starts the gateway.
func between(ctx context.Context, world *World, outlook *simoutlook.Server, options Options, graphURL, nightposURL string) error {
	folder, err := os.MkdirTemp(options.DataDir, "outlook-gateway-demo-")
	if err != nil {
		return fmt.Errorf("making a folder for the gateway's data: %w", err)
	}
	world.atClose(func() {
		if err := os.RemoveAll(folder); err != nil {
			options.Log.Warn("the data of the demo was not removed", zap.String("folder", folder), zap.Error(err))
		}
	})
	listener, publicURL, err := loopback(ctx)
	if err != nil {
		return err
	}
	application := simoutlook.DefaultApplication
	gateway, err := options.Gateway(ctx, Surroundings{
		Listener: listener, PublicURL: publicURL, DataDir: folder, Log: options.Log, Now: options.Now,
		MicrosoftLoginURL: graphURL, MicrosoftGraphURL: graphURL + "/v1.0",
		ClientID: application.ID, ClientSecret: application.Secret,
		NightPOSURL: nightposURL, NightPOSDatabase: nightposDatabase,
		NightPOSLogin: gatewayLogin, NightPOSPassword: gatewayPassword,
		NightPOSAdminLogin: adminLogin, NightPOSAdminSecret: adminLogin,
		Members: world.Members,
		Consent: func(ctx context.Context, login string) (Consent, error) {
			for _, member := range world.Members {
				if member.Login != login {
					continue
				}
				access, refresh, expires := outlook.Token(ctx, member.Address, application.ID, scopes)
				return Consent{AccessToken: access, RefreshToken: refresh, Expires: expires, Scopes: scopes}, nil
			}
			return Consent{}, fmt.Errorf("there is nobody called %q in the demo", login)
		},
	})
	if err != nil {
		listener.Close()
		return fmt.Errorf("starting the gateway: %w", err)
	}
	world.Gateway = gateway
	world.atClose(func() {
		if err := gateway.Close(); err != nil {
			options.Log.Warn("the gateway did not stop well", zap.Error(err))
		}
	})
	return nil
}
