package nightpos

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	alarmModel = "calendar.alarm"
	tagModel   = "calendar.event.type"
)

// keyLimit bounds how often another key is tried for an alarm or a tag. Each one
// costs a call, and stands for one that somebody has made into something else.
const keyLimit = 8

// catalogueLimit bounds how many alarms and tags are kept. A database has some
// dozens of each.
const catalogueLimit = 10_000

// catalogue remembers the alarms and tags of the database. Both are small lists
// that hardly change; they ride along with a read when they have become old.
type catalogue struct {
	now func() time.Time
	age time.Duration

	mutex  sync.Mutex
	read   time.Time
	alarms map[int64]alarm
	tags   map[int64]string
}

// alarm is a calendar.alarm. Only those that remind inside NightPOS count as
// reminders; mails and text messages are nobody's business but NightPOS's.
type alarm struct {
	notifies bool
	before   time.Duration
}

type alarmRow struct {
	ID       int64 `json:"id"`
	Type     text  `json:"alarm_type"`
	Interval text  `json:"interval"`
	Duration int64 `json:"duration"`
}

type tagRow struct {
	ID   int64 `json:"id"`
	Name text  `json:"name"`
}

var (
	alarmFields = []string{"alarm_type", "interval", "duration"}
	tagFields   = []string{"name"}
)

func newCatalogue(config Config) *catalogue {
	return &catalogue{now: config.Now, age: config.CatalogueAge, alarms: map[int64]alarm{}, tags: map[int64]string{}}
}

// operations are what reads the catalogue: results go to learn.
func (c *catalogue) operations() []operation {
	every := []any{[]any{"id", ">", 0}}
	return []operation{
		{
			Do: "search_read", Model: alarmModel, Domain: every, Order: "id", Limit: catalogueLimit,
			Fields: alarmFields,
		},
		{Do: "search_read", Model: tagModel, Domain: every, Order: "id", Limit: catalogueLimit, Fields: tagFields},
	}
}

func (c *catalogue) old() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.read.IsZero() || c.now().Sub(c.read) > c.age || c.now().Before(c.read)
}

// expire makes the next read take the catalogue along.
func (c *catalogue) expire() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.read = time.Time{}
}

