package nightpos_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// admin is what the administrator does past the gateway, and must succeed.
func (w *world) asAdmin(model, method string, arguments ...any) any {
	w.Helper()
	result, err := w.rpc(model, method, arguments...)
	if err != nil {
		w.Fatalf("%s.%s: %v", model, method, err)
	}
	return result
}

// ruleNamed is the id of one of the gateway's rules.
func (w *world) ruleNamed(name string) any {
	w.Helper()
	found := w.asAdmin("base.automation", "search", []any{[]any{"name", "=", "Outlook gateway: " + name}}).([]any)
	if len(found) != 1 {
		w.Fatalf("there are %d rules %q, want one", len(found), name)
	}
	return found[0]
}

// installed lists everything in the models that registering touches.
func (w *world) installed() map[string][]any {
	w.Helper()
	all := map[string][]any{}
	for _, model := range []string{"base.automation", "ir.actions.server", "ir.actions.act_url", "ir.ui.menu", "res.groups", "ir.model.data"} {
		all[model] = w.asAdmin(model, "search_read", []any{[]any{"id", ">", 0}}, []any{"name"}).([]any)
	}
	return all
}

func TestNothingIsLeftBehind(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		if _, err := w.admin.Unregister(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := w.installed()
		if _, err := w.admin.Register(t.Context(), w.registration()); err != nil {
			t.Fatal(err)
		}
		with := w.installed()
		for _, model := range []string{"base.automation", "ir.actions.server", "ir.actions.act_url", "ir.ui.menu", "res.groups"} {
			if len(with[model]) == len(before[model]) {
				t.Errorf("registering put nothing into %s", model)
			}
		}
		w.write(w.create("key", meeting()))
		if _, err := w.client.Repair(t.Context(), w.registration()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.admin.Unregister(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, w.installed()); diff != "" {
			t.Errorf("after removing:\n%s", diff)
		}
	})
}

func TestTheMenuEntryLeadsToTheGateway(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		entry := func() (menu, link map[string]any) {
			t.Helper()
			menus := w.asAdmin("ir.ui.menu", "search_read", []any{[]any{"name", "=", "Outlook"}, []any{"active", "in", []any{true, false}}}, []any{"parent_id", "action", "active"}).([]any)
			links := w.asAdmin("ir.actions.act_url", "search_read", []any{}, []any{"url", "target"}).([]any)
			if len(menus) != 1 || len(links) != 1 {
				t.Fatalf("got %v and %v, want one entry and one link", menus, links)
			}
			return menus[0].(map[string]any), links[0].(map[string]any)
		}
		menu, link := entry()
		if menu["parent_id"].([]any)[1] != "Calendar" || menu["action"] != fmt.Sprintf("ir.actions.act_url,%v", link["id"]) || link["url"] != "http://gateway.test/page" {
			t.Errorf("got %v and %v, want an entry under Calendar that opens the gateway's page", menu, link)
		}
		w.asAdmin("ir.ui.menu", "write", []any{menu["id"]}, map[string]any{"active": false})
		moved := w.registration()
		moved.PageURL = "http://gateway.test/elsewhere"
		if findings, err := w.admin.Inspect(t.Context(), moved); err != nil || len(findings) != 1 || findings[0].Kind != nightpos.KindMenu || findings[0].Wrong != nightpos.WrongMoved {
			t.Errorf("of another page: got %v, %v, want that the entry opens another address", findings, err)
		}
		changed, err := w.admin.Register(t.Context(), moved)
		if menu, link = entry(); err != nil || len(changed) != 1 || menu["active"] != false || link["url"] != moved.PageURL {
			t.Errorf("after the page moved: changed %q, %v, got %v and %v, want the link alone changed and the entry left hidden", changed, err, menu, link)
		}
		w.asAdmin("ir.ui.menu", "unlink", []any{menu["id"]})
		if findings, err := w.admin.Inspect(t.Context(), moved); err != nil || len(findings) != 1 {
			t.Errorf("once it was deleted: got %v, %v, want that it is missing", findings, err)
		}
		if changed, err := w.admin.Register(t.Context(), moved); err != nil || len(changed) != 1 {
			t.Errorf("once it was deleted: changed %q, %v, want it made again", changed, err)
		}
	})
}

