package redis

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

// A backup is lines of JSON: a head, one line for each key, and an end that says
// how many those were. Values are as they are stored: what is encrypted there is
// encrypted here, and opens with the same GATEWAY_SECRET_KEY only.

const (
	backupFormat  = "outlook-gateway backup"
	backupVersion = 1
)

type backupHead struct {
	Format    string    `json:"format"`
	Version   int       `json:"version"`
	Namespace string    `json:"namespace"`
	Made      time.Time `json:"made"`
}

// backupLine is one key, or the end.
type backupLine struct {
	Key  string `json:"key,omitempty"`
	Type string `json:"type,omitempty"`
	// Values are the text; the items; the members; fields and values in turn; or
	// members and scores in turn.
	Values [][]byte `json:"values,omitempty"`
	// Expires is in Unix milliseconds, zero for never.
	Expires int64 `json:"expires,omitempty"`
	// End is set on the last line: how many keys there are.
	End *int `json:"end,omitempty"`
}

// bare connects to a store without working on it.
func bare(ctx context.Context, config Config) (*Store, error) {
	if config.Namespace == "" {
		config.Namespace = "outlook-gateway"
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		config.Log = zap.NewNop()
	}
	s := &Store{Config: config, keys: keys{namespace: config.Namespace}}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	if err := s.awake(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("REDIS_URL: the store does not answer: %w", err), s.disconnect())
	}
	return s, nil
}

// Backup writes everything that a store holds, and returns how many keys that
// are. A gateway may work meanwhile: what it changes is then in the backup or
// not, key by key, which a restored gateway makes good by comparing calendars. What
// an embedded store kept without a redis-server is read also where there is one now.
func Backup(ctx context.Context, config Config, out io.Writer) (count int, err error) {
	s, err := bare(ctx, withItsEngine(config))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.disconnect()) }()
	buffered := bufio.NewWriter(out)
	encoder := json.NewEncoder(buffered)
	if err := encoder.Encode(backupHead{backupFormat, backupVersion, s.Namespace, s.Now().UTC()}); err != nil {
		return 0, fmt.Errorf("writing the backup: %w", err)
	}
	written := map[string]bool{}
	err = s.each(ctx, func(key string) error {
		if written[key] {
			return nil // a scan may come upon a key twice
		}
		line, err := s.line(ctx, key)
		if err != nil || line == nil {
			return err
		}
		written[key] = true
		return encoder.Encode(line)
	})
	count = len(written)
	if err == nil {
		err = encoder.Encode(backupLine{End: &count})
	}
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return 0, fmt.Errorf("writing the backup: %w", err)
	}
	return count, nil
}

// backupStep is how many keys are asked for at once.
const backupStep = 500

