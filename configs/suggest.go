package configs

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// suggest ends the sentence about an unknown key: with the key of root that was probably meant, else with what is allowed
// there.
func suggest(key string, root, section reflect.Type, path string) string {
	if near := nearest(key, allKeys(root)); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return fmt.Sprintf("; allowed in %s: %s", sectionName(path), strings.Join(names(section), ", "))
}

func allKeys(root reflect.Type) []string {
	var keys []string
	if root.Kind() != reflect.Struct { // the operator names them
		return nil
	}
	for _, f := range fieldsOf(reflect.New(root).Elem(), "") {
		keys = append(keys, f.key)
	}
	return keys
}

// nearest returns the name that differs from wrong by a slip of the hand, or that has its last word but stands in another
// section; "" where none does.
func nearest(wrong string, names []string) string {
	best, at := "", 4
	for _, name := range names {
		d := distance(wrong, name)
		last := strings.TrimPrefix(wrong[strings.LastIndexByte(wrong, '.')+1:], envPrefix)
		if strings.HasSuffix(name, "."+last) || strings.HasSuffix(name, "_"+last) {
			d = min(d, 2)
		}
		if d < at {
			best, at = name, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two short ASCII words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// suggestEnv is suggest for a variable; keys are the known ones.
func suggestEnv(name string, keys map[string]string) string {
	if near := nearest(name, slices.Sorted(maps.Keys(keys))); near != "" {
		return "; did you mean " + near + "?"
	}
	return "; one is named after its key in the YAML file: server.port is " + envName("server.port")
}
