package redis

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

// InProcess is a store engine inside this process, for machines without Redis
// and for tests in virtual time. Clients reach it over pipes, so no network is
// involved. With a data folder it loads a snapshot at the start and saves one
// every few seconds and at the end; what was acknowledged since the last one is
// lost when the process is killed.
type InProcess struct {
	engine *miniredis.Miniredis
	path   string
	log    *zap.Logger
	// lock keeps the folder for this engine; nil without one.
	lock   *os.File
	cancel context.CancelFunc
	group  sync.WaitGroup

	mutex sync.Mutex
	// listeners are the dispatchers of the stores that share the engine.
	listeners map[int]func(alarm)
	joined    int
}

const (
	// clockStep is how often the engine's clock, by which keys expire, moves.
	clockStep = 100 * time.Millisecond
	// quietClockStep is the same where nothing of interest expires quickly: in
	// virtual time each step costs real time.
	quietClockStep = 10 * time.Minute
	snapshotStep   = 5 * time.Second
)

// NewInProcess starts an engine. An empty folder keeps everything in memory; one
// that another gateway uses is refused, since each would overwrite the other's
// snapshot.
func NewInProcess(dataDir string, log *zap.Logger) (*InProcess, error) {
	if log == nil {
		log = zap.NewNop()
	}
	e := &InProcess{engine: miniredis.NewMiniRedis(), log: log, listeners: map[int]func(alarm){}}
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	step := quietClockStep
	if dataDir != "" {
		step = clockStep
		if err := os.MkdirAll(dataDir, 0o700); err != nil {
			cancel()
			return nil, fmt.Errorf("GATEWAY_DATA_DIR %s cannot be made: %w", dataDir, err)
		}
		var err error
		if e.lock, err = lockFolder(dataDir); err != nil {
			cancel()
			return nil, err
		}
		e.path = filepath.Join(dataDir, snapshotName)
		if err := e.load(); err != nil {
			cancel()
			return nil, errors.Join(err, e.lock.Close())
		}
		e.group.Go(func() { e.snapshots(ctx) })
	}
	e.group.Go(func() { e.clock(ctx, step) })
	return e, nil
}

// Dial opens a connection to the engine, whatever the address. It is what
// Config.Dialer replaces for a store with an engine, and may call.
func (e *InProcess) Dial(context.Context, string, string) (net.Conn, error) {
	connection, err := e.engine.Dial()
	if err != nil {
		return nil, err
	}
	return newPipe(connection), nil
}

// client makes a client of the engine.
func (e *InProcess) client(dialer func(context.Context, string, string) (net.Conn, error)) *goredis.Client {
	if dialer == nil {
		dialer = e.Dial
	}
	return goredis.NewClient(&goredis.Options{
		Dialer:          dialer,
		DisableIdentity: true, Protocol: 2, MaxRetries: -1, MaintNotificationsConfig: quiet(),
		ContextTimeoutEnabled: true,
		// Nobody ever waits for a connection: go-redis does so with timers that it
		// hands from one client to the next, which virtual time does not survive.
		PoolSize: 1_000,
	})
}

// join registers a listener for alarms, until leave is called.
func (e *InProcess) join(listener func(alarm)) (leave func()) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.joined++
	id := e.joined
	e.listeners[id] = listener
	return func() {
		e.mutex.Lock()
		defer e.mutex.Unlock()
		delete(e.listeners, id)
	}
}

// tell passes an alarm to every store that shares the engine.
func (e *InProcess) tell(set alarm) {
	e.mutex.Lock()
	listeners := make([]func(alarm), 0, len(e.listeners))
	for _, listener := range e.listeners {
		listeners = append(listeners, listener)
	}
	e.mutex.Unlock()
	for _, listener := range listeners {
		listener(set)
	}
}

func (e *InProcess) clock(ctx context.Context, step time.Duration) {
	for ctx.Err() == nil {
		pause(ctx, step)
		e.engine.FastForward(step)
	}
}

// Close ends the engine, with a last snapshot, and gives the folder free.
func (e *InProcess) Close() error {
	e.cancel()
	e.group.Wait()
	var err error
	if e.path != "" {
		err = errors.Join(e.save(context.Background()), e.lock.Close())
	}
	e.engine.Close()
	return err
}

func (e *InProcess) snapshots(ctx context.Context) {
	seen := -1
	for {
		pause(ctx, snapshotStep)
		if ctx.Err() != nil {
			return
		}
		if count := e.engine.CommandCount(); count == seen {
			continue
		}
		if err := e.save(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("the store's snapshot could not be saved", zap.Error(err))
		}
		seen = e.engine.CommandCount()
	}
}

// value is one key of a snapshot.
type value struct {
	Key    string
	Text   string
	Hash   map[string]string
	Scores map[string]float64
	List   []string
	Expiry time.Duration
}

// save writes every key into the snapshot file. Keys are read one by one: a
// lane that changes in between is as if its process had died there, which the
// lanes survive.
func (e *InProcess) save(context.Context) error {
	var values []value
	for _, key := range e.engine.Keys() {
		if kept, ok := e.read(key); ok {
			values = append(values, kept)
		}
	}
	var content bytes.Buffer
	if err := gob.NewEncoder(&content).Encode(values); err != nil {
		return fmt.Errorf("writing the snapshot: %w", err)
	}
	if err := writeFile(e.path, content.Bytes()); err != nil {
		return fmt.Errorf("writing the snapshot: %w", err)
	}
	return nil
}

// read takes one key down; false when it went meanwhile.
func (e *InProcess) read(key string) (value, bool) {
	kept := value{Key: key, Expiry: e.engine.TTL(key)}
	var err error
	switch e.engine.Type(key) {
	case "string":
		kept.Text, err = e.engine.Get(key)
	case "hash":
		kept.Hash = map[string]string{}
		var fields []string
		fields, err = e.engine.HKeys(key)
		for _, field := range fields {
			kept.Hash[field] = e.engine.HGet(key, field)
		}
	case "zset":
		kept.Scores, err = e.engine.SortedSet(key)
	case "list":
		kept.List, err = e.engine.List(key)
	default:
		return value{}, false
	}
	return kept, err == nil
}

func (e *InProcess) load() error {
	content, err := os.ReadFile(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the snapshot: %w", err)
	}
	var values []value
	if err := gob.NewDecoder(bytes.NewReader(content)).Decode(&values); err != nil {
		return fmt.Errorf("the snapshot %s is damaged: move it away to start empty (people then connect again and every pair is found again): %w", e.path, err)
	}
	for _, kept := range values {
		if err := e.restore(kept); err != nil {
			return fmt.Errorf("loading the snapshot: %w", err)
		}
	}
	return nil
}

func (e *InProcess) restore(kept value) error {
	var err error
	switch {
	case kept.Hash != nil:
		for field, text := range kept.Hash {
			e.engine.HSet(kept.Key, field, text)
		}
	case kept.Scores != nil:
		for member, score := range kept.Scores {
			_, one := e.engine.ZAdd(kept.Key, score, member)
			err = errors.Join(err, one)
		}
	case kept.List != nil:
		_, err = e.engine.Push(kept.Key, kept.List...)
	default:
		err = e.engine.Set(kept.Key, kept.Text)
	}
	if kept.Expiry > 0 {
		e.engine.SetTTL(kept.Key, kept.Expiry)
	}
	return err
}
