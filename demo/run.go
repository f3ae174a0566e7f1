package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"go.uber.org/zap"
)

// DefaultListen is where the page is served unless something else is said or
// the port is taken.
const DefaultListen = "127.0.0.1:8088"

// Options are what a run of the demo is made of.
type Options struct {
	// Listen is the address of the page, on a loopback host; empty means
	// DefaultListen, and a free port of the same host where that is taken.
	Listen string
	// Check runs the scripted tour and ends, instead of serving until interrupted.
	Check bool
	// JSON prints the outcome of the tour as JSON.
	JSON bool
	// Out gets what is printed; nil means os.Stdout.
	Out io.Writer
	// Log gets what goes wrong; nil means nothing is logged.
	Log *zap.Logger
	// DataDir is the folder in which a temporary one is made for the gateway's
	// store, removed at the end; empty means the system's.
	DataDir string
	// NightPOS starts the simulated NightPOS.
	NightPOS func(NightPOSStart) (NightPOSServer, error)
	// Gateway starts the gateway with its people connected and returns when it is
	// ready; nil shows both sides with nothing between them.
	Gateway func(context.Context, Surroundings) (Gateway, error)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Seed decides what is random in the simulators.
	Seed uint64
}

// ErrNotConverged says that a step of the tour did not come out as it should.
var ErrNotConverged = errors.New("the two sides did not come to agree in every step")

// Run starts the demo. Without Check it serves the page until the context ends,
// which is no error; with it, ErrNotConverged says that the tour failed.
func Run(ctx context.Context, options Options) error {
	if options.Out == nil {
		options.Out = os.Stdout
	}
	if options.Log == nil {
		options.Log = zap.NewNop()
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.NightPOS == nil {
		return errors.New("the demo needs a simulated NightPOS")
	}
	if options.Check && options.Gateway == nil {
		return errors.New("a tour needs a gateway between the two sides")
	}
	world, err := open(ctx, options)
	if err != nil {
		return err
	}
	defer world.Close()
	if options.Check {
		return check(ctx, world, options)
	}
	return serve(ctx, world, options)
}

// check runs the tour and prints it: rows as they come, or JSON at the end.
func check(ctx context.Context, world *World, options Options) error {
	tour, err := NewTour(world)
	if err != nil {
		return err
	}
	var each func(Step)
	if !options.JSON {
		printHeading(options.Out)
		each = func(step Step) { printStep(options.Out, step) }
	}
	report := tour.Run(ctx, each)
	if options.JSON {
		if err := printJSON(options.Out, report); err != nil {
			return err
		}
	} else {
		printSummary(options.Out, report)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !report.OK {
		return ErrNotConverged
	}
	return nil
}

func serve(ctx context.Context, world *World, options Options) error {
	listener, err := listenOnLoopback(ctx, options.Listen)
	if err != nil {
		return err
	}
	page, err := NewPage(world, options.Log)
	if err != nil {
		listener.Close()
		return err
	}
	base, stop := context.WithCancel(ctx)
	defer stop()
	server := &http.Server{
		Handler:           page,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	fmt.Fprintf(options.Out, "The demo is at http://%s — both calendars side by side. Interrupt to stop.\n", listener.Addr())

	select {
	case err := <-ended:
		return fmt.Errorf("serving the page: %w", err)
	case <-ctx.Done():
	}
	// The base context has ended, and with it every stream; what is left is short.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(closing); err != nil {
		return fmt.Errorf("stopping the page: %w", err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the page: %w", err)
	}
	return nil
}

// listenOnLoopback falls back to a free port, and refuses hosts that others can
// reach: the page lets anybody act as any of the people.
func listenOnLoopback(ctx context.Context, address string) (net.Listener, error) {
	if address == "" {
		address = DefaultListen
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address to listen on; example: %s", address, DefaultListen)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("the demo is served on loopback only, and %q is not; example: %s", host, DefaultListen)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err == nil {
		return listener, nil
	}
	listener, fallback := config.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if fallback != nil {
		return nil, fmt.Errorf("listening for the page: %w", err)
	}
	return listener, nil
}
