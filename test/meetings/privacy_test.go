package meetings_test

import (
	"testing"

	"github.com/nightpos/outlook-gateway/test/world"
)

// ownDefault has alice choose who sees those of her events that do not say so.
func (s *scene) ownDefault(privacy string) {
	s.Helper()
	s.must(s.NightPOS.Member("admin").WriteUser(s.Context(), s.NightPOS.Member("alice").ID, map[string]any{"calendar_default_privacy": privacy}))
	s.Quiet()
}

// wantPrivacy says what NightPOS holds of an event, and what Outlook shows.
func (s *scene) wantPrivacy(id int, tag string, stored any, sensitivity string) {
	s.Helper()
	if privacy, shown := s.record(id)["privacy"], text(s.event(alice, tag), "sensitivity"); privacy != stored || shown != sensitivity {
		s.Errorf("%s: NightPOS holds %v and Outlook shows %q, want %v and %q\n%s", tag, privacy, shown, stored, sensitivity, s.Log())
	}
}

// wantStill says that both sides have nothing more to tell each other.
func (s *scene) wantStill() {
	s.Helper()
	if inOutlook, inNightPOS, mails := s.spent(s.Sweep); inOutlook+inNightPOS+len(mails) > 0 {
		s.Errorf("a sweep cost %d writes to Outlook, %d to NightPOS and mails %v\n%s", inOutlook, inNightPOS, mails, s.Log())
	}
}

// TestPrivateByDefault: whoever leaves it to NightPOS who may see an event, and has
// chosen there that nobody may, does not have it published in Outlook.
func TestPrivateByDefault(t *testing.T) {
	versions(t, world.Options{}, func(s *scene) {
		known := s.plan("alice", "known", 5, nil, bob)
		s.Quiet()
		if s.record(known)["privacy"] == "public" {
			// NightPOS 17 has no default that a person may choose.
			s.wantPrivacy(known, "known", "public", "normal")
			return
		}
		s.wantPrivacy(known, "known", false, "normal")
		s.wantStill()
		s.ownDefault("private")
		secret := s.plan("alice", "secret", 6, nil, bob)
		open := s.plan("alice", "open", 7, map[string]any{"privacy": "public"})
		daily := s.plan("alice", "daily", 8, map[string]any{
			"recurrency": true, "rrule_type": "daily", "interval": 1, "end_type": "count", "count": 3,
		})
		theirs := s.plan("bob", "theirs", 9, nil, alice)
		s.Quiet()
		s.wantPrivacy(secret, "secret", false, "private")
		s.wantPrivacy(open, "open", "public", "normal")
		s.wantPrivacy(daily, "daily", false, "private")
		s.wantPrivacy(theirs, "theirs", false, "normal")
		// What was there before follows as soon as it is looked at, which costs one write.
		if inOutlook, inNightPOS, _ := s.spent(s.Sweep); inOutlook != 1 || inNightPOS != 0 {
			s.Errorf("the new default cost %d writes to Outlook and %d to NightPOS, want 1 and 0\n%s", inOutlook, inNightPOS, s.Log())
		}
		s.wantPrivacy(known, "known", false, "private")
		s.wantStill()

		// Edits of anything else leave it to the default; what Outlook says of it holds.
		s.update(alice, s.copyOf(alice, "secret"), map[string]any{"location": map[string]any{"displayName": "Clinic"}})
		s.write("alice", known, map[string]any{"location": "Room 1"})
		s.Quiet()
		s.wantPrivacy(secret, "secret", false, "private")
		s.wantPrivacy(known, "known", false, "private")
		s.update(alice, s.copyOf(alice, "known"), map[string]any{"sensitivity": "normal"})
		s.Quiet()
		s.wantPrivacy(known, "known", "public", "normal")
		s.update(alice, s.copyOf(alice, "known"), map[string]any{"sensitivity": "private"})
		s.Quiet()
		s.wantPrivacy(known, "known", "private", "private")
		s.wantStill()

		// What is made in Outlook, where everything is normal until somebody says more, is
		// not published in NightPOS; then it is private on both sides.
		s.appoint("brought", 12, nil)
		s.appoint("again", 13, map[string]any{"recurrence": weekly(at(13))})
		s.appoint("hidden", 14, map[string]any{"sensitivity": "private"})
		s.Quiet()
		s.wantPrivacy(s.records("brought", false)[0], "brought", false, "private")
		for _, id := range s.records("again", false) {
			s.wantPrivacy(id, "again", false, "private")
		}
		s.wantPrivacy(s.records("hidden", false)[0], "hidden", "private", "private")
		s.wantStill()

		// Another default is that of everything that was left to it, and of nothing else.
		s.ownDefault("public")
		s.Sweep()
		s.Quiet()
		s.wantPrivacy(secret, "secret", false, "normal")
		s.wantPrivacy(daily, "daily", false, "normal")
		s.wantPrivacy(known, "known", "private", "private")
		s.wantStill()
	})
}
