package outlook_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// only returns the one event of a mailbox.
func (w *world) only(address string) map[string]any {
	w.t.Helper()
	events := w.server.Mailbox(address).Events()
	if len(events) != 1 {
		w.t.Fatalf("%s has %d events, want 1", address, len(events))
	}
	return events[0]
}

func (w *world) mailed(since int, want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.mails(since)); diff != "" {
		w.t.Errorf("mails (-want +got):\n%s", diff)
	}
}

func TestMeetingReachesItsAttendees(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		content := meeting("Plan", bob, "guest@elsewhere.example", alice)
		content["sensitivity"], content["categories"] = "private", []string{"Red"}
		made := w.want(w.call(alice, "POST", "/me/events", content), 201, "")
		w.mailed(0, "invitation bob", "invitation guest@elsewhere.example")
		if got := len(w.server.Mailbox(bob).Events()); got != 0 {
			t.Errorf("the copy was there at once: %d events", got)
		}
		settle()
		copied := w.only(bob)
		got := map[string]any{}
		for _, name := range []string{"iCalUId", "subject", "start", "isOrganizer", "showAs", "sensitivity", "categories", "organizer", "transactionId"} {
			got[name] = copied[name]
		}
		want := map[string]any{
			"iCalUId": made.body["iCalUId"], "subject": "Plan", "start": made.body["start"], "isOrganizer": false, "showAs": "tentative",
			"sensitivity": "private", "categories": []string{}, "organizer": made.body["organizer"], "transactionId": nil,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("7.4, 8.8 the attendee's copy (-want +got):\n%s", diff)
		}
		if copied["id"] == made.text("id") {
			t.Error("7.4: both copies have one id")
		}
		if got := dig(copied["responseStatus"], "response"); got != "notResponded" {
			t.Errorf("7.2: own answer is %v", got)
		}
		for i, want := range []string{"notResponded", "none", "none"} {
			if got := dig(copied["attendees"].([]any)[i], "status", "response"); got != want {
				t.Errorf("7.2: attendee %d shows %v in the copy, want %s", i, got, want)
			}
		}
		if got := len(w.server.Mailbox(alice).Events()); got != 1 {
			t.Errorf("the organizer has %d events, want 1: being on the list invites nobody twice", got)
		}
	})
}

func TestMailsOfWrites(t *testing.T) {
	cases := []struct {
		name  string
		patch map[string]any
		mails []string
	}{
		{"8.6 content", map[string]any{"subject": "New"}, []string{"update bob", "update carol"}},
		{"8.6 unchanged content", map[string]any{"subject": "Plan"}, []string{"update bob", "update carol"}},
		{"8.6 personal fields", map[string]any{"showAs": "free"}, []string{"update bob", "update carol"}},
		{"8.7 same attendees", map[string]any{"attendees": guests(bob, carol)}, nil},
		{"8.7 attendee added", map[string]any{"attendees": guests(bob, carol, "guest@elsewhere.example")}, []string{"invitation guest@elsewhere.example"}},
		{"8.7 attendee removed", map[string]any{"attendees": guests(bob)}, []string{"cancellation carol"}},
		{"8.7 all removed", map[string]any{"attendees": []any{}}, []string{"cancellation bob", "cancellation carol"}},
		{"8.7 attendees and content", map[string]any{"attendees": guests(bob, "guest@elsewhere.example"), "subject": "New"}, []string{"cancellation carol", "update bob", "invitation guest@elsewhere.example"}},
		{"empty patch", map[string]any{}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, w *world) {
				made := w.want(w.call(alice, "POST", "/me/events", meeting("Plan", bob, carol)), 201, "")
				settle()
				sent := len(w.server.Mails())
				w.want(w.call(alice, "PATCH", "/me/events/"+made.text("id"), c.patch), 200, "")
				w.mailed(sent, c.mails...)
				settle()
				w.mailed(sent, c.mails...)
				for _, mail := range w.server.Mails() {
					if mail.Actor != "app:"+outlook.DefaultApplication.ID || mail.From != alice || mail.ICalUID != made.text("iCalUId") {
						t.Errorf("mail %+v", mail)
					}
				}
			})
		})
	}
}

func TestQuietPersonalSwitch(t *testing.T) {
	inBubble(t, func(c *outlook.Config) { c.Switches.QuietPersonal = true }, func(t *testing.T, w *world) {
		made := w.want(w.call(alice, "POST", "/me/events", meeting("Plan", bob)), 201, "")
		w.want(w.call(alice, "PATCH", "/me/events/"+made.text("id"), map[string]any{"showAs": "free", "categories": []string{"Red"}}), 200, "")
		w.mailed(1)
		w.want(w.call(alice, "PATCH", "/me/events/"+made.text("id"), map[string]any{"showAs": "busy", "subject": "Other"}), 200, "")
		w.mailed(1, "update bob")
	})
}

