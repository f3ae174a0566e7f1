package snapshot_test

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/nightpos/outlook-gateway/redis/snapshot"
)

func TestASnapshotIsPutBack(t *testing.T) {
	server := miniredis.RunT(t)
	fill := func(suffix string) {
		for key, err := range map[string]error{
			"text": server.Set("text", "a"+suffix), "brief": server.Set("brief", "b"+suffix),
		} {
			if err != nil {
				t.Fatalf("%s: %v", key, err)
			}
		}
		server.HSet("hash", "field", "c"+suffix)
		_, _ = server.Push("list", "d"+suffix)
		_, _ = server.SetAdd("set", "e"+suffix)
		_, _ = server.ZAdd("zset", 1.5, "f"+suffix)
	}
	fill("")
	server.SetTTL("brief", time.Minute)
	dump := server.Dump()
	copied, err := snapshot.Take(t.Context(), func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", server.Addr())
	})
	if err != nil {
		t.Fatal(err)
	}
	fill(" later")
	server.HSet("new", "field", "value")
	if server.Dump() == dump {
		t.Fatal("nothing was changed")
	}
	if err := copied.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := server.Dump(); got != dump {
		t.Errorf("got\n%s\nwant\n%s", got, dump)
	}
	if left := server.TTL("brief"); left <= 0 || left > time.Minute || server.TTL("text") != 0 {
		t.Errorf("one key has %s left and another %s, want a minute and for ever", left, server.TTL("text"))
	}
	if keys := server.Keys(); slices.Contains(keys, "new") {
		t.Errorf("there are %q", keys)
	}
}