// each finds every key of the namespace.
func (s *Store) each(ctx context.Context, work func(key string) error) error {
	scan := func(ctx context.Context, client goredis.Cmdable) error {
		for cursor := uint64(0); ; {
			found, next, err := client.Scan(ctx, cursor, s.Namespace+":*", backupStep).Result()
			if err != nil {
				return err
			}
			for _, key := range found {
				if err := work(key); err != nil {
					return err
				}
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	}
	cluster, ok := s.client.(*goredis.ClusterClient)
	if !ok {
		return scan(ctx, s.client)
	}
	// One after the other: what each finds is written to one file.
	turn := make(chan struct{}, 1)
	return cluster.ForEachMaster(ctx, func(ctx context.Context, node *goredis.Client) error {
		turn <- struct{}{}
		defer func() { <-turn }()
		return scan(ctx, node)
	})
}

// line reads one key; nil when it went meanwhile.
func (s *Store) line(ctx context.Context, key string) (*backupLine, error) {
	kind, err := s.client.Type(ctx, key).Result()
	if err != nil {
		return nil, err
	}
	life, err := s.client.PTTL(ctx, key).Result()
	if err != nil {
		return nil, err
	}
	line := &backupLine{Key: key, Type: kind}
	if life > 0 {
		line.Expires = s.Now().Add(life).UnixMilli()
	}
	if err := s.values(ctx, line); err != nil {
		return nil, err
	}
	if len(line.Values) == 0 {
		return nil, nil // Redis keeps no key without values: it went since its type was asked for
	}
	return line, nil
}

// values reads what is under a key.
func (s *Store) values(ctx context.Context, line *backupLine) error {
	add := func(values ...string) {
		for _, value := range values {
			line.Values = append(line.Values, []byte(value))
		}
	}
	switch line.Type {
	case "none":
		return nil
	case "string":
		text, err := s.client.Get(ctx, line.Key).Result()
		if errors.Is(err, goredis.Nil) {
			return nil
		}
		add(text)
		return err
	case "list":
		items, err := s.client.LRange(ctx, line.Key, 0, -1).Result()
		add(items...)
		return err
	case "set":
		members, err := s.client.SMembers(ctx, line.Key).Result()
		add(members...)
		return err
	case "hash":
		fields, err := s.client.HGetAll(ctx, line.Key).Result()
		for field, value := range fields {
			add(field, value)
		}
		return err
	case "zset":
		members, err := s.client.ZRangeWithScores(ctx, line.Key, 0, -1).Result()
		for _, member := range members {
			text, _ := member.Member.(string)
			add(text, strconv.FormatFloat(member.Score, 'g', -1, 64))
		}
		return err
	}
	return fmt.Errorf("%s is of the type %s, which the gateway does not make", line.Key, line.Type)
}

// ErrNotEmpty says that a store holds something that a restore would replace.
var ErrNotEmpty = errors.New("the store is not empty")

// Restored is what a restore did.
type Restored struct {
	Keys int
	// Tokens is how many people's tokens were tried, at most some dozens, and
	// Unreadable how many of them Seal does not open.
	Tokens, Unreadable int
}

// Restore puts a backup into a store of whatever kind. No gateway may work on it
// meanwhile. It looks at the whole backup before it changes anything. With
// replace everything that the store holds goes first; without, ErrNotEmpty says
// that it holds something.
func Restore(ctx context.Context, config Config, backup io.ReadSeeker, replace bool) (done Restored, err error) {
	s, err := bare(ctx, config)
	if err != nil {
		return Restored{}, err
	}
	defer func() { err = errors.Join(err, s.disconnect()) }()
	seen := map[string]bool{}
	err = s.readBackup(backup, func(line *backupLine) error {
		if seen[line.Key] {
			return damaged(line, "it is there twice")
		}
		seen[line.Key] = true
		return s.sound(line)
	})
	if err != nil {
		return Restored{}, err
	}
	if err := s.empty(ctx, replace); err != nil {
		return Restored{}, err
	}
	if _, err := backup.Seek(0, io.SeekStart); err != nil {
		return Restored{}, fmt.Errorf("reading the backup again: %w", err)
	}
	err = s.readBackup(backup, func(line *backupLine) error {
		if len(line.Values) == 0 || line.Expires != 0 && line.Expires <= s.Now().UnixMilli() {
			return nil
		}
		done.Keys++
		return s.put(ctx, line)
	})
	if err == nil && s.Seal != nil {
		done.Tokens, done.Unreadable, err = s.tryTokens(ctx)
	}
	return done, err
}

// readBackup reads a backup to its end.
func (s *Store) readBackup(backup io.Reader, work func(*backupLine) error) error {
	decoder := json.NewDecoder(bufio.NewReader(backup))
	var head backupHead
	switch err := decoder.Decode(&head); {
	case err != nil || head.Format != backupFormat:
		return errors.New("this is no backup of a gateway")
	case head.Version != backupVersion:
		return fmt.Errorf("the backup is of format %d, and this version of the gateway reads %d", head.Version, backupVersion)
	case head.Namespace != s.Namespace:
		return fmt.Errorf("the backup is of the namespace %q, and the store's is %q", head.Namespace, s.Namespace)
	}
	for count := 0; ; count++ {
		var line backupLine
		if err := decoder.Decode(&line); err != nil {
			return fmt.Errorf("the backup breaks off after %d keys: take another one", count)
		}
		if line.End != nil {
			if *line.End != count {
				return fmt.Errorf("the backup holds %d keys and should hold %d: take another one", count, *line.End)
			}
			return nil
		}
		if err := work(&line); err != nil {
			return err
		}
	}
}

// empty sees to it that the store holds nothing.
func (s *Store) empty(ctx context.Context, replace bool) error {
	var found []string
	err := s.each(ctx, func(key string) error {
		if !replace {
			return ErrNotEmpty
		}
		found = append(found, key)
		return nil
	})
	for _, key := range found {
		if err == nil {
			err = s.client.Del(ctx, key).Err()
		}
	}
	if err != nil && !errors.Is(err, ErrNotEmpty) {
		err = fmt.Errorf("emptying the store: %w", err)
	}
	return err
}

func damaged(line *backupLine, what string) error {
	return fmt.Errorf("the backup is damaged at the key %q: %s; take another one", line.Key, what)
}

// sound says what of a line put could not put. Lists, sets and pairs may be empty:
// earlier versions wrote keys so that went while they were read.
func (s *Store) sound(line *backupLine) error {
	if !strings.HasPrefix(line.Key, s.Namespace+":") {
		return damaged(line, "it is not of the namespace")
	}
	switch line.Type {
	case "string":
		if len(line.Values) != 1 {
			return damaged(line, "a text is one value")
		}
	case "list", "set":
	case "hash", "zset":
		if len(line.Values)%2 != 0 {
			return damaged(line, "its values are not complete")
		}
	default:
		return damaged(line, fmt.Sprintf("the type %q is not known", line.Type))
	}
	if line.Type == "zset" {
		for index := 1; index < len(line.Values); index += 2 {
			if score, err := strconv.ParseFloat(string(line.Values[index]), 64); err != nil || math.IsNaN(score) {
				return damaged(line, "a score is no number")
			}
		}
	}
	return nil
}

// putStep is how many values go into one command; even, since some come in pairs.
const putStep = 1_000

// put makes one key of a line that is sound.
func (s *Store) put(ctx context.Context, line *backupLine) error {
	_, err := s.client.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
		for begin := 0; begin < len(line.Values); begin += putStep {
			values := line.Values[begin:min(begin+putStep, len(line.Values))]
			if err := putValues(ctx, pipe, line, values); err != nil {
				return err
			}
		}
		if line.Expires != 0 {
			// By how long it still lives: an engine may keep a time of its own.
			pipe.PExpire(ctx, line.Key, time.UnixMilli(line.Expires).Sub(s.Now()))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("restoring %s: %w", line.Key, err)
	}
	return nil
}

func putValues(ctx context.Context, pipe goredis.Pipeliner, line *backupLine, values [][]byte) error {
	plain := make([]any, len(values))
	for index, value := range values {
		plain[index] = value
	}
	switch line.Type {
	case "string":
		pipe.Set(ctx, line.Key, values[0], 0)
	case "list":
		pipe.RPush(ctx, line.Key, plain...)
	case "set":
		pipe.SAdd(ctx, line.Key, plain...)
	case "hash":
		pipe.HSet(ctx, line.Key, plain...)
	case "zset":
		for index := 0; index < len(values); index += 2 {
			score, err := strconv.ParseFloat(string(values[index+1]), 64)
			if err != nil {
				return errors.New("a score is no number")
			}
			pipe.ZAdd(ctx, line.Key, goredis.Z{Score: score, Member: values[index]})
		}
	}
	return nil
}
