package console_test

import "testing"

func TestAnAdministratorLooksAtEverything(t *testing.T) {
	b, w := openTab(t), newWorld(t, nil)
	w.nightposEvent("alice", "Budget", 2, nil)
	w.connect("alice")
	w.settle("alice", "connected")
	b.open(w.address+"/", "Sign in")
	b.page("sign-in")
	b.fill("token", adminToken)
	b.press("Sign in")
	b.headed("Overview")
	b.page("gateway")
	for name, heading := range map[string]string{"people": "People", "activity": "Activity", "settings": "Settings", "guide": "From nothing to the first synced event"} {
		b.open(w.address+root+"/"+name, heading)
		b.page(name)
	}
	b.open(w.address+root+"/people/alice", "Alice")
	b.page("person")
}