func TestAttendeesOwnChanges(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		ctx := context.Background()
		made := w.want(w.call(alice, "POST", "/me/events", meeting("Plan", bob, carol)), 201, "")
		settle()
		id := w.only(bob)["id"].(string)
		sent := len(w.server.Mails())
		if _, err := w.server.Mailbox(bob).Update(ctx, id, map[string]any{"subject": "Mine", "showAs": "oof", "reminderMinutesBeforeStart": 5}); err != nil {
			t.Fatalf("Update: %v", err)
		}
		settle()
		if got := w.only(alice)["subject"]; got != "Plan" {
			t.Errorf("8.8: an attendee's change reached the organizer: %v", got)
		}
		w.mailed(sent)
		w.want(w.call(alice, "PATCH", "/me/events/"+made.text("id"), map[string]any{"importance": "high"}), 200, "")
		settle()
		got := []any{w.only(bob)["subject"], w.only(bob)["showAs"], w.only(bob)["reminderMinutesBeforeStart"], w.only(bob)["importance"]}
		if diff := cmp.Diff([]any{"Plan", "oof", 5, "high"}, got); diff != "" {
			t.Errorf("8.8 after the organizer's update (-want +got):\n%s", diff)
		}
		if err := w.server.Mailbox(bob).Delete(ctx, id); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		settle()
		w.mailed(sent, "update bob", "update carol")
		if got := w.only(alice)["isCancelled"]; got != false {
			t.Error("8.1: an attendee's deletion cancelled the meeting")
		}
	})
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct{ action, response, showAs string }{
		{"accept", "accepted", "busy"},
		{"tentativelyAccept", "tentativelyAccepted", "tentative"},
		{"decline", "declined", ""},
	} {
		for _, byPerson := range []bool{false, true} {
			t.Run("8.4 "+c.action, func(t *testing.T) {
				inBubble(t, nil, func(t *testing.T, w *world) {
					w.want(w.call(alice, "POST", "/me/events", meeting("Plan", bob, carol)), 201, "")
					settle()
					before, sent := w.only(alice), len(w.server.Mails())
					id := w.only(bob)["id"].(string)
					actor := "app:" + outlook.DefaultApplication.ID
					if byPerson {
						actor = "person:" + bob
						if err := w.server.Mailbox(bob).Respond(context.Background(), id, c.action); err != nil {
							t.Fatalf("Respond: %v", err)
						}
					} else {
						w.want(w.call(bob, "POST", "/me/events/"+id+"/"+c.action, map[string]any{"sendResponse": true}), 202, "")
					}
					settle()
					after := w.only(alice)
					if after["changeKey"] == before["changeKey"] {
						t.Error("7.5: the organizer's change key did not move")
					}
					if got := dig(after["attendees"].([]any)[0], "status", "response"); got != c.response {
						t.Errorf("the organizer sees %v, want %s", got, c.response)
					}
					w.mailed(sent, "response alice")
					if mail := w.server.Mails()[sent]; mail.Actor != actor {
						t.Errorf("actor %q, want %q", mail.Actor, actor)
					}
					if got := dig(w.only(carol)["attendees"].([]any)[0], "status", "response"); got != "none" {
						t.Errorf("7.2: another attendee sees %v", got)
					}
					if c.action == "decline" {
						if got := len(w.server.Mailbox(bob).Events()); got != 0 {
							t.Errorf("8.4: a declined meeting stayed: %d events", got)
						}
						return
					}
					own := w.only(bob)
					if dig(own["responseStatus"], "response") != c.response || own["showAs"] != c.showAs {
						t.Errorf("own copy: %v, %v", own["responseStatus"], own["showAs"])
					}
				})
			})
		}
	}
}

