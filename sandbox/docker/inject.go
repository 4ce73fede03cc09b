package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

const (
	injectedRepository = "fastpyrepl/injected"
	injectTimeout      = 2 * time.Minute
	maxDriver          = 16 << 20 // bytes of all its files
)

// inject makes an image from base with the driver in it, unless there is one already, and returns its id and where the
// driver is. Nothing of the base image is run for that.
func (r *Runtime) inject(ctx context.Context, base string) (id, driver string, err error) {
	// In a folder of its own: an older driver in the image may be byte-compiled, and Python would run that instead.
	driver = driverPath + "-" + r.config.DriverHash
	sum := sha256.Sum256([]byte(base + "\n" + r.config.DriverHash))
	tag := injectedRepository + ":" + hex.EncodeToString(sum[:])
	if found, err := r.inspectImage(ctx, tag); err == nil {
		return found.ID, driver, nil
	} else if !notFound(err) {
		return "", "", err
	}
	files, err := buildContext(base, driver, r.config.DriverHash, r.config.Driver)
	if err != nil {
		return "", "", fmt.Errorf("pack the driver: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, injectTimeout)
	defer cancel()
	resp, err := r.client.ImageBuild(ctx, files, build.ImageBuildOptions{
		Tags: []string{tag}, NetworkMode: "none", Remove: true, ForceRemove: true, Version: build.BuilderV1,
	})
	if err != nil {
		return "", "", engineError("put the driver into an image", err)
	}
	defer resp.Body.Close()
	if err := jsonmessage.DisplayJSONMessagesStream(resp.Body, io.Discard, 0, false, nil); err != nil {
		return "", "", engineError("put the driver into an image", err)
	}
	found, err := r.inspectImage(ctx, tag)
	if err != nil {
		return "", "", err
	}
	if found.Config == nil || found.Config.Labels[LabelDriver] != r.config.DriverHash {
		return "", "", sandbox.Errorf(sandbox.CodeEngine, "the container engine built an image without the driver")
	}
	return found.ID, driver, nil
}

// buildContext is a tar archive of a Dockerfile and the driver. Its times are all the same: so is its hash.
func buildContext(base, target, hash string, driver fs.FS) (*bytes.Buffer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	add := func(name string, data []byte) error {
		if archive.Len()+len(data) > maxDriver {
			return fmt.Errorf("more than %d bytes", maxDriver)
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}); err != nil {
			return err
		}
		_, err := w.Write(data)
		return err
	}
	dockerfile := fmt.Sprintf("FROM %s\nCOPY driver %s\nLABEL %s=%s\n", base, target, LabelDriver, hash)
	if err := add("Dockerfile", []byte(dockerfile)); err != nil {
		return nil, err
	}
	err := fs.WalkDir(driver, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(driver, name)
		if err != nil {
			return err
		}
		return add(path.Join("driver", name), data)
	})
	if err != nil {
		return nil, err
	}
	return &archive, w.Close()
}
