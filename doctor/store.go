package doctor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

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
		s.fail("reach", "Redis refuses the user or the password of REDIS_URL",
			"put them into REDIS_URL as redis://USER:PASSWORD@HOST:PORT/0, percent-encoded, with a user that may use every command on keys "+e.settings.RedisNamespace+":*")
		return
	case err != nil && strings.HasPrefix(err.Error(), "REDIS_URL is wrong"):
		s.fail("reach", err.Error(), "correct REDIS_URL")
		return
	case err != nil:
		detail, remedy := trouble(err, "REDIS_URL")
		s.fail("reach", "Redis does not answer: "+detail, remedy)
		return
	}
	s.ok("reach", "%s with %d node(s) answers", found.Kind, len(found.Nodes))
	for _, node := range found.Nodes {
		e.checkNode(s, node, found.Kind)
	}
	switch {
	case found.Unreadable > 0:
		s.fail("key", fmt.Sprintf("%d of %d stored sign-ins that were tried were encrypted with a key that GATEWAY_SECRET_KEY does not hold", found.Unreadable, found.Tokens),
			"add the former key behind the present one in GATEWAY_SECRET_KEY, separated by a comma; if it is lost, these people have to connect again")
	case config.Seal != nil:
		s.ok("key", "what is stored opens with GATEWAY_SECRET_KEY (%d sign-ins tried)", found.Tokens)
	}
}

func (e *examiner) checkNode(s *sheet, node redis.Node, kind string) {
	at := "Redis at " + node.Address
	switch {
	case node.Clustered && kind != "redis cluster":
		s.fail("reach", at+" is part of a Cluster, and REDIS_URL speaks to it as if it were alone", "give two or more of the Cluster's addresses in REDIS_URL, separated by commas")
		return
	case node.Replica:
		s.fail("reach", at+" is a replica and takes no writes", "set REDIS_URL to the primary, or use Sentinel with ?master_name=")
	}
	if olderThan(node.Version, redis.LeastVersion) {
		s.fail("version", fmt.Sprintf("%s is version %s; the gateway needs %s or later", at, node.Version, redis.LeastVersion), "install a later Redis")
	} else {
		s.ok("version", "%s is version %s", at, node.Version)
	}
	switch {
	case node.WriteFailed:
		s.fail("persistence", at+" could not write to its disk", "make room on the disk of Redis and look into its log")
	case !node.AppendOnly:
		s.fail("persistence", at+" keeps no append-only file: what it acknowledged is lost when it ends, everybody's sign-in with it",
			"set appendonly yes and appendfsync always (or everysec, which may lose a second) in redis.conf")
	case node.AppendSync == "no":
		s.warn("persistence", at+" leaves it to the system when its file is written (appendfsync no)", "set appendfsync always in redis.conf, or everysec, which may lose a second")
	case node.AppendSync == "everysec":
		s.ok("persistence", "%s keeps an append-only file; a crash of its machine may lose one second (appendfsync everysec)", at)
	default:
		s.ok("persistence", "%s keeps an append-only file", at)
	}
	switch {
	case node.Eviction != "" && node.Eviction != "noeviction":
		s.fail("eviction", fmt.Sprintf("%s drops keys when its memory is full (maxmemory-policy %s): sign-ins and links would vanish", at, node.Eviction),
			"set maxmemory-policy noeviction in redis.conf, or give the gateway a Redis of its own")
	case node.MaxMemory > 0 && node.UsedMemory*10 > node.MaxMemory*9:
		s.warn("eviction", fmt.Sprintf("%s uses %d of %d MB: when it is full, no hint can be stored", at, node.UsedMemory>>20, node.MaxMemory>>20), "raise maxmemory in redis.conf")
	default:
		s.ok("eviction", "%s drops nothing (maxmemory-policy %s)", at, node.Eviction)
	}
	e.clock(s, at, node.Ahead, 0)
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
func (e *examiner) clock(s *sheet, who string, ahead, unsure time.Duration) {
	off := max(ahead.Abs()-unsure, 0)
	word := "ahead of"
	if ahead < 0 {
		word = "behind"
	}
	detail := fmt.Sprintf("the clock of %s is %s %s this machine's", who, ahead.Abs().Round(100*time.Millisecond), word)
	const remedy = "keep both machines' clocks right with NTP (chrony or systemd-timesyncd); if several are off by the same, it is this machine's"
	switch {
	case off >= skewFailure:
		s.fail("clock", detail, remedy)
	case off >= skewWarning:
		s.warn("clock", detail, remedy)
	default:
		s.ok("clock", "%s and this machine agree on the time", who)
	}
}
