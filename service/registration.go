package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
)

func registrationOf(settings gateway.Settings, senders *gateway.Senders) nightpos.Registration {
	return nightpos.Registration{PublicURL: settings.PublicURL, PageURL: settings.PublicURL + gateway.ConsolePath, Token: senders.Token()}
}

// Register installs in NightPOS what the gateway needs there, with the
// administrator's account of the settings, or else the gateway's own. It
// returns what it changed, in words; repeating it changes nothing.
func Register(ctx context.Context, config Config) ([]string, error) {
	config.fill()
	keys, err := secretKeys(config.Settings)
	if err != nil {
		return nil, err
	}
	senders, err := gateway.NewSenders(keys, config.Settings.NightPOSDatabase, config.Random)
	if err != nil {
		return nil, err
	}
	own, err := nightposClient(config, config.Settings.NightPOSLogin, config.Settings.NightPOSAPIKey, nil)
	if err != nil {
		return nil, err
	}
	registration := registrationOf(config.Settings, senders)
	// Which secret is in use only the running gateway knows.
	if registration.Known, err = senders.Tokens(); err != nil {
		return nil, err
	}
	if registration.AccountID, err = own.UserID(ctx); err != nil {
		return nil, fmt.Errorf("NIGHTPOS_LOGIN: %w", err)
	}
	administrator, err := administratorOf(config)
	if err != nil {
		return nil, err
	}
	return administrator.Register(ctx, registration)
}

// Unregister takes out of NightPOS what Register installed there, and returns
// what it removed, in words.
func Unregister(ctx context.Context, config Config) ([]string, error) {
	config.fill()
	administrator, err := administratorOf(config)
	if err != nil {
		return nil, err
	}
	return administrator.Unregister(ctx)
}

// administratorOf is NightPOS by the administrator's account of the settings, or
// else the gateway's own.
func administratorOf(config Config) (*nightpos.Client, error) {
	settings := config.Settings
	if settings.NightPOSAdminLogin == "" {
		return nightposClient(config, settings.NightPOSLogin, settings.NightPOSAPIKey, nil)
	}
	return nightposClient(config, settings.NightPOSAdminLogin, settings.NightPOSAdminAPIKey, nil)
}

// clerk sees to it that NightPOS is registered. An ordinary account puts the rules
// back, and says what an administrator has to do about the rest.
type clerk struct {
	suite        *nightpos.Client
	registration nightpos.Registration
	rotation     *rotation
	log          *zap.Logger
	// every is the time between looks whether somebody has switched a rule off,
	// edited or deleted it.
	every time.Duration
	// recognise sees whether the database is the right one, once it is registered;
	// nil before the gateway is put together.
	recognise func(context.Context) error
	// note leaves a line in the activity log; nil before the gateway is put
	// together.
	note func(ctx context.Context, action, detail string) error
	// ordinary says that the account is no administrator's, as it should be:
	// somebody else has registered the gateway, or must. Only try changes it.
	ordinary bool
	// due has run look at once.
	due chan struct{}

	mutex sync.Mutex
	err   error
	again bool
}

func newClerk(config Config, suite *nightpos.Client, registration nightpos.Registration, rotation *rotation) *clerk {
	return &clerk{suite: suite, registration: registration, rotation: rotation, log: config.Log, every: config.RegistrationEvery, due: make(chan struct{}, 1)}
}

// hurry has run look at once.
func (c *clerk) hurry() {
	select {
	case c.due <- struct{}{}:
	default:
	}
}

const (
	// registrationTime bounds one try.
	registrationTime = 20 * time.Second
	// registrationStep is the pause after a try that failed for the moment.
	registrationStep = 15 * time.Second
)

