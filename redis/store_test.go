package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
	"github.com/nightpos/outlook-gateway/redis/conformance"
)

func seal(t testing.TB) redis.Sealer {
	t.Helper()
	sealer, err := redis.NewSealer(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return sealer
}

func open(t testing.TB, config redis.Config) *redis.Store {
	t.Helper()
	config.Seal = seal(t)
	store, err := redis.Open(t.Context(), config)
	if err != nil {
		t.Fatalf("Open: got %v, want a store", err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("Close: got %v, want no error", err)
		}
	})
	return store
}

func TestInProcess(t *testing.T) {
	t.Parallel()
	var mutex sync.Mutex
	engines := map[string]*redis.InProcess{}
	conformance.RunVirtual(t, func(t *testing.T, namespace string, now func() time.Time) *redis.Store {
		mutex.Lock()
		engine := engines[namespace]
		mutex.Unlock()
		if engine == nil {
			engine = newEngine(t)
			mutex.Lock()
			engines[namespace] = engine
			mutex.Unlock()
		}
		return open(t, redis.Config{Engine: engine, Namespace: namespace, Now: now})
	})
}

// newEngine starts an engine that keeps nothing, until the test ends.
func newEngine(t testing.TB) *redis.InProcess {
	t.Helper()
	engine, err := redis.NewInProcess("", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Errorf("Close: got %v, want no error", err)
		}
	})
	return engine
}

// programPath finds redis-server, or skips the test where none is required.
func programPath(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("REQUIRE_REDIS") != "" {
			t.Fatal("redis-server is not on PATH")
		}
		t.Skip("redis-server is not on PATH; ./scripts/test installs it")
	}
	return path
}

// startServers runs redis-server on free ports of the loopback interface.
func startServers(t testing.TB, count int, arguments ...string) []string {
	t.Helper()
	path := programPath(t)
	var addresses []string
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := listener.Addr().String()
		_, port, _ := net.SplitHostPort(address)
		listener.Close()
		command := exec.Command(path, append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", ""}, arguments...)...)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = command.Process.Kill()
			_ = command.Wait()
		})
		addresses = append(addresses, address)
	}
	for _, address := range addresses {
		client := goredis.NewClient(&goredis.Options{Addr: address})
		eventually(t, "redis-server at "+address, func() error { return client.Ping(t.Context()).Err() })
		client.Close()
	}
	return addresses
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		<-tick.C
	}
}

func TestServer(t *testing.T) {
	t.Parallel()
	address := startServers(t, 1)[0]
	conformance.Run(t, func(t *testing.T, namespace string, now func() time.Time) *redis.Store {
		return open(t, redis.Config{URL: "redis://" + address, Namespace: namespace, Now: now})
	})
}

