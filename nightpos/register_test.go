package nightpos_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/nightpos"
)

// writes counts what was created, written and removed in NightPOS.
func (w *world) writes() map[string]int {
	counted := map[string]int{}
	for call, count := range w.sim.Counts() {
		for _, method := range []string{"create", "write", "unlink"} {
			if strings.HasSuffix(call, "."+method) {
				counted[call] = count
			}
		}
	}
	return counted
}

func TestRegisterIsIdempotent(t *testing.T) {
	for _, version := range []int{17, 18, 19} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, version)
				before := w.writes()
				changed, err := w.admin.Register(t.Context(), w.registration())
				if err != nil || len(changed) > 0 {
					t.Errorf("the second time: changed %v, %v, want nothing", changed, err)
				}
				if diff := cmp.Diff(before, w.writes()); diff != "" {
					t.Errorf("the second time wrote:\n%s", diff)
				}
				// A new token or address concerns the six rules and nothing else.
				moved := w.registration()
				moved.Token = "another-secret-of-the-webhooks"
				changed, err = w.admin.Register(t.Context(), moved)
				if err != nil || len(changed) != 12 || strings.Contains(strings.Join(changed, ""), "secret") {
					t.Errorf("with another token: changed %q, %v, want six rules replaced and no token shown", changed, err)
				}
				if changed, err = w.admin.Register(t.Context(), moved); err != nil || len(changed) > 0 {
					t.Errorf("with that token again: changed %q, %v, want nothing", changed, err)
				}
				if err := w.client.Check(t.Context()); err != nil {
					t.Errorf("the door afterwards: %v", err)
				}
				if _, err := w.admin.Unregister(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := w.client.Check(t.Context()); !errors.Is(err, nightpos.ErrNotRegistered) {
					t.Errorf("without the door: got %v, want ErrNotRegistered", err)
				}
				if changed, err := w.admin.Unregister(t.Context()); err != nil || len(changed) > 0 {
					t.Errorf("removing again: changed %q, %v, want nothing", changed, err)
				}
				// Installed again it has other ids, which the client finds by itself.
				if _, err := w.admin.Register(t.Context(), w.registration()); err != nil {
					t.Fatal(err)
				}
				if err := w.client.Check(t.Context()); err != nil {
					t.Errorf("the door once installed again: %v", err)
				}
			})
		})
	}
}

func TestWhoMayRegisterAndUseTheDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 18)
		if changed, err := w.client.Register(t.Context(), w.registration()); !errors.Is(err, nightpos.ErrAccess) || len(changed) > 0 {
			t.Errorf("by an ordinary account: changed %q, %v, want ErrAccess", changed, err)
		}
		for login, client := range map[string]*nightpos.Client{"alice": w.signIn("alice", "alice"), "admin": w.admin} {
			err := client.Check(t.Context())
			if !errors.Is(err, nightpos.ErrNotRegistered) {
				t.Errorf("%s used the door: got %v, want ErrNotRegistered", login, err)
			}
		}
		nobody := w.registration()
		nobody.AccountID = 4711
		if _, err := w.admin.Register(t.Context(), nobody); !errors.Is(err, nightpos.ErrMissing) {
			t.Errorf("for an account that does not exist: got %v, want ErrMissing", err)
		}
	})
}
