package demo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// heartbeat keeps a quiet stream from looking dead, to browsers and to people.
const heartbeat = 15 * time.Second

// stream tells the page what changes, as server-sent events: "changed" names a
// side to be read again, "activity" is one line of the feed, new or gone on.
func (p *page) stream(w http.ResponseWriter, r *http.Request) {
	messages, stop := p.world.Watch.Follow()
	defer stop()
	control := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	send := func(event string, content any) bool {
		rendered, err := json.Marshal(content)
		if err != nil {
			return false
		}
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, rendered); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	if !send("ready", map[string]bool{"ready": true}) {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			if !send("beat", map[string]bool{}) {
				return
			}
		case message, open := <-messages:
			switch {
			case !open:
				return // too slow; the browser connects again and reads everything
			case message.Activity != nil:
				if !send("activity", message.Activity) {
					return
				}
			default:
				if !send("changed", map[string]Side{"side": message.Changed}) {
					return
				}
			}
		}
	}
}
