package configs

import (
	"reflect"
	"testing"
)

// A key that fastpyrepl.yaml left out would have its default all the same: this is what notices.
func TestYAML_HasEveryKey(t *testing.T) {
	file, err := readFile("fastpyrepl.yaml", reflect.TypeFor[Config]())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range allKeys(reflect.TypeFor[Config]()) {
		if _, ok := file.lines[key]; !ok {
			t.Errorf("%s is not in fastpyrepl.yaml", key)
		}
	}
}
