package configs

import "time"

// Config is one configuration. Tags: yaml names the key, reload:"live" marks a key, or a section of keys, that a running
// daemon can take over; a change to any other needs a restart.
type Config struct {
	Server    Server    `yaml:"server"`
	Docker    Docker    `yaml:"docker"`
	Limits    Limits    `yaml:"limits" reload:"live"`
	MaxLimits MaxLimits `yaml:"max_limits" reload:"live"`
	Execution Execution `yaml:"execution" reload:"live"`
	Files     Files     `yaml:"files"`
	Sessions  Sessions  `yaml:"sessions"`
	Pool      Pool      `yaml:"pool"`
	Auth      Auth      `yaml:"auth"`
	Audit     Audit     `yaml:"audit"`
	Admin     Admin     `yaml:"admin"`
	Tracing   Tracing   `yaml:"tracing"`
	StateDir  string    `yaml:"state_dir"`
	Log       Log       `yaml:"log"`
}

// Server is the HTTP face.
type Server struct {
	Host         string   `yaml:"host"`
	Port         int      `yaml:"port"`
	Insecure     bool     `yaml:"insecure"`
	AllowedHosts []string `yaml:"allowed_hosts" reload:"live"`
	CORSOrigins  []string `yaml:"cors_origins" reload:"live"`
	Playground   bool     `yaml:"playground"`

	MaxConnections  int  `yaml:"max_connections"`
	MaxBody         Size `yaml:"max_body"`
	MaxInflightBody Size `yaml:"max_inflight_body"`
	MaxHeader       Size `yaml:"max_header"`
	MaxJSONDepth    int  `yaml:"max_json_depth"`
	MaxJSONKeys     int  `yaml:"max_json_keys"`

	ReadTimeout     time.Duration `yaml:"read_timeout"`
	WriteTimeout    time.Duration `yaml:"write_timeout"`
	IdleTimeout     time.Duration `yaml:"idle_timeout"`
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`
}

// Docker is the engine, and what sessions' containers are made from.
type Docker struct {
	Host           string           `yaml:"host"`
	Runtime        string           `yaml:"runtime"`
	Seccomp        string           `yaml:"seccomp"`
	UIDFirst       int              `yaml:"uid_first"`
	UIDCount       int              `yaml:"uid_count"`
	RequestTimeout time.Duration    `yaml:"request_timeout"`
	DefaultImage   string           `yaml:"default_image"`
	Images         map[string]Image `yaml:"images"`
}

// Image is one that sessions may be made from.
type Image struct {
	Ref string `yaml:"ref"`
}

// Limits bound one session's container.
type Limits struct {
	Memory  Size    `yaml:"memory"`
	CPUs    float64 `yaml:"cpus"`
	Pids    int     `yaml:"pids"`
	WorkDir Size    `yaml:"workdir"`
	Tmp     Size    `yaml:"tmp"`
	Shm     Size    `yaml:"shm"`
	Inodes  int     `yaml:"inodes"`
	NoFile  int     `yaml:"nofile"`
}

// MaxLimits are the most that a session may ask for at its creation.
type MaxLimits struct {
	Memory  Size    `yaml:"memory"`
	CPUs    float64 `yaml:"cpus"`
	Pids    int     `yaml:"pids"`
	WorkDir Size    `yaml:"workdir"`
}

// Execution bounds one execution.
type Execution struct {
	Timeout        time.Duration `yaml:"timeout"`
	MaxTimeout     time.Duration `yaml:"max_timeout"`
	InterruptGrace time.Duration `yaml:"interrupt_grace"`
	Queue          int           `yaml:"queue"`

	MaxContext     Size `yaml:"max_context"`
	MaxCode        Size `yaml:"max_code"`
	MaxStdout      Size `yaml:"max_stdout"`
	MaxStderr      Size `yaml:"max_stderr"`
	MaxDisplay     Size `yaml:"max_display"`
	MaxLocals      Size `yaml:"max_locals"`
	MaxLocalsValue Size `yaml:"max_locals_value"`
	MaxEvents      int  `yaml:"max_events"`

	ResultsKept time.Duration `yaml:"results_kept"`
	MaxResults  Size          `yaml:"max_results"`
}

// Files bounds what is done with the files of sessions over the API.
type Files struct {
	MaxUpload Size `yaml:"max_upload"`
	Transfers int  `yaml:"transfers" reload:"live"`
	MaxList   int  `yaml:"max_list" reload:"live"`
}

// Sessions bounds all sessions together, and their lives.
type Sessions struct {
	Max              int           `yaml:"max" reload:"live"`
	MaxPerKey        int           `yaml:"max_per_key" reload:"live"`
	MaxStarting      int           `yaml:"max_starting"`
	StartQueue       int           `yaml:"start_queue" reload:"live"`
	StartTimeout     time.Duration `yaml:"start_timeout" reload:"live"`
	StopTimeout      time.Duration `yaml:"stop_timeout" reload:"live"`
	ReconnectTimeout time.Duration `yaml:"reconnect_timeout" reload:"live"`
	TTL              time.Duration `yaml:"ttl" reload:"live"`
	IdleTTL          time.Duration `yaml:"idle_ttl" reload:"live"`
	MaxTTL           time.Duration `yaml:"max_ttl" reload:"live"`
	MaxIdleTTL       time.Duration `yaml:"max_idle_ttl" reload:"live"`
	LostKept         time.Duration `yaml:"lost_kept" reload:"live"`
	OrphanGrace      time.Duration `yaml:"orphan_grace"`
	OnShutdown       string        `yaml:"on_shutdown" reload:"live"`
}

// Pool is the containers that wait for a session.
type Pool struct {
	Size        PoolSize      `yaml:"size" reload:"live"`
	MaxStarting int           `yaml:"max_starting" reload:"live"`
	Preload     []string      `yaml:"preload" reload:"live"`
	ShrinkAfter time.Duration `yaml:"shrink_after"`
}

// PoolSize is how many containers wait at rest, and at the most.
type PoolSize struct {
	Min int `yaml:"min"`
	Max int `yaml:"max"`
}

// Auth is who may use the daemon.
type Auth struct {
	Keys     map[string]Key `yaml:"keys" reload:"live"`
	KeysFile string         `yaml:"keys_file"`
}

// Key is one that lets a client in. Its name is what sessions belong to.
type Key struct {
	Hash          []string `yaml:"hash"` // all of them open
	Role          string   `yaml:"role"` // "" is user
	MaxSessions   int      `yaml:"max_sessions"`
	MaxExecutions int      `yaml:"max_executions"`
	Rate          float64  `yaml:"rate"` // requests a second
	Burst         int      `yaml:"burst"`
}

// Audit is the log of who ran what.
type Audit struct {
	File          string `yaml:"file"`
	MaxSize       Size   `yaml:"max_size"`
	Keep          int    `yaml:"keep"`
	IncludeCode   bool   `yaml:"include_code"`
	IncludeOutput bool   `yaml:"include_output"`
}

// Admin is the listener for operators.
type Admin struct {
	Listen   string `yaml:"listen"`
	Insecure bool   `yaml:"insecure"`
	Pprof    bool   `yaml:"pprof" reload:"live"`
}

// Tracing is where spans go.
type Tracing struct {
	Endpoint string  `yaml:"endpoint"`
	Ratio    float64 `yaml:"ratio"`
}

// Log is the daemon's own log. It never holds code, output or secrets.
type Log struct {
	Level  string `yaml:"level" reload:"live"`
	Format string `yaml:"format"`
}
