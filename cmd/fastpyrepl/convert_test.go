package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/gjyotin305/fastpyrepl/configs"
)

// A key that were forgotten here would be documented, validated and without effect.
func TestConvert_SetsEveryField(t *testing.T) {
	cfg := configs.Default()
	cfg.Server.AllowedHosts = []string{"a.test"}
	cfg.Server.CORSOrigins = []string{"https://app.example"}
	cfg.Sessions.MaxPerKey = 1
	cfg.Auth.Keys = map[string]configs.Key{"ann": {Hash: []string{"sha256:" + strings.Repeat("a", 64)}, MaxExecutions: 1, Rate: 1, Burst: 1}}
	cfg.Audit = configs.Audit{File: "/x", MaxSize: configs.MiB, Keep: 1, IncludeCode: true, IncludeOutput: true}
	cfg.Tracing = configs.Tracing{Endpoint: "http://otlp", Ratio: 1}
	keys, err := readAuth(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := serverConfig(cfg)
	server.Auth = keys
	cfg.Docker.Host, cfg.Docker.Runtime = "unix:///x", "runc"
	cfg.Sessions.TTL, cfg.Sessions.IdleTTL, cfg.Sessions.MaxTTL, cfg.Sessions.MaxIdleTTL = 1, 2, 3, 4
	cfg.Pool.Preload = []string{"numpy"}
	engine, err := dockerConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := map[string]bool{"Owner": true, "Driver": true, "DriverHash": true, "Build": true, "Log": true, "Observe": true, "Step": true}
	for _, v := range []any{sandboxConfig(cfg), server, keys.Keys[0], auditConfig(cfg), tracingConfig(cfg), restLimits(cfg), engine} {
		filled(t, reflect.ValueOf(v), reflect.TypeOf(v).String(), elsewhere)
	}
}

func filled(t *testing.T, v reflect.Value, path string, except map[string]bool) {
	t.Helper()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		switch f := v.Field(i); {
		case f.Kind() == reflect.Struct:
			filled(t, f, path+"."+name, except)
		case f.IsZero() && !except[name]:
			t.Errorf("%s.%s is not set", path, name)
		}
	}
}
