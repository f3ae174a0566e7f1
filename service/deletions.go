package service

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/redis"
)

// inventory tells the engine what is linked and what is left of it.
type inventory struct {
	store *redis.Store
	suite *nightpos.Client
}

func (i inventory) Linked(ctx context.Context, lane string) ([]int64, error) {
	return i.store.RecordIDs(ctx, lane)
}

func (i inventory) Existing(ctx context.Context, ids []int64) ([]int64, error) {
	return i.suite.Existing(ctx, ids)
}

// deletionsTime bounds one look for deletions.
const deletionsTime = 2 * time.Minute

// findDeletions looks every now and then, in one replica, which of the linked
// records were deleted without a word.
func (s *Service) findDeletions(ctx context.Context) {
	every := s.config.DeletionsEvery
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.findDeletionsOnce(ctx, every); err != nil && ctx.Err() == nil {
			s.config.Log.Warn("NightPOS could not be asked which events are left; it is asked again", zap.Error(err))
		}
	}
}

func (s *Service) findDeletionsOnce(ctx context.Context, every time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, deletionsTime)
	defer cancel()
	first, err := s.store.Claim(ctx, "deletions", every-every/10)
	if err != nil || !first {
		return err
	}
	missing, err := s.engine.FindDeleted(ctx, inventory{s.store, s.clerk.suite})
	if missing > 0 {
		s.config.Log.Info("events were deleted in NightPOS without a word", zap.Int("count", missing))
	}
	return err
}
