package life_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/redis"
)

// TestAnOlderBackup: with the store as it was before people changed, made and deleted
// events, on both sides already, nothing is changed, made or deleted again, and
// nobody is mailed; what anybody changes from then on crosses as ever.
func TestAnOlderBackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.connect("alice", "")
		w.settle("alice", "connected")
		records := map[string]int{}
		for index, title := range []string{"Changed here", "Changed there", "Deleted here", "Deleted there", "Meeting", "Left"} {
			var people []string
			if title == "Meeting" {
				people = []string{guest}
			}
			records[title] = w.nightposEvent("alice", title, 5+index, nil, people...)
		}
		w.settle("alice", "connected")
		copies := map[string]string{}
		for _, shown := range w.outlook.Mailbox(alice).Events() {
			copies[fmt.Sprint(shown["subject"])] = fmt.Sprint(shown["id"])
		}
		var backup bytes.Buffer
		_, err := redis.Backup(t.Context(), redis.Config{Engine: w.engine}, &backup)
		w.must(err)

		time.Sleep(time.Hour)
		member, mailbox := w.nightpos.Member("alice"), w.outlook.Mailbox(alice)
		place := map[string]any{"location": map[string]any{"displayName": "There"}}
		w.must(member.Write(t.Context(), []int{records["Changed here"], records["Meeting"]}, map[string]any{"location": "Here"}))
		_, err = mailbox.Update(t.Context(), copies["Changed there"], place)
		w.must(err)
		w.must(member.Unlink(t.Context(), records["Deleted here"]))
		w.must(mailbox.Delete(t.Context(), copies["Deleted there"]))
		w.nightposEvent("alice", "Made here", 12, nil)
		w.outlookEvent(alice, "Made there", 13)
		w.settle("alice", "connected")
		time.Sleep(time.Hour)
		stood, mails, counts := w.standing(), len(w.outlook.Mails()), w.outlook.Counts()

		w.must(w.service.Close())
		w.must(w.engine.Close())
		w.engine, err = redis.NewInProcess("", nil)
		w.must(err)
		_, err = redis.Restore(t.Context(), redis.Config{Engine: w.engine}, bytes.NewReader(backup.Bytes()), false)
		w.must(err)
		w.start()
		for range 2 {
			w.call(http.MethodPost, "/users/alice/sync", "", http.StatusAccepted, nil)
			w.settle("alice", "connected")
		}
		if got := w.standing(); got != stood {
			t.Errorf("the older store changed what stands:\n%s\nwant\n%s", got, stood)
		}
		if got := len(w.outlook.Mails()); got != mails {
			t.Errorf("the older store mailed %+v", w.outlook.Mails()[mails:])
		}
		for call, count := range fresh(counts, w.outlook.Counts()) {
			if call == "POST /me/events" || call == "PATCH /me/events/{event}" || call == "DELETE /me/events/{event}" {
				t.Errorf("the older store made %d calls of %s", count, call)
			}
		}
		_, err = mailbox.Update(t.Context(), copies["Left"], place)
		w.must(err)
		w.settle("alice", "connected")
		if found := w.places()["Left"]; found != [2]string{"There", "There"} {
			t.Errorf("what changed afterwards takes place at %q", found)
		}
	})
}
