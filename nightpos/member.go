package nightpos

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/nightpos/outlook-gateway/reconciler"
)

type userRow struct {
	ID        int64     `json:"id"`
	Login     text      `json:"login"`
	Name      text      `json:"name"`
	Email     text      `json:"email"`
	PartnerID reference `json:"partner_id"`
	Zone      text      `json:"tz"`
}

func (row userRow) member() reconciler.Member {
	return reconciler.Member{
		ID: strconv.FormatInt(row.ID, 10), UserID: row.ID, PartnerID: int64(row.PartnerID),
		Login: string(row.Login), Name: string(row.Name), Address: string(row.Email), Zone: string(row.Zone),
	}
}

// UsersByLogin finds users by their logins, in the order of their ids. Logins
// that do not exist, or no longer may sign in, are absent. Mailbox is empty in
// the answer: NightPOS does not know it.
func (c *Client) UsersByLogin(ctx context.Context, logins ...string) ([]reconciler.Member, error) {
	if len(logins) == 0 {
		return nil, nil
	}
	return c.findUsers(ctx, []any{[]any{"login", "in", logins}})
}

// UsersByID finds users by their ids, as UsersByLogin does by logins. It reads
// them anew, since it is asked for by people who have just been changed.
func (c *Client) UsersByID(ctx context.Context, ids ...int64) ([]reconciler.Member, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return c.findUsers(ctx, []any{[]any{"id", "in", ids}})
}

// UsersByAddress finds users by their mail address, in whatever case it is
// written.
func (c *Client) UsersByAddress(ctx context.Context, address string) ([]reconciler.Member, error) {
	key := reconciler.Person{Address: address}.Key()
	if key == "" {
		return nil, nil
	}
	found, err := c.findUsers(ctx, sameAddress([]string{key}))
	return slices.DeleteFunc(found, func(member reconciler.Member) bool {
		return reconciler.Person{Address: member.Address}.Key() != key
	}), err
}

func (c *Client) findUsers(ctx context.Context, domain []any) ([]reconciler.Member, error) {
	answer, err := c.call(ctx, "find_users", request{
		model: "res.users", method: "search_read", repeatable: true,
		arguments: []any{domain, []string{"login", "name", "email", "partner_id", "tz"}},
		named:     map[string]any{"order": "id"},
	})
	if err != nil {
		return nil, fmt.Errorf("reading users: %w", err)
	}
	var rows []userRow
	if err := json.Unmarshal(answer, &rows); err != nil {
		return nil, fmt.Errorf("reading users: %w", err)
	}
	members := make([]reconciler.Member, len(rows))
	for index, row := range rows {
		members[index] = row.member()
	}
	c.contacts.rememberMembers(members)
	return members, nil
}

// organizers knows the users among ids, from memory where that is fresh. Ids
// that NightPOS does not know, such as those of users who left, are absent.
func (c *Client) organizers(ctx context.Context, ids []int64) (map[int64]reconciler.Member, error) {
	found := map[int64]reconciler.Member{}
	var unknown []int64
	for _, id := range ids {
		if member, known := c.contacts.member(id); known {
			found[id] = member
		} else if id > 0 && !slices.Contains(unknown, id) {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) == 0 {
		return found, nil
	}
	// Archived users still own the meetings they made.
	members, err := c.findUsers(ctx, []any{[]any{"id", "in", unknown}, []any{"active", "in", []bool{true, false}}})
	if err != nil {
		return nil, err
	}
	for _, member := range members {
		found[member.UserID] = member
	}
	return found, nil
}
