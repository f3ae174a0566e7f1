package nightpos_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// python writes a value as Python's json.dumps(value, sort_keys=True) does.
func python(value any) string {
	switch given := value.(type) {
	case map[string]any:
		var members []string
		for _, name := range slices.Sorted(maps.Keys(given)) {
			members = append(members, python(name)+": "+python(given[name]))
		}
		return "{" + strings.Join(members, ", ") + "}"
	case []any:
		var items []string
		for _, item := range given {
			items = append(items, python(item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case json.Number:
		return given.String()
	case string:
		var content strings.Builder
		encoder := json.NewEncoder(&content)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(given); err != nil {
			return err.Error()
		}
		return strings.TrimSuffix(content.String(), "\n")
	}
	if value == nil {
		return "null"
	}
	return fmt.Sprint(value)
}