// Somebody spoils the rules in every way; the gateway's own account, which may
// not even read them, has them put back.
func TestTheOrdinaryAccountRepairsTheRules(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		if mended, err := w.client.Repair(ctx, w.registration()); err != nil || len(mended) > 0 {
			t.Fatalf("while all is well: %q, %v, want nothing", mended, err)
		}
		w.asAdmin("base.automation", "write", []any{w.ruleNamed("event saved")}, map[string]any{"active": false})
		w.asAdmin("base.automation", "unlink", []any{w.ruleNamed("event deleted")})
		w.asAdmin("base.automation", "write", []any{w.ruleNamed("invitation answered")}, map[string]any{"filter_domain": "[('id','<',0)]"})
		action := w.asAdmin("base.automation", "read", []any{w.ruleNamed("recurrence saved")}, []any{"action_server_ids"}).([]any)[0].(map[string]any)["action_server_ids"].([]any)
		w.asAdmin("ir.actions.server", "write", action, map[string]any{"webhook_url": "https://elsewhere.example/"})
		w.asAdmin("base.automation", "write", []any{w.ruleNamed("recurrence deleted")}, map[string]any{"trigger": "on_create"})
		w.asAdmin("base.automation", "write", []any{w.ruleNamed("recurrence saved")}, map[string]any{"name": "Outlook gateway: event deleted"})
		looked, err := w.client.Look(ctx, w.registration())
		if err != nil || len(looked) != 5 {
			t.Fatalf("looking: %v, %v, want five rules", looked, err)
		}
		if findings, err := w.admin.Inspect(ctx, w.registration()); err != nil || len(findings) != 5 {
			t.Errorf("after looking: %v, %v, want the five rules as they were", findings, err)
		}
		mended, err := w.client.Repair(ctx, w.registration())
		if err != nil || len(mended) != len(looked) {
			t.Fatalf("got %q, %v, want what was seen: %v", mended, err, looked)
		}
		words := map[nightpos.Wrong]string{nightpos.WrongMissing: "missing", nightpos.WrongEdited: "edited", nightpos.WrongOff: "switched off"}
		for index, one := range looked {
			if want := fmt.Sprintf("put the automation rule %q back, which was %s", one.Name, words[one.Wrong]); mended[index] != want || one.Kind != nightpos.KindRule {
				t.Errorf("got %q, want %q", mended[index], want)
			}
		}
		for _, was := range []string{"switched off", "edited", "missing"} {
			if !strings.Contains(strings.Join(mended, "\n"), "was "+was) {
				t.Errorf("got %q, want one that was %s", mended, was)
			}
		}
		if findings, err := w.admin.Inspect(ctx, w.registration()); err != nil || len(findings) > 0 {
			t.Errorf("afterwards an administrator finds %v, %v, want nothing", findings, err)
		}
		if mended, err := w.client.Repair(ctx, w.registration()); err != nil || len(mended) > 0 {
			t.Errorf("again: %q, %v, want nothing", mended, err)
		}
		// The secret part changes, and nothing else does.
		other := w.registration()
		other.Token = "the-next-secret-of-the-webhooks"
		if mended, err := w.client.Repair(ctx, other); err != nil || len(mended) != nightpos.RuleCount || strings.Contains(strings.Join(mended, ""), "secret") {
			t.Errorf("with another secret: %q, %v, want six rules put back and no secret shown", mended, err)
		}
		if findings, err := w.admin.Inspect(ctx, other); err != nil || len(findings) > 0 {
			t.Errorf("with another secret an administrator finds %v, %v, want nothing", findings, err)
		}
		// An administrator who does not know which secret holds leaves it.
		known := w.registration()
		known.Known = []string{"a", other.Token}
		if changed, err := w.admin.Register(ctx, known); err != nil || len(changed) > 0 {
			t.Errorf("registering with the former secret: changed %q, %v, want nothing", changed, err)
		}
	})
}

