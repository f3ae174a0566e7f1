package outlook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
	sim "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// look makes a call that needs a token and concerns no event that exists.
func look(ctx context.Context, client *outlook.Client, member reconciler.Member) error {
	_, _, err := client.Read(ctx, member, []string{"x"})
	return err
}

// refusal is what the sign-in answers by script.
type refusal struct {
	word   string
	number int
	sub    string
	status int
}

func (r refusal) String() string { return fmt.Sprintf("%s %d", r.word, r.number) }

func (r refusal) fault() *sim.SignInFault {
	return &sim.SignInFault{Status: r.status, Error: r.word, Number: r.number, SubError: r.sub, Text: "Told in Microsoft's words."}
}

// TestRefusedSignIns goes through table 1.12 for a person whose token is to be
// renewed: what only the person can mend.
func TestRefusedSignIns(t *testing.T) {
	for _, refused := range []refusal{
		{"invalid_grant", 70000, "", 400},
		{"invalid_grant", 70008, "", 400},
		{"invalid_grant", 700082, "", 400},
		{"invalid_grant", 50173, "", 400},
		{"invalid_grant", 65001, "consent_required", 400},
		{"invalid_grant", 50076, "", 400},
		{"invalid_grant", 50079, "", 400},
		{"invalid_grant", 53003, "", 400},
		{"invalid_grant", 70043, "", 400},
		{"invalid_grant", 50057, "", 400},
		{"invalid_grant", 50034, "", 400},
		{"invalid_grant", 54005, "", 400},
		{"invalid_grant", 501481, "", 400},
		{"invalid_grant", 700005, "", 400},
		{"invalid_grant", 50105, "", 400},
		{"invalid_grant", 50196, "", 400},
		{"invalid_grant", 700084, "", 400},
		{"interaction_required", 50076, "", 400},
		{"interaction_required", 50079, "", 400},
		{"interaction_required", 50074, "", 400},
		{"interaction_required", 50078, "", 400},
		{"interaction_required", 65001, "consent_required", 400},
		// The word decides, whatever the number: one that means the application
		// elsewhere, and one that nobody has seen yet.
		{"invalid_grant", 7000222, "", 401},
		{"invalid_grant", 123456789, "", 400},
	} {
		t.Run(refused.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(config *sim.Config) {
					config.SignInFaults = func(call sim.SignInCall) *sim.SignInFault {
						if call.Mailbox == alice.Address {
							return refused.fault()
						}
						return nil
					}
				})
				time.Sleep(3 * time.Hour)
				before := w.tokens.kept[alice.ID]
				err := look(t.Context(), w.client, alice)
				var told *outlook.SignInError
				if !errors.Is(err, reconciler.ErrReconnect) || !errors.As(err, &told) {
					t.Fatalf("got %v, want ErrReconnect and what sign-in said", err)
				}
				if told.Word != refused.word || told.Number != refused.number || told.SubError != refused.sub || told.TraceID == "" || told.CorrelationID == "" {
					t.Errorf("got %+v, want %+v with trace and correlation ids", told, refused)
				}
				kept := w.tokens.kept[alice.ID]
				if number := fmt.Sprint("AADSTS", refused.number); !strings.Contains(kept.Refused, refused.word) || !strings.Contains(kept.Refused, number) ||
					kept.RefreshToken != before.RefreshToken || kept.AccessToken != "" {
					t.Errorf("stored reason %q, want %s and %s; refresh token kept %t", kept.Refused, refused.word, number, kept.RefreshToken == before.RefreshToken)
				}
				for _, client := range []*outlook.Client{w.client, w.replica(nil)} {
					if err := look(t.Context(), client, alice); !errors.Is(err, reconciler.ErrReconnect) || !strings.Contains(err.Error(), kept.Refused) {
						t.Errorf("again: got %v, want ErrReconnect with the stored reason", err)
					}
				}
				if got := len(w.sim.SignIns()); got != 1 {
					t.Errorf("sign-in was asked %d times, want once", got)
				}
				if err := w.client.Application(); err != nil {
					t.Errorf("the application: got %v, want no alarm", err)
				}
				if err := look(t.Context(), w.client, bob); err != nil {
					t.Errorf("somebody else: got %v, want no error", err)
				}
			})
		})
	}
}

