package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

const (
	// contentKeysSetting is where the keys are kept, encrypted like every setting.
	contentKeysSetting = "content_keys"
	// contentKeyRest is how long a former key is kept at least: longer than any
	// subscription that names it lives, and than Microsoft repeats a notification.
	contentKeyRest = 48 * time.Hour
	// contentKeysLife is how old what is known of the keys may be, contentKeysPace
	// how soon they are read again for an id that is not known.
	contentKeysLife = time.Minute
	contentKeysPace = time.Second
	// contentKeysEvery is how often it is looked whether a key has had its time.
	contentKeysEvery = time.Hour
)

// contents are the keys that Microsoft encrypts the content of notifications for,
// and what is kept of that content. All replicas share them.
type contents struct {
	store *redis.Store
	// term is how long a key is the newest one.
	term time.Duration
	now  func() time.Time
	log  *zap.Logger

	mutex sync.Mutex
	// keys are those known, the newest first, as of read.
	keys []*outlook.ContentKey
	read time.Time
}

var _ outlook.Contents = (*contents)(nil)

// Contents implements outlook.Contents.
func (c *contents) Contents(ctx context.Context, lane string, ids []string) (map[string][]byte, error) {
	return c.store.Contents(ctx, lane, ids)
}

// ContentKey implements outlook.Contents.
func (c *contents) ContentKey(ctx context.Context, id string) (*outlook.ContentKey, error) {
	named := func(key *outlook.ContentKey) bool { return key.ID == id }
	for _, age := range []time.Duration{contentKeysLife, contentKeysPace} {
		keys, err := c.known(ctx, age)
		if err != nil {
			return nil, err
		}
		if index := slices.IndexFunc(keys, named); index >= 0 {
			return keys[index], nil
		}
	}
	return nil, nil
}

// newest names the key that content is to be encrypted for from now on.
func (c *contents) newest(ctx context.Context) (string, error) {
	keys, err := c.known(ctx, contentKeysLife)
	if err == nil && !c.fresh(keys) {
		keys, err = c.turn(ctx)
	}
	if err != nil {
		return "", err
	}
	return keys[0].ID, nil
}

func (c *contents) fresh(keys []*outlook.ContentKey) bool {
	return len(keys) > 0 && c.now().Sub(keys[0].Created) < c.term
}

// known reads the keys, unless it was done so short a time ago.
func (c *contents) known(ctx context.Context, age time.Duration) ([]*outlook.ContentKey, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.read.IsZero() && c.now().Sub(c.read).Abs() < age {
		return c.keys, nil
	}
	text, err := c.store.Setting(ctx, contentKeysSetting)
	if err != nil && !errors.Is(err, redis.ErrNotFound) {
		return nil, err
	}
	keys, err := readContentKeys(text)
	if err != nil {
		return nil, err
	}
	c.keys, c.read = keys, c.now()
	return keys, nil
}

func readContentKeys(text []byte) ([]*outlook.ContentKey, error) {
	var keys []*outlook.ContentKey
	if len(text) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("reading the keys for the content of notifications: %w", err)
	}
	return keys, nil
}

// turn makes a new key if the newest has had its time, and lets those go that no
// subscription names any more.
func (c *contents) turn(ctx context.Context) ([]*outlook.ContentKey, error) {
	used, err := c.used(ctx)
	if err != nil {
		return nil, err
	}
	var made *outlook.ContentKey
	var keys []*outlook.ContentKey
	err = c.store.ChangeSetting(ctx, contentKeysSetting, func(text []byte) ([]byte, error) {
		present, err := readContentKeys(text)
		if err != nil {
			return nil, err
		}
		keys = present
		if !c.fresh(keys) {
			if made == nil {
				if made, err = outlook.NewContentKey(c.now()); err != nil {
					return nil, err
				}
			}
			keys = append([]*outlook.ContentKey{made}, keys...)
		}
		rested := c.now().Sub(keys[0].Created) >= contentKeyRest
		kept := keys[:1:1]
		for _, key := range keys[1:] {
			if !rested || used[key.ID] {
				kept = append(kept, key)
			}
		}
		keys = kept
		if made == nil && len(keys) == len(present) {
			return nil, nil
		}
		return json.Marshal(keys)
	})
	if err != nil {
		return nil, err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.keys, c.read = keys, c.now()
	return keys, nil
}

// used are the keys that subscriptions name.
func (c *contents) used(ctx context.Context) (map[string]bool, error) {
	members, err := c.store.MembersNow(ctx)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, member := range members {
		known, err := (records{c.store}).Subscription(ctx, member.ID)
		if err != nil {
			return nil, err
		}
		if known.Certificate != "" {
			used[known.Certificate] = true
		}
	}
	return used, nil
}

// run looks after the keys until the context ends.
func (c *contents) run(ctx context.Context) {
	ticker := time.NewTicker(contentKeysEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if _, err := c.turn(ctx); err != nil && ctx.Err() == nil {
			c.log.Warn("the keys for the content of notifications could not be looked after; it is tried again", zap.Error(err))
		}
	}
}

// keyOf is the key of a certificate's name, nil for none. A name that is not known
// is an error: nobody could read what Microsoft encrypts for it.
func (c *contents) keyOf(ctx context.Context, certificate string) (*outlook.ContentKey, error) {
	if certificate == "" || c == nil {
		return nil, nil
	}
	key, err := c.ContentKey(ctx, certificate)
	if err == nil && key == nil {
		err = fmt.Errorf("the key %s for the content of notifications has gone", certificate)
	}
	return key, err
}

// certificate, told and kept are what the parts need for notifications with
// content, nil without.
func (s *Service) certificate() func(context.Context) (string, error) {
	if s.contents == nil {
		return nil
	}
	return s.contents.newest
}

func (s *Service) told() func(context.Context, reconciler.Member, []string) map[string]reconciler.Copy {
	if s.contents == nil {
		return nil
	}
	return s.outlook.Told
}

func (s *Service) kept() gateway.Contents {
	if s.contents == nil {
		return nil
	}
	return s.store
}
