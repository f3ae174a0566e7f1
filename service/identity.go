package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/nightpos/outlook-gateway/redis"
)

// identitySetting is under what the store keeps which NightPOS database the
// calendars belong to.
const identitySetting = "nightpos database"

// otherDatabase is why everything stops when NightPOS's database is another one.
const otherDatabase = "the NightPOS database is another one than before, perhaps a test copy: nothing is read or written. " +
	"If it is the right one, POST /api/v1/database/confirm; if not, set NIGHTPOS_URL and NIGHTPOS_DB"

// recognise asks NightPOS which database it is. The first one ever seen is the
// right one; another one stops everything until an administrator has confirmed
// it.
func (s *Service) recognise(ctx context.Context) error {
	identity, err := s.clerk.suite.Identity(ctx)
	if err != nil || identity == "" {
		return err
	}
	known, err := s.store.Setting(ctx, identitySetting)
	if errors.Is(err, redis.ErrNotFound) {
		known, err = []byte(identity), s.store.SaveSetting(ctx, identitySetting, []byte(identity))
	}
	if err != nil {
		return fmt.Errorf("reading which database is the right one: %w", err)
	}
	s.console.mean(string(known))
	doubt := ""
	if string(known) != identity {
		doubt = otherDatabase
	}
	return s.console.trust(ctx, doubt)
}

// mean has every call meant for one database.
func (c *console) mean(identity string) {
	c.mutex.Lock()
	c.meant = identity
	c.mutex.Unlock()
	c.service.clerk.suite.MeantFor(identity)
}

// remember has calls meant for the database that is known, before NightPOS was
// asked, and follows what another replica was told.
func (c *console) remember(ctx context.Context) error {
	known, err := c.service.store.Setting(ctx, identitySetting)
	if errors.Is(err, redis.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading which database is the right one: %w", err)
	}
	c.mutex.Lock()
	former := c.meant
	c.mutex.Unlock()
	if former == string(known) {
		return nil
	}
	c.mean(string(known))
	if former == "" {
		return nil
	}
	return c.service.recognise(ctx)
}

// trust says whether the NightPOS database is the right one, or why not.
func (c *console) trust(ctx context.Context, doubt string) error {
	c.mutex.Lock()
	same := c.doubt == doubt
	c.doubt = doubt
	c.mutex.Unlock()
	if same {
		return nil
	}
	if doubt != "" {
		c.service.config.Log.Error(doubt)
	}
	return c.halt(ctx)
}

func (c *console) doubted() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.doubt
}

// ConfirmDatabase implements gateway.Admin.
func (a admin) ConfirmDatabase(ctx context.Context) error {
	s := a.service
	identity, err := s.clerk.suite.Identity(ctx)
	switch {
	case err != nil:
		return err
	case identity == "":
		return refuse(http.StatusConflict, "NightPOS does not tell which database it is")
	}
	if err := s.store.SaveSetting(ctx, identitySetting, []byte(identity)); err != nil {
		return err
	}
	return s.recognise(ctx)
}
