package meetings_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/test/world"
)

// versions runs a test against each version of NightPOS.
func versions(t *testing.T, options world.Options, run func(*scene)) {
	for _, version := range staged {
		t.Run(fmt.Sprintf("NightPOS %d", version), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				chosen := options
				chosen.Version, chosen.Seed, chosen.Colleagues = version, uint64(version), colleagues
				w := world.New(t, chosen)
				defer w.Close()
				s := &scene{World: w, T: t}
				s.Quiet()
				run(s)
				s.wantNoMailOfTheGateway()
			})
		})
	}
}

// at is ten o'clock so many days after the world began.
func at(days int) time.Time { return time.Date(2000, 1, 1+days, 10, 0, 0, 0, time.UTC) }

// meet makes a meeting in somebody's mailbox and returns its id.
func (s *scene) meet(organizer, title string, days int, people ...string) string {
	s.Helper()
	content := inOutlookAt(at(days), time.Hour)
	content["subject"], content["attendees"] = title, attendees(people...)
	made, err := s.Outlook.Mailbox(organizer).Create(s.Context(), content)
	s.must(err)
	return text(made, "id")
}

// plan makes a meeting of somebody's in NightPOS and returns its id.
func (s *scene) plan(login, title string, days int, more map[string]any, people ...string) int {
	s.Helper()
	values := inNightPOSAt(at(days), time.Hour)
	values["name"], values["partner_ids"] = title, s.partners(append([]string{world.Address(login)}, people...)...)
	maps.Copy(values, more)
	id, err := s.NightPOS.Member(login).Create(s.Context(), values)
	s.must(err)
	return id
}

func (s *scene) write(login string, id int, values map[string]any) {
	s.Helper()
	s.must(s.NightPOS.Member(login).Write(s.Context(), []int{id}, values))
}

func (s *scene) update(address, id string, patch map[string]any) {
	s.Helper()
	_, err := s.Outlook.Mailbox(address).Update(s.Context(), id, patch)
	s.must(err)
}

func (s *scene) release(login string, classes string) {
	s.Helper()
	s.Ask(http.MethodPost, "/users/"+login+"/first-sync", `{"send":[`+classes+`]}`)
	s.Quiet()
}

// record is a record of NightPOS by its id.
func (s *scene) record(id int) map[string]any {
	s.Helper()
	for _, shown := range s.NightPOS.Events() {
		if shown["id"] == id {
			return shown
		}
	}
	s.Fatalf("NightPOS has no record %d", id)
	return nil
}

// event is an event of a mailbox by its tag.
func (s *scene) event(address, tag string) map[string]any {
	s.Helper()
	shown, err := s.Outlook.Mailbox(address).Event(s.copyOf(address, tag))
	s.must(err)
	return shown
}

// wantShown says how often meetings with a tag are to be seen.
func (s *scene) wantShown(tag string, inNightPOS int, inMailboxes map[string]int) {
	s.Helper()
	if list := s.inNightPOS(tag); len(list) != inNightPOS {
		s.Errorf("NightPOS shows %s %d times, want %d:%s\n%s", tag, len(list), inNightPOS, list, s.Log())
	}
	for _, address := range slices.Sorted(maps.Keys(inMailboxes)) {
		if list := s.inMailbox(address, tag); len(list) != inMailboxes[address] {
			s.Errorf("%s shows %s %d times, want %d:%s\n%s", address, tag, len(list), inMailboxes[address], list, s.Log())
		}
	}
}

// spent measures what the gateway writes and mails while something is done.
func (s *scene) spent(do func()) (inOutlook, inNightPOS int, mails map[string]int) {
	s.Helper()
	sent, outlook, nightpos := len(s.Outlook.Mails()), s.Writes(), s.transactions()
	do()
	s.Quiet()
	return s.Writes() - outlook, s.transactions() - nightpos, s.mailed(sent)
}

// wantMails says whom the gateway mails while something is done: each of these
// once, and nobody else.
func (s *scene) wantMails(do func(), mails ...string) {
	s.Helper()
	want := map[string]int{}
	for _, mail := range mails {
		want[mail]++
	}
	if _, _, got := s.spent(do); !maps.Equal(got, want) {
		s.Errorf("mails: %v, want %v\n%s", got, want, s.Log())
	}
}
