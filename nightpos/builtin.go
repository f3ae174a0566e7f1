package nightpos

import (
	"context"
	"encoding/json"
	"fmt"
)

// BuiltInSync is how a user stands with the Outlook sync that NightPOS ships.
type BuiltInSync struct {
	// Connected says that NightPOS holds a token of the user's.
	Connected bool `json:"connected"`
	// Stopped says that the user, or an administrator, has stopped it. Pausing
	// it for the whole database is not enough: series are refused all the same.
	Stopped bool `json:"stopped"`
	// Paused says that it is paused for the whole database.
	Paused bool `json:"paused"`
}

// Active says that the built-in sync would work against the gateway: it pushes
// the same events to the same mailbox, and refuses series.
func (b BuiltInSync) Active() bool { return b.Connected && !b.Stopped }

// BuiltInSyncs tells how users stand with the built-in sync, by user id. Users
// that do not exist are absent.
func (c *Client) BuiltInSyncs(ctx context.Context, userIDs ...int64) (map[int64]BuiltInSync, error) {
	results, err := c.run(ctx, "built_in_sync", true, []operation{{Do: "built_in_sync", Model: "res.users", IDs: userIDs}})
	if err != nil {
		return nil, err
	}
	var rows []struct {
		ID int64 `json:"id"`
		BuiltInSync
	}
	if err := json.Unmarshal(results[0], &rows); err != nil {
		return nil, fmt.Errorf("reading how the built-in sync stands: %w", err)
	}
	found := make(map[int64]BuiltInSync, len(rows))
	for _, row := range rows {
		found[row.ID] = row.BuiltInSync
	}
	return found, nil
}

// StopBuiltInSync stops the built-in sync for a user, as the button in the user's own
// calendar does, and says whether there was anything to stop. The token stays, so that
// it can be started again there. Touching no event, it may be repeated.
func (c *Client) StopBuiltInSync(ctx context.Context, userID int64) (bool, error) {
	results, err := c.run(ctx, "stop_built_in_sync", true, []operation{{Do: "stop_built_in_sync", Model: "res.users", IDs: []int64{userID}}})
	if err != nil {
		return false, err
	}
	var stopped []int64
	if err := json.Unmarshal(results[0], &stopped); err != nil {
		return false, fmt.Errorf("stopping the built-in sync: %w", err)
	}
	return len(stopped) > 0, nil
}
