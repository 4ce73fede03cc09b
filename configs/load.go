package configs

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// Source says where a configuration comes from. Later ones win: the defaults, the file, the environment, the flags.
type Source struct {
	Path  string            // of the YAML file; "" is none
	Env   []string          // as os.Environ gives it
	Flags map[string]string // by key, those that were given
}

// ownEnv are variables with our prefix that are no keys: they are read by the command line, the SDKs and the tests.
var ownEnv = []string{"FASTPYREPL_CONFIG", "FASTPYREPL_URL", "FASTPYREPL_API_KEY"}

const testEnvPrefix = "FASTPYREPL_TEST_"

// Load merges a Source into a Config and validates it. Its error may join several, each of one line.
func Load(src Source) (*Config, error) {
	v := viper.New()
	c := Default()
	list := fields(c)
	for _, f := range list {
		if f.key != imagesKey {
			v.SetDefault(f.key, f.value.Interface())
		}
	}
	origin := map[string]string{}
	if src.Path != "" {
		file, err := readFile(src.Path)
		if err != nil {
			return nil, err
		}
		v.SetConfigType("yaml")
		if err := v.ReadConfig(bytes.NewReader(file.data)); err != nil {
			return nil, fmt.Errorf("%s: %w", src.Path, err)
		}
		for key, line := range file.lines {
			origin[key] = fmt.Sprintf("%s:%d: ", file.path, line)
		}
	}
	images, err := decodeImages(v.Get(imagesKey), c.Docker.Images)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src.Path, err)
	}
	errs := mergeEnv(v, src.Env, list, images, origin)
	for key, text := range src.Flags {
		v.Set(key, text)
		origin[key] = "flag "
	}
	c.Docker.Images = images
	for _, f := range list {
		if f.key == imagesKey {
			continue
		}
		if err := set(f.value, v.Get(f.key)); err != nil {
			errs = append(errs, fmt.Errorf("%s%s: %w", origin[f.key], f.key, err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return c, nil
}

// mergeEnv puts the environment over the file. An empty variable is one that is not set, as compose files write it.
func mergeEnv(v *viper.Viper, env []string, list []field, images map[string]Image, origin map[string]string) (errs []error) {
	keys := make(map[string]string, len(list))
	for _, f := range list {
		keys[envName(f.key)] = f.key
	}
	delete(keys, envName(imagesKey))
	for _, entry := range env {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || text == "" ||
			slices.Contains(ownEnv, name) || strings.HasPrefix(name, testEnvPrefix) {
			continue
		}
		key, known := keys[name]
		if known {
			v.Set(key, text)
			origin[key] = name + ": "
			continue
		}
		if imageFromEnv(images, name, text) {
			continue
		}
		errs = append(errs, fmt.Errorf("%s: no such setting%s", name, suggestEnv(name, keys)))
	}
	return errs
}