// TestRefusedApplications goes through table 1.12: what only an administrator can
// mend is one alarm and ends nobody's connection.
func TestRefusedApplications(t *testing.T) {
	for _, refused := range []refusal{
		{"invalid_client", 7000222, "", 401},
		{"invalid_client", 7000215, "", 401},
		{"invalid_client", 700027, "", 401},
		{"invalid_client", 7000218, "", 401},
		{"invalid_client", 7000112, "", 401},
		{"unauthorized_client", 700016, "", 400},
		{"invalid_request", 900144, "", 400},
		{"invalid_request", 9002313, "", 400},
		{"invalid_request", 50011, "", 400},
		{"invalid_request", 50147, "", 400},
		{"invalid_scope", 70011, "", 400},
		{"invalid_scope", 700022, "", 400},
		{"invalid_request", 50194, "", 400},
		{"invalid_request", 9001023, "", 400},
	} {
		t.Run(refused.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broken := true
				w := newWorld(t, func(config *sim.Config) {
					config.SignInFaults = func(sim.SignInCall) *sim.SignInFault {
						if broken {
							return refused.fault()
						}
						return nil
					}
				})
				core, logged := observer.New(zapcore.InfoLevel)
				client := w.replica(func(config *outlook.Config) { config.Log = zap.New(core) })
				time.Sleep(3 * time.Hour)
				for range 20 {
					for _, member := range []reconciler.Member{alice, bob} {
						err := look(t.Context(), client, member)
						var retry *reconciler.RetryError
						if !errors.As(err, &retry) || retry.Cause != "application" || !errors.Is(err, outlook.ErrApplication) || errors.Is(err, reconciler.ErrReconnect) {
							t.Fatalf("got %v, want to come back, because of the application", err)
						}
					}
					time.Sleep(time.Minute)
				}
				if got := len(w.sim.SignIns()); refused.word == "invalid_client" && got > 8 {
					t.Errorf("sign-in was asked %d times in 20 minutes, want few", got)
				}
				err := client.Application()
				if number := fmt.Sprint("AADSTS", refused.number); !errors.Is(err, outlook.ErrApplication) || !strings.Contains(err.Error(), number) {
					t.Errorf("the alarm: got %v, want ErrApplication and %s", err, number)
				}
				broken = false
				time.Sleep(11 * time.Minute)
				for _, member := range []reconciler.Member{alice, bob} {
					if err := look(t.Context(), client, member); err != nil {
						t.Errorf("once it is mended: got %v, want no error", err)
					}
				}
				if err := client.Application(); err != nil {
					t.Errorf("the alarm once it is mended: got %v, want none", err)
				}
				if got := []int{logged.FilterLevelExact(zapcore.ErrorLevel).Len(), logged.FilterLevelExact(zapcore.InfoLevel).Len(), logged.Len()}; got[0] != 1 || got[1] != 1 || got[2] != 2 {
					t.Errorf("logged %d errors and %d notes of %d lines, want one each and nothing else", got[0], got[1], got[2])
				}
				for lane, token := range w.tokens.kept {
					if token.Refused != "" {
						t.Errorf("lane %s: refused as %q, want nobody's connection lost", lane, token.Refused)
					}
				}
			})
		})
	}
}

// TestOneTenantWithoutTheApplication: others go on, and the alarm stays up until
// that tenant knows the application again.
func TestOneTenantWithoutTheApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := true
		w := newWorld(t, func(config *sim.Config) {
			config.SignInFaults = func(call sim.SignInCall) *sim.SignInFault {
				if gone && call.Mailbox == alice.Address {
					return refusal{"unauthorized_client", 700016, "", 400}.fault()
				}
				return nil
			}
		})
		time.Sleep(3 * time.Hour)
		for range 5 {
			if err := look(t.Context(), w.client, alice); !errors.Is(err, outlook.ErrApplication) {
				t.Errorf("alice: got %v, want ErrApplication", err)
			}
			if err := look(t.Context(), w.client, bob); err != nil {
				t.Errorf("bob: got %v, want no error", err)
			}
			if w.client.Application() == nil {
				t.Error("the alarm went down while it is as it was")
			}
		}
		gone = false
		if err := look(t.Context(), w.client, alice); err != nil || w.client.Application() != nil {
			t.Errorf("afterwards: got %v and alarm %v, want neither", err, w.client.Application())
		}
	})
}

