package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// presets are buttons that act as the person would, only faster.
type presets struct {
	world *World
	// turn numbers what they write, so that each is seen to have happened.
	turn chan int
}

func newPresets(world *World) *presets {
	p := &presets{world: world, turn: make(chan int, 1)}
	p.turn <- 0
	return p
}

func (p *presets) run(ctx context.Context, name string, member Member, week time.Time) (string, error) {
	if week.IsZero() {
		return "", refusal{http.StatusBadRequest, "The week on show is missing."}
	}
	turn := <-p.turn + 1
	p.turn <- turn
	switch name {
	case "burst":
		return p.burst(ctx, member, week, turn)
	case "conflict":
		return p.conflict(ctx, member, week, turn)
	default:
		return "", refusal{http.StatusNotFound, "There is no such preset."}
	}
}

// burstSize is how many meetings "burst" makes.
const burstSize = 20

// burst fills the week with short meetings in Outlook: four on each of five days.
func (p *presets) burst(ctx context.Context, member Member, week time.Time, turn int) (string, error) {
	topics := []string{"Stand-up", "Supplier call", "Menu tasting", "Rota planning"}
	for index := range burstSize {
		day, slot := index/len(topics), index%len(topics)
		start := week.AddDate(0, 0, day).Add(time.Duration(9+2*slot)*time.Hour + time.Duration(30*(turn-1)%120)*time.Minute)
		title := topics[slot]
		if turn > 1 {
			title = fmt.Sprintf("%s %d", title, turn)
		}
		if _, err := p.world.Outlook.Create(ctx, member.Login, Edit{
			Title: &title, When: &When{Start: start, End: start.Add(30 * time.Minute)},
		}); err != nil {
			return "", fmt.Errorf("meeting %d of %d: %w", index+1, burstSize, err)
		}
	}
	return fmt.Sprintf("%d meetings created in Outlook.", burstSize), nil
}

// conflict changes the title of one linked meeting on both sides, NightPOS a
// moment later, so that by the rule "the newest wins" NightPOS's stands.
func (p *presets) conflict(ctx context.Context, member Member, week time.Time, turn int) (string, error) {
	events, err := p.world.Outlook.Events(ctx, member.Login, week, week.AddDate(0, 0, 7))
	if err != nil {
		return "", err
	}
	for _, event := range p.world.Watch.Paired(Outlook, events) {
		if !event.Mine || event.Meeting == "" || event.Cancelled || event.Series != "" {
			continue
		}
		record, err := p.world.NightPOS.Event(ctx, member.Login, event.Meeting)
		if errors.Is(err, ErrGone) || err == nil && record.Archived {
			continue
		}
		if err != nil {
			return "", err
		}
		inOutlook, inNightPOS := fmt.Sprintf("Named in Outlook %d", turn), fmt.Sprintf("Named in NightPOS %d", turn)
		if err := p.world.Outlook.Update(ctx, member.Login, event.ID, One, Edit{Title: &inOutlook}); err != nil {
			return "", err
		}
		if err := p.world.NightPOS.Update(ctx, member.Login, record.ID, One, Edit{Title: &inNightPOS}); err != nil {
			return "", err
		}
		return fmt.Sprintf("“%s” was renamed on both sides at once.", event.Title), nil
	}
	return "", refusal{http.StatusConflict, "This week has no single meeting of yours on both sides yet: create one first."}
}
