package nightpos

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// ContactPolicy says which people become contacts when a meeting brings them to
// NightPOS and no contact has their address. Whoever does not is not shown in
// NightPOS and stays in Outlook. Rooms and equipment, lists, and what is no plain
// mail address never become contacts.
type ContactPolicy string

// The policies; the zero value is ContactsKnownDomains.
const (
	ContactsNever ContactPolicy = "never"
	// ContactsKnownDomains makes contacts of people in whose mail domain NightPOS has
	// a user or another contact already. Domains in which anybody can have a mailbox
	// never count.
	ContactsKnownDomains ContactPolicy = "known_domains"
	ContactsAlways       ContactPolicy = "always"
)

// publicDomains are those of providers that give a mailbox to anybody: one customer
// there says nothing about the next.
var publicDomains = map[string]bool{
	"126.com": true, "163.com": true, "aol.com": true, "duck.com": true, "fastmail.com": true, "free.fr": true, "gmail.com": true,
	"gmx.com": true, "gmx.de": true, "gmx.net": true, "googlemail.com": true, "hey.com": true, "hotmail.co.th": true, "hotmail.com": true,
	"icloud.com": true, "laposte.net": true, "libero.it": true, "live.com": true, "mac.com": true, "mail.com": true, "mail.ru": true,
	"me.com": true, "msn.com": true, "naver.com": true, "orange.fr": true, "outlook.co.th": true, "outlook.com": true, "pm.me": true,
	"proton.me": true, "protonmail.com": true, "qq.com": true, "rediffmail.com": true, "rocketmail.com": true, "t-online.de": true,
	"tutanota.com": true, "wanadoo.fr": true, "web.de": true, "yahoo.co.th": true, "yahoo.co.uk": true, "yahoo.com": true,
	"yandex.com": true, "yandex.ru": true, "ymail.com": true, "zoho.com": true,
}

// listNames are how distribution lists are called: nothing in a meeting tells them
// from people, and NightPOS would mail everybody on them.
var listNames = []string{"all", "department", "distribution", "dl", "employees", "everybody", "everyone", "group", "list", "members", "staff", "team"}

// contactable says whether somebody at a meeting may become a contact at all: rooms
// and equipment are no people, and lists are many.
func contactable(person reconciler.Person) bool {
	return person.Type != reconciler.TypeResource && !calledList(person)
}

// calledList says that an address, or the name shown with it, begins or ends as that
// of a list does: all@, sales-team@, "Everyone in Bangkok".
func calledList(person reconciler.Person) bool {
	local, _, _ := strings.Cut(person.Key(), "@")
	words := func(text string) []string {
		return strings.FieldsFunc(strings.ToLower(text), func(letter rune) bool { return !unicode.IsLetter(letter) && !unicode.IsDigit(letter) })
	}
	for _, parts := range [][]string{words(local), words(person.Name)} {
		if len(parts) > 0 && (slices.Contains(listNames, parts[0]) || slices.Contains(listNames, parts[len(parts)-1])) {
			return true
		}
	}
	return false
}

// admitted are those of the people whom the policy makes contacts, by their keys. It
// costs a call for each domain that was not asked about lately.
func (c *Client) admitted(ctx context.Context, people map[string]reconciler.Person) (map[string]bool, error) {
	admitted := map[string]bool{}
	for key, person := range people {
		if !contactable(person) || c.config.Contacts == ContactsNever {
			continue
		}
		if c.config.Contacts != ContactsAlways {
			known, err := c.knowsDomain(ctx, key[strings.LastIndexByte(key, '@')+1:])
			if err != nil {
				return nil, err
			}
			if !known {
				continue
			}
		}
		admitted[key] = true
	}
	return admitted, nil
}

// knowsDomain says whether NightPOS has a user or a contact with an address in a
// domain.
func (c *Client) knowsDomain(ctx context.Context, domain string) (bool, error) {
	// The last two stand for any letters in a pattern, and for none in a domain.
	if domain == "" || publicDomains[domain] || strings.ContainsAny(domain, `%_\`) {
		return false, nil
	}
	if known, asked := c.contacts.domain(domain); asked {
		return known, nil
	}
	answer, err := c.call(ctx, "find_domain", request{
		model: "res.partner", method: "search", repeatable: true,
		arguments: []any{[]any{[]any{"email", "=ilike", "%@" + domain}}}, named: map[string]any{"limit": 1},
	})
	if err != nil {
		return false, fmt.Errorf("asking whether a mail domain is known: %w", err)
	}
	var ids []int64
	if err := json.Unmarshal(answer, &ids); err != nil {
		return false, fmt.Errorf("asking whether a mail domain is known: %w", err)
	}
	c.contacts.rememberDomain(domain, len(ids) > 0)
	return len(ids) > 0, nil
}
