package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

var _ sandbox.Runtime = (*Runtime)(nil)

// Runtime starts and finds containers on one engine.
type Runtime struct {
	config Config
	client *engine
	where  string // the engine's address, for messages
	uids   *uidPool
	ends   ends

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // of what runs in ctx

	preparing sync.Mutex // one image at a time
	quiet     bool       // guarded by preparing; nobody waits for the image that is made ready
	host      host       // guarded by preparing until one image is ready, and immutable from then on

	mu        sync.Mutex
	images    map[string]*preparation // guarded by mu; by name
	instances map[string]*Instance    // guarded by mu; by the engine's id; from creation or List until removal is confirmed
	probes    map[string]bool         // guarded by mu; sessions of the containers that look at an image
}

// New connects to the engine and checks that it can confine containers. Where there is none, the error says what to do.
// Prepare must follow before Start.
func New(ctx context.Context, config Config) (*Runtime, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	cli, where, err := connect(config.Host)
	if err != nil {
		return nil, err
	}
	r := newRuntime(config, cli, where)
	if err := r.inspectEngine(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.wg.Go(r.follow)
	return r, nil
}

func newRuntime(config Config, cli *client.Client, where string) *Runtime {
	r := &Runtime{
		config:    config,
		client:    &engine{client: cli, observe: config.Observe},
		where:     where,
		uids:      newUIDPool(config.UIDFirst, config.UIDCount),
		images:    map[string]*preparation{},
		instances: map[string]*Instance{},
		probes:    map[string]bool{},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

func (r *Runtime) inspectEngine(ctx context.Context) error {
	if err := r.Ping(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.RequestTimeout)
	defer cancel()
	info, err := r.client.Info(ctx)
	if err != nil {
		return engineError("ask what it can do", err)
	}
	if err := wrong(inspect(info, &r.config)); err != nil {
		return &sandbox.Error{Code: sandbox.CodeEngine, Message: fmt.Sprintf("the container engine at %s cannot confine code: %v", r.where, err)}
	}
	r.ends.since = info.SystemTime
	r.host = host{runtime: r.config.Runtime, seccomp: r.config.seccompOption(), cpus: info.NCPU}
	return nil
}

// Ping tells whether the engine answers.
func (r *Runtime) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.config.RequestTimeout)
	defer cancel()
	if _, err := r.client.Ping(ctx); err != nil {
		return unreachable(r.where, err)
	}
	return nil
}

// List returns every container with this owner's labels, also those that never started, oldest first. One whose labels
// are broken has an empty Spec. It leaves out those that Prepare has just now.
func (r *Runtime) List(ctx context.Context) ([]sandbox.Instance, error) {
	before := r.all()
	found, err := r.find(ctx, LabelOwner+"="+r.config.Owner)
	if err != nil {
		return nil, err
	}
	r.lose(before, found)
	slices.SortStableFunc(found, func(a, b container.Summary) int { return cmp.Compare(a.Created, b.Created) })
	instances := make([]sandbox.Instance, 0, len(found))
	for _, c := range found {
		if r.isProbe(c.Labels[LabelSession]) {
			continue
		}
		spec, uid, err := parseLabels(c.Labels)
		if err != nil {
			r.config.Log.Warn("container with broken labels", "instance", c.ID, "err", err)
		}
		instances = append(instances, r.instance(c.ID, spec, uid))
	}
	return instances, nil
}

// all are the instances that there are now.
func (r *Runtime) all() []*Instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.instances))
}

// lose gives up what is held for containers that were there before, and are not among those found since. Their removal was
// never confirmed, as when the engine failed in the middle of it.
func (r *Runtime) lose(before []*Instance, found []container.Summary) {
	there := make(map[string]bool, len(found))
	for _, c := range found {
		there[c.ID] = true
	}
	for _, i := range before {
		if !there[i.id] {
			r.forget(i)
		}
	}
}

func (r *Runtime) isProbe(session string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.probes[session]
}

// find lists containers with a label, in whatever state.
func (r *Runtime) find(ctx context.Context, label string) ([]container.Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, r.config.RequestTimeout)
	defer cancel()
	found, err := r.client.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", label))})
	if err != nil {
		return nil, engineError("list containers", err)
	}
	return found, nil
}

// instance returns the one Instance there is for a container.
func (r *Runtime) instance(id string, spec sandbox.Spec, uid int) *Instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, ok := r.instances[id]; ok {
		return i
	}
	if uid != 0 {
		r.uids.adopt(uid)
	}
	i := newInstance(r, id, spec, uid)
	r.instances[id] = i
	return i
}

// forget gives up what the daemon holds for a container that is gone.
func (r *Runtime) forget(i *Instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.instances[i.id] != i {
		return
	}
	delete(r.instances, i.id)
	if i.uid != 0 {
		r.uids.release(i.uid)
	}
}

// Close releases the client and waits for what the runtime started itself. It does not touch containers.
func (r *Runtime) Close() error {
	for _, i := range r.all() {
		i.closeStreams()
	}
	r.cancel()
	r.wg.Wait()
	return r.client.Close()
}
