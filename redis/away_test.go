package redis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// TestAway tells a store that will be back from one that answers no.
func TestAway(t *testing.T) {
	stopped := startServers(t, 1)
	url := "redis://" + stopped[0]
	store := open(t, redis.Config{URL: url})
	if err := store.SetMeetings(t.Context(), map[string]int64{"uid": 7}); err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(&goredis.Options{Addr: stopped[0], MaxRetries: -1})
	defer client.Close()
	if err := client.ReplicaOf(t.Context(), "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := store.SetMeetings(t.Context(), map[string]int64{"uid": 7}); !redis.Away(err) {
		t.Errorf("a server that became a replica: %v counts as no", err)
	}
	if err := client.ReplicaOf(t.Context(), "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := store.SetMeetings(t.Context(), map[string]int64{"uid": 7}); err == nil || redis.Away(err) {
		t.Errorf("a server without memory: %v counts as away", err)
	}
	_ = client.ShutdownNoSave(t.Context()).Err() // the connection ends with the server
	if err := store.SetMeetings(t.Context(), map[string]int64{"uid": 7}); !redis.Away(err) {
		t.Errorf("a server that was stopped: %v counts as no", err)
	}
	for _, err := range []error{&net.OpError{Op: "dial", Err: errors.New("refused")}, io.EOF, fmt.Errorf("reading: %w", io.ErrUnexpectedEOF)} {
		if !redis.Away(err) {
			t.Errorf("%v counts as no", err)
		}
	}
	for _, err := range []error{nil, reconciler.ErrLeaseLost, context.Canceled, redis.ErrNotFound} {
		if redis.Away(err) {
			t.Errorf("%v counts as away", err)
		}
	}
}
