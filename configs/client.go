package configs

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// Client is the file of those who talk to a daemon from the command line.
type Client struct {
	URL        string `yaml:"url"`
	APIKey     string `yaml:"api_key"`
	APIKeyFile string `yaml:"api_key_file"`
}

// LoadClient reads the file at path, as strictly as Load. Its errors show no key.
func LoadClient(path string) (*Client, error) {
	c := new(Client)
	f, err := readFile(path, reflect.TypeFor[Client]())
	if err != nil {
		return nil, secretly(err)
	}
	var raw map[string]any
	if err := yaml.Unmarshal(f.data, &raw); err != nil {
		return nil, fmt.Errorf("%s: not YAML", path)
	}
	for _, field := range fieldsOf(reflect.ValueOf(c).Elem(), "") {
		if value, ok := raw[field.key]; ok {
			if err := set(field.value, value); err != nil {
				return nil, secretly(fmt.Errorf("%s:%d: %s: %w", path, f.lines[field.key], field.key, err))
			}
		}
	}
	if c.APIKey != "" && c.APIKeyFile != "" {
		return nil, fmt.Errorf("%s: api_key and api_key_file are both set; one is enough", path)
	}
	return c, nil
}
