package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/gjyotin305/fastpyrepl/configs"
)

// systemConfig is read when it is there and no other file is named.
const systemConfig = "/etc/fastpyrepl/fastpyrepl.yaml"

// keyFlags are the flags that set a key, besides --set, which sets any.
var keyFlags = []struct{ name, key, usage string }{
	{"host", "server.host", "`address` to listen on (default 127.0.0.1)"},
	{"port", "server.port", "`port` to listen on (default 8000)"},
	{"insecure", "server.insecure", "allow a host that other machines can reach"},
	{"runtime", "docker.runtime", "OCI `runtime` of sessions, such as runsc"},
	{"state-dir", "state_dir", "`directory` for what must outlive the daemon"},
	{"log-level", "log.level", "`level` of the log: debug, info, warn or error (default info)"},
	{"log-format", "log.format", "`format` of the log: text, json, or auto, text on a terminal (default auto)"},
}

func addConfig(flags *pflag.FlagSet) {
	flags.StringP("config", "c", "", "YAML `file` (default $FASTPYREPL_CONFIG, else "+systemConfig+" if it is there)")
	flags.SortFlags = false
}

func addSettings(flags *pflag.FlagSet) {
	addConfig(flags)
	for _, f := range keyFlags {
		if f.name == "insecure" {
			flags.Bool(f.name, false, f.usage)
			continue
		}
		flags.String(f.name, "", f.usage)
	}
	flags.StringArray("set", nil, "set any other `key=value`, such as limits.memory=2GiB; may be repeated")
}

// source says where the configuration comes from: the file that is named or found, the environment, and those of the
// flags above that were given.
func (p *process) source(flags *pflag.FlagSet) (configs.Source, error) {
	src := configs.Source{Path: p.getenv("FASTPYREPL_CONFIG"), Env: p.env}
	if flag := flags.Lookup("config"); flag.Changed {
		src.Path = flag.Value.String()
	}
	if _, err := os.Stat(systemConfig); src.Path == "" && !errors.Is(err, fs.ErrNotExist) {
		src.Path = systemConfig
	}
	for _, f := range keyFlags {
		if flag := flags.Lookup(f.name); flag != nil && flag.Changed {
			src.Flags = append(src.Flags, configs.Flag{Name: "--" + f.name, Key: f.key, Text: flag.Value.String()})
		}
	}
	set := flags.Lookup("set")
	if set == nil {
		return src, nil
	}
	for _, pair := range set.Value.(pflag.SliceValue).GetSlice() {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return src, fmt.Errorf("--set: %q is not key=value", pair)
		}
		src.Flags = append(src.Flags, configs.Flag{Name: "--set", Key: key, Text: value})
	}
	return src, nil
}

// stateDir is where the daemon keeps what must outlive it.
func (p *process) stateDir(configured string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	if dir := p.getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "fastpyrepl"), nil
	}
	if home := p.getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "fastpyrepl"), nil
	}
	return "", errors.New("state_dir: neither it, XDG_STATE_HOME nor HOME is set to an absolute path")
}
