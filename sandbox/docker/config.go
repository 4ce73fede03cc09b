package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"regexp"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Config is what New needs.
type Config struct {
	Host    string // of the engine, such as unix:///var/run/docker.sock; "" is DOCKER_HOST, or else the usual socket
	Runtime string // OCI runtime, such as runsc; "" is the engine's default
	Owner   string // UUID of this daemon; it finds its containers by it

	// UIDFirst and UIDCount are the uids, and gids of the same number, that containers are given, one each.
	UIDFirst, UIDCount int

	Images       map[string]Image // by the name that a Spec asks for
	DefaultImage string           // the name of the image for a Spec that names none

	SeccompProfile []byte // JSON

	Driver     fs.FS  // the driver's files, for images that lack them
	DriverHash string // what LabelDriver says of an image that holds Driver

	// RequestTimeout bounds every call to the engine that does not by its nature take longer.
	RequestTimeout time.Duration
	// Build makes the images of a variant that is neither there nor can be pulled; nil where nothing can be built.
	Build func(ctx context.Context, variant string, progress io.Writer) error
	Log   *slog.Logger

	// Observe, where it is not nil, is told of every call to the engine, by a name such as container_start; what it returns
	// is told how the call ended.
	Observe func(ctx context.Context, operation string) (ended func(CallResult))
	// Step, where it is not nil, is told what Prepare is at, in a few words that anybody may read.
	Step func(what string)
}

// Image is one that sessions may be made from.
type Image struct {
	Ref     string // reference or id
	Variant string // what Build is to be given to make it, "" where it cannot be made
}

// hashPattern keeps a hash harmless in a Dockerfile.
var hashPattern = regexp.MustCompile(`^[A-Za-z0-9]+$`)

func (c *Config) validate() error {
	if _, err := uuid.Parse(c.Owner); err != nil {
		return fmt.Errorf("owner %q is not a UUID", c.Owner)
	}
	if c.UIDFirst < 1 || c.UIDCount < 1 || c.UIDFirst > maxUID-c.UIDCount {
		return fmt.Errorf("uids %d and %d more are out of range: allowed are 1 to %d", c.UIDFirst, c.UIDCount-1, maxUID-1)
	}
	if _, ok := c.Images[c.DefaultImage]; !ok {
		return fmt.Errorf("the default image %q is not among the images", c.DefaultImage)
	}
	for name, img := range c.Images {
		if img.Ref == "" {
			return fmt.Errorf("image %q has no reference", name)
		}
	}
	if !jsontext.Value(c.SeccompProfile).IsValid() {
		return errors.New("the seccomp profile is not JSON")
	}
	if c.RequestTimeout <= 0 {
		return errors.New("the request timeout must be more than 0")
	}
	if c.Driver == nil || !hashPattern.MatchString(c.DriverHash) {
		return fmt.Errorf("the driver's files are missing, or their hash %q is none", c.DriverHash)
	}
	if c.Log == nil {
		return errors.New("the logger is missing")
	}
	return nil
}

// seccompOption is the profile as the engine's API wants it: the text itself, not a path.
func (c *Config) seccompOption() string {
	profile := jsontext.Value(c.SeccompProfile).Clone()
	if err := profile.Compact(); err != nil {
		panic(fmt.Sprintf("docker: seccomp profile: %v", err)) // validate has seen it
	}
	return "seccomp=" + string(profile)
}
