package reconciler_test

import (
	"testing"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// A reset leaves alone what stands in another calendar, also where the link does not
// tell that yet, as after a pause.
func TestAResetLeavesWhatIsElsewhere(t *testing.T) {
	state := reconciler.State{
		Member: reconciler.Member{ID: "6", UserID: 6},
		Link:   &reconciler.Link{RecordID: 1, GraphID: "a", Role: reconciler.RoleOrganizer},
		Copy:   &reconciler.Copy{ID: "a", IsOrganizer: true, Elsewhere: true},
		Record: &reconciler.Record{ID: 1, OrganizerUserID: 6},
	}
	if there, here := state.Deletes(reconciler.Reset{Outlook: true, NightPOS: true}); there || here {
		t.Errorf("it deletes it in Outlook %t, in NightPOS %t", there, here)
	}
}
