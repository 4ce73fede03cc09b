package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/gjyotin305/fastpyrepl/configs"
	"github.com/gjyotin305/fastpyrepl/daemon"
	"github.com/gjyotin305/fastpyrepl/daemon/audit"
	"github.com/gjyotin305/fastpyrepl/daemon/auth"
	"github.com/gjyotin305/fastpyrepl/daemon/rest"
	"github.com/gjyotin305/fastpyrepl/daemon/tracing"
	"github.com/gjyotin305/fastpyrepl/sandbox"
	"github.com/gjyotin305/fastpyrepl/sandbox/docker"
)

func sandboxConfig(c *configs.Config) sandbox.Config {
	return sandbox.Config{
		Image: c.Docker.DefaultImage,
		Limits: sandbox.Limits{
			Memory:  int64(c.Limits.Memory),
			CPUs:    c.Limits.CPUs,
			Pids:    int64(c.Limits.Pids),
			WorkDir: int64(c.Limits.WorkDir),
			Tmp:     int64(c.Limits.Tmp),
			Shm:     int64(c.Limits.Shm),
			Inodes:  int64(c.Limits.Inodes),
			NoFile:  int64(c.Limits.NoFile),
		},
		MaxLimits: sandbox.Ceilings{
			Memory:  int64(c.MaxLimits.Memory),
			CPUs:    c.MaxLimits.CPUs,
			Pids:    int64(c.MaxLimits.Pids),
			WorkDir: int64(c.MaxLimits.WorkDir),
		},
		MaxSessions: c.Sessions.Max,
		MaxStarting: c.Sessions.MaxStarting,
		StartQueue:  c.Sessions.StartQueue,
		Pool: sandbox.PoolConfig{
			Min:         c.Pool.Size.Min,
			Max:         c.Pool.Size.Max,
			MaxStarting: c.Pool.MaxStarting,
			Preload:     c.Pool.Preload,
			ShrinkAfter: c.Pool.ShrinkAfter,
		},
		TTL:              c.Sessions.TTL,
		IdleTTL:          c.Sessions.IdleTTL,
		MaxTTL:           c.Sessions.MaxTTL,
		MaxIdleTTL:       c.Sessions.MaxIdleTTL,
		StartTimeout:     c.Sessions.StartTimeout,
		StopTimeout:      c.Sessions.StopTimeout,
		ReconnectTimeout: c.Sessions.ReconnectTimeout,
		Lease:            c.Sessions.OrphanGrace,
		LostKept:         c.Sessions.LostKept,
		ResultsKept:      c.Execution.ResultsKept,
		MaxResults:       int64(c.Execution.MaxResults),
		Execution: sandbox.ExecutionConfig{
			Timeout:        c.Execution.Timeout,
			MaxTimeout:     c.Execution.MaxTimeout,
			Grace:          c.Execution.InterruptGrace,
			Queue:          c.Execution.Queue,
			MaxContext:     int64(c.Execution.MaxContext),
			MaxCode:        int64(c.Execution.MaxCode),
			MaxStdout:      int64(c.Execution.MaxStdout),
			MaxStderr:      int64(c.Execution.MaxStderr),
			MaxDisplay:     int64(c.Execution.MaxDisplay),
			MaxLocals:      int64(c.Execution.MaxLocals),
			MaxLocalsValue: int64(c.Execution.MaxLocalsValue),
			MaxEvents:      int64(c.Execution.MaxEvents),
		},
		Files: sandbox.FilesConfig{MaxUpload: int64(c.Files.MaxUpload), Transfers: c.Files.Transfers},
	}
}

// serverConfig is what the configuration says of the server; the keys are the caller's to add.
func serverConfig(c *configs.Config) daemon.Config {
	return daemon.Config{
		AllowedHosts:    c.Server.AllowedHosts,
		CORSOrigins:     c.Server.CORSOrigins,
		MaxConnections:  c.Server.MaxConnections,
		MaxBody:         int64(c.Server.MaxBody),
		MaxInflightBody: int64(c.Server.MaxInflightBody),
		MaxUpload:       int64(c.Files.MaxUpload),
		MaxHeader:       int(c.Server.MaxHeader),
		MaxJSONDepth:    c.Server.MaxJSONDepth,
		MaxJSONKeys:     c.Server.MaxJSONKeys,
		ReadTimeout:     c.Server.ReadTimeout,
		WriteTimeout:    c.Server.WriteTimeout,
		IdleTimeout:     c.Server.IdleTimeout,
	}
}

