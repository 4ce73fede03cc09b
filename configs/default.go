package configs

import "time"

// Default returns the configuration of a daemon that was told nothing. fastpyrepl.yaml says what each key means.
func Default() *Config {
	return &Config{
		Server: Server{
			Host:            "127.0.0.1",
			Port:            8000,
			Playground:      true,
			MaxConnections:  1024,
			MaxBody:         448 * MiB,
			MaxInflightBody: 1 * GiB,
			MaxHeader:       16 * KiB,
			MaxJSONDepth:    64,
			MaxJSONKeys:     10_000,
			ReadTimeout:     60 * time.Second,
			WriteTimeout:    60 * time.Second,
			IdleTimeout:     2 * time.Minute,
			ShutdownTimeout: 10 * time.Second,
		},
		Docker: Docker{
			// Inside the 65,536 ids that an engine with userns-remap, or a rootless one, can map; clear of Debian's
			// system users below and of nobody above.
			UIDFirst:       40_000,
			UIDCount:       20_000,
			RequestTimeout: 30 * time.Second,
			DefaultImage:   "default",
			Images:         map[string]Image{"default": {Ref: "fastpyrepl/runner:default"}},
		},
		Limits: Limits{
			Memory:  1 * GiB,
			CPUs:    1,
			Pids:    128,
			WorkDir: 256 * MiB,
			Tmp:     64 * MiB,
			Shm:     64 * MiB,
			Inodes:  65_536,
			NoFile:  1024,
		},
		MaxLimits: MaxLimits{Memory: 2 * GiB, CPUs: 2, Pids: 256, WorkDir: 512 * MiB},
		Execution: Execution{
			Timeout:        60 * time.Second,
			MaxTimeout:     10 * time.Minute,
			InterruptGrace: 2 * time.Second,
			Queue:          16,
			MaxContext:     64 * MiB,
			MaxCode:        1 * MiB,
			MaxStdout:      1 * MiB,
			MaxStderr:      1 * MiB,
			MaxDisplay:     16 * MiB,
			MaxLocals:      8 * MiB,
			MaxLocalsValue: 1 * MiB,
			MaxEvents:      16384,
			ResultsKept:    15 * time.Minute,
			MaxResults:     64 * MiB,
		},
		Files: Files{MaxUpload: 1 * GiB, Transfers: 4, MaxList: 1000},
		Sessions: Sessions{
			Max:              64,
			MaxStarting:      4,
			StartQueue:       32,
			StartTimeout:     60 * time.Second,
			StopTimeout:      10 * time.Second,
			ReconnectTimeout: 30 * time.Second,
			LostKept:         24 * time.Hour,
			OrphanGrace:      15 * time.Minute,
			OnShutdown:       "keep",
		},
		Pool: Pool{
			Size:        PoolSize{Min: 2, Max: 8},
			MaxStarting: 2,
			ShrinkAfter: time.Minute,
		},
		Audit:   Audit{MaxSize: 100 * MiB, Keep: 10},
		Tracing: Tracing{Ratio: 1},
		Log:     Log{Level: "info", Format: "auto"},
	}
}
