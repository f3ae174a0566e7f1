package redis_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// lines reads a backup: key to what there is under it, without order and times.
func lines(t *testing.T, backup []byte) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for line := range bytes.Lines(backup) {
		var read struct {
			Key, Type string
			Values    [][]byte
			Expires   int64
			End       *int
		}
		if err := json.Unmarshal(line, &read); err != nil {
			t.Fatal(err)
		}
		if read.Key == "" {
			continue
		}
		values := []string{read.Type, fmt.Sprint(read.Expires != 0)}
		step := map[string]int{"hash": 2, "zset": 2}[read.Type]
		for part := range slices.Chunk(read.Values, max(step, 1)) {
			values = append(values, string(bytes.Join(part, []byte("="))))
		}
		if read.Type == "hash" {
			slices.Sort(values[2:])
		}
		found[read.Key] = values
	}
	return found
}

func fill(t *testing.T, store *redis.Store) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for lane := range 3 {
		id := fmt.Sprint(lane)
		must(store.SaveMember(ctx, redis.MemberState{Member: reconciler.Member{ID: id, UserID: int64(lane), Login: "login " + id}}))
		must(store.SaveToken(ctx, id, []byte("token "+id)))
		must(store.SaveSubscription(ctx, id, []byte("subscription \x00\xff")))
	}
	// More than goes into one command.
	for index := range 1_500 {
		must(store.Add(ctx, "1", reconciler.Item{Key: fmt.Sprintf("outlook:%d", index), Due: time.Now().Add(time.Hour)}))
	}
	must(store.SaveSetting(ctx, "console", []byte("set in the console")))
	must(store.SaveTicket(ctx, "ticket", []byte("content"), time.Hour))
}

// A backup of any kind of store can be restored on any other.
func TestBackupAndRestore(t *testing.T) {
	addresses := startServers(t, 2)
	cluster := startServers(t, 6, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
	formCluster(t, cluster)
	kinds := map[string]redis.Config{
		"in-process":   {Engine: newEngine(t)},
		"redis":        {URL: "redis://" + addresses[0]},
		"cluster":      {URL: "redis://" + strings.Join(cluster, ",redis://")},
		"redis-server": {DataDir: t.TempDir(), Server: programPath(t)},
	}
	first := redis.Config{URL: "redis://" + addresses[1], Seal: seal(t)}
	store := open(t, first)
	fill(t, store)
	var backup bytes.Buffer
	count, err := redis.Backup(t.Context(), first, &backup)
	if err != nil || count < 13 {
		t.Fatalf("Backup: got %d keys, %v", count, err)
	}
	for _, secret := range []string{"token 1", "set in the console", "content"} {
		if bytes.Contains(backup.Bytes(), []byte(secret)) {
			t.Errorf("the backup shows %q", secret)
		}
	}
	want := lines(t, backup.Bytes())
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		config := kinds[kind]
		config.Seal = seal(t)
		done, err := redis.Restore(t.Context(), config, bytes.NewReader(backup.Bytes()), false)
		if err != nil || done != (redis.Restored{Keys: count, Tokens: 3}) {
			t.Fatalf("%s: Restore: got %+v, %v, want %d keys and 3 tokens that open", kind, done, err, count)
		}
		var again bytes.Buffer
		if _, err := redis.Backup(t.Context(), config, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, lines(t, again.Bytes())); diff != "" {
			t.Errorf("%s holds something else after the restore:\n%s", kind, diff)
		}
		if _, err := redis.Restore(t.Context(), config, bytes.NewReader(backup.Bytes()), false); !errors.Is(err, redis.ErrNotEmpty) {
			t.Errorf("%s: a second Restore: got %v, want ErrNotEmpty", kind, err)
		}
		restored := open(t, config)
		token, _, err := restored.Token(t.Context(), "2")
		if err != nil || string(token) != "token 2" {
			t.Errorf("%s: got the token %q, %v", kind, token, err)
		}
		if waiting, err := restored.Pending(t.Context(), "1", 2*time.Hour); err != nil || waiting != 1_500 {
			t.Errorf("%s: %d items wait, %v, want 1500", kind, waiting, err)
		}
		if content, err := restored.TakeTicket(t.Context(), "ticket"); err != nil || string(content) != "content" {
			t.Errorf("%s: got the ticket %q, %v", kind, content, err)
		}
	}
}

