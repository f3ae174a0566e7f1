package console_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// manyPeople is how many the list has to be quick for.
const manyPeople = 10_000

// people saves many connected people, and returns an administrator who looks.
func (w *world) people() *visitor {
	w.Helper()
	for index := range manyPeople {
		id := fmt.Sprint(1000 + index)
		w.must(w.service.Store().SaveMember(w.Context(), redis.MemberState{
			Member: reconciler.Member{
				ID: id, UserID: int64(1000 + index), Login: "person" + id, Name: "Person " + id,
				Address: "person" + id + "@nightpos.example", Mailbox: "person" + id + "@nightpos.example",
			},
			Standing: reconciler.Standing{Synced: true, Paused: index%10 == 0},
		}))
	}
	// A list that was read meanwhile is used for two seconds.
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		states, err := w.service.Store().MemberStates(w.Context())
		w.must(err)
		if len(states) == manyPeople {
			break
		}
		if time.Now().After(end) {
			w.Fatalf("%d people are listed, want %d", len(states), manyPeople)
		}
	}
	admin := w.visitor()
	admin.enter()
	return admin
}

// TestAListOfManyPeople searches, filters, sorts and turns pages.
func TestAListOfManyPeople(t *testing.T) {
	w := newWorld(t, nil)
	admin := w.people()
	for query, want := range map[string]struct {
		first, shown string
	}{
		"":                              {"Person 1000", "1–50 of 10,000"},
		"?page=2":                       {"Person 10045", "51–100 of 10,000"},
		"?sort=-name":                   {"Person 9999", "1–50 of 10,000"},
		"?state=paused&sort=-login":     {"Person 9990", "1–50 of 1,000"},
		"?text=PERSON1234":              {"Person 1234", "1–1 of 1"},
		"?text=person999&sort=-mailbox": {"Person 9999", "1–10 of 10"},
	} {
		got := admin.get(root + "/people" + query)
		if got.status != http.StatusOK || !strings.Contains(got.body, want.shown) {
			t.Errorf("%q: got %d without %q: %s", query, got.status, want.shown, regexp.MustCompile(`\d+–.*<`).FindString(got.body))
			continue
		}
		_, rows, _ := strings.Cut(got.body, "<tbody>")
		if _, rest, _ := strings.Cut(rows, `">Person `); !strings.HasPrefix("Person "+rest, want.first+"<") {
			t.Errorf("%q: the first row is Person %.12s, want %s", query, rest, want.first)
		}
	}
	if got := admin.get(root + "/people?text=nobody-at-all"); !strings.Contains(got.body, "Nobody matches.") {
		t.Error("a search for nobody says nothing")
	}
}

// pageAim is how long the page of them may take at the server.
const pageAim = 50 * time.Millisecond

// TestTheListOfManyPeopleIsQuick takes the median of many looks. Under the race
// detector times say nothing.
func TestTheListOfManyPeopleIsQuick(t *testing.T) {
	w := newWorld(t, nil)
	admin := w.people()
	admin.get(root + "/people")
	var took []time.Duration
	for index := range 40 {
		began := time.Now()
		if got := admin.get(fmt.Sprintf("%s/people?page=%d&text=person", root, 1+index)); got.status != http.StatusOK {
			t.Fatalf("got %d", got.status)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("the page of %d people takes %s, at worst %s", manyPeople, took[len(took)/2], took[len(took)-1])
	if median := took[len(took)/2]; median > pageAim && !raced {
		t.Errorf("the page takes %s, want less than %s", median, pageAim)
	}
}
