package nightpos

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// Values inside the database: nil (which reads as false), bool, int, float64,
// string, time.Time for datetimes, []int for lists of records. They are never
// changed in place.

const (
	datetimeFormat = "2006-01-02 15:04:05"
	dateFormat     = "2006-01-02"
	// microFormat is how PostgreSQL and Python write a datetime with its fraction.
	microFormat = "2006-01-02 15:04:05.000000"
)

// plain turns what a JSON decoder or a Go caller gives into values: whole numbers
// become int, lists []any.
func plain(value any) any {
	switch given := value.(type) {
	case float64:
		if given == math.Trunc(given) && math.Abs(given) < 1<<53 {
			return int(given)
		}
		return given
	case json.Number:
		if whole, err := given.Int64(); err == nil {
			return int(whole)
		}
		number, _ := given.Float64()
		return number
	case []any:
		list := make([]any, len(given))
		for index, item := range given {
			list[index] = plain(item)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(given))
		for name, item := range given {
			object[name] = plain(item)
		}
		return object
	case []int:
		list := make([]any, len(given))
		for index, item := range given {
			list[index] = item
		}
		return list
	case []string:
		list := make([]any, len(given))
		for index, item := range given {
			list[index] = item
		}
		return list
	case int64:
		return int(given)
	}
	return value
}

// truth is Python's.
func truth(value any) bool {
	switch given := value.(type) {
	case nil:
		return false
	case bool:
		return given
	case int:
		return given != 0
	case float64:
		return given != 0
	case string:
		return given != ""
	case []any:
		return len(given) > 0
	case []int:
		return len(given) > 0
	case map[string]any:
		return len(given) > 0
	}
	return true
}

// intsOf reads a list of ids, or one id.
func intsOf(value any) ([]int, bool) {
	switch given := value.(type) {
	case int:
		return []int{given}, true
	case []int:
		return given, true
	case []any:
		ids := make([]int, 0, len(given))
		for _, item := range given {
			id, ok := item.(int)
			if !ok {
				return nil, false
			}
			ids = append(ids, id)
		}
		return ids, true
	}
	return nil, false
}

func stringsOf(value any) []string {
	list, _ := value.([]any)
	var texts []string
	for _, item := range list {
		if text, ok := item.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

func textOf(value any) string {
	text, _ := value.(string)
	return text
}

func intOf(value any) int {
	number, _ := value.(int)
	return number
}

func objectOf(value any) map[string]any {
	object, _ := value.(map[string]any)
	return object
}

// micro writes a datetime as str() does in Python.
func micro(instant time.Time) string {
	if instant.Nanosecond()/1000 == 0 {
		return instant.UTC().Format(datetimeFormat)
	}
	return instant.UTC().Format(microFormat)
}

// setOrder is the order in which Python walks a set of small numbers: by their
// remainder in a table that is grown in powers of four. New attendees get their
// ids in this order.
func setOrder(ids []int) []int {
	size := 8
	for len(ids)*5 >= size*3 {
		size *= 4
	}
	ordered := slices.Clone(ids)
	slices.SortStableFunc(ordered, func(a, b int) int {
		if a%size != b%size {
			return a%size - b%size
		}
		return a - b
	})
	return slices.Compact(ordered)
}

// dumps writes a value as json.dumps(value, sort_keys=True) does in Python.
func dumps(value any) string {
	switch given := value.(type) {
	case map[string]any:
		members := make([]string, 0, len(given))
		for _, name := range slices.Sorted(maps.Keys(given)) {
			members = append(members, dumps(name)+": "+dumps(given[name]))
		}
		return "{" + strings.Join(members, ", ") + "}"
	case []any:
		items := make([]string, len(given))
		for index, item := range given {
			items[index] = dumps(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case []int:
		return dumps(plain(given))
	case string:
		return dumpsText(given)
	case bool:
		return strconv.FormatBool(given)
	case nil:
		return "null"
	case float64:
		if given == math.Trunc(given) && math.Abs(given) < 1e16 {
			return strconv.FormatFloat(given, 'f', 1, 64)
		}
		return strconv.FormatFloat(given, 'g', -1, 64)
	}
	return fmt.Sprint(value)
}

// dumpsText escapes everything beyond ASCII, in pairs beyond the first plane.
func dumpsText(text string) string {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}
	var out strings.Builder
	out.WriteByte('"')
	for _, one := range text {
		switch escape := short[one]; {
		case escape != "":
			out.WriteString(escape)
		case one >= ' ' && one <= '~':
			out.WriteRune(one)
		default:
			for _, unit := range utf16.Encode([]rune{one}) {
				fmt.Fprintf(&out, `\u%04x`, unit)
			}
		}
	}
	out.WriteByte('"')
	return out.String()
}
