package configs

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// Source says where a configuration comes from. Later ones win: the defaults, the file, the environment, the flags.
type Source struct {
	Path  string   // of the YAML file; "" is none
	Env   []string // as os.Environ gives it
	Flags []Flag   // those that were given
}

// Flag is a key set on the command line.
type Flag struct {
	Name string // as the user wrote it, for errors: --port
	Key  string
	Text string
}

// ownEnv are variables with our prefix that are no keys: they are read by the command line and the SDKs, by the build of
// the runner image, and by compose. FASTPYREPL_PORT, compose's too, is none of them: whoever sets it for a daemon means
// its port.
var ownEnv = []string{
	"FASTPYREPL_CONFIG", "FASTPYREPL_URL", "FASTPYREPL_API_KEY",
	"FASTPYREPL_DEBIAN_MIRROR", "FASTPYREPL_DEBIAN_SECURITY_MIRROR",
	"FASTPYREPL_PROJECT", "FASTPYREPL_DOCKER_SOCKET",
}

// testEnvPrefix begins the variables of the tests.

const testEnvPrefix = "FASTPYREPL_TEST_"

// Load merges a Source into a Config and validates it. Its error may join several, each of one line.
func Load(src Source) (*Config, error) {
	c, _, err := load(src)
	return c, err
}

// load is Load, and says where each key was set.
func load(src Source) (*Config, *loader, error) {
	c := Default()
	l := &loader{v: viper.New(), origin: map[string]string{}}
	for _, f := range fields(c) {
		if f.named() {
			l.named = append(l.named, f)
		} else {
			l.fields = append(l.fields, f)
		}
	}
	if err := l.readFile(src.Path); err != nil {
		return nil, nil, secretly(err)
	}
	for _, f := range l.named {
		setNamed(f.value, l.v.Get(f.key), f.key, l.fail)
	}
	l.readEnv(src.Env)
	l.readFlags(src.Flags)
	for _, f := range l.fields {
		if err := set(f.value, l.v.Get(f.key)); err != nil {
			l.fail(f.key, err)
		}
	}
	if len(l.errs) > 0 {
		return nil, nil, secretly(errors.Join(l.errs...))
	}
	if err := c.Validate(); err != nil {
		return nil, nil, secretly(err)
	}
	return c, l, nil
}

// loader is a Load under way. viper merges; the keys and the values are checked here.
type loader struct {
	v      *viper.Viper
	fields []field           // of the Config being made
	named  []field           // of the Config being made: the maps
	origin map[string]string // where each key was set, as errors begin with it
	errs   []error
}

func (l *loader) readFile(path string) error {
	for _, f := range l.fields {
		l.v.SetDefault(f.key, f.value.Interface())
	}
	if path == "" {
		return nil
	}
	file, err := readFile(path, reflect.TypeFor[Config]())
	if err != nil {
		return err
	}
	l.v.SetConfigType("yaml")
	if err := l.v.ReadConfig(bytes.NewReader(file.data)); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for key, line := range file.lines {
		l.origin[key] = fmt.Sprintf("%s:%d: ", path, line)
	}
	return nil
}

// readEnv puts the environment over the file. An empty variable is one that is not set, as compose files write it.
func (l *loader) readEnv(env []string) {
	keys := make(map[string]string, len(l.fields))
	for _, f := range l.fields {
		keys[envName(f.key)] = f.key
	}
	for _, entry := range env {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || text == "" ||
			slices.Contains(ownEnv, name) || strings.HasPrefix(name, testEnvPrefix) {
			continue
		}
		if key, ok := keys[name]; ok {
			l.override(key, text, name)
		} else if !l.readNamedEnv(name, text) {
			l.errs = append(l.errs, fmt.Errorf("%s: no such setting%s", name, suggestEnv(name, keys)))
		}
	}
}

// readNamedEnv tells whether a variable names something below one of the maps.
func (l *loader) readNamedEnv(name, text string) bool {
	for _, f := range l.named {
		key, err := setNamedFromEnv(f, name, text)
		if err != nil {
			l.errs = append(l.errs, fmt.Errorf("%s: %s: %w", name, key, err))
		}
		if key != "" {
			l.origin[key] = name + ": "
			return true
		}
	}
	return false
}

func (l *loader) readFlags(flags []Flag) {
	for _, flag := range flags {
		is := func(f field) bool { return f.key == flag.Key }
		switch {
		case slices.ContainsFunc(l.fields, is):
			l.override(flag.Key, flag.Text, flag.Name)
		case slices.ContainsFunc(l.named, is):
			l.errs = append(l.errs, fmt.Errorf("%s: %s: set these in the file, or with variables that begin with %s_<NAME>_",
				flag.Name, flag.Key, envName(flag.Key)))
		default:
			l.errs = append(l.errs, fmt.Errorf("%s: %s: unknown key%s",
				flag.Name, flag.Key, suggest(flag.Key, reflect.TypeFor[Config](), reflect.TypeFor[Config](), "")))
		}
	}
}

func (l *loader) override(key, text, origin string) {
	l.v.Set(key, text)
	l.origin[key] = origin + ": "
}

func (l *loader) fail(key string, err error) {
	l.errs = append(l.errs, fmt.Errorf("%s%s: %w", l.origin[key], key, err))
}
