package process_test

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/command"
)

// asProgram makes this test binary be the program itself, race detector
// included.
const asProgram = "OUTLOOK_GATEWAY_TEST_AS_PROGRAM"

var (
	binary = flag.String("binary", "", "the program to run; default: this test as the program")
	chaos  = flag.Duration("chaos", 8*time.Second, "how long people edit while processes are killed")
	runs   = flag.Int("runs", 1, "how often each set-up is tried")
	setUps = flag.String("setups", "single", "the kinds of Redis to try: single, sentinel, cluster, separated by commas")
	seed   = flag.Uint64("seed", 1, "the seed of the first run")
)

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command.Run(ctx, os.Args[1:], command.System())
	stop()
	os.Exit(code)
}
