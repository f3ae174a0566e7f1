package meetings_test

import (
	"math/rand/v2"
	"net/http"
	"time"
)

// comings are who of the five is away when.
type comings struct{ *rand.Rand }

// away has somebody, every now and then, paused while things happen, or disconnected
// and connected again before they do. Whoever is paused comes back with the function
// that is returned.
func (h *history) away() (back func()) {
	login := five[h.comings.IntN(len(five))]
	pause := time.Duration(h.comings.IntN(120)) * time.Second
	switch h.comings.IntN(8) {
	case 0, 1:
		h.tell("%s is paused", login)
		h.Ask(http.MethodPost, "/users/"+login+"/pause", "")
		return func() {
			time.Sleep(pause)
			h.tell("%s is back", login)
			h.Ask(http.MethodPost, "/users/"+login+"/resume", "")
		}
	case 2:
		h.tell("%s disconnects for %s", login, pause)
		before := len(h.Outlook.Mails())
		h.Ask(http.MethodDelete, "/users/"+login, "")
		time.Sleep(pause)
		h.Connect(login)
		h.Quiet()
		h.checkMails(before, map[string]int{})
		h.checkCalendars()
	}
	return func() {}
}
