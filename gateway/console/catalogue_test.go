package console

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/test/catalogue"
)

// TestEveryTextExistsInBothLanguages compares the catalogues: the same keys, the
// same values put in, nothing empty, and nothing left in English.
func TestEveryTextExistsInBothLanguages(t *testing.T) {
	catalogue.Compare(t, catalogues, "catalogue", "dependency.nightpos", "dependency.microsoft", "area.nightpos", "area.microsoft",
		"kind.redis", "kind.redis_cluster", "kind.redis_sentinel")
}

var (
	quoted = regexp.MustCompile(`\bT "([a-z_.]+)"`)
	inCode = regexp.MustCompile(`\bv\.T\("([a-z_.]+)"`)
)

// TestEveryTextThatIsUsedExists looks for the keys in templates and code, and puts
// together those that are made of words of the gateway's.
func TestEveryTextThatIsUsedExists(t *testing.T) {
	english := catalogue.Read(t, catalogues, "catalogue", "en")
	used := map[string]bool{}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("template/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(sources, pages...) {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range append(quoted.FindAllStringSubmatch(string(content), -1), inCode.FindAllStringSubmatch(string(content), -1)...) {
			if !strings.HasSuffix(found[1], ".") {
				used[found[1]] = true
			}
		}
	}
	if len(used) < 100 {
		t.Fatalf("only %d keys were found in the sources", len(used))
	}
	add := func(kind string, words ...string) {
		for _, word := range words {
			used[kind+"."+key(word)] = true
		}
	}
	for _, field := range reconciler.Fields() {
		add("field", string(field))
	}
	add("phase", states...)
	actions := []reconciler.Action{
		reconciler.ActionCreate, reconciler.ActionUpdate, reconciler.ActionDelete, reconciler.ActionArchive, reconciler.ActionUnarchive, reconciler.ActionAnswer,
	}
	for _, action := range actions {
		add("act", string(action))
		add("preview.act", string(action))
		add("preview.count", string(action))
	}
	add("preview.count", "match", "skip")
	for _, class := range (reconciler.Classes{WithAttendees: true, Alone: true, Past: true}).List() {
		add("class", string(class), string(class)+".text", string(class)+".button", string(class)+".why")
	}
	for _, cause := range causes {
		add("cause", cause.key, cause.key+".todo")
	}
	for done := range doneKeys {
		add("done", done)
	}
	add("deed", "choices", "pause", "resume", "sync", "disconnect", "reset", "undo", "settings", "connect link", "release first sync", "deletions apply", "deletions keep", "confirm database",
		"stop built-in sync", "rotate webhook secret", "webhook secret rotated", "registration mended", "registration found broken", "registration in place again",
		"use other version", "examine")
	add("dependency", "store", "nightpos", "microsoft", "application", "registration", "database")
	add("kind", "redis", "redis cluster", "redis sentinel", "in-process", "embedded, in this process", "embedded redis-server")
	add("status", "ok", "warning", "failed")
	add("step", "ok", "open", "warning", "failed")
	add("area", "settings", "store", "nightpos", "microsoft", "gateway")
	add("privacy", "default", string(reconciler.PrivacyPublic), string(reconciler.PrivacyPersonal), string(reconciler.PrivacyPrivate), string(reconciler.PrivacyConfidential))
	for _, shows := range []reconciler.ShowAs{
		reconciler.ShowAsFree, reconciler.ShowAsTentative, reconciler.ShowAsBusy, reconciler.ShowAsOutOfOffice, reconciler.ShowAsWorkingElsewhere, reconciler.ShowAsUnknown,
	} {
		add("show_as", string(shows))
	}
	add("events", "leave", "outlook", "nightpos", "both")
	add("next", "all", "new")
	add("reset.then", "all", "new")
	add("job.kind", "reset", "undo")
	add("job.state", "running", "done", "failed")
	add("conflict", "newest", "outlook", "nightpos")
	for _, state := range []string{"none", "reset", "needs_reconnect", "switched_off", "paused", "question", "connecting", "syncing", "trouble", "pending", "connected"} {
		add("state", state, state+".todo")
	}
	for key := range used {
		if _, found := english[key]; !found {
			t.Errorf("there is no text %s", key)
		}
	}
	for key := range english {
		if !used[key] && !slices.Contains([]string{"signin.wrong", "signin.too_many", "cause.other", "cause.other.todo"}, key) {
			t.Errorf("the text %s is used nowhere", key)
		}
	}
}
