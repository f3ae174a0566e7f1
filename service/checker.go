package service

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// checker compares a few linked meetings now and then, so that what no test has
// foreseen is seen, counted and mended in production. All replicas share one
// budget. It reads; what it finds is mended by the lanes.
type checker struct {
	service *Service
	metrics *gateway.Metrics
	// every is the time between two looks of all replicas together; zero for none.
	every  time.Duration
	random *mathrand.Rand
}

const (
	// checkBatch is how many meetings of one person are compared at a look: that
	// costs a call to each side, and two where series are among them.
	checkBatch = 10
	// checkAgain is how much later what differs is looked at once more. A change
	// that is on its way is over by then.
	checkAgain = 2 * time.Minute
	// checkTime bounds one look.
	checkTime = time.Minute
	// checkBudget names the budget that replicas share; no lane has such a name.
	checkBudget = "checks"
)

func newChecker(s *Service, metrics *gateway.Metrics) *checker {
	c := &checker{service: s, metrics: metrics, random: s.spread(3)}
	if c.random == nil {
		c.random = mathrand.New(mathrand.NewPCG(mathrand.Uint64(), mathrand.Uint64())) //nolint:gosec // chooses samples only
	}
	if perHour := s.config.Settings.ChecksPerHour; perHour > 0 {
		c.every = time.Hour * checkBatch / time.Duration(perHour)
	}
	return c
}

// run looks until the context ends.
func (c *checker) run(ctx context.Context) {
	if c.every <= 0 {
		return
	}
	for ctx.Err() == nil {
		// Replicas that were started together do not ask together.
		if !rest(ctx, c.every/2+time.Duration(c.random.Int64N(int64(c.every)))) {
			return
		}
		_, spent, err := c.service.store.Spend(ctx, checkBudget, redis.Rate{Every: c.every, Burst: 1}, 1, 0)
		if err == nil && spent {
			err = c.look(ctx)
		}
		if err != nil && ctx.Err() == nil {
			c.service.config.Log.Warn("a sample could not be compared; others will be", zap.Error(err))
		}
	}
}

// rest waits; false says that the context ended.
func rest(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// look compares a sample of somebody's, and has mended what differs twice.
func (c *checker) look(ctx context.Context) error {
	store := c.service.store
	states, err := store.MemberStates(ctx)
	if err != nil {
		return err
	}
	states = slices.DeleteFunc(slices.Clone(states), func(state redis.MemberState) bool {
		return state.Obstacle() != "" || !state.Synced || state.Halted.Missing != ""
	})
	if len(states) == 0 || c.service.engine.Stopped() != "" {
		return nil
	}
	lane := states[c.random.IntN(len(states))].ID
	links, err := store.SomeLinks(ctx, lane, checkBatch)
	if err != nil || len(links) == 0 {
		return err
	}
	first, err := c.compare(ctx, lane, links)
	if err != nil {
		return err
	}
	c.metrics.Compared(first.Pairs)
	suspects := drifting(first)
	if len(suspects) == 0 || !rest(ctx, checkAgain) {
		return nil
	}
	var records []int64
	for _, one := range suspects {
		records = append(records, one.RecordID)
	}
	if links, err = store.Links(ctx, lane, nil, records); err != nil {
		return err
	}
	second, err := c.compare(ctx, lane, links)
	if err != nil {
		return err
	}
	return c.mend(ctx, lane, suspects, drifting(second))
}

func (c *checker) compare(ctx context.Context, lane string, links []reconciler.Link) (reconciler.Validation, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	return c.service.engine.Compare(ctx, lane, links)
}

func drifting(validation reconciler.Validation) []reconciler.Difference {
	return slices.DeleteFunc(slices.Clone(validation.Differences), func(one reconciler.Difference) bool { return !one.Cause.Drift() })
}

// mend counts what differed both times for the same cause, and puts it into the
// lane. Whether a half that is missing was deleted is for a sweep to say, which
// stops where too much is missing.
func (c *checker) mend(ctx context.Context, lane string, before, now []reconciler.Difference) error {
	var items []reconciler.Item
	for _, one := range now {
		if !slices.ContainsFunc(before, func(other reconciler.Difference) bool {
			return other.RecordID == one.RecordID && other.Cause == one.Cause
		}) {
			continue
		}
		c.metrics.Drifted(one.Cause)
		c.service.config.Log.Warn("a meeting differs; it is brought together", zap.String("lane", lane), zap.Int64("record", one.RecordID),
			zap.String("cause", string(one.Cause)), zap.String("fields", fmt.Sprint(one.Fields)))
		item := reconciler.SweepItem(reconciler.PriorityBackfill, c.service.config.Now())
		if one.Cause != reconciler.CauseOnlyOutlook && one.Cause != reconciler.CauseOnlyNightPOS {
			item = reconciler.Item{
				Key: reconciler.NightPOSKey(one.RecordID), Priority: reconciler.PriorityBackfill, First: c.service.config.Now(),
				Version: reconciler.VersionDrifted,
			}
		}
		items = append(items, item)
	}
	return c.service.store.Add(ctx, lane, items...)
}
