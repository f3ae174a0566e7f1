package years_test

import (
	"fmt"
	"strings"
	"time"
)

// meeting is one of a person's, as the person wants it.
type meeting struct {
	tag, title, place string
	start             time.Time
	gone              bool
	// graphID and recordID are known where it was made, and elsewhere once it
	// was looked for.
	graphID  string
	recordID int
	// edited is when and where it was edited last: nobody edits the same on the
	// other side before that has surely arrived.
	edited    time.Time
	inOutlook bool
}

func (m *meeting) outlook() map[string]any {
	at := func(instant time.Time) map[string]any {
		return map[string]any{"dateTime": instant.UTC().Format("2006-01-02T15:04:05"), "timeZone": "UTC"}
	}
	return map[string]any{
		"subject": m.title, "location": map[string]any{"displayName": m.place},
		"start": at(m.start), "end": at(m.start.Add(time.Hour)),
	}
}

func (m *meeting) nightpos() map[string]any {
	return map[string]any{
		"name": m.title, "location": m.place,
		"start": m.start.UTC().Format(time.DateTime), "stop": m.start.Add(time.Hour).UTC().Format(time.DateTime),
	}
}

// settled is after how long a change has surely arrived: the longest outage, and
// the time that the sweeps take after it.
const settled = 4 * 24 * time.Hour

// most is how many meetings a person keeps.
const most = 20

// edit lets a person do something: make a meeting, change one, delete one.
func (y *year) edit(one *person) {
	y.edits++
	inOutlook := y.random.IntN(2) == 0
	var free []*meeting
	living := 0
	for _, known := range one.meetings {
		if known.gone {
			continue
		}
		living++
		there := inOutlook && known.graphID != "" || !inOutlook && known.recordID != 0
		if there && (known.inOutlook == inOutlook || time.Since(known.edited) > settled) {
			free = append(free, known)
		}
	}
	if living < most && (len(free) == 0 || y.random.IntN(3) == 0) {
		y.create(one, inOutlook)
		return
	}
	if len(free) == 0 {
		return
	}
	chosen := free[y.random.IntN(len(free))]
	chosen.edited, chosen.inOutlook = time.Now(), inOutlook
	var err error
	switch {
	case living >= most || y.random.IntN(6) == 0:
		chosen.gone = true
		y.deleted++
		if inOutlook {
			err = one.box.Delete(y.context, chosen.graphID)
		} else {
			err = one.member.Unlink(y.context, chosen.recordID)
		}
	default:
		y.vary(chosen)
		if inOutlook {
			_, err = one.box.Update(y.context, chosen.graphID, chosen.outlook())
		} else {
			err = one.member.Write(y.context, []int{chosen.recordID}, chosen.nightpos())
		}
	}
	if err != nil {
		y.t.Errorf("%s cannot edit %s (in Outlook: %v): %v", one.login, chosen.tag, inOutlook, err)
	}
}

func (y *year) vary(chosen *meeting) {
	chosen.title = fmt.Sprintf("%s edit %d", chosen.tag, y.edits)
	chosen.place = []string{"Room 1", "Room 2", ""}[y.random.IntN(3)]
	chosen.start = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1+y.random.IntN(60)).Add(time.Duration(y.random.IntN(96)) * 15 * time.Minute)
}

func (y *year) create(one *person, inOutlook bool) {
	y.born++
	made := &meeting{tag: fmt.Sprintf("m%05d", y.born), edited: time.Now(), inOutlook: inOutlook}
	y.vary(made)
	var err error
	if inOutlook {
		var shown map[string]any
		shown, err = one.box.Create(y.context, made.outlook())
		made.graphID, _ = shown["id"].(string)
	} else {
		made.recordID, err = one.member.Create(y.context, made.nightpos())
	}
	if err != nil {
		y.t.Errorf("%s cannot make a meeting (in Outlook: %v): %v", one.login, inOutlook, err)
		return
	}
	one.meetings = append(one.meetings, made)
}

// shown is a meeting as one of the sides shows it.
type shown struct {
	title, place, start string
	graphID             string
	recordID            int
}

func tagOf(title string) string {
	tag, _, _ := strings.Cut(title, " ")
	return tag
}

func text(values map[string]any, path ...string) string {
	for _, name := range path[:len(path)-1] {
		values, _ = values[name].(map[string]any)
	}
	value, _ := values[path[len(path)-1]].(string)
	return value
}

// inOutlook reads a person's mailbox, by tag.
func (y *year) inOutlook(one *person) map[string]shown {
	found := map[string]shown{}
	for _, event := range one.box.Events() {
		read := shown{
			title: text(event, "subject"), place: text(event, "location", "displayName"),
			start: text(event, "start", "dateTime"), graphID: text(event, "id"),
		}
		if len(read.start) > 16 {
			read.start = read.start[:16]
		}
		if other, twice := found[tagOf(read.title)]; twice {
			y.t.Errorf("%s has a meeting twice in Outlook: %+v, %+v", one.login, other, read)
		}
		found[tagOf(read.title)] = read
	}
	return found
}

// inNightPOS reads everybody's records, by user id and tag.
func (y *year) inNightPOS() map[int]map[string]shown {
	found := map[int]map[string]shown{}
	for _, record := range y.nightpos.Events() {
		if active, _ := record["active"].(bool); !active {
			continue
		}
		owner := number(record["user_id"])
		if found[owner] == nil {
			found[owner] = map[string]shown{}
		}
		read := shown{
			title: text(record, "name"), place: text(record, "location"), recordID: number(record["id"]),
			start: strings.Replace(fmt.Sprintf("%.16s", text(record, "start")), " ", "T", 1),
		}
		if other, twice := found[owner][tagOf(read.title)]; twice {
			y.t.Errorf("user %d has a meeting twice in NightPOS: %+v, %+v", owner, other, read)
		}
		found[owner][tagOf(read.title)] = read
	}
	return found
}

// number is an id, or the id of a many2one as NightPOS shows it: [7, "Alice"].
func number(value any) int {
	switch value := value.(type) {
	case []any:
		if len(value) > 0 {
			return number(value[0])
		}
	case int:
		return value
	case int64:
		return int(value)
	case float64:
		return int(value)
	}
	return 0
}

// learn finds the ids of meetings that have crossed.
func (y *year) learn() {
	records := y.inNightPOS()
	for _, one := range y.people {
		events := y.inOutlook(one)
		for _, known := range one.meetings {
			if event, there := events[known.tag]; there {
				known.graphID = event.graphID
			}
			if record, there := records[one.member.ID][known.tag]; there {
				known.recordID = record.recordID
			}
		}
	}
}
