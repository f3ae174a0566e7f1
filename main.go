// Command outlook-gateway keeps the calendars of NightPOS and Outlook in step,
// within seconds and in both directions.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/nightpos/outlook-gateway/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	code := command.Run(ctx, os.Args[1:], command.System())
	os.Exit(code)
}
