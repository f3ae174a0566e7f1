package nightpos_test

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/test/network"
	sim "github.com/nightpos/outlook-gateway/test/sim/nightpos"
)

// TestChanges asks for what was written or answered since an instant, for one
// person among others.
func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		var memory network.Network
		server, err := sim.New(sim.Config{
			Version: 18, Database: "night", BaseURL: "http://nightpos.sim", Transport: memory.Transport(),
			People: []sim.Person{{Name: "Gateway", Login: "gateway", Password: "secret"}},
		})
		must(err)
		listener, err := memory.Listen("nightpos.sim")
		must(err)
		serving := &http.Server{Handler: server.Handler(), ReadHeaderTimeout: time.Second}
		ended := make(chan struct{})
		go func() { defer close(ended); _ = serving.Serve(listener) }()
		transport := memory.Transport()
		t.Cleanup(func() {
			transport.CloseIdleConnections()
			_ = serving.Close()
			<-ended
			server.Close()
		})
		calls := map[string]int{}
		as := func(login, password string) *nightpos.Client {
			client, err := nightpos.New(nightpos.Config{
				URL: "http://nightpos.sim", Database: "night", Login: login, APIKey: password, HTTP: transport,
				Observe: func(call string, _ time.Duration, _ error) { calls[call]++ },
			})
			must(err)
			return client
		}
		account := as("gateway", "secret")
		id, err := account.UserID(t.Context())
		must(err)
		_, err = as("admin", "admin").Register(t.Context(), nightpos.Registration{PublicURL: "http://gateway.sim", Token: "t", AccountID: id})
		must(err)

		alice, bob := server.Member("alice"), server.Member("bob")
		member := reconciler.Member{ID: "6", UserID: int64(alice.ID), PartnerID: int64(alice.PartnerID)}
		create := func(as *sim.Member, name string, guests ...int) int {
			t.Helper()
			made, err := as.Create(t.Context(), map[string]any{
				"name": name, "start": "2027-01-12 09:00:00", "stop": "2027-01-12 10:00:00",
				"partner_ids": []any{[]any{6, 0, append(guests, as.PartnerID)}},
			})
			must(err)
			return made
		}
		own, answered := create(alice, "own"), create(alice, "answered", bob.PartnerID)
		archived, invited := create(alice, "archived"), create(bob, "invited", alice.PartnerID)
		removed, foreign := create(alice, "removed"), create(bob, "foreign")
		untouched := create(alice, "untouched")
		time.Sleep(time.Hour)
		since := time.Now()
		time.Sleep(time.Minute)
		ask := func() []int {
			t.Helper()
			records, err := account.Changes(t.Context(), member, since)
			must(err)
			found := []int{}
			for _, record := range records {
				found = append(found, int(record.ID))
			}
			slices.Sort(found)
			return found
		}
		before := calls["door.changes"] + calls["door.read"]
		if got := ask(); len(got) != 0 {
			t.Errorf("nothing changed, but %v are told", got)
		}
		if got := calls["door.changes"] + calls["door.read"] - before; got != 1 {
			t.Errorf("%d calls to hear that nothing changed, want 1: %v", got, calls)
		}
		must(alice.Write(t.Context(), []int{own}, map[string]any{"location": "Room 1"}))
		must(bob.Answer(t.Context(), answered, "accepted"))
		must(alice.Archive(t.Context(), archived))
		must(bob.Write(t.Context(), []int{invited}, map[string]any{"name": "invited again"}))
		must(bob.Write(t.Context(), []int{foreign}, map[string]any{"name": "foreign again"}))
		must(alice.Unlink(t.Context(), removed))
		want := []int{own, answered, archived, invited}
		slices.Sort(want)
		if diff := cmp.Diff(want, ask()); diff != "" {
			t.Errorf("without %d, which nobody touched, and %d, which is not alice's (-want +got):\n%s", untouched, foreign, diff)
		}
	})
}
