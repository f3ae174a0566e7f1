package doctor

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/gateway/findings"
	"github.com/nightpos/outlook-gateway/redis"
)

func (e *examiner) checkRedis(ctx context.Context, s *sheet) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	config := redis.Config{URL: e.settings.RedisURL.Reveal(), Namespace: e.settings.RedisNamespace, Now: e.Now}
	if len(e.keys) > 0 {
		// Keys of a wrong length were refused with the settings.
		config.Seal, _ = redis.NewSealer(e.keys...)
	}
	found, err := redis.Examine(ctx, config)
	switch {
	case errors.Is(err, redis.ErrSignIn):
		s.fail("reach", findings.Say("store.reach.denied"), findings.Say("store.reach.denied.todo", "Namespace", e.settings.RedisNamespace))
		return
	case err != nil && strings.HasPrefix(err.Error(), "REDIS_URL is wrong"):
		s.fail("reach", findings.Say("store.reach.url", "Error", strings.TrimPrefix(err.Error(), "REDIS_URL is wrong: ")), findings.Say("store.reach.url.todo"))
		return
	case err != nil:
		found, advice := trouble(err, "REDIS_URL")
		s.fail("reach", findings.Say("store.reach.silent", "Trouble", found), advice)
		return
	}
	s.ok("reach", findings.Say("store.reach", "Kind", found.Kind, "Count", len(found.Nodes)))
	for _, node := range found.Nodes {
		e.checkNode(s, node, found.Kind)
	}
	switch {
	case found.Unreadable > 0:
		s.fail("key", findings.Say("store.key.lost", "Number", found.Unreadable, "Of", found.Tokens), findings.Say("store.key.lost.todo"))
	case config.Seal != nil:
		s.ok("key", findings.Say("store.key", "Count", found.Tokens))
	}
}

func (e *examiner) checkNode(s *sheet, node redis.Node, kind string) {
	about := func(key string, arguments ...any) findings.Phrase {
		return findings.Say(key, append([]any{"Address", node.Address}, arguments...)...)
	}
	switch {
	case node.Clustered && kind != "redis cluster":
		s.fail("reach", about("store.reach.cluster"), findings.Say("store.reach.cluster.todo"))
		return
	case node.Replica:
		s.fail("reach", about("store.reach.replica"), findings.Say("store.reach.replica.todo"))
	}
	if olderThan(node.Version, redis.LeastVersion) {
		s.fail("version", about("store.version.old", "Version", node.Version, "Least", redis.LeastVersion), findings.Say("store.version.old.todo"))
	} else {
		s.ok("version", about("store.version", "Version", node.Version))
	}
	switch {
	case node.WriteFailed:
		s.fail("persistence", about("store.persistence.failed"), findings.Say("store.persistence.failed.todo"))
	case !node.AppendOnly:
		s.fail("persistence", about("store.persistence.forgets"), findings.Say("store.persistence.forgets.todo"))
	case node.AppendSync == "no":
		s.warn("persistence", about("store.persistence.seldom"), findings.Say("store.persistence.seldom.todo"))
	case node.AppendSync == "everysec":
		s.ok("persistence", about("store.persistence.second"))
	default:
		s.ok("persistence", about("store.persistence"))
	}
	switch {
	case node.Eviction != "" && node.Eviction != "noeviction":
		s.fail("eviction", about("store.eviction.drops", "Policy", node.Eviction), findings.Say("store.eviction.drops.todo"))
	case node.MaxMemory > 0 && node.UsedMemory*10 > node.MaxMemory*9:
		s.warn("eviction", about("store.eviction.full", "Used", node.UsedMemory>>20, "Of", node.MaxMemory>>20), findings.Say("store.eviction.full.todo"))
	default:
		s.ok("eviction", about("store.eviction", "Policy", node.Eviction))
	}
	switch {
	case kind != "redis sentinel":
	case node.Guarded:
		s.ok("failover", about("store.failover"))
	default:
		s.warn("failover", about("store.failover.split"), findings.Say("store.failover.split.todo"))
	}
	e.clock(s, about("clock.redis"), node.Ahead, 0)
}

// olderThan compares versions by their first two numbers.
func olderThan(version, least string) bool {
	numbers := func(text string) (result [2]int) {
		for index, part := range strings.SplitN(text, ".", 3) {
			if index < 2 {
				result[index], _ = strconv.Atoi(part)
			}
		}
		return result
	}
	have, need := numbers(version), numbers(least)
	return have[0] < need[0] || have[0] == need[0] && have[1] < need[1]
}

const (
	// skewWarning is more than clocks that are kept by NTP ever differ; who was
	// first in a conflict is decided by clocks.
	skewWarning = 5 * time.Second
	// skewFailure is when sign-ins begin to fail.
	skewFailure = 2 * time.Minute
)

// clock compares another machine's clock with ours; unsure is how exactly it told.
func (e *examiner) clock(s *sheet, who findings.Phrase, ahead, unsure time.Duration) {
	off := max(ahead.Abs()-unsure, 0)
	by := ahead.Abs().Round(100 * time.Millisecond)
	found, advice := findings.Say("clock.ahead", "Who", who, "Time", by), findings.Say("clock.todo")
	if ahead < 0 {
		found = findings.Say("clock.behind", "Who", who, "Time", by)
	}
	switch {
	case off >= skewFailure:
		s.fail("clock", found, advice)
	case off >= skewWarning:
		s.warn("clock", found, advice)
	default:
		s.ok("clock", findings.Say("clock", "Who", who))
	}
}
