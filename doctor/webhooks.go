package doctor

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/nightpos/outlook-gateway/gateway/findings"
)

// counts are posts of NightPOS's by what became of them, as one gateway counts.
type counts struct{ taken, strangers, failed float64 }

func (c counts) since(before counts) counts {
	return counts{c.taken - before.taken, c.strangers - before.strangers, c.failed - before.failed}
}

const (
	// arrivalTime is how long a webhook may take: NightPOS sends it before, or
	// right after, it answers.
	arrivalTime = 3 * time.Second
	arrivalStep = 200 * time.Millisecond
)

// checkWebhooks has NightPOS tell of something and looks whether the gateway at
// the public URL counts it.
func (e *examiner) checkWebhooks(ctx context.Context) []Row {
	s := &sheet{area: "nightpos"}
	const check = "webhooks"
	switch {
	case !e.nightpos.signedIn || !e.has("GATEWAY_PUBLIC_URL"):
		return nil
	case !e.reached:
		s.warn(check, findings.Say("nightpos.webhooks.stopped"), findings.Say("nightpos.webhooks.stopped.todo"))
		return s.rows
	}
	scrape := e.scraper(ctx)
	if scrape == nil {
		s.warn(check, findings.Say("nightpos.webhooks.unseen"), findings.Say("nightpos.webhooks.unseen.todo"))
		return s.rows
	}
	before, err := scrape(ctx)
	if err != nil {
		s.warn(check, findings.Say("nightpos.webhooks.unread"), findings.Say("nightpos.webhooks.unread.todo"))
		return s.rows
	}
	// Of what an administrator does the rules tell everything, of what the
	// gateway's account does only deletions.
	client, expected := e.nightpos.own, 1.0
	if e.nightpos.administrator != nil && e.nightpos.administrator != e.nightpos.own {
		client, expected = e.nightpos.administrator, 2
	}
	began := time.Now()
	if err := client.Touch(ctx); err != nil {
		s.fail(check, findings.Say("nightpos.webhooks.untouched", "Error", err), findings.Say("nightpos.webhooks.untouched.todo"))
		return s.rows
	}
	seen := counts{}
	for {
		now, err := scrape(ctx)
		if err == nil {
			seen = now.since(before)
		}
		if seen.taken >= expected || time.Since(began) > arrivalTime || ctx.Err() != nil {
			break
		}
		time.Sleep(arrivalStep)
	}
	e.judge(s, check, seen, expected, time.Since(began))
	return s.rows
}

func (e *examiner) judge(s *sheet, check string, seen counts, expected float64, took time.Duration) {
	reach := findings.Say("nightpos.webhooks.lost.todo")
	switch {
	case seen.taken >= expected:
		s.ok(check, findings.Say("nightpos.webhooks", "Count", int(seen.taken), "Milliseconds", took.Milliseconds()))
	case seen.taken > 0:
		s.fail(check, findings.Say("nightpos.webhooks.half"), register())
	case seen.strangers > 0:
		s.fail(check, findings.Say("nightpos.webhooks.token"), register())
	case seen.failed > 0:
		s.fail(check, findings.Say("nightpos.webhooks.store"), findings.Say("nightpos.webhooks.store.todo"))
	case e.nightpos.inspected:
		s.fail(check, findings.Say("nightpos.webhooks.lost"), reach)
	default:
		s.fail(check, findings.Say("nightpos.webhooks.silent", "Time", arrivalTime), reach)
	}
}

// scraper finds an address where the running gateway shows its metrics; nil when
// there is none.
func (e *examiner) scraper(ctx context.Context) func(context.Context) (counts, error) {
	addresses := []string{e.settings.PublicURL}
	if _, port, err := net.SplitHostPort(e.settings.Listen); err == nil && port != "0" {
		addresses = append(addresses, "http://"+net.JoinHostPort("127.0.0.1", port))
	}
	for _, address := range addresses {
		scrape := func(ctx context.Context) (counts, error) { return e.scrape(ctx, address+"/metrics") }
		if _, err := scrape(ctx); err == nil {
			return scrape
		}
	}
	return nil
}

// postsMetric counts posts by route and status.
const postsMetric = "outlook_gateway_webhook_seconds"

func (e *examiner) scrape(ctx context.Context, address string) (counts, error) {
	got, err := e.call(ctx, http.MethodGet, address, "", nil)
	if err != nil {
		return counts{}, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(got.body))
	if err != nil || got.status != http.StatusOK || families["outlook_gateway_info"] == nil {
		return counts{}, fmt.Errorf("%s shows no metrics of a gateway", address)
	}
	var found counts
	for _, metric := range families[postsMetric].GetMetric() {
		labels := map[string]string{}
		for _, label := range metric.GetLabel() {
			labels[label.GetName()] = label.GetValue()
		}
		if labels["route"] != "/webhooks/nightpos" {
			continue
		}
		count := float64(metric.GetHistogram().GetSampleCount())
		switch status := labels["status"]; {
		case strings.HasPrefix(status, "2"):
			found.taken += count
		case status == "404":
			found.strangers += count
		case strings.HasPrefix(status, "5"):
			found.failed += count
		}
	}
	return found, nil
}