func TestWhatARepairCannotDo(t *testing.T) {
	versions(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		refused := func(what string, client *nightpos.Client, registration nightpos.Registration, says string) {
			t.Helper()
			_, err := client.Repair(ctx, registration)
			if !errors.Is(err, nightpos.ErrNotRegistered) || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: got %v, want ErrNotRegistered that says %q", what, err, says)
			}
		}
		for login, client := range map[string]*nightpos.Client{"alice": w.signIn("alice", "alice"), "admin": w.admin} {
			refused("run by "+login, client, w.registration(), "closed to this account")
		}
		// Where the webhooks go is not the caller's to say.
		for _, token := range []string{"", "short", "../../../../somewhere-else", "secret-of-the-webhooks?to=x", "secret'of'the'webhooks"} {
			forged := w.registration()
			forged.Token = token
			refused(fmt.Sprintf("with %q", token), w.client, forged, "was edited")
		}
		moved := w.registration()
		moved.PublicURL = "https://elsewhere.example"
		refused("of another address", w.client, moved, "another public address")
		if findings, err := w.admin.Inspect(ctx, w.registration()); err != nil || len(findings) > 0 {
			t.Errorf("after all that an administrator finds %v, %v, want nothing", findings, err)
		}
		// A copy of the database may have its rules switched off for good.
		w.asAdmin("base.automation", "write", []any{w.ruleNamed("event saved")}, map[string]any{"active": false})
		w.client.MeantFor("another database")
		if mended, err := w.client.Repair(ctx, w.registration()); !errors.Is(err, nightpos.ErrOtherDatabase) || len(mended) > 0 {
			t.Errorf("in another database: %q, %v, want ErrOtherDatabase", mended, err)
		}
		identity, err := w.client.Identity(ctx)
		if err != nil {
			t.Fatal(err)
		}
		w.client.MeantFor(identity)
		if mended, err := w.client.Repair(ctx, w.registration()); err != nil || len(mended) != 1 {
			t.Errorf("in the right one: %q, %v, want one rule put back", mended, err)
		}
		door := w.asAdmin("ir.actions.server", "search", []any{[]any{"name", "=", "Outlook gateway: door"}})
		groups := "groups_id"
		if version, err := w.admin.Version(ctx); err == nil && version.Major >= 19 {
			groups = "group_ids"
		}
		kept := w.asAdmin("ir.actions.server", "read", door, []any{groups}).([]any)[0].(map[string]any)[groups]
		w.asAdmin("ir.actions.server", "write", door, map[string]any{groups: []any{[]any{5}}})
		refused("with an open door", w.client, w.registration(), "open to others")
		w.asAdmin("ir.actions.server", "write", door, map[string]any{groups: []any{[]any{6, 0, kept}}, "code": "action = {}"})
		refused("with an edited door", w.client, w.registration(), "was edited")
		w.asAdmin("ir.actions.server", "unlink", door)
		w.asAdmin("base.automation", "unlink", []any{w.ruleNamed("event saved")})
		refused("without the door", w.client, w.registration(), `"Outlook gateway: door" is missing`)
		w.ruleNamed("event saved") // is put back all the same
		w.asAdmin("ir.actions.server", "unlink", w.asAdmin("ir.actions.server", "search", []any{[]any{"name", "=", "Outlook gateway: repair"}}))
		refused("without the repair", w.client, w.registration(), "there is no server action")
		if _, err := w.admin.Register(ctx, w.registration()); err != nil {
			t.Fatal(err)
		}
		if mended, err := w.client.Repair(ctx, w.registration()); err != nil || len(mended) > 0 {
			t.Errorf("registered again: %q, %v, want nothing", mended, err)
		}
	})
}

// NightPOS quotes the whole code with some errors; what stands in it was not said.
func TestQuotedCodeSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 18)
		door := w.asAdmin("ir.actions.server", "search", []any{[]any{"name", "=", "Outlook gateway: door"}})
		w.asAdmin("ir.actions.server", "write", door, map[string]any{"code": nightpos.Door + "\nresults[999]\n"})
		err := w.client.Check(t.Context())
		var retry *reconciler.RetryError
		if errors.Is(err, nightpos.ErrOtherDatabase) || errors.As(err, &retry) || !errors.Is(err, nightpos.ErrInvalid) {
			t.Errorf("got %v, want ErrInvalid and no talk of another database", err)
		}
	})
}
