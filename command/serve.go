package command

import (
	"fmt"
	"net"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/service"
)

// serveCommand runs the gateway until it is told to stop.
type serveCommand struct {
	Config string `help:"YAML file with settings, named as the environment variables in lower case; the environment wins." placeholder:"FILE"`
}

// drainTime is how long a load balancer has to see that readyz says no; it is part
// of the ten seconds that serve may take to stop.
const drainTime = 2 * time.Second

// Run starts the gateway, prints one line when it is ready, and returns when it
// has stopped.
func (c serveCommand) Run(in *invocation) error {
	in.untilInterrupted = true
	all, err := gateway.LoadDatabases(in.Lookup, c.Config)
	if err != nil {
		return err
	}
	settings := all[0]
	log := in.logger(settings.LogLevel, settings.LogFormat)
	defer func() { _ = log.Sync() }()
	var listening net.ListenConfig
	listener, err := listening.Listen(in.ctx, "tcp", settings.Listen)
	if err != nil {
		return fmt.Errorf("GATEWAY_LISTEN is wrong: %w; example: :8080", err)
	}
	version, _ := buildVersion()
	config := service.Config{Settings: settings, Listener: listener, Version: version, Log: log}
	if settings.RedisURL != "" {
		// Otherwise there is no other gateway to turn to.
		config.Drain = drainTime
	}
	if settings.Name != "" {
		running, err := service.StartAll(in.ctx, config, all)
		if err != nil {
			_ = listener.Close()
			return err
		}
		fmt.Fprintf(in.Out, "outlook-gateway %s is ready at %s, for %d databases\n", version, listener.Addr(), len(all))
		return running.Wait()
	}
	running, err := service.Start(in.ctx, config)
	if err != nil {
		_ = listener.Close()
		return err
	}
	// Not a log entry: whoever waits for it must not depend on the log's level.
	fmt.Fprintf(in.Out, "outlook-gateway %s is ready at %s, for %s; store: %s\n", version, listener.Addr(), settings.PublicURL, running.Store().Kind())
	return running.Wait()
}
