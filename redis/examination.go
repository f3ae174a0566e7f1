package redis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Examination is how a Redis is set up, as far as it tells.
type Examination struct {
	// Kind names the store, as Store.Kind does.
	Kind string
	// Nodes are the masters of a Cluster, or the one server there is.
	Nodes []Node
	// Tokens is how many people's tokens were looked at, at most some dozens, and
	// Unreadable how many of them no key opens.
	Tokens, Unreadable int
}

// Node is one server. What it does not tell is empty.
type Node struct {
	Address, Version string
	// Clustered says that it is part of a Cluster, Replica that it takes no
	// writes.
	Clustered, Replica bool
	// Guarded says that it takes no writes without a replica that keeps up
	// (min-replicas-to-write).
	Guarded bool
	// AppendOnly says that it keeps every write on disk; AppendSync is how soon:
	// "always", "everysec" or "no".
	AppendOnly bool
	AppendSync string
	// WriteFailed says that its last writes to disk did not succeed.
	WriteFailed bool
	// Eviction is what it does when its memory is full, MaxMemory how many bytes
	// that is, zero for no limit, and UsedMemory how many are in use.
	Eviction              string
	MaxMemory, UsedMemory int64
	// Ahead is how far its clock is before ours.
	Ahead time.Duration
}

// ErrSignIn says that Redis does not take the user or the password of its address.
var ErrSignIn = errors.New("Redis refused the sign-in") //nolint:staticcheck // a name comes first

// LeastVersion is the first version of Redis that has every command the store
// uses; GETDEL is the youngest of them.
const LeastVersion = "6.2"

// Examine connects to the Redis of an address, REDIS_URL, asks how it is set up,
// and changes nothing.
func Examine(ctx context.Context, config Config) (Examination, error) {
	if config.Namespace == "" {
		config.Namespace = "outlook-gateway"
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	s := &Store{Config: config, keys: keys{namespace: config.Namespace}}
	if err := s.connect(ctx); err != nil {
		return Examination{}, err
	}
	found, err := s.examine(ctx)
	return found, errors.Join(signInRefused(err), s.disconnect())
}

// signInRefused recognises the answers to a wrong password.
func signInRefused(err error) error {
	for _, prefix := range []string{"WRONGPASS", "NOAUTH", "ERR AUTH", "ERR invalid password", "NOPERM"} {
		if goredis.HasErrorPrefix(err, prefix) {
			return fmt.Errorf("%w: %w", ErrSignIn, err)
		}
	}
	return err
}

func (s *Store) examine(ctx context.Context) (Examination, error) {
	found := Examination{Kind: s.kind}
	var mutex sync.Mutex
	ask := func(ctx context.Context, node *goredis.Client) error {
		told, err := s.examineNode(ctx, node)
		mutex.Lock()
		defer mutex.Unlock()
		found.Nodes = append(found.Nodes, told)
		return err
	}
	var err error
	switch client := s.client.(type) {
	case *goredis.ClusterClient:
		err = client.ForEachMaster(ctx, ask)
	case *goredis.Client:
		err = ask(ctx, client)
	}
	slices.SortFunc(found.Nodes, func(a, b Node) int { return strings.Compare(a.Address, b.Address) })
	if err != nil || s.Seal == nil || slices.ContainsFunc(found.Nodes, func(node Node) bool { return node.Clustered && !s.cluster }) {
		return found, err
	}
	found.Tokens, found.Unreadable, err = s.tryTokens(ctx)
	return found, err
}

func (s *Store) examineNode(ctx context.Context, client *goredis.Client) (Node, error) {
	node := Node{Address: client.Options().Addr}
	told := map[string]string{}
	for _, section := range []string{"server", "persistence", "memory", "replication", "cluster"} {
		text, err := client.Info(ctx, section).Result()
		if err != nil {
			return node, err
		}
		for line := range strings.Lines(text) {
			if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
				told[name] = value
			}
		}
	}
	node.Version = told["redis_version"]
	node.Clustered = told["cluster_enabled"] == "1"
	node.Replica = told["role"] == "slave"
	_, node.Guarded = told["min_slaves_good_slaves"] // told where some are asked for
	node.AppendOnly = told["aof_enabled"] == "1"
	node.WriteFailed = told["aof_last_write_status"] == "err" || told["rdb_last_bgsave_status"] == "err" && !node.AppendOnly
	node.Eviction = told["maxmemory_policy"]
	node.MaxMemory, _ = strconv.ParseInt(told["maxmemory"], 10, 64)
	node.UsedMemory, _ = strconv.ParseInt(told["used_memory"], 10, 64)
	// Hosted ones do not tell their configuration.
	if values, err := client.ConfigGet(ctx, "appendfsync").Result(); err == nil {
		node.AppendSync = values["appendfsync"]
	}
	began := s.Now()
	now, err := client.Time(ctx).Result()
	if err != nil {
		return node, err
	}
	node.Ahead = now.Sub(began.Add(s.Now().Sub(began) / 2))
	return node, nil
}

// tokensTried bounds how many tokens are tried.
const tokensTried = 30

// tryTokens finds out whether what is stored opens with the keys there are.
func (s *Store) tryTokens(ctx context.Context) (tried, unreadable int, err error) {
	lanes, _, err := s.client.HScan(ctx, s.keys.members(), 0, "", tokensTried).Result()
	if err != nil {
		return 0, 0, err
	}
	for index := 0; index < len(lanes) && tried < tokensTried; index += 2 {
		key := s.keys.token(lanes[index])
		sealed, err := s.get(ctx, key)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return tried, unreadable, err
		}
		tried++
		if _, err := s.Seal.Open(sealed, key); err != nil {
			unreadable++
		}
	}
	return tried, unreadable, nil
}

// Folder is how the folder of an embedded store is.
type Folder struct {
	// Fresh says that it does not exist yet.
	Fresh bool
	// Program is the redis-server that will run on it; empty when there is none
	// and what is stored is not durable.
	Program string
	// Key is the key that it is encrypted with; empty when it was not made yet.
	Key []byte
}

// ExamineFolder looks at the folder of an embedded store, and leaves it as it
// was. Its error says that a store cannot work there; it is a ForeignDataError where
// the other kind of store has. Server is as in Config.
func ExamineFolder(folder, server string) (Folder, error) {
	var found Folder
	switch server {
	case noServer:
	case "":
		if path, err := exec.LookPath("redis-server"); err == nil {
			found.Program = path
		}
	default:
		found.Program = server
	}
	content, err := os.Stat(folder)
	switch {
	case errors.Is(err, os.ErrNotExist):
		found.Fresh = true
		return found, nil
	case err != nil:
		return found, err
	case !content.IsDir():
		return found, errors.New("it is no folder")
	}
	if err := foreignData(folder, found.Program == ""); err != nil {
		return found, err
	}
	file, err := os.CreateTemp(folder, "try-*")
	if err != nil {
		return found, fmt.Errorf("nothing can be written there: %w", errors.Unwrap(err))
	}
	if err := errors.Join(file.Close(), os.Remove(file.Name())); err != nil {
		return found, err
	}
	path := filepath.Join(folder, "secret.key")
	found.Key, err = os.ReadFile(path) // #nosec G304 -- the administrator names the folder
	switch {
	case errors.Is(err, os.ErrNotExist):
		return found, nil
	case err != nil:
		return found, err
	case len(found.Key) != keyLength:
		return found, fmt.Errorf("%s has %d bytes and needs %d", path, len(found.Key), keyLength)
	}
	return found, nil
}
