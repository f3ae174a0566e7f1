package service

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

const (
	// sealingPause is how long a token is let alone that somebody is just renewing,
	// and sealingTries how often it is looked at: for longer than a renewal takes.
	sealingPause = 5 * time.Second
	sealingTries = 10
)

// sealAnew encrypts with the present key what a former one encrypted, after a start
// with several: whoever put the new key in front must be able to take the former one
// out, also when nobody can renew a token meanwhile.
func (s *Service) sealAnew(ctx context.Context) {
	if len(s.config.Settings.SecretKeys) < 2 {
		return
	}
	members, err := s.store.Members(ctx)
	var left []string
	for _, member := range members {
		left = append(left, member.ID)
	}
	ticker := time.NewTicker(sealingPause)
	defer ticker.Stop()
	for try := 0; len(left) > 0 && try < sealingTries; try++ {
		if try > 0 {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
		var busy []string
		for _, lane := range left {
			done, failed := s.store.SealTokenAnew(ctx, lane)
			if failed != nil {
				err = errors.Join(err, failed)
			} else if !done {
				busy = append(busy, lane)
			}
		}
		left = busy
	}
	switch {
	case ctx.Err() != nil:
	case err != nil || len(left) > 0:
		s.config.Log.Error("not every token could be encrypted with the present key; leave the former one in GATEWAY_SECRET_KEY and start again",
			zap.Int("busy", len(left)), zap.Error(err))
	default:
		s.config.Log.Info("every token is encrypted with the present key; the former one can be taken out of GATEWAY_SECRET_KEY once every replica says so")
	}
}