// TestBusySignIns goes through table 1.12: what passes by itself.
func TestBusySignIns(t *testing.T) {
	for _, busy := range []refusal{
		{"temporarily_unavailable", 90033, "", 503},
		{"temporarily_unavailable", 90006, "", 503},
		{"server_error", 50033, "", 500},
		{"a_word_of_next_year", 99999, "", 400},
		{"", 0, "", 502},
	} {
		t.Run(busy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out := true
				w := newWorld(t, func(config *sim.Config) {
					config.SignInFaults = func(sim.SignInCall) *sim.SignInFault {
						if !out {
							return nil
						}
						fault := busy.fault()
						fault.RetryAfter = 40 * time.Second
						return fault
					}
				})
				time.Sleep(3 * time.Hour)
				var retry *reconciler.RetryError
				if err := look(t.Context(), w.client, alice); !errors.As(err, &retry) || retry.Cause != "signin_unavailable" || retry.After != 40*time.Second {
					t.Errorf("got %v, want to come back in 40 s", err)
				}
				if err := w.client.Application(); err != nil {
					t.Errorf("the application: got %v, want no alarm", err)
				}
				out = false
				time.Sleep(time.Minute)
				if err := look(t.Context(), w.client, alice); err != nil {
					t.Errorf("afterwards: got %v, want no error", err)
				}
			})
		})
	}
}

func TestReplicasRenewATokenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *sim.Config) {
			config.Switches.RefreshTokenOnce = true
			config.SignInFaults = func(sim.SignInCall) *sim.SignInFault { return &sim.SignInFault{Delay: 3 * time.Second} }
		})
		time.Sleep(3 * time.Hour)
		var group sync.WaitGroup
		for range 4 {
			client := w.replica(nil)
			for range 3 {
				group.Go(func() {
					if err := look(t.Context(), client, alice); err != nil {
						t.Errorf("got %v, want no error", err)
					}
				})
			}
		}
		group.Wait()
		if got := len(w.sim.SignIns()); got != 1 || w.tokens.saved != 1 || len(w.tokens.locks) != 0 {
			t.Errorf("asked %d times, saved %d times, %d locks left; want once, once, none", got, w.tokens.saved, len(w.tokens.locks))
		}
	})
}

func TestARenewalWhoseProcessDiedIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		time.Sleep(3 * time.Hour)
		if taken, err := w.tokens.LockToken(t.Context(), alice.ID, "the dead", 20*time.Second); !taken || err != nil {
			t.Fatal(taken, err)
		}
		began := time.Now()
		if err := look(t.Context(), w.client, alice); err != nil {
			t.Errorf("got %v, want no error", err)
		}
		if took := time.Since(began); took < 20*time.Second || took > 22*time.Second {
			t.Errorf("waited %s, want until the lock is over", took)
		}
	})
}

// TestALostAnswerToARenewal: Entra takes the old refresh token once more (1.8);
// where it does not, the person has to come, and nobody asks for ever.
func TestALostAnswerToARenewal(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprintf("1.8 refresh tokens work once %t", strict), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lost := 0
				w := newWorld(t, func(config *sim.Config) {
					config.Switches.RefreshTokenOnce = strict
					config.SignInFaults = func(sim.SignInCall) *sim.SignInFault {
						if lost++; lost == 1 {
							return &sim.SignInFault{Drop: true, AfterCommit: true}
						}
						return nil
					}
				})
				time.Sleep(3 * time.Hour)
				var retry *reconciler.RetryError
				if err := look(t.Context(), w.client, alice); !errors.As(err, &retry) {
					t.Fatalf("got %v, want to come back", err)
				}
				for range 10 {
					err := look(t.Context(), w.client, alice)
					if !strict && err != nil || strict && !errors.Is(err, reconciler.ErrReconnect) {
						t.Errorf("afterwards: got %v", err)
					}
					time.Sleep(time.Minute)
				}
				if got := len(w.sim.SignIns()); got != 2 {
					t.Errorf("asked %d times, want twice", got)
				}
				if reason := w.tokens.kept[alice.ID].Refused; strict != strings.Contains(reason, "AADSTS50173") {
					t.Errorf("stored reason %q", reason)
				}
			})
		})
	}
}

func TestARenewedTokenOutlivesTheStoresOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *sim.Config) { config.Switches.RefreshTokenOnce = true })
		time.Sleep(3 * time.Hour)
		w.tokens.broken = true
		for range 3 {
			var retry *reconciler.RetryError
			if err := look(t.Context(), w.client, alice); !errors.As(err, &retry) || retry.Cause != "store" {
				t.Fatalf("got %v, want to come back because of the store", err)
			}
		}
		w.tokens.broken = false
		if err := look(t.Context(), w.client, alice); err != nil {
			t.Errorf("afterwards: got %v, want no error", err)
		}
		if err := look(t.Context(), w.replica(nil), alice); err != nil {
			t.Errorf("another replica: got %v, want no error", err)
		}
		if got := len(w.sim.SignIns()); got != 1 {
			t.Errorf("asked %d times, want once", got)
		}
	})
}

func TestARenewalIsKeptThoughItsCallerHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *sim.Config) {
			config.Switches.RefreshTokenOnce = true
			config.SignInFaults = func(sim.SignInCall) *sim.SignInFault { return &sim.SignInFault{Delay: 2 * time.Second} }
		})
		time.Sleep(3 * time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = look(ctx, w.client, alice) // its time is over either way
		if w.tokens.saved != 1 {
			t.Errorf("saved %d times, want once", w.tokens.saved)
		}
		if err := look(t.Context(), w.client, alice); err != nil || len(w.sim.SignIns()) != 1 {
			t.Errorf("afterwards: got %v, asked %d times, want no error and once", err, len(w.sim.SignIns()))
		}
	})
}

// TestANewSignInWinsOverARenewalUnderWay: neither the outcome of the old token
// nor its failure touches the new one.
func TestANewSignInWinsOverARenewalUnderWay(t *testing.T) {
	for _, word := range []string{"", "invalid_grant"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(config *sim.Config) {
				config.SignInFaults = func(sim.SignInCall) *sim.SignInFault {
					fault := &sim.SignInFault{Delay: 2 * time.Second}
					if word != "" {
						fault.Status, fault.Error, fault.Number = http.StatusBadRequest, word, 50173
					}
					return fault
				}
			})
			time.Sleep(3 * time.Hour)
			access, refresh, expires := w.sim.Token(t.Context(), alice.Address, sim.DefaultApplication.ID, []string{"offline_access", "Calendars.ReadWrite"})
			time.AfterFunc(time.Second, func() {
				w.tokens.set(alice.ID, outlook.Token{AccessToken: access, RefreshToken: refresh, Expires: expires})
			})
			if err := look(t.Context(), w.client, alice); err != nil {
				t.Errorf("renewal ends as %q: got %v, want no error", word, err)
			}
			if kept := w.tokens.kept[alice.ID]; kept.RefreshToken != refresh || kept.Refused != "" {
				t.Errorf("renewal ends as %q: kept %t, refused %q; want the new sign-in", word, kept.RefreshToken == refresh, kept.Refused)
			}
		})
	}
}

// TestARejectedToken is 1.22: one renewal and one repeat, for a call and for the
// items of a batch; and a Graph that takes no token at all signs nobody out.
func TestARejectedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		made := w.write(alice, create(meeting())).Copy
		for round, ids := range [][]string{{made.ID}, {made.ID, "y"}} {
			w.sim.EndAccess(t.Context(), alice.Address)
			copies, failed, err := w.client.Read(t.Context(), alice, ids)
			if err != nil || len(failed) > 0 || len(copies) != 1 {
				t.Errorf("1.22 reading %d: got %d copies, %v, %v, want the event", len(ids), len(copies), failed, err)
			}
			if got := len(w.sim.SignIns()); got != round+1 {
				t.Errorf("1.22 reading %d: asked %d times, want %d", len(ids), got, round+1)
			}
			time.Sleep(10 * time.Minute)
		}
	})
	for name, fault := range map[string]func(sim.CallInfo) bool{
		"call":          func(info sim.CallInfo) bool { return !info.BatchItem },
		"item of batch": func(info sim.CallInfo) bool { return info.BatchItem },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(config *sim.Config) {
				config.Faults = func(info sim.CallInfo) *sim.Fault {
					if fault(info) {
						return &sim.Fault{Status: http.StatusUnauthorized}
					}
					return nil
				}
			})
			for range 4 {
				_, failed, err := w.client.Read(t.Context(), alice, []string{"x", "y"})
				for _, one := range failed {
					err = errors.Join(err, one)
				}
				var retry *reconciler.RetryError
				if !errors.As(err, &retry) || retry.Cause != "unauthorized" || errors.Is(err, reconciler.ErrReconnect) {
					t.Errorf("%s: got %v, want to come back", name, err)
				}
				time.Sleep(10 * time.Second)
			}
			if got := len(w.sim.SignIns()); got != 1 || w.tokens.kept[alice.ID].Refused != "" {
				t.Errorf("%s: asked %d times and refused %q, want once in a minute and nobody refused", name, got, w.tokens.kept[alice.ID].Refused)
			}
		})
	}
}

func TestTwoMailboxesOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		other := w.replica(nil)
		for _, client := range []*outlook.Client{w.client, other} {
			if profile, err := client.Me(t.Context(), alice); err != nil || profile.Mail != alice.Address {
				t.Fatalf("got %+v, %v, want alice", profile, err)
			}
		}
		w.tokens.set(alice.ID, w.tokens.kept[bob.ID]) // the person signs in with another account
		w.client.Forget(alice.ID)
		if profile, err := w.client.Me(t.Context(), alice); err != nil || profile.Mail != bob.Address {
			t.Errorf("where it happened: got %+v, %v, want bob's mailbox at once", profile, err)
		}
		time.Sleep(3 * time.Second)
		if profile, err := other.Me(t.Context(), alice); err != nil || profile.Mail != bob.Address {
			t.Errorf("elsewhere: got %+v, %v, want bob's mailbox within seconds", profile, err)
		}
	})
}

// TestForbiddenIsNoSignIn is 1.22: 403 speaks of scopes and not of the token.
func TestForbiddenIsNoSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *sim.Config) {
			config.Faults = func(sim.CallInfo) *sim.Fault { return &sim.Fault{Status: http.StatusForbidden} }
		})
		err := look(t.Context(), w.client, alice)
		if !errors.Is(err, outlook.ErrForbidden) || errors.Is(err, reconciler.ErrReconnect) || len(w.sim.SignIns()) != 0 {
			t.Errorf("1.22: got %v and %d calls for tokens, want ErrForbidden and none", err, len(w.sim.SignIns()))
		}
	})
}

// TestThrottledWithoutSayingHowLong is 10.2.
func TestThrottledWithoutSayingHowLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *sim.Config) {
			config.Faults = func(sim.CallInfo) *sim.Fault { return &sim.Fault{Status: http.StatusTooManyRequests} }
		})
		for range 10 {
			var retry *reconciler.RetryError
			if err := look(t.Context(), w.client, alice); !errors.As(err, &retry) || retry.Cause != "throttled" {
				t.Errorf("10.2: got %v, want to come back", err)
			}
		}
		if got := len(w.sim.Calls()); got != 1 {
			t.Errorf("10.2: %d calls, want the others held back", got)
		}
	})
}

// TestATokenThatEndsSoonServesWhileSignInIsOut: calls about subscriptions want one
// that lasts, and take what there is.
func TestATokenThatEndsSoonServesWhileSignInIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := true
		w := newWorld(t, func(config *sim.Config) {
			config.SignInFaults = func(sim.SignInCall) *sim.SignInFault {
				if out {
					return refusal{"temporarily_unavailable", 90033, "", 503}.fault()
				}
				return nil
			}
		})
		time.Sleep(time.Until(w.tokens.kept[alice.ID].Expires.Add(-10 * time.Minute)))
		renew := func() error {
			_, err := w.client.RenewSubscription(t.Context(), alice, "b0f0e3c5-0000-4000-8000-000000000000", time.Now().Add(time.Hour), nil)
			return err
		}
		if err := renew(); !errors.Is(err, reconciler.ErrGone) || len(w.sim.SignIns()) != 1 {
			t.Errorf("while it is out: got %v after %d calls for tokens, want Graph's answer after one", err, len(w.sim.SignIns()))
		}
		time.Sleep(11 * time.Minute)
		var retry *reconciler.RetryError
		if err := renew(); !errors.As(err, &retry) || retry.Cause != "signin_unavailable" {
			t.Errorf("with a token that has ended: got %v, want to come back", err)
		}
		out = false
		if err := renew(); !errors.Is(err, reconciler.ErrGone) {
			t.Errorf("afterwards: got %v, want Graph's answer", err)
		}
	})
}