func TestCluster(t *testing.T) {
	t.Parallel()
	addresses := startServers(t, 6, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
	formCluster(t, addresses)
	conformance.Run(t, func(t *testing.T, namespace string, now func() time.Time) *redis.Store {
		return open(t, redis.Config{URL: "redis://" + strings.Join(addresses, ",redis://"), Namespace: namespace, Now: now})
	})
}

// formCluster makes three masters with a replica each.
func formCluster(t *testing.T, addresses []string) {
	t.Helper()
	var clients []*goredis.Client
	for _, address := range addresses {
		client := goredis.NewClient(&goredis.Options{Addr: address})
		t.Cleanup(func() { client.Close() })
		clients = append(clients, client)
	}
	ctx := t.Context()
	for index := range 3 {
		from, to := index*16384/3, (index+1)*16384/3-1
		if err := clients[index].ClusterAddSlotsRange(ctx, from, to).Err(); err != nil {
			t.Fatal(err)
		}
	}
	host, port, _ := net.SplitHostPort(addresses[0])
	for _, client := range clients[1:] {
		if err := client.ClusterMeet(ctx, host, port).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for index, client := range clients[3:] {
		eventually(t, "joining the cluster", func() error {
			id, err := clients[index].ClusterMyID(ctx).Result()
			if err != nil {
				return err
			}
			return client.ClusterReplicate(ctx, id).Err()
		})
	}
	for _, client := range clients {
		eventually(t, "the cluster", func() error {
			info, err := client.ClusterInfo(ctx).Result()
			if err == nil && (!strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:6")) {
				return fmt.Errorf("not formed: %s", info)
			}
			return err
		})
	}
}

func TestEmbeddedServerKeepsWhatItAcknowledged(t *testing.T) {
	folder := t.TempDir()
	config := redis.Config{DataDir: folder, Server: programPath(t), Seal: seal(t)}
	store, err := redis.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if !store.Durable() {
		t.Error("Durable: got false, want true")
	}
	if err := store.Add(t.Context(), "1", reconciler.Item{Key: "outlook:a"}); err != nil {
		t.Fatal(err)
	}
	if _, err := redis.Open(t.Context(), config); err == nil || !strings.Contains(err.Error(), "in use by another gateway") {
		t.Errorf("a second store on the folder: got %v, want it refused", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	reopened := open(t, config)
	takes(t, reopened, "outlook:a")
}

// An engine that finds the data of the other kind does not begin empty beside it:
// everybody would have to connect again. A backup brings it over.
func TestFolderOfTheOtherEngine(t *testing.T) {
	folder := t.TempDir()
	without := redis.Config{DataDir: folder, Server: "none", Seal: seal(t)}
	with := redis.Config{DataDir: folder, Server: programPath(t), Seal: seal(t)}
	refused := func(config redis.Config, both bool, names ...string) {
		t.Helper()
		_, err := redis.Open(t.Context(), config)
		var foreign *redis.ForeignDataError
		if !errors.As(err, &foreign) || foreign.Both != both || !slices.Equal(foreign.Names, names) {
			t.Fatalf("got %v, want it refused for %v", err, names)
		}
		if _, examined := redis.ExamineFolder(folder, config.Server); examined == nil || examined.Error() != err.Error() {
			t.Errorf("the examination: got %v, want %v", examined, err)
		}
	}
	end := func(store *redis.Store) {
		t.Helper()
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	store, err := redis.Open(t.Context(), without)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.SaveToken(t.Context(), "1", []byte("token")); err != nil {
		t.Fatal(err)
	}
	end(store)
	refused(with, false, "snapshot")

	var backup bytes.Buffer
	if count, err := redis.Backup(t.Context(), with, &backup); err != nil || count != 1 {
		t.Fatalf("Backup: got %d, %v, want the key of the other engine", count, err)
	}
	snapshot := filepath.Join(folder, "snapshot")
	if err := os.Rename(snapshot, snapshot+".old"); err != nil {
		t.Fatal(err)
	}
	if done, err := redis.Restore(t.Context(), with, bytes.NewReader(backup.Bytes()), false); err != nil || done.Keys != 1 {
		t.Fatalf("Restore: got %+v, %v, want the key", done, err)
	}
	if store, err = redis.Open(t.Context(), with); err != nil {
		t.Fatal(err)
	}
	if text, _, err := store.Token(t.Context(), "1"); err != nil || string(text) != "token" {
		t.Errorf("got %q, %v, want the token", text, err)
	}
	end(store)
	appended := "appendonlydir"
	if _, err := os.Stat(filepath.Join(folder, appended)); err != nil {
		appended = "appendonly.aof" // before version 7
	}
	refused(without, false, appended)
	if err := os.Rename(snapshot+".old", snapshot); err != nil {
		t.Fatal(err)
	}
	refused(with, true, "snapshot", appended)
	refused(without, true, "snapshot", appended)
	if count, err := redis.Backup(t.Context(), with, io.Discard); err == nil {
		t.Errorf("a backup of two stores: got %d keys, want it refused", count)
	}
}

func takes(t *testing.T, store *redis.Store, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	batch, err := store.Take(ctx, 10)
	if err != nil || len(batch.Items) != 1 || batch.Items[0].Key != want {
		t.Fatalf("Take: got %v, %v, want %s", batch, err, want)
	}
}

func TestSnapshotIsLoaded(t *testing.T) {
	folder := t.TempDir()
	config := redis.Config{DataDir: folder, Server: "none", Seal: seal(t)}
	store, err := redis.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if store.Durable() {
		t.Error("Durable: got true, want false")
	}
	if err := store.Add(t.Context(), "1", reconciler.Item{Key: "outlook:a"}); err != nil {
		t.Fatal(err)
	}
	if err := store.SaveToken(t.Context(), "1", []byte("token")); err != nil {
		t.Fatal(err)
	}
	// Each of two would overwrite what the other saves.
	const taken = "in use by another gateway"
	if _, err := redis.Open(t.Context(), config); err == nil || !strings.Contains(err.Error(), taken) {
		t.Errorf("a second store on the folder: got %v, want it refused", err)
	}
	if _, err := redis.Backup(t.Context(), config, io.Discard); err == nil || !strings.Contains(err.Error(), taken) {
		t.Errorf("a backup meanwhile: got %v, want it refused", err)
	}
	if _, err := redis.Restore(t.Context(), config, strings.NewReader(""), true); err == nil || !strings.Contains(err.Error(), taken) {
		t.Errorf("restoring meanwhile: got %v, want it refused", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	reopened := open(t, config)
	takes(t, reopened, "outlook:a")
	if got, _, err := reopened.Token(t.Context(), "1"); err != nil || string(got) != "token" {
		t.Errorf("Token: got %q, %v, want it back", got, err)
	}
	if content, err := os.ReadFile(filepath.Join(folder, "snapshot")); err != nil || bytes.Contains(content, []byte("token\x00")) {
		t.Errorf("snapshot: got %v, want the token encrypted", err)
	}
}

func TestLeaseEndsInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := open(t, redis.Config{Engine: newEngine(t)})
		if err := store.Add(t.Context(), "1", reconciler.Item{Key: "outlook:a", Due: time.Now().Add(48 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for _, want := range []time.Duration{48 * time.Hour, 48*time.Hour + 30*time.Second} {
			if _, err := store.Take(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(begin); got < want || got > want+time.Second {
				t.Errorf("taken after: got %s, want %s", got, want)
			}
		}
	})
}

// A client that writes more than fits between it and the engine must not wait
// for an engine that waits for it to read answers.
func TestManyLanesInOneRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := open(t, redis.Config{Engine: newEngine(t)})
		const lanes = 1000
		hints := make([]reconciler.Hint, 0, lanes)
		for lane := range lanes {
			hints = append(hints, reconciler.Hint{Lane: fmt.Sprint(lane), Item: reconciler.Item{Key: "outlook:a", Version: strings.Repeat("v", 1000)}})
		}
		begin := time.Now()
		if _, err := store.AddHints(t.Context(), hints); err != nil {
			t.Fatalf("AddHints: got %v, want no error", err)
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("AddHints: waited %s, want no waiting", waited)
		}
		for range lanes {
			takes(t, store, "outlook:a")
		}
	})
}

// TestMembersOutlastTheStore holds that a change can be routed while the store is
// away: NightPOS tells of it once only.
func TestMembersOutlastTheStore(t *testing.T) {
	t.Parallel()
	address := startServers(t, 1)[0]
	var passed atomic.Int64
	store := open(t, redis.Config{
		URL: "redis://" + address, Now: func() time.Time { return time.Now().Add(time.Duration(passed.Load())) },
	})
	if err := store.SaveMember(t.Context(), redis.MemberState{Member: reconciler.Member{ID: "6"}}); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Members(t.Context()); err != nil || len(got) != 1 {
		t.Fatalf("Members: got %v, %v, want one", got, err)
	}
	client := goredis.NewClient(&goredis.Options{Addr: address, MaxRetries: -1})
	defer client.Close()
	_ = client.ShutdownNoSave(t.Context()).Err() // the connection ends with the server
	passed.Store(int64(time.Minute))
	if got, err := store.MembersNow(t.Context()); err == nil {
		t.Fatalf("MembersNow after the store went away: got %v, want an error", got)
	}
	if got, err := store.Members(t.Context()); err != nil || len(got) != 1 || got[0].ID != "6" {
		t.Errorf("Members a minute after the store went away: got %v, %v, want the one that was", got, err)
	}
	passed.Store(int64(time.Hour))
	if got, err := store.Members(t.Context()); err == nil {
		t.Errorf("Members an hour after: got %v, want an error", got)
	}
}

func TestWrongAddress(t *testing.T) {
	for _, address := range []string{"http://localhost", "redis://:hunter2@host:port:x", "redis://a:1/2,redis://b:1/2"} {
		_, err := redis.Open(t.Context(), redis.Config{URL: address, Seal: seal(t)})
		if err == nil || !strings.HasPrefix(err.Error(), "REDIS_URL is wrong") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want an error that names REDIS_URL and no password", address, err)
		}
	}
}

func TestSealer(t *testing.T) {
	former, current := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	old, _ := redis.NewSealer(former)
	both, err := redis.NewSealer(current, former)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := old.Seal([]byte("hush"), "here")
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := both.Open(sealed, "here"); err != nil || string(plain) != "hush" {
		t.Errorf("after a rotation: got %q, %v, want it back", plain, err)
	}
	if _, err := both.Open(sealed, "there"); err == nil {
		t.Error("at another place: got it opened, want an error")
	}
	renewed, _ := both.Seal([]byte("hush"), "here")
	if _, err := old.Open(renewed, "here"); err == nil || !strings.Contains(err.Error(), "GATEWAY_SECRET_KEY") {
		t.Errorf("with a key that is not known: got %v, want an error that names the setting", err)
	}
	if _, err := redis.NewSealer([]byte("short")); err == nil {
		t.Error("a short key: got accepted, want an error")
	}
}