func TestRestoreReplaces(t *testing.T) {
	first, second := redis.Config{Engine: newEngine(t), Seal: seal(t)}, redis.Config{Engine: newEngine(t), Seal: seal(t)}
	fill(t, open(t, first))
	var backup bytes.Buffer
	if _, err := redis.Backup(t.Context(), first, &backup); err != nil {
		t.Fatal(err)
	}
	other := open(t, second)
	if err := other.SaveToken(t.Context(), "9", []byte("of somebody else")); err != nil {
		t.Fatal(err)
	}
	// Whatever is wrong with a backup, the store is as it was.
	text := backup.String()
	// with puts one more line before the end.
	with := func(line string) string {
		at := strings.LastIndex(strings.TrimSpace(text), "\n") + 1
		return text[:at] + line + "\n" + text[at:]
	}
	for name, one := range map[string]struct{ text, says string }{
		"something else":            {"hello", "no backup"},
		"cut short":                 {text[:len(text)/2], "breaks off"},
		"without its end":           {text[:strings.LastIndex(strings.TrimSpace(text), "\n")+1], "breaks off"},
		"with a line less":          {strings.Replace(text, strings.SplitAfter(text, "\n")[3], "", 1), "should hold"},
		"a later format":            {strings.Replace(text, `"version":1`, `"version":2`, 1), "format 2"},
		"of something other":        {strings.Replace(text, `"namespace":"outlook-gateway"`, `"namespace":"other"`, 1), `namespace "other"`},
		"with half a pair":          {with(`{"key":"outlook-gateway:x","type":"hash","values":["YQ=="]}`), "not complete"},
		"with a strange key":        {with(`{"key":"accounts:x","type":"string","values":["YQ=="]}`), "not of the namespace"},
		"with a strange type":       {with(`{"key":"outlook-gateway:x","type":"stream","values":["YQ=="]}`), `type "stream"`},
		"with no text":              {with(`{"key":"outlook-gateway:x","type":"string"}`), "one value"},
		"with a score that is none": {with(`{"key":"outlook-gateway:x","type":"zset","values":["YQ==","TmFO"]}`), "no number"},
		"with a key twice":          {with(strings.SplitAfter(text, "\n")[1]), "twice"},
	} {
		_, err := redis.Restore(t.Context(), second, strings.NewReader(one.text), true)
		if err == nil || !strings.Contains(err.Error(), one.says) {
			t.Errorf("%s: got %v, want an error with %q", name, err, one.says)
		}
		if token, _, err := other.Token(t.Context(), "9"); err != nil || string(token) != "of somebody else" {
			t.Fatalf("%s: the store was changed: %q, %v", name, token, err)
		}
	}
	// A key that went while an earlier version read it is there without values.
	text = with(`{"key":"outlook-gateway:x","type":"hash"}`)
	end := strings.LastIndex(strings.TrimSpace(text), "\n") + 1
	text = text[:end] + fmt.Sprintf(`{"end":%d}`, strings.Count(text, "\n")-2)
	if _, err := redis.Restore(t.Context(), second, strings.NewReader(text), true); err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.Token(t.Context(), "9"); !errors.Is(err, redis.ErrNotFound) {
		t.Errorf("what was there before: got %v, want ErrNotFound", err)
	}
	strange, err := redis.NewSealer(bytes.Repeat([]byte{2}, 32))
	if err != nil {
		t.Fatal(err)
	}
	second.Seal = strange
	done, err := redis.Restore(t.Context(), second, bytes.NewReader(backup.Bytes()), true)
	if err != nil || done.Unreadable != 3 {
		t.Errorf("with another key: got %+v, %v, want 3 tokens that do not open", done, err)
	}
}

// FuzzBackup restores whatever a file holds: it is an error of one line, and the
// store is as it was, or everything that it names is there.
func FuzzBackup(f *testing.F) {
	const head = `{"format":"outlook-gateway backup","version":1,"namespace":"outlook-gateway","made":"2030-01-01T00:00:00Z"}` + "\n"
	for _, line := range []string{
		`{"key":"outlook-gateway:a","type":"string","values":["YQ=="],"expires":4102444800000}`,
		`{"key":"outlook-gateway:a","type":"list","values":["YQ==",""]}`,
		`{"key":"outlook-gateway:a","type":"set","values":["YQ==","YQ=="]}`,
		`{"key":"outlook-gateway:a","type":"hash","values":["YQ==","Yg=="],"expires":-1}`,
		`{"key":"outlook-gateway:a","type":"zset","values":["YQ==","LTFlMzA4"]}`,
		`{"key":"outlook-gateway:a","type":"hash"}`,
	} {
		f.Add(head + line + "\n" + `{"end":1}` + "\n")
	}
	f.Add(head + `{"end":0}`)
	f.Fuzz(func(t *testing.T, backup string) {
		config := redis.Config{Engine: newEngine(t), Seal: seal(t)}
		store := open(t, config)
		if err := store.SaveToken(t.Context(), "9", []byte("kept")); err != nil {
			t.Fatal(err)
		}
		_, failed := redis.Restore(t.Context(), config, strings.NewReader(backup), true)
		if failed == nil {
			if _, err := redis.Backup(t.Context(), config, io.Discard); err != nil {
				t.Errorf("what was restored cannot be saved: %v", err)
			}
			return
		}
		if text := failed.Error(); strings.Contains(text, "\n") {
			t.Errorf("the error is %q", text)
		}
		if token, _, err := store.Token(t.Context(), "9"); err != nil || string(token) != "kept" {
			t.Errorf("after %v the store holds %q, %v", failed, token, err)
		}
	})
}
