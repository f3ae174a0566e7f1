// Package command is the command line: it reads arguments and settings, starts
// what was asked for, and turns errors into one clear line and an exit code.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kong"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Surroundings are what a command has around it.
type Surroundings struct {
	Out, Err io.Writer
	// Lookup reads an environment variable.
	Lookup func(string) (string, bool)
	// Terminal says that Err is one.
	Terminal bool
}

// System is the process's own surroundings.
func System() Surroundings {
	return Surroundings{Out: os.Stdout, Err: os.Stderr, Lookup: os.LookupEnv, Terminal: term.IsTerminal(int(os.Stderr.Fd()))}
}

// arguments are the commands and their flags.
type arguments struct {
	Backup     backupCommand     `cmd:"" help:"Write everything that the store holds to a file, encrypted as it is stored."`
	Demo       demoCommand       `cmd:"" help:"Show the gateway at work between a simulated Outlook and a simulated NightPOS; needs nothing installed."`
	Disconnect disconnectCommand `cmd:"" help:"Forget a person's mailbox; touches no event."`
	Doctor     doctorCommand     `cmd:"" help:"Check settings, store, NightPOS, Microsoft and the public URL, and say what to do."`
	Pause      pauseCommand      `cmd:"" help:"Stop syncing a person's calendar until resumed."`
	Preview    previewCommand    `cmd:"" help:"Show what a sync of a person's calendar would do, and do nothing."`
	Register   registerCommand   `cmd:"" help:"Prepare NightPOS for the gateway, or with --remove take that out again; safe to repeat."`
	Reset      resetCommand      `cmd:"" help:"Reset a person's sync, and choose what becomes of the events."`
	Restore    restoreCommand    `cmd:"" help:"Put a backup into the store, also into one of another kind; no gateway may run meanwhile."`
	Resume     resumeCommand     `cmd:"" help:"Go on syncing a person's calendar after a pause."`
	Serve      serveCommand      `cmd:"" help:"Run the gateway."`
	Sim        simCommand        `cmd:"" help:"Run one of the simulators alone."`
	Sync       syncCommand       `cmd:"" help:"Compare a person's calendars as a whole now."`
	Undo       undoCommand       `cmd:"" help:"Restore the events that a reset deleted."`
	Users      usersCommand      `cmd:"" help:"List who is connected, and how each is."`
	Validate   validateCommand   `cmd:"" help:"Compare a person's whole calendar on both sides, and write nothing."`
	Version    versionCommand    `cmd:"" help:"Show version, commit and Go version."`
}

// invocation is handed to the commands.
type invocation struct {
	Surroundings
	ctx context.Context
	// untilInterrupted is set by a command that is done when it is interrupted; for
	// every other that means that it is not.
	untilInterrupted bool
}

// exit ends the parser without ending the process.
type exit int

// Run carries out one command line and returns the exit code: 0 done, 1 failed,
// 2 wrong usage.
func Run(ctx context.Context, args []string, around Surroundings) (code int) {
	var parsed arguments
	parser, err := kong.New(&parsed,
		kong.Name("outlook-gateway"),
		kong.Description("Keeps the calendars of NightPOS and Outlook in step, within seconds and in both directions."),
		kong.Writers(around.Out, around.Err),
		kong.UsageOnError(),
		kong.Exit(func(code int) { panic(exit(code)) }),
	)
	if err != nil {
		fmt.Fprintln(around.Err, "outlook-gateway:", err)
		return exitFailed
	}
	defer func() {
		// --help ends the parser early.
		switch ended := recover().(type) {
		case nil:
		case exit:
			code = int(ended)
		default:
			panic(ended)
		}
	}()
	chosen, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(around.Err, "outlook-gateway: %v; see outlook-gateway --help\n", err)
		return exitUsage
	}
	in := &invocation{Surroundings: around, ctx: ctx}
	err = chosen.Run(in)
	interrupted := errors.Is(err, context.Canceled) && ctx.Err() != nil
	var usage usageError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintf(around.Err, "outlook-gateway: %v\n", err)
		return exitUsage
	case err == nil, interrupted && in.untilInterrupted:
		return exitDone
	case interrupted:
		fmt.Fprintln(around.Err, "outlook-gateway: interrupted, not finished")
		return exitFailed
	default:
		fmt.Fprintln(around.Err, "outlook-gateway:", err)
		return exitFailed
	}
}

// versionCommand prints what this binary is.
type versionCommand struct{}

// Run prints one line.
func (versionCommand) Run(in *invocation) error {
	version, commit := buildVersion()
	_, err := fmt.Fprintf(in.Out, "outlook-gateway %s (commit %s, %s)\n", version, commit, runtime.Version())
	return err
}

// release is set by the linker for releases.
var release = ""

func buildVersion() (version, commit string) {
	version, commit = "development", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" && info.Main.Version != "(devel)" {
			version = info.Main.Version
		}
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
				commit = setting.Value[:12]
			}
		}
	}
	if release != "" {
		version = release
	}
	return version, commit
}

// logger makes the log, on standard error.
func (in *invocation) logger(level zapcore.Level, format string) *zap.Logger {
	if format == "" {
		format = "json"
		if in.Terminal {
			format = "console"
		}
	}
	encoding := zap.NewProductionEncoderConfig()
	encoding.EncodeTime = zapcore.ISO8601TimeEncoder
	var encoder zapcore.Encoder
	if format == "json" {
		encoder = zapcore.NewJSONEncoder(encoding)
	} else {
		encoding.EncodeLevel = zapcore.CapitalLevelEncoder
		encoder = zapcore.NewConsoleEncoder(encoding)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.AddSync(in.Err), level))
}
