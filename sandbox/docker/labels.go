package docker

import (
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// Labels on containers. All of them are the daemon's own words: no text of a client is among them.
const (
	LabelOwner   = "org.fastpyrepl.owner"   // UUID of the daemon that made the container
	LabelSession = "org.fastpyrepl.session" // Spec.Session
	LabelUID     = "org.fastpyrepl.uid"     // decimal
	LabelCreated = "org.fastpyrepl.created" // RFC 3339
	LabelSpec    = "org.fastpyrepl.spec"    // the Spec as JSON
)

// LabelDriver on an image is the hash of the driver in it.
const LabelDriver = "org.fastpyrepl.driver"

const maxSpecLabel = 64 << 10 // bytes

// specLabel is a Spec in LabelSpec. Its names stay: containers outlive the daemon that wrote them.
type specLabel struct {
	Session string            `json:"session"`
	Image   string            `json:"image"`
	Memory  int64             `json:"memory"`
	CPUs    float64           `json:"cpus"`
	Pids    int64             `json:"pids"`
	WorkDir int64             `json:"workdir"`
	Tmp     int64             `json:"tmp"`
	Shm     int64             `json:"shm"`
	Inodes  int64             `json:"inodes"`
	NoFile  int64             `json:"nofile"`
	Preload []string          `json:"preload,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
	Lease   string            `json:"lease"`
}

// labels describes a container made from spec.
func labels(spec sandbox.Spec, owner string, uid int, created time.Time) (map[string]string, error) {
	l := spec.Limits
	text, err := json.Marshal(specLabel{
		Session: spec.Session, Image: spec.Image,
		Memory: l.Memory, CPUs: l.CPUs, Pids: l.Pids, WorkDir: l.WorkDir, Tmp: l.Tmp, Shm: l.Shm, Inodes: l.Inodes,
		NoFile: l.NoFile, Preload: spec.Preload, Env: spec.Env, Lease: spec.Lease.String(),
	}, json.Deterministic(true))
	if err != nil {
		return nil, sandbox.Errorf(sandbox.CodeInvalid, "environment or preload is not valid UTF-8")
	}
	if len(text) > maxSpecLabel {
		return nil, sandbox.Errorf(sandbox.CodeInvalid, "environment and preload take %d bytes; allowed are %d", len(text), maxSpecLabel)
	}
	return map[string]string{
		LabelOwner:   owner,
		LabelSession: spec.Session,
		LabelUID:     strconv.Itoa(uid),
		LabelCreated: created.UTC().Format(time.RFC3339),
		LabelSpec:    string(text),
	}, nil
}

// parseLabels is what labels tell of a container; uid is 0 where they tell none.
func parseLabels(labels map[string]string) (spec sandbox.Spec, uid int, err error) {
	uid, err = strconv.Atoi(labels[LabelUID])
	if err != nil || uid < 1 || uid >= maxUID {
		return sandbox.Spec{}, 0, fmt.Errorf("label %s is %q", LabelUID, labels[LabelUID])
	}
	text := labels[LabelSpec]
	if len(text) > maxSpecLabel {
		return sandbox.Spec{}, uid, fmt.Errorf("label %s has %d bytes", LabelSpec, len(text))
	}
	var l specLabel
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return sandbox.Spec{}, uid, fmt.Errorf("label %s: %w", LabelSpec, err)
	}
	lease, err := time.ParseDuration(l.Lease)
	if err != nil {
		return sandbox.Spec{}, uid, fmt.Errorf("label %s: lease: %w", LabelSpec, err)
	}
	return sandbox.Spec{
		Session: l.Session, Image: l.Image, Preload: l.Preload, Env: l.Env, Lease: lease,
		Limits: sandbox.Limits{
			Memory: l.Memory, CPUs: l.CPUs, Pids: l.Pids, WorkDir: l.WorkDir, Tmp: l.Tmp, Shm: l.Shm, Inodes: l.Inodes,
			NoFile: l.NoFile,
		},
	}, uid, nil
}