// begin tries once. Its error is a setting that is wrong; everything else is
// tried again by run.
func (c *clerk) begin(ctx context.Context) error {
	err := c.try(ctx)
	if errors.Is(err, nightpos.ErrDenied) {
		return fmt.Errorf("NIGHTPOS_LOGIN or NIGHTPOS_API_KEY is wrong: %w; example: an API key of the gateway's own account (its preferences, Account Security)", err)
	}
	if errors.Is(err, nightpos.ErrNoDatabase) {
		return fmt.Errorf("NIGHTPOS_DB is wrong: %w; example: night", err)
	}
	if err != nil {
		c.log.Warn("NightPOS is not registered yet; it is tried again", zap.Error(err))
	}
	return nil
}

func (c *clerk) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, registrationTime)
	defer cancel()
	err := c.register(ctx)
	if err == nil && c.recognise != nil {
		err = c.recognise(ctx)
	}
	var retry *reconciler.RetryError
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.err, c.again = err, errors.As(err, &retry) || errors.Is(err, context.DeadlineExceeded)
	return err
}

func (c *clerk) register(ctx context.Context) error {
	token, generation, _, err := c.rotation.token()
	if err != nil {
		return err
	}
	if err := c.install(ctx, token); err != nil {
		return err
	}
	return c.rotation.written(ctx, generation)
}

// install has NightPOS post with a token, and sees to all the rest.
func (c *clerk) install(ctx context.Context, token string) error {
	registration := c.registration
	registration.Token = token
	var err error
	if registration.AccountID, err = c.suite.UserID(ctx); err != nil {
		return err
	}
	if !c.ordinary {
		changed, err := c.suite.Register(ctx, registration)
		c.mended(ctx, changed)
		if !errors.Is(err, nightpos.ErrAccess) {
			return err
		}
		c.ordinary = true
	}
	mended, err := c.suite.Repair(ctx, registration)
	c.mended(ctx, mended)
	if err == nil {
		err = c.suite.Check(ctx)
	}
	if errors.Is(err, nightpos.ErrOtherDatabase) {
		err = nil // recognise says so
	}
	if errors.Is(err, nightpos.ErrNotRegistered) {
		err = fmt.Errorf("%w: `outlook-gateway register` with NIGHTPOS_ADMIN_LOGIN and NIGHTPOS_ADMIN_API_KEY of an administrator does it", err)
	}
	return err
}

// mended notes what was put in order.
func (c *clerk) mended(ctx context.Context, lines []string) {
	for _, line := range lines {
		c.log.Info("registering in NightPOS: " + line)
	}
	if len(lines) > 0 {
		c.tell(ctx, "registration mended", strings.Join(lines, "; "))
	}
}

// tell notes something for the administrators, who find it in the activity log.
func (c *clerk) tell(ctx context.Context, action, detail string) {
	if c.note == nil {
		return
	}
	if err := c.note(ctx, action, detail); err != nil {
		c.log.Warn("what became of the registration is missing in the activity log", zap.Error(err))
	}
}

// run looks again and again whether everything is in place, and mends it where
// the account may.
func (c *clerk) run(ctx context.Context) {
	timer := time.NewTimer(c.pause())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-c.due:
		}
		before := c.state()
		err := c.try(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && (before == nil || before.Error() != err.Error()):
			c.log.Warn("NightPOS is not registered; changes made there are found by sweeps only", zap.Error(err))
			if errors.Is(err, nightpos.ErrNotRegistered) {
				c.tell(ctx, "registration found broken", err.Error())
			}
		case err == nil && before != nil:
			c.log.Info("NightPOS is registered again")
			if errors.Is(before, nightpos.ErrNotRegistered) {
				c.tell(ctx, "registration in place again", "")
			}
		}
		timer.Reset(c.pause())
	}
}

// pause is the time until the next look.
func (c *clerk) pause() time.Duration {
	if _, _, left, _ := c.rotation.token(); left > 0 {
		return left
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.again {
		return registrationStep
	}
	return c.every
}

// state is what readyz shows.
func (c *clerk) state() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.err
}
