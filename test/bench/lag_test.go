package bench_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/test/network"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// lags are measured from the moment a person's edit can be read on one side to
// the moment the gateway's can be read on the other, one edit at a time, each
// after the last has settled.
type lags struct {
	fromOutlook, fromNightPOS *latencies
}

// lag has the first person rename an event, on one side and then on the other.
func (w *world) lag(of calendar, turns int) lags {
	w.t.Helper()
	measured := lags{fromOutlook: newLatencies(), fromNightPOS: newLatencies()}
	type change struct {
		by reconciler.Side
		at time.Time
	}
	// A person's edit and the gateway's; nobody else edits, and echoes change
	// nothing.
	persons, gateways := make(chan change, 16), make(chan change, 16)
	w.outlook.OnChange(func(seen simoutlook.Change) {
		if strings.HasPrefix(seen.Actor, "person:") {
			persons <- change{reconciler.SideOutlook, time.Now()}
		} else {
			gateways <- change{reconciler.SideOutlook, time.Now()}
		}
	})
	account := w.nightpos.Member(accountLogin).ID
	w.nightpos.OnChange(func(seen simnightpos.Change) {
		if seen.User != account {
			persons <- change{reconciler.SideNightPOS, time.Now()}
		} else {
			gateways <- change{reconciler.SideNightPOS, time.Now()}
		}
	})
	box, member := w.outlook.Mailbox(mailbox(0)), w.nightpos.Member(login(0))
	for turn := range turns {
		_, err := box.Update(w.t.Context(), of.graphIDs[0], map[string]any{"subject": fmt.Sprintf("In Outlook %d", turn)})
		w.must(err)
		edited, copied := <-persons, <-gateways
		if edited.by != reconciler.SideOutlook || copied.by != reconciler.SideNightPOS {
			w.t.Fatalf("an edit in Outlook: got one in %s copied to %s", edited.by, copied.by)
		}
		measured.fromOutlook.add(copied.at.Sub(edited.at))
		w.settle()
		err = member.Write(w.t.Context(), of.records[:1], map[string]any{"name": fmt.Sprintf("In NightPOS %d", turn)})
		w.must(err)
		edited, copied = <-persons, <-gateways
		if edited.by != reconciler.SideNightPOS || copied.by != reconciler.SideOutlook {
			w.t.Fatalf("an edit in NightPOS: got one in %s copied to %s", edited.by, copied.by)
		}
		measured.fromNightPOS.add(copied.at.Sub(edited.at))
		w.settle()
	}
	return measured
}

// TestLag has a few edits arrive on the other side, where each counts once.
func TestLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, wishes{people: 1, network: &network.Network{}})
		defer w.close()
		measured := w.lag(w.fill(1), 3)
		if outlook, nightpos := measured.fromOutlook.count(), measured.fromNightPOS.count(); outlook != 3 || nightpos != 3 {
			t.Errorf("edits that arrived: got %d from Outlook and %d from NightPOS, want 3 from each", outlook, nightpos)
		}
	})
}
