package nightpos

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// contactsLimit bounds how many addresses are remembered.
const contactsLimit = 20_000

// contacts remembers which contact stands for an address, and who the users
// are, each for as long as the catalogue is believed.
type contacts struct {
	now func() time.Time
	age time.Duration
	// making is held by whoever makes contacts, so that two lanes do not make the
	// same person twice.
	making chan struct{}

	mutex sync.Mutex
	// partners are zero for those who have no contact and become none.
	partners map[string]remembered[int64]
	domains  map[string]remembered[bool]
	members  map[int64]remembered[reconciler.Member]
}

type remembered[Value any] struct {
	value Value
	since time.Time
}

func newContacts(config Config) *contacts {
	return &contacts{
		now: config.Now, age: config.CatalogueAge, making: make(chan struct{}, 1),
		partners: map[string]remembered[int64]{}, domains: map[string]remembered[bool]{}, members: map[int64]remembered[reconciler.Member]{},
	}
}

func (c *contacts) fresh(since time.Time) bool {
	passed := c.now().Sub(since)
	return passed >= 0 && passed <= c.age
}

func (c *contacts) partner(key string) (int64, bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	known, there := c.partners[key]
	return known.value, there && c.fresh(known.since)
}

func (c *contacts) rememberPartner(key string, id int64) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(c.partners) >= contactsLimit {
		clear(c.partners)
	}
	c.partners[key] = remembered[int64]{value: id, since: c.now()}
}

// domain says whether a mail domain is known, as it was lately.
func (c *contacts) domain(name string) (known, asked bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	found, there := c.domains[name]
	return found.value, there && c.fresh(found.since)
}

func (c *contacts) rememberDomain(name string, known bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(c.domains) >= contactsLimit {
		clear(c.domains)
	}
	c.domains[name] = remembered[bool]{value: known, since: c.now()}
}

// forgetPartners is for when a write was refused: a contact may have been merged
// into another one.
func (c *contacts) forgetPartners(people []reconciler.Person) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, person := range people {
		delete(c.partners, person.Key())
	}
}

func (c *contacts) member(id int64) (reconciler.Member, bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	known, there := c.members[id]
	return known.value, there && c.fresh(known.since)
}

func (c *contacts) rememberMembers(members []reconciler.Member) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(c.members)+len(members) > contactsLimit {
		clear(c.members)
	}
	for _, member := range members {
		c.members[member.UserID] = remembered[reconciler.Member]{value: member, since: c.now()}
	}
}

// partners finds the contacts of people, and makes those that do not exist and that
// the policy allows. Everybody else is left out. One address gets one contact: the
// one that belongs to a user, else the oldest. It costs no call for people seen
// lately, else two, and one more for each contact to make or domain to ask about.
func (c *Client) partners(ctx context.Context, people []reconciler.Person) (map[string]int64, error) {
	found := map[string]int64{}
	wanted := map[string]reconciler.Person{}
	for _, person := range people {
		if key := person.Key(); addressable(person.Address) {
			switch id, known := c.contacts.partner(key); {
			case known && id != 0:
				found[key] = id
			case !known:
				wanted[key] = person
			}
		}
	}
	if len(wanted) == 0 {
		return found, nil
	}
	keys := make([]string, 0, len(wanted))
	for key := range wanted {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	settle := func(key string, id int64) {
		found[key] = id
		c.contacts.rememberPartner(key, id)
		delete(wanted, key)
	}
	members, err := c.findUsers(ctx, sameAddress(keys))
	if err != nil {
		return nil, err
	}
	for _, member := range members {
		if key := (reconciler.Person{Address: member.Address}).Key(); hasKey(wanted, key) {
			settle(key, member.PartnerID)
		}
	}
	existing, err := c.findPartners(ctx, keys)
	if err != nil {
		return nil, err
	}
	for _, row := range existing {
		if key := (reconciler.Person{Address: string(row.Email)}).Key(); hasKey(wanted, key) {
			settle(key, row.ID)
		}
	}
	if len(wanted) == 0 {
		return found, nil
	}
	select {
	case c.contacts.making <- struct{}{}:
		defer func() { <-c.contacts.making }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for key := range wanted {
		if id, known := c.contacts.partner(key); known && id != 0 {
			settle(key, id)
		}
	}
	admitted, err := c.admitted(ctx, wanted)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		person, missing := wanted[key]
		switch {
		case missing && !admitted[key] && contactable(person):
			c.contacts.rememberPartner(key, 0)
		case missing && !admitted[key]:
		case missing:
			id, err := c.makePartner(ctx, person)
			if err != nil {
				return nil, err
			}
			settle(key, id)
		}
	}
	return found, nil
}

func hasKey(people map[string]reconciler.Person, key string) bool {
	_, there := people[key]
	return there
}

// sameAddress is a domain that finds all rows whose mail address is one of the
// keys, in whatever case it was written. As a pattern an address may match more
// than itself ("_" stands for any letter), so answers are compared again.
func sameAddress(keys []string) []any {
	domain := make([]any, 0, 2*len(keys))
	for range len(keys) - 1 {
		domain = append(domain, "|")
	}
	for _, key := range keys {
		domain = append(domain, []any{"email", "=ilike", key})
	}
	return domain
}

type partnerRow struct {
	ID    int64 `json:"id"`
	Email text  `json:"email"`
}

func (c *Client) findPartners(ctx context.Context, keys []string) ([]partnerRow, error) {
	answer, err := c.call(ctx, "find_contacts", request{
		model: "res.partner", method: "search_read", repeatable: true,
		arguments: []any{sameAddress(keys), []string{"email"}}, named: map[string]any{"order": "id"},
	})
	if err != nil {
		return nil, fmt.Errorf("looking for contacts: %w", err)
	}
	var rows []partnerRow
	if err := json.Unmarshal(answer, &rows); err != nil {
		return nil, fmt.Errorf("reading contacts: %w", err)
	}
	return rows, nil
}

// makePartner may be repeated: the second call finds what the first one made.
func (c *Client) makePartner(ctx context.Context, person reconciler.Person) (int64, error) {
	answer, err := c.call(ctx, "make_contact", request{
		model: "res.partner", method: "find_or_create", repeatable: true, arguments: []any{written(person)},
	})
	if err != nil {
		return 0, fmt.Errorf("making a contact: %w", err)
	}
	// Version 19 answers with a list, the others with a number.
	var id reference
	if err := json.Unmarshal(answer, &id); err != nil || id <= 0 {
		return 0, fmt.Errorf("making a contact: %w", ErrInvalid)
	}
	return int64(id), nil
}
