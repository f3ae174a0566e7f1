package service

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/redis"
)

// Fleet is a running gateway of several NightPOS databases: a Service for each, with
// one listener and one connection to the store for all.
type Fleet struct {
	config     Config
	hosts      *gateway.Hosts
	connection *redis.Connection
	cancel     context.CancelFunc
	ended      chan struct{}
	err        error
	// group is everything that must have ended before the store is closed.
	group sync.WaitGroup

	mutex    sync.Mutex
	services map[string]*Service
}

const (
	// startsAtOnce is how many databases are started at the same time, and startAgain
	// the pause after one that could not be.
	startsAtOnce = 16
	startAgain   = time.Minute
)

// StartAll starts a gateway of several databases; config.Settings is not used. It
// returns once it answers requests; Close or the end of the context stops it. A
// database that cannot be started, say because its account was locked, is tried
// again every minute, and does not hold up the others; if none can be, that is an
// error.
func StartAll(ctx context.Context, config Config, all []gateway.Settings) (*Fleet, error) {
	config.fill()
	if len(all) == 0 {
		return nil, errors.New("a gateway of no databases has nothing to do")
	}
	for _, settings := range all {
		// A key that is still to be made is made before many ask for it at once.
		if _, err := secretKeys(settings); err != nil {
			return nil, err
		}
	}
	f := &Fleet{config: config, hosts: gateway.NewHosts(config.Log, config.Drain), ended: make(chan struct{}), services: map[string]*Service{}}
	var err error
	f.connection, err = redis.Connect(ctx, redis.Config{
		URL: all[0].RedisURL.Reveal(), DataDir: all[0].DataDir, Engine: config.Engine, Server: config.RedisServer,
		Now: config.Now, Log: config.Log.Named("store"), Stores: len(all),
	})
	if err != nil {
		return nil, err
	}
	listener := config.Listener
	if listener == nil {
		var listening net.ListenConfig
		if listener, err = listening.Listen(ctx, "tcp", all[0].Listen); err != nil {
			return nil, errors.Join(fmt.Errorf("GATEWAY_LISTEN: %w", err), f.connection.Close())
		}
	}
	var running context.Context
	running, f.cancel = context.WithCancel(ctx)
	configs := make([]Config, len(all))
	for index, settings := range all {
		configs[index] = f.configOf(settings, uint64(index)) //nolint:gosec // not negative
	}
	failures := f.first(running, configs)
	if len(failures) == len(all) {
		// Nothing is served yet: what was half started is gone already.
		f.cancel()
		var every error
		for _, settings := range all {
			every = errors.Join(every, fmt.Errorf("database %s: %w", settings.Name, failures[settings.Name]))
		}
		return nil, errors.Join(every, listener.Close(), f.connection.Close())
	}
	for _, one := range configs {
		if failures[one.Settings.Name] != nil {
			f.group.Go(func() { f.again(running, one, failures[one.Settings.Name]) })
		}
	}
	go f.run(running, listener)
	return f, nil
}

// configOf is what the Service of a database is started with.
func (f *Fleet) configOf(settings gateway.Settings, part uint64) Config {
	one := f.config
	one.Settings, one.Listener, one.Connection, one.Hosts = settings, nil, f.connection, f.hosts
	one.Log = f.config.Log.With(zap.String("database", settings.Name))
	if f.config.Spread != nil {
		one.Spread = mathrand.New(mathrand.NewPCG(f.config.Spread.Uint64(), part)) //nolint:gosec // spreads retries only
	}
	return one
}

// first starts every database once, and returns what went wrong by name.
func (f *Fleet) first(ctx context.Context, configs []Config) map[string]error {
	failures := map[string]error{}
	var mutex sync.Mutex
	var group sync.WaitGroup
	places := make(chan struct{}, startsAtOnce)
	for _, one := range configs {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			if err := f.start(ctx, one); err != nil {
				mutex.Lock()
				defer mutex.Unlock()
				failures[one.Settings.Name] = err
			}
		})
	}
	group.Wait()
	return failures
}

func (f *Fleet) start(ctx context.Context, config Config) error {
	started, err := Start(ctx, config)
	if err != nil {
		f.hosts.Fails(config.Settings.PublicURL, "this database cannot be served for now; the log of the gateway says why")
		return err
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.services[config.Settings.Name] = started
	return nil
}

// again tries to start a database until it succeeds.
func (f *Fleet) again(ctx context.Context, config Config, err error) {
	timer := time.NewTimer(startAgain)
	defer timer.Stop()
	said := ""
	for {
		if text := err.Error(); text != said {
			config.Log.Error("a database cannot be served; it is tried again every minute", zap.Error(err))
			said = text
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err = f.start(ctx, config); err == nil {
			config.Log.Info("the database is served now")
			return
		}
		timer.Reset(startAgain)
	}
}

func (f *Fleet) run(ctx context.Context, listener net.Listener) {
	defer close(f.ended)
	err := f.hosts.Serve(ctx, listener)
	f.cancel()
	f.group.Wait()
	f.mutex.Lock()
	services := f.services
	f.mutex.Unlock()
	for name, one := range services {
		if ended := one.Wait(); ended != nil {
			err = errors.Join(err, fmt.Errorf("database %s: %w", name, ended))
		}
	}
	f.err = errors.Join(err, f.connection.Close())
}

// Service is that of a database, by its name; nil where it could not be started yet.
func (f *Fleet) Service(name string) *Service {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.services[name]
}

// Wait returns when the gateway has ended, with what went wrong.
func (f *Fleet) Wait() error {
	<-f.ended
	return f.err
}

// Close stops the gateway and returns when everything has ended.
func (f *Fleet) Close() error {
	f.cancel()
	return f.Wait()
}