// authConfig turns keys that configs has checked into what the server takes.
func authConfig(c *configs.Config, keys map[string]configs.Key) (auth.Config, error) {
	config := auth.Config{Required: c.Auth.Required()}
	for name, key := range keys {
		k := auth.Key{
			Name: name,
			Role: auth.Role(cmp.Or(key.Role, string(auth.User))),
			Limits: auth.Limits{
				Sessions:   cmp.Or(key.MaxSessions, c.Sessions.MaxPerKey),
				Executions: key.MaxExecutions,
				Rate:       key.Rate,
				Burst:      key.Burst,
			},
		}
		for _, text := range key.Hash {
			hash, err := auth.ParseHash(text)
			if err != nil {
				return auth.Config{}, fmt.Errorf("auth.keys.%s.hash: %w", name, err)
			}
			k.Hashes = append(k.Hashes, hash)
		}
		config.Keys = append(config.Keys, k)
	}
	return config, nil
}

// readAuth is the keys of a configuration, with those of its file as it is now.
func readAuth(c *configs.Config) (auth.Config, error) {
	keys, err := c.Auth.AllKeys()
	if err != nil {
		return auth.Config{}, err
	}
	return authConfig(c, keys)
}

func auditConfig(c *configs.Config) audit.Config {
	return audit.Config{
		File:    c.Audit.File,
		MaxSize: int64(c.Audit.MaxSize),
		Keep:    c.Audit.Keep,
		Code:    c.Audit.IncludeCode,
		Output:  c.Audit.IncludeOutput,
	}
}

// tracesPath is where collectors take traces by convention.
const tracesPath = "/v1/traces"

func tracingConfig(c *configs.Config) tracing.Config {
	endpoint := c.Tracing.Endpoint
	if u, err := url.Parse(endpoint); err == nil && strings.Trim(u.Path, "/") == "" {
		endpoint = u.JoinPath(tracesPath).String()
	}
	return tracing.Config{Endpoint: endpoint, Ratio: c.Tracing.Ratio, Version: daemonVersion()}
}

func restLimits(c *configs.Config) rest.Limits {
	sessions := sandboxConfig(c)
	return rest.Limits{
		MaxCode:    int64(c.Execution.MaxCode),
		MaxContext: int64(c.Execution.MaxContext),
		Timeout:    c.Execution.Timeout,
		MaxTimeout: c.Execution.MaxTimeout,
		MaxStdout:  int64(c.Execution.MaxStdout),
		MaxStderr:  int64(c.Execution.MaxStderr),
		MaxDisplay: int64(c.Execution.MaxDisplay),
		MaxLocals:  int64(c.Execution.MaxLocals),
		MaxList:    c.Files.MaxList,

		MaxLocalsValue: int64(c.Execution.MaxLocalsValue),
		MaxEvents:      int64(c.Execution.MaxEvents),

		Session:    sessions.Ceilings(),
		MaxTTL:     sessions.MaxTTL,
		MaxIdleTTL: sessions.MaxIdleTTL,
	}
}

// dockerConfig is what the configuration says of the engine; identity, driver and logger are the caller's to add.
func dockerConfig(c *configs.Config) (docker.Config, error) {
	seccomp := configs.Seccomp()
	if c.Docker.Seccomp != "" {
		var err error
		if seccomp, err = readProfile(c.Docker.Seccomp); err != nil {
			return docker.Config{}, fmt.Errorf("docker.seccomp: %w", err)
		}
	}
	images := make(map[string]docker.Image, len(c.Docker.Images))
	for name, image := range c.Docker.Images {
		images[name] = docker.Image{Ref: image.Ref, Variant: variant(image.Ref)}
	}
	return docker.Config{
		Host:           c.Docker.Host,
		Runtime:        c.Docker.Runtime,
		UIDFirst:       c.Docker.UIDFirst,
		UIDCount:       c.Docker.UIDCount,
		Images:         images,
		DefaultImage:   c.Docker.DefaultImage,
		SeccompProfile: seccomp,
		RequestTimeout: c.Docker.RequestTimeout,
	}, nil
}

// maxProfile is the most that a seccomp profile may hold, in bytes.
const maxProfile = 1 << 20

func readProfile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxProfile+1))
	if err == nil && len(data) > maxProfile {
		err = fmt.Errorf("%s is larger than 1MiB, which no profile is", path)
	}
	return data, err
}

// variant is which of our images ref names, "" where it is somebody else's and cannot be built.
func variant(ref string) string {
	switch name, ok := strings.CutPrefix(ref, "fastpyrepl/runner:"); {
	case ok && (name == "default" || name == "slim"):
		return name
	}
	return ""
}
