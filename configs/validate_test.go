package configs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gjyotin305/fastpyrepl/configs"
)

func TestValidate_RefusesWhatCannotBe(t *testing.T) {
	tests := []struct {
		name   string
		change func(*configs.Config)
		want   string
	}{
		{"host", func(c *configs.Config) { c.Server.Host = "a b" }, `server.host: "a b" is neither an address nor a name: want 127.0.0.1, ::1, 0.0.0.0 or such`},
		{"open host", func(c *configs.Config) { c.Server.Host = "0.0.0.0" }, "server.host: 0.0.0.0 can be reached from other machines, and whoever reaches it can run code: keep to 127.0.0.1, ask for keys with auth.keys, or allow it with server.insecure: true"},
		{"long host", func(c *configs.Config) { c.Server.Host = strings.Repeat("a", 254) }, `server.host: "` + strings.Repeat("a", 254) + `" is neither an address nor a name: want 127.0.0.1, ::1, 0.0.0.0 or such`},
		{"long origin", func(c *configs.Config) { c.Server.CORSOrigins = []string{"https://" + strings.Repeat("a", 260)} },
			`server.cors_origins: "https://` + strings.Repeat("a", 260) + `" is not an origin as browsers write it: want http:// or https://, a name in lower case, and a port if it is not the usual one, such as https://app.example or http://localhost:3000`},
		{"long reference", func(c *configs.Config) { c.Docker.Images["default"] = configs.Image{Ref: strings.Repeat("a", 513)} }, `docker.images.default.ref: "` + strings.Repeat("a", 513) + `" is not an image's reference: want name:tag or name@sha256:digest`},
		{"long runtime", func(c *configs.Config) { c.Docker.Runtime = strings.Repeat("a", 129) }, `docker.runtime: "` + strings.Repeat("a", 129) + `" is not the name of an OCI runtime: want runc, runsc or such, or nothing for the engine's default`},
		{"port", func(c *configs.Config) { c.Server.Port = 65536 }, "server.port: 65536 is out of range: allowed are 0 to 65535"},
		{"allowed host", func(c *configs.Config) { c.Server.AllowedHosts = []string{"http://x"} }, `server.allowed_hosts: "http://x" is not a host: want a name or an address without port, or "*" for any`},
		{"body", func(c *configs.Config) { c.Server.MaxBody = 300 * configs.MiB }, "server.max_body: 300MiB is less than 396MiB, which execution.max_context and max_code need: a byte of text can be 6 in JSON"},
		{"bodies", func(c *configs.Config) { c.Server.MaxInflightBody = 400 * configs.MiB }, "server.max_inflight_body: 400MiB is less than server.max_body (448MiB)"},
		{"depth", func(c *configs.Config) { c.Server.MaxJSONDepth = 1 }, "server.max_json_depth: 1 is out of range: allowed are 4 to 10000"},
		{"shutdown", func(c *configs.Config) { c.Server.ShutdownTimeout = 0 }, "server.shutdown_timeout: 0s is out of range: allowed are 1s to 10m"},
		{"engine", func(c *configs.Config) { c.Docker.Host = "localhost" }, `docker.host: "localhost" is not an engine's address: want unix:///path or tcp://host:port`},
		{"runtime", func(c *configs.Config) { c.Docker.Runtime = "/bin/sh -c" }, `docker.runtime: "/bin/sh -c" is not the name of an OCI runtime: want runc, runsc or such, or nothing for the engine's default`},
		{"seccomp", func(c *configs.Config) { c.Docker.Seccomp = "unconfined" }, `docker.seccomp: "unconfined" is not an absolute path; nothing means the built-in profile`},
		{"root as uid", func(c *configs.Config) { c.Docker.UIDFirst = 0 }, "docker.uid_first: 0 is out of range: allowed are 1000 to 2147483647"},
		{"uids beyond all", func(c *configs.Config) { c.Docker.UIDFirst = 1<<31 - 1 }, "docker.uid_count: 20000 uids from 2147483647 reach beyond 2147483647"},
		{"too few uids", func(c *configs.Config) { c.Docker.UIDCount = 3 }, "docker.uid_count: 3 is less than sessions.max + pool.size.max (72): every container has a uid of its own"},
		{"default image", func(c *configs.Config) { c.Docker.DefaultImage = "x" }, `docker.default_image: "x" is not one of docker.images: default`},
		{"reference", func(c *configs.Config) { c.Docker.Images["default"] = configs.Image{Ref: "-x"} }, `docker.images.default.ref: "-x" is not an image's reference: want name:tag or name@sha256:digest`},
		{"memory", func(c *configs.Config) { c.Limits.Memory = 32 * configs.MiB }, "limits.memory: 32MiB is out of range: allowed are 64MiB to 16TiB"},
		{"disks", func(c *configs.Config) { c.Limits.WorkDir = 1 * configs.GiB }, "limits.memory: 1GiB must be at least twice limits.workdir + limits.tmp + limits.shm (1152MiB), which live in it"},
		{"pids", func(c *configs.Config) { c.Limits.Pids = 31 }, "limits.pids: 31 is out of range: allowed are 32 to 4194304"},
		{"pids of gVisor", func(c *configs.Config) { c.Docker.Runtime, c.Limits.Pids = "runsc", 127 }, "limits.pids: 127 is too few for docker.runtime runsc: at least 128"},
		{"cpus", func(c *configs.Config) { c.Limits.CPUs = 0 }, "limits.cpus: 0 is out of range: allowed are 0.05 to 1024"},
		{"timeout", func(c *configs.Config) { c.Execution.Timeout = 11 * time.Minute }, "execution.timeout: 11m is more than execution.max_timeout (10m)"},
		{"grace", func(c *configs.Config) { c.Execution.InterruptGrace = 2 * time.Minute }, "execution.interrupt_grace: 2m is out of range: allowed are 0s to 1m"},
		{"context", func(c *configs.Config) {
			c.Execution.MaxContext = 1 * configs.GiB
			c.Limits = configs.Limits{Memory: 512 * configs.MiB, CPUs: 1, Pids: 64, WorkDir: configs.MiB, Tmp: configs.MiB, Shm: configs.MiB, Inodes: 1024, NoFile: 64}
			c.Server.MaxBody = 2*configs.GiB - 1
			c.Server.MaxInflightBody = 2 * configs.GiB
		}, "execution.max_context: 1GiB is more than limits.memory (512MiB)\nserver.max_body: 2147483647B is less than 6156MiB, which execution.max_context and max_code need: a byte of text can be 6 in JSON"},
		{"code", func(c *configs.Config) { c.Execution.MaxCode = 3 * configs.MiB }, "execution.max_code: 3MiB is out of range: allowed are 1KiB to 2MiB"},
		{"locals", func(c *configs.Config) { c.Execution.MaxLocalsValue = 9 * configs.MiB }, "execution.max_locals_value: 9MiB is more than execution.max_locals (8MiB)"},
		{"forgetting losses", func(c *configs.Config) { c.Sessions.LostKept = time.Hour }, "sessions.lost_kept: 1h is out of range: allowed are 24h to 8760h"},
		{"on shutdown", func(c *configs.Config) { c.Sessions.OnShutdown = "drop" }, `sessions.on_shutdown: "drop" is not one of keep, remove`},
		{"state", func(c *configs.Config) { c.StateDir = "x" }, `state_dir: "x" is not an absolute path; nothing means the usual directory`},
		{"admin", func(c *configs.Config) { c.Admin.Listen = "9090" }, `admin.listen: "9090" is not an address with a port: want 127.0.0.1:9090, [::1]:9090 or such, or nothing for none`},
		{"admin port", func(c *configs.Config) { c.Admin.Listen = "127.0.0.1:99999" }, `admin.listen: "127.0.0.1:99999" is not an address with a port: want 127.0.0.1:9090, [::1]:9090 or such, or nothing for none`},
		{"open admin", func(c *configs.Config) { c.Admin.Listen = "0.0.0.0:9090" }, "admin.listen: 0.0.0.0 can be reached from other machines, and asks for no key: keep to 127.0.0.1, or allow it with admin.insecure: true"},
		{"collector", func(c *configs.Config) { c.Tracing.Endpoint = "127.0.0.1:4318" }, `tracing.endpoint: "127.0.0.1:4318" is not where OTLP over HTTP goes: want http:// or https://, a host, and perhaps a port and a path, such as http://127.0.0.1:4318`},
		{"collector's password", func(c *configs.Config) { c.Tracing.Endpoint = "http://ann:secret@otlp" }, "tracing.endpoint: it names a user, or a password: what lets in belongs in OTEL_EXPORTER_OTLP_HEADERS"},
		{"ratio", func(c *configs.Config) { c.Tracing.Ratio = 2 }, "tracing.ratio: 2 is out of range: allowed are 0 to 1"},
		{"level", func(c *configs.Config) { c.Log.Level = "loud" }, `log.level: "loud" is not one of debug, info, warn, error`},
		{"format", func(c *configs.Config) { c.Log.Format = "xml" }, `log.format: "xml" is not one of auto, text, json`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := configs.Default()
			tt.change(c)
			if err := c.Validate(); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestServer_Loopback(t *testing.T) {
	for host, want := range map[string]bool{"127.0.0.1": true, "127.9.9.9": true, "::1": true, "localhost": true,
		"::ffff:127.0.0.1": true, "0.0.0.0": false, "::": false, "192.0.2.1": false, "localhost.test": false} {
		if got := (&configs.Server{Host: host}).Loopback(); got != want {
			t.Errorf("%s: got %t, want %t", host, got, want)
		}
	}
}