func TestRefusedAnswers(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		made := w.want(w.call(alice, "POST", "/me/events", meeting("Plan", bob)), 201, "")
		quiet := meeting("Quiet", bob)
		quiet["responseRequested"], quiet["allowNewTimeProposals"] = false, false
		w.want(w.call(alice, "POST", "/me/events", quiet), 201, "")
		settle()
		ids := map[string]string{}
		for _, e := range w.server.Mailbox(bob).Events() {
			ids[e["subject"].(string)] = e["id"].(string)
		}
		sent := len(w.server.Mails())
		proposal := map[string]any{"start": at("2026-12-02T09:00:00", "UTC"), "end": at("2026-12-02T10:00:00", "UTC")}
		for _, c := range []struct {
			name, as, path string
			body           any
			code           string
		}{
			{"8.5 organizer", alice, made.text("id") + "/accept", nil, "ErrorInvalidRequest"},
			{"8.5 not requested", bob, ids["Quiet"] + "/accept", nil, "ErrorInvalidRequest"},
			{"8.5 comment unsent", bob, ids["Plan"] + "/accept", map[string]any{"comment": "ok", "sendResponse": false}, "ErrorInvalidParameter"},
			{"8.5 proposal unsent", bob, ids["Plan"] + "/decline", map[string]any{"proposedNewTime": proposal, "sendResponse": false}, "ErrorInvalidParameter"},
			{"8.5 proposal not allowed", bob, ids["Quiet"] + "/decline", map[string]any{"proposedNewTime": proposal, "sendResponse": true}, "ErrorInvalidParameter"},
			{"8.3 attendee cancels", bob, ids["Plan"] + "/cancel", map[string]any{"comment": "no"}, "ErrorInvalidRequest"},
			{"unknown parameter", bob, ids["Plan"] + "/accept", map[string]any{"answer": "no"}, "RequestBodyRead"},
		} {
			if got := w.call(c.as, "POST", "/me/events/"+c.path, c.body); got.status != 400 || got.code() != c.code {
				t.Errorf("%s: got %d %q, want 400 %q", c.name, got.status, got.code(), c.code)
			}
		}
		w.want(w.call(bob, "POST", "/me/events/"+ids["Quiet"]+"/accept", map[string]any{"SendResponse": false}), 202, "")
		settle()
		w.mailed(sent)
	})
}

func TestCancellation(t *testing.T) {
	for _, how := range []string{"DELETE", "cancel", "person"} {
		t.Run("8.3, 8.14 "+how, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, w *world) {
				made := w.want(w.call(alice, "POST", "/me/events", meeting("Plan", bob, carol)), 201, "")
				settle()
				sent := len(w.server.Mails())
				switch how {
				case "DELETE":
					w.want(w.call(alice, "DELETE", "/me/events/"+made.text("id"), nil), 204, "")
				case "cancel":
					w.want(w.call(alice, "POST", "/me/events/"+made.text("id")+"/cancel", map[string]any{"comment": "sorry"}), 202, "")
				default:
					if err := w.server.Mailbox(alice).Cancel(context.Background(), made.text("id")); err != nil {
						t.Fatalf("Cancel: %v", err)
					}
				}
				w.mailed(sent, "cancellation bob", "cancellation carol")
				settle()
				if got := len(w.server.Mailbox(alice).Events()); got != 0 {
					t.Errorf("the organizer has %d events, want none", got)
				}
				copied := w.only(bob)
				if copied["isCancelled"] != true || copied["subject"] != "Canceled: Plan" {
					t.Errorf("8.14: the copy shows %v %v", copied["isCancelled"], copied["subject"])
				}
			})
		})
	}
}

func TestRemovedAndInvitedAgain(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		path := "/me/events/" + w.want(w.call(alice, "POST", "/me/events", meeting("Plan", bob)), 201, "").text("id")
		w.want(w.call(alice, "PATCH", path, map[string]any{"attendees": []any{}}), 200, "")
		w.want(w.call(alice, "PATCH", path, map[string]any{"attendees": guests(bob)}), 200, "")
		settle() // messages may have overtaken each other
		if copied := w.only(bob); copied["isCancelled"] != false || copied["subject"] != "Plan" {
			t.Errorf("the last word was the invitation, but the copy shows %v %v", copied["isCancelled"], copied["subject"])
		}
		w.mailed(0, "invitation bob", "cancellation bob", "invitation bob")
	})
}

func TestDeletedAtOnceNeverArrives(t *testing.T) {
	for seed := range uint64(20) {
		inBubble(t, func(c *outlook.Config) { c.Seed = seed }, func(t *testing.T, w *world) {
			made := w.want(w.call(alice, "POST", "/me/events", meeting("Plan", bob)), 201, "")
			w.want(w.call(alice, "DELETE", "/me/events/"+made.text("id"), nil), 204, "")
			settle()
			for _, e := range w.server.Mailbox(bob).Events() {
				if e["isCancelled"] != true {
					t.Errorf("seed %d: a cancelled meeting arrived as live: %v", seed, e["subject"])
				}
			}
		})
	}
}