func (c *catalogue) learn(results []json.RawMessage) error {
	var alarms []alarmRow
	var tags []tagRow
	if err := json.Unmarshal(results[0], &alarms); err != nil {
		return fmt.Errorf("reading the alarms: %w", err)
	}
	if err := json.Unmarshal(results[1], &tags); err != nil {
		return fmt.Errorf("reading the tags: %w", err)
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	clear(c.alarms)
	clear(c.tags)
	c.add(alarms, tags)
	c.read = c.now()
	return nil
}

// add must be called with the lock held.
func (c *catalogue) add(alarms []alarmRow, tags []tagRow) {
	units := map[text]time.Duration{"minutes": time.Minute, "hours": time.Hour, "days": 24 * time.Hour}
	for _, row := range alarms {
		unit, known := units[row.Interval]
		c.alarms[row.ID] = alarm{notifies: row.Type == "notification" && known, before: time.Duration(row.Duration) * unit}
	}
	for _, row := range tags {
		c.tags[row.ID] = string(row.Name)
	}
}

// learnOne adds what is read of one record of a model.
func (c *catalogue) learnOne(model string, result json.RawMessage) error {
	var alarms []alarmRow
	var tags []tagRow
	into := any(&tags)
	if model == alarmModel {
		into = &alarms
	}
	if err := json.Unmarshal(result, into); err != nil {
		return fmt.Errorf("reading what was made in %s: %w", model, err)
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.add(alarms, tags)
	return nil
}

// knows says whether every alarm and tag of these events is known.
func (c *catalogue) knows(rows []eventRow) bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, row := range rows {
		for _, id := range row.AlarmIDs {
			if _, known := c.alarms[id]; !known {
				return false
			}
		}
		for _, id := range row.CategoryIDs {
			if _, known := c.tags[id]; !known {
				return false
			}
		}
	}
	return true
}

// reminders translates alarms, without those that do not count as reminders.
func (c *catalogue) reminders(ids []int64) []time.Duration {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var reminders []time.Duration
	for _, id := range ids {
		if known := c.alarms[id]; known.notifies {
			reminders = append(reminders, known.before)
		}
	}
	slices.Sort(reminders)
	return slices.Compact(reminders)
}

// names translates tags.
func (c *catalogue) names(ids []int64) []string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var names []string
	for _, id := range ids {
		if name := c.tags[id]; name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// alarmFor finds the alarm with the lowest id that reminds at this time.
func (c *catalogue) alarmFor(before time.Duration) (int64, bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var found int64
	for id, known := range c.alarms {
		if known.notifies && known.before == before && (found == 0 || id < found) {
			found = id
		}
	}
	return found, found != 0
}

func (c *catalogue) tagFor(name string) (int64, bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var found int64
	for id, known := range c.tags {
		if known == name && (found == 0 || id < found) {
			found = id
		}
	}
	return found, found != 0
}

// refresh reads the catalogue in a call of its own.
func (c *Client) refresh(ctx context.Context) error {
	results, err := c.run(ctx, "catalogue", true, c.catalogue.operations())
	if err != nil {
		return err
	}
	return c.catalogue.learn(results)
}

// provide sees to it that there are alarms and tags for these events: first in
// memory, then by reading again, then by creating the rest. It makes no call
// when nothing is missing and what is known is not old.
func (c *Client) provide(ctx context.Context, reminders []time.Duration, names []string) error {
	missing := func() (operations []operation) {
		for _, before := range reminders {
			if _, known := c.catalogue.alarmFor(before); !known {
				operations = append(operations, createAlarm(before))
			}
		}
		for _, name := range names {
			if _, known := c.catalogue.tagFor(name); !known {
				operations = append(operations, createTag(name))
			}
		}
		return operations
	}
	if len(reminders)+len(names) == 0 || (len(missing()) == 0 && !c.catalogue.old()) {
		return nil
	}
	if err := c.refresh(ctx); err != nil {
		return err
	}
	changed := map[string]int64{}
	for range keyLimit {
		operations := missing()
		if len(operations) == 0 {
			return nil
		}
		if err := c.makeMissing(ctx, operations, changed); err != nil {
			return err
		}
	}
	// Whatever NightPOS makes of them, it is not what they were made as.
	return nil
}

// makeMissing carries out creates of alarms and tags, and reads everything anew. What a key
// made once may be something else by now, renamed or moved: it is not made again
// under that key, so that the next attempt has to use another one, which is the
// same for whoever else attempts it. By its first key, changed holds what was found last.
func (c *Client) makeMissing(ctx context.Context, creates []operation, changed map[string]int64) error {
	operations, keys := slices.Clone(creates), make([]string, len(creates))
	for index := range creates {
		keys[index] = creates[index].Keys[0]
		if found, there := changed[keys[index]]; there {
			operations[index].Keys = []string{keys[index] + "_" + strconv.FormatInt(found, 10)}
		}
		fields := tagFields
		if creates[index].Model == alarmModel {
			fields = alarmFields
		}
		// By itself, since it may be more than the catalogue holds.
		operations = append(operations, operation{Do: "read", Model: creates[index].Model, Of: []int{index}, Fields: fields})
	}
	operations = append(operations, c.catalogue.operations()...)
	results, err := c.run(ctx, "catalogue", true, operations)
	if err != nil {
		return err
	}
	if err := c.catalogue.learn(results[2*len(creates):]); err != nil {
		return err
	}
	for index, key := range keys {
		var made []int64
		if err := json.Unmarshal(results[index], &made); err != nil || len(made) != 1 {
			return fmt.Errorf("the door answered a create with something else: %w", errors.Join(err, ErrInvalid))
		}
		changed[key] = made[0]
		if err := c.catalogue.learnOne(creates[index].Model, results[len(creates)+index]); err != nil {
			return err
		}
	}
	return nil
}

func createAlarm(before time.Duration) operation {
	amount, interval, title := int64(before/time.Minute), "minutes", "Minutes"
	switch {
	case before > 0 && before%(24*time.Hour) == 0:
		amount, interval, title = int64(before/(24*time.Hour)), "days", "Days"
	case before > 0 && before%time.Hour == 0:
		amount, interval, title = int64(before/time.Hour), "hours", "Hours"
	}
	return operation{
		Do: "create", Model: alarmModel,
		Vals: []values{{
			"name":       "Notification - " + strconv.FormatInt(amount, 10) + " " + title,
			"alarm_type": "notification", "interval": interval, "duration": amount,
		}},
		Keys: []string{"calendar_alarm_" + strconv.FormatInt(int64(before/time.Minute), 10)},
	}
}

func createTag(name string) operation {
	// The key is a digest since names may hold anything, keys may not.
	digest := sha256.Sum256([]byte(name))
	return operation{
		Do: "create", Model: tagModel, Vals: []values{{"name": name}},
		Keys: []string{"calendar_event_type_" + hex.EncodeToString(digest[:16])},
	}
}
