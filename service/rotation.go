package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/redis"
)

// rotationSetting is under what the store keeps which webhook secret is in use.
const rotationSetting = "nightpos webhook secret"

const (
	// announceTime is how long a new secret is known before NightPOS is told it, so
	// that every replica takes it by then.
	announceTime = 30 * time.Second
	// formerTime is how long the former one is still taken after that: longer than
	// any of NightPOS's transactions that began before.
	formerTime = 15 * time.Minute
)

// rotated is which secret NightPOS's webhooks carry, and since when.
type rotated struct {
	// Generation counts the secrets; see gateway.Senders.
	Generation int `json:"generation"`
	// Announced is when it was made, Written when NightPOS had it.
	Announced time.Time `json:"announced,omitzero"`
	Written   time.Time `json:"written,omitzero"`
}

// former says whether the secret before this one is still taken.
func (r rotated) former(now time.Time) bool {
	return r.Generation > 0 && (r.Written.IsZero() || now.Before(r.Written.Add(formerTime)))
}

// rotation changes the secret in the address that NightPOS posts to, without
// refusing a webhook on the way: first every replica takes both, then the rules in
// NightPOS are written anew, and later the former secret is refused.
type rotation struct {
	service *Service
	senders *gateway.Senders
	// changing is held while a rotation begins.
	changing sync.Mutex

	mutex sync.Mutex
	now   rotated
}

func (r *rotation) current() rotated {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.now
}

// follow does as the store says, and as the time has come to.
func (r *rotation) follow(ctx context.Context) error {
	text, err := r.service.store.Setting(ctx, rotationSetting)
	if errors.Is(err, redis.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading which webhook secret is in use: %w", err)
	}
	var found rotated
	if err := json.Unmarshal(text, &found); err != nil {
		return fmt.Errorf("reading which webhook secret is in use: %w", err)
	}
	if err := r.senders.Use(found.Generation, found.former(r.service.config.Now())); err != nil {
		return err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.now = found
	return nil
}

func (r *rotation) save(ctx context.Context, next rotated) error {
	text, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("keeping which webhook secret is in use: %w", err)
	}
	if err := r.service.store.SaveSetting(ctx, rotationSetting, text); err != nil {
		return err
	}
	return r.follow(ctx)
}

// token is the one that NightPOS is to post with, of which generation it is, and
// how long until that changes; zero when nothing is about to.
func (r *rotation) token() (token string, generation int, left time.Duration, err error) {
	now := r.current()
	generation = now.Generation
	if left = now.Announced.Add(announceTime).Sub(r.service.config.Now()); left > 0 && now.Written.IsZero() && generation > 0 {
		generation--
	} else {
		left = 0
	}
	token, err = r.senders.TokenOf(generation)
	return token, generation, left, err
}

// written says that NightPOS has the token of a generation.
func (r *rotation) written(ctx context.Context, generation int) error {
	now := r.current()
	if !now.Written.IsZero() || generation != now.Generation || generation == 0 {
		return nil
	}
	now.Written = r.service.config.Now().UTC()
	if err := r.save(ctx, now); err != nil {
		return err
	}
	return r.service.note(ctx, "webhook secret rotated", "NightPOS posts with the new secret; the former one is refused from "+now.Written.Add(formerTime).Format(time.DateTime)+" UTC on")
}

// RotateSecret implements gateway.Admin.
func (a admin) RotateSecret(ctx context.Context) error {
	r := a.service.rotation
	r.changing.Lock()
	defer r.changing.Unlock()
	if err := r.follow(ctx); err != nil {
		return err
	}
	before, now := r.current(), a.service.config.Now().UTC()
	switch {
	case before.former(now):
		return refuse(http.StatusConflict, "the secret is being rotated already; again when the former one is refused, within %s of when NightPOS has the new one", formerTime)
	case before.Generation+1 >= gateway.Generations:
		return refuse(http.StatusConflict, "the secret was rotated %d times, which is as often as there are secrets; what replaces it from here on is another GATEWAY_SECRET_KEY, put before this one", before.Generation)
	}
	if err := r.save(ctx, rotated{Generation: before.Generation + 1, Announced: now}); err != nil {
		return err
	}
	a.service.clerk.hurry()
	return nil
}
