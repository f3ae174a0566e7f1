package nightpos_test

import (
	"net/http/httptest"
	"testing"

	"github.com/nightpos/outlook-gateway/nightpos"
	sim "github.com/nightpos/outlook-gateway/test/sim/nightpos"
)

// Test601BuiltInSync: a token makes the built-in sync active, pausing does not
// stop it, stopping does. None of it may be read by ordinary people.
func Test601BuiltInSync(t *testing.T) {
	for _, version := range []int{17, 18, 19} {
		server, err := sim.New(sim.Config{Version: version, Database: "night", Interpret: version != 18, People: []sim.Person{{Name: "Gateway", Login: "gateway", Password: "secret"}}})
		if err != nil {
			t.Fatal(err)
		}
		listening := httptest.NewServer(server.Handler())
		t.Cleanup(func() { listening.Close(); server.Close() })
		as := func(login, password string) *nightpos.Client {
			client, err := nightpos.New(nightpos.Config{URL: listening.URL, Database: "night", Login: login, APIKey: password})
			if err != nil {
				t.Fatal(err)
			}
			return client
		}
		account, admin := as("gateway", "secret"), server.Member("admin")
		id, err := account.UserID(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := as("admin", "admin").Register(t.Context(), nightpos.Registration{PublicURL: "http://127.0.0.1:1", Token: "t", AccountID: id}); err != nil {
			t.Fatal(err)
		}
		alice := server.Member("alice").ID
		for _, step := range []struct {
			name   string
			values map[string]any
			want   nightpos.BuiltInSync
		}{
			{"never connected", nil, nightpos.BuiltInSync{}},
			{"connected", map[string]any{"microsoft_calendar_rtoken": "rt"}, nightpos.BuiltInSync{Connected: true}},
			{"paused", nil, nightpos.BuiltInSync{Connected: true, Paused: true}},
			{"stopped", map[string]any{"microsoft_synchronization_stopped": true}, nightpos.BuiltInSync{Connected: true, Stopped: true, Paused: true}},
		} {
			if step.name == "paused" {
				if err := admin.SetParameter(t.Context(), "microsoft_calendar_sync_paused", "True"); err != nil {
					t.Fatal(err)
				}
			}
			if step.values != nil {
				if err := admin.WriteUser(t.Context(), alice, step.values); err != nil {
					t.Fatal(err)
				}
			}
			found, err := account.BuiltInSyncs(t.Context(), int64(alice), 9999)
			if err != nil || len(found) != 1 || found[int64(alice)] != step.want {
				t.Errorf("%d, %s: got %+v, %v, want %+v", version, step.name, found, err, step.want)
			}
		}
		// The gateway stops it for one person, and nothing else.
		for _, user := range []string{"alice", "bob"} {
			if err := admin.WriteUser(t.Context(), server.Member(user).ID, map[string]any{"microsoft_calendar_rtoken": "rt", "microsoft_synchronization_stopped": false}); err != nil {
				t.Fatal(err)
			}
		}
		bob := server.Member("bob").ID
		for _, want := range []bool{true, false} {
			if stopped, err := account.StopBuiltInSync(t.Context(), int64(alice)); err != nil || stopped != want {
				t.Errorf("%d, stopping: got %t, %v, want %t", version, stopped, err, want)
			}
		}
		found, err := account.BuiltInSyncs(t.Context(), int64(alice), int64(bob))
		if err != nil || found[int64(alice)].Active() || !found[int64(alice)].Connected || !found[int64(bob)].Active() {
			t.Errorf("%d, once stopped for alice: got %+v, %v, want bob's alone to be on", version, found, err)
		}
		if stopped, err := account.StopBuiltInSync(t.Context(), 9999); err != nil || stopped {
			t.Errorf("%d, stopping nobody's: got %t, %v, want nothing", version, stopped, err)
		}
	}
}
