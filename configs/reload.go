package configs

import (
	"errors"
	"reflect"
)

// Reload returns old with what next changes and a running daemon can take over, the keys that this changed, and the
// keys that differ but need a restart. It fails when the mixture cannot be.
func Reload(old, next *Config) (merged *Config, live, restart []string, err error) {
	merged = new(Config)
	*merged = *old
	into, from := fields(merged), fields(next)
	for i, f := range into {
		switch {
		case reflect.DeepEqual(f.value.Interface(), from[i].value.Interface()):
		case f.live:
			f.value.Set(from[i].value)
			live = append(live, f.key)
		default:
			restart = append(restart, f.key)
		}
	}
	if err := merged.Validate(); err != nil {
		return nil, nil, restart, err
	}
	if old.Auth.Required() && !merged.Auth.Required() { // a file that is half written has none either
		return nil, nil, restart, errors.New("auth.keys: none is left, and a daemon that asks for keys goes on to do so: restart it to let everybody in")
	}
	return merged, live, restart, nil
}