func TestObserversMayCallTheServer(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *world) {
		var mutex sync.Mutex // observers run on whichever goroutine made the change
		var told []string
		w.server.OnChange(func(change outlook.Change) {
			if change.Kind != "deleted" {
				if _, err := w.server.Mailbox(change.Mailbox).Event(change.EventID); err != nil {
					t.Errorf("a told change cannot be read: %v", err)
				}
			}
			mutex.Lock()
			defer mutex.Unlock()
			told = append(told, change.Mailbox+" "+change.Kind+" "+change.Actor)
		})
		made, err := w.server.Mailbox(alice).Create(context.Background(), meeting("Plan", bob))
		if err != nil {
			t.Fatalf("Create: %v", err)
		}
		settle()
		if err := w.server.Mailbox(alice).Delete(context.Background(), made["id"].(string)); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		time.Sleep(time.Second)
		actor := " person:" + alice
		want := []string{alice + " created" + actor, bob + " created" + actor, alice + " deleted" + actor, bob + " updated" + actor}
		mutex.Lock()
		defer mutex.Unlock()
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// Whoever is invited again after having been uninvited has yet to answer, in the
// own mailbox as in the organizer's.
func TestInvitedAgainHasNotAnswered(t *testing.T) {
	for seed := range uint64(8) { // the messages overtake each other
		inBubble(t, func(c *outlook.Config) { c.Seed = seed }, func(t *testing.T, w *world) {
			path := "/me/events/" + w.want(w.call(alice, "POST", "/me/events", meeting("Plan", bob)), 201, "").text("id")
			settle()
			w.want(w.call(bob, "POST", "/me/events/"+w.only(bob)["id"].(string)+"/accept", nil), 202, "")
			settle()
			w.want(w.call(alice, "PATCH", path, map[string]any{"attendees": []any{}}), 200, "")
			if seed%2 == 0 {
				settle()
			}
			w.want(w.call(alice, "PATCH", path, map[string]any{"attendees": guests(bob)}), 200, "")
			settle()
			if got := dig(w.only(bob), "responseStatus", "response"); got != "notResponded" {
				t.Errorf("seed %d: invited again, the copy shows %v", seed, got)
			}
			if got := dig(w.only(alice)["attendees"].([]any)[0], "status", "response"); got != "none" {
				t.Errorf("seed %d: invited again, the organizer sees %v", seed, got)
			}
		})
	}
}

// Messages about one meeting take different times; the later one has the last
// word whatever arrives first.
func TestMessagesOvertakeEachOther(t *testing.T) {
	for seed := range uint64(20) {
		inBubble(t, func(c *outlook.Config) { c.Seed = seed }, func(t *testing.T, w *world) {
			path := "/me/events/" + w.want(w.call(alice, "POST", "/me/events", meeting("Plan", bob)), 201, "").text("id")
			settle()
			w.want(w.call(alice, "PATCH", path, map[string]any{"attendees": []any{}}), 200, "")
			w.want(w.call(alice, "PATCH", path, map[string]any{"attendees": guests(bob)}), 200, "")
			settle()
			if copied := w.only(bob); copied["isCancelled"] != false || copied["subject"] != "Plan" {
				t.Errorf("seed %d: invited again, but the copy shows %v %v", seed, copied["isCancelled"], copied["subject"])
			}
			id := w.only(bob)["id"].(string)
			w.want(w.call(bob, "POST", "/me/events/"+id+"/accept", nil), 202, "")
			w.want(w.call(bob, "POST", "/me/events/"+id+"/tentativelyAccept", nil), 202, "")
			settle()
			if got := dig(w.only(alice)["attendees"].([]any)[0], "status", "response"); got != "tentativelyAccepted" {
				t.Errorf("seed %d: the organizer sees %v, want the later answer", seed, got)
			}
		})
	}
}

func TestAnswersAfterTheOrganizersChange(t *testing.T) {
	later := map[string]any{"start": at("2026-12-02T09:00:00", "UTC"), "end": at("2026-12-02T10:00:00", "UTC")}
	for _, c := range []struct {
		name      string
		reset     bool
		patch     map[string]any
		organizer string
		own       string
	}{
		{"8.7 guest added", false, map[string]any{"attendees": guests(carol, bob)}, "accepted", "accepted"},
		{"moved", false, later, "accepted", "accepted"},
		{"switch, moved", true, later, "none", "notResponded"},
		{"switch, renamed", true, map[string]any{"subject": "Other"}, "accepted", "accepted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(config *outlook.Config) { config.Switches.AnswersReset = c.reset }, func(t *testing.T, w *world) {
				path := "/me/events/" + w.want(w.call(alice, "POST", "/me/events", meeting("Plan", bob)), 201, "").text("id")
				settle()
				w.want(w.call(bob, "POST", "/me/events/"+w.only(bob)["id"].(string)+"/accept", nil), 202, "")
				settle()
				w.want(w.call(alice, "PATCH", path, c.patch), 200, "")
				settle()
				attendees := w.only(alice)["attendees"].([]any)
				if got := dig(attendees[len(attendees)-1], "status", "response"); got != c.organizer {
					t.Errorf("the organizer sees %v, want %s", got, c.organizer)
				}
				if got := dig(w.only(bob)["responseStatus"], "response"); got != c.own {
					t.Errorf("the attendee sees %v, want %s", got, c.own)
				}
			})
		})
	}
}
