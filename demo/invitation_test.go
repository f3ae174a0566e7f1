package demo_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.uber.org/zap/zaptest"

	"github.com/nightpos/outlook-gateway/demo"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// TestAnInvitedPersonAnswers is Bob's part, in the simulated Outlook: he is
// shown the invitation, answers it, and Alice sees his answer.
func TestAnInvitedPersonAnswers(t *testing.T) {
	config := simoutlook.Config{BaseURL: "http://outlook.sim", Seed: 3}
	for _, member := range members {
		config.People = append(config.People, simoutlook.Person{Name: member.Name, Address: member.Address, TimeZone: member.OutlookZone})
	}
	simulator, err := simoutlook.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(simulator.Close)
	outlook := demo.NewOutlook(simulator, members)
	world := demo.NewWorld(t.Context(), demo.World{Members: members, Outlook: outlook, NightPOS: newMemory(demo.NightPOS)}, zaptest.NewLogger(t))
	t.Cleanup(world.Close)
	page, err := demo.NewPage(world, zaptest.NewLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(page)
	t.Cleanup(server.Close)

	// Noon today is in the week on show, whatever the browser's zone.
	noon := time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)
	if _, err := outlook.Create(t.Context(), "alice", demo.Edit{
		Title: pointer("Supplier <call>"), When: &demo.When{Start: noon, End: noon.Add(2 * time.Hour)}, Place: pointer("Meeting room"),
		People: &[]string{"bob@nightpos.example", "carol@customer.example"}, Private: pointer(true),
	}); err != nil {
		t.Fatal(err)
	}
	today := noon.Truncate(24 * time.Hour)
	whole := demo.When{AllDay: true, Start: today, End: today.AddDate(0, 0, 1)}
	if _, err := outlook.Create(t.Context(), "bob", demo.Edit{Title: pointer("Closing week"), When: &whole, ShowAs: pointer("free")}); err != nil {
		t.Fatal(err)
	}

	b := openBrowser(t, "invited", 1280, 900)
	b.do(chromedp.Navigate(server.URL))
	b.wait(exists("outlook", "Supplier <call>"))
	b.do(chromedp.Click(chromedp.CSS("#people label:nth-of-type(2)")))
	b.wait(exists("outlook", "Closing week"))
	b.wait(exists("outlook", "Supplier <call>") + `?.classList.contains("invited")`)
	b.still()
	b.picture("calendar")
	b.do(chromedp.Click(chromedp.CSS(card("outlook", "Supplier <call>"))))
	b.wait(`document.querySelector("dialog").open`)
	b.still()
	b.picture("dialog")
	b.do(chromedp.Click(chromedp.CSS("[data-answer=accepted]")))
	b.wait(`!document.querySelector("dialog").open`)
	b.do(chromedp.Click(chromedp.CSS("#people label:nth-of-type(1)")))
	b.wait(exists("outlook", "Supplier <call>") + `?.querySelector(".dot.accepted")`)
	b.wait(`document.querySelector("#outlook-mails").textContent.includes("response to alice@nightpos.example")`)
	b.still()
	b.picture("answered")
}
