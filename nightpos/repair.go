package nightpos

import (
	"context"
	"crypto/sha256"
	_ "embed" // for the code of the repair
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// The second server action that Register installs lets the gateway's account put
// the automation rules back that somebody switched off, edited or deleted. It is
// all that the account may do beyond the door: what the rules are, and the host
// they post to, stand in its code, which only an administrator can change; the
// caller gives the secret part of the addresses, and nothing but letters of one.
//
//go:embed repair.py
var repairCode string

const repairName = namePrefix + "repair"

// RuleCount is how many automation rules Register makes.
const RuleCount = 6

// repairRule is a rule as the repair's code holds it.
type repairRule struct {
	Name     string   `json:"name"`
	Model    string   `json:"model"`
	Trigger  string   `json:"trigger"`
	On       string   `json:"on"`
	Triggers []string `json:"triggers"`
	Told     []string `json:"told"`
	Domain   string   `json:"domain"`
}

// repairForm is a digest of what the repair is to put back: another version of the
// gateway, and another address, have another one.
func repairForm(registration Registration) (form, rulesText string, err error) {
	var list []repairRule
	for _, one := range rules(registration.AccountID) {
		list = append(list, repairRule{
			Name: one.name, Model: one.model, Trigger: one.trigger, On: one.on,
			Triggers: append([]string{}, one.triggers...), Told: one.told, Domain: one.domain,
		})
	}
	// Lists, objects, texts and whole numbers are the same in JSON and in Python.
	text, err := json.Marshal(list)
	if err != nil {
		return "", "", fmt.Errorf("writing the rules: %w", err)
	}
	sum := sha256.Sum256([]byte(repairCode + "\x00" + string(text) + "\x00" + registration.PublicURL))
	return hex.EncodeToString(sum[:8]), string(text), nil
}

// repairOf is the code of the repair for a registration and the group of the
// gateway's account.
func repairOf(registration Registration, group int64) (string, error) {
	form, list, err := repairForm(registration)
	if err != nil {
		return "", err
	}
	quoted := func(text string) string {
		content, _ := json.Marshal(text) // a text always can
		return string(content)
	}
	return strings.NewReplacer(
		"$FORM", quoted(form), "$DOOR", quoted(doorName), "$GROUP", strconv.FormatInt(group, 10),
		"$ADDRESS", quoted(registration.PublicURL+webhookPath), "$RULES", list,
	).Replace(repairCode), nil
}

// Repair has NightPOS put the automation rules back as they were registered, and
// returns what it mended, in words. Unlike Register it is for the gateway's own
// account. ErrNotRegistered says what else is wrong, that only an administrator's
// Register mends; the rules are put back all the same, where that can be done.
func (c *Client) Repair(ctx context.Context, registration Registration) ([]string, error) {
	found, err := c.repair(ctx, registration, false)
	mended := make([]string, 0, len(found))
	for _, one := range found {
		mended = append(mended, fmt.Sprintf("put the automation rule %q back, which was %s", one.rule, one.was))
	}
	return mended, err
}

// Look tells what Repair would mend, and changes nothing.
func (c *Client) Look(ctx context.Context, registration Registration) ([]Finding, error) {
	found, err := c.repair(ctx, registration, true)
	findings := make([]Finding, 0, len(found))
	for _, one := range found {
		wrong, known := spoiled[one.was]
		if !known {
			return nil, fmt.Errorf("%w: the server action %q answered something else", ErrNotRegistered, repairName)
		}
		findings = append(findings, Finding{KindRule, one.rule, wrong})
	}
	return findings, err
}

// spoiled are the words of the server action for what is the matter with a rule.
var spoiled = map[string]Wrong{"missing": WrongMissing, "edited": WrongEdited, "doubled": WrongTwice, "switched off": WrongOff}

// repaired is a rule that was put back, and what was the matter with it.
type repaired struct{ rule, was string }

func (c *Client) repair(ctx context.Context, registration Registration, look bool) ([]repaired, error) {
	form, _, err := repairForm(registration)
	if err != nil {
		return nil, err
	}
	action, err := c.actionNamed(ctx, "find_repair", repairName)
	if err != nil {
		return nil, err
	}
	given := map[string]any{"gw_token": registration.Token, "gw_door": Door, "gw_look": look}
	if identity := c.identity.Load(); identity != nil {
		given["gw_database"] = *identity
	}
	answer, err := c.call(ctx, "repair", request{
		model: "ir.actions.server", method: "run", arguments: []any{[]int64{action}}, repeatable: true,
		named: map[string]any{"context": given},
	})
	switch {
	case saysOtherDatabase(err):
		return nil, &reconciler.RetryError{Cause: "nightpos_identity", Err: ErrOtherDatabase}
	case errors.Is(err, ErrAccess):
		return nil, fmt.Errorf("%w: the server action %q is closed to this account: %w", ErrNotRegistered, repairName, err)
	case errors.Is(err, ErrMissing), errors.Is(err, ErrInvalid):
		return nil, fmt.Errorf("%w: the server action %q is gone or was edited: %w", ErrNotRegistered, repairName, err)
	case err != nil:
		return nil, fmt.Errorf("repairing the automation rules: %w", err)
	}
	var told struct {
		Infos struct {
			Form   string      `json:"form"`
			Door   string      `json:"door"`
			Mended [][2]string `json:"mended"`
		} `json:"infos"`
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		return nil, fmt.Errorf("%w: the server action %q answered something else", ErrNotRegistered, repairName)
	}
	mended := make([]repaired, 0, len(told.Infos.Mended))
	for _, one := range told.Infos.Mended {
		mended = append(mended, repaired{one[0], one[1]})
	}
	switch {
	case told.Infos.Form != form:
		err = fmt.Errorf("%w: the server action %q is that of another version or of another public address", ErrNotRegistered, repairName)
	case told.Infos.Door == "missing":
		err = fmt.Errorf("%w: the server action %q is missing", ErrNotRegistered, doorName)
	case told.Infos.Door == "edited":
		err = fmt.Errorf("%w: the server action %q was edited, or is that of another version", ErrNotRegistered, doorName)
	case told.Infos.Door != "":
		err = fmt.Errorf("%w: the server action %q is open to others than the gateway's group", ErrNotRegistered, doorName)
	}
	return mended, err
}
