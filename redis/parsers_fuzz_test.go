package redis

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// FuzzLink takes apart whatever is stored as a link, which a backup brings too: it
// is an error, or a link that is the same after it was stored again.
func FuzzLink(f *testing.F) {
	link := reconciler.Link{
		RecordID: 7, GraphID: "AAMkAGI1AAAoZCfHAAA=", ICalUID: "040000008200E00074C5B7101A82E008", ChangeKey: "k",
		Role: reconciler.RoleOrganizer, Generation: 3, Updated: time.UnixMilli(1_900_000_000_000).UTC(),
		Outlook: reconciler.Base{"title": "abcdefgh", "people/abcdefgh": "ijklmnop", "odd": "value"}, NightPOS: reconciler.Base{"when": "abcdefgh"},
	}
	f.Add(encodeLink(link))
	link.Saved, link.Preview, link.Apart = time.Unix(1_900_000_000, 7).UTC(), "Lunch", true
	f.Add(encodeLink(link))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		link, err := decodeLink(7, text)
		if err != nil {
			return
		}
		again, err := decodeLink(7, encodeLink(link))
		if err != nil {
			t.Fatalf("what was read cannot be stored again: %v", err)
		}
		if diff := cmp.Diff(link, again); diff != "" {
			t.Errorf("stored again it is another link:\n%s", diff)
		}
	})
}

// FuzzStoreAddress reads whatever REDIS_URL says: it is an error of one line that
// shows no password, or leads somewhere.
func FuzzStoreAddress(f *testing.F) {
	for _, address := range []string{
		"redis://:hush-hush@a:6379/0", "rediss://user:hush-hush@a,rediss://user:hush-hush@b", "redis://a:26379?master_name=m&protocol=3,redis://b:26379",
		"unix:///run/redis.sock?db=1", "redis://:hush-hush@a:6379/x", "redis://a?master_name=hush-hush", ",", "redis://a,redis://b/1", "hush-hush",
	} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		options, err := parseURL(address)
		if err != nil {
			if told := err.Error(); strings.Contains(told, "\n") || strings.Contains(told, "hush-hush") {
				t.Errorf("the error is %q", told)
			}
			return
		}
		if len(options.Addrs) != 1+strings.Count(address, ",") {
			t.Errorf("%q leads to %q", address, options.Addrs)
		}
	})
}
