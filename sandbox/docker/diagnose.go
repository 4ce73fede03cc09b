package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/system"

	"github.com/gjyotin305/fastpyrepl/sandbox"
)

// Diagnose looks at all that New and Prepare need, for a person: the engine, what it can do, every image, and a container of each
// from inside. It neither pulls nor builds, and leaves nothing behind. progress is told what is being looked at.
func Diagnose(ctx context.Context, config Config, progress func(what string)) []Finding {
	var found []Finding
	if err := config.validate(); err != nil {
		return append(found, Finding{Name: "configuration", Detail: err.Error(), Remedy: "mend the configuration"})
	}
	cli, where, err := connect(config.Host)
	if err != nil {
		return append(found, Finding{Name: "engine", Detail: err.Error(), Remedy: "set docker.host, or DOCKER_HOST, to unix:///path or tcp://host:port"})
	}
	r := newRuntime(config, cli, where)
	defer r.Close()
	progress("the engine at " + where)
	engine, ok := r.diagnoseEngine(ctx)
	found = append(found, engine...)
	if !ok {
		return found
	}
	for _, name := range slices.Sorted(maps.Keys(config.Images)) {
		progress(fmt.Sprintf("image %s (%s), and a container of it", name, config.Images[name].Ref))
		found = append(found, r.diagnoseImage(ctx, name, config.Images[name])...)
	}
	return found
}

// diagnoseEngine tells, with what it found, whether containers may be tried.
func (r *Runtime) diagnoseEngine(ctx context.Context) ([]Finding, bool) {
	if err := r.Ping(ctx); err != nil {
		return []Finding{{Name: "engine", Detail: err.Error(), Remedy: "start it, or install one: `make up` does, as root on Debian"}}, false
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.RequestTimeout)
	defer cancel()
	info, err := r.client.Info(ctx)
	if err != nil {
		return []Finding{{Name: "engine", Detail: err.Error(), Remedy: "see its log: it answers, and does not say what it can do"}}, false
	}
	r.host = host{runtime: r.config.Runtime, seccomp: r.config.seccompOption(), cpus: info.NCPU}
	found := []Finding{{Name: "engine", OK: true, Detail: fmt.Sprintf("%s at %s, %d cores, %d MiB", info.ServerVersion, r.where, info.NCPU, info.MemTotal>>20)}}
	found = append(found, inspect(info, &r.config)...)
	return found, wrong(found) == nil
}

// inspect looks at what an engine says of itself. What it says it can is checked in a container by Prepare.
func inspect(info system.Info, config *Config) []Finding {
	var found []Finding
	see := func(name string, ok bool, good, bad, remedy string) {
		if ok {
			found = append(found, Finding{Name: name, OK: true, Detail: good})
		} else {
			found = append(found, Finding{Name: name, Detail: bad, Remedy: remedy})
		}
	}
	see("platform", info.OSType == "linux", "it runs linux containers", fmt.Sprintf("it runs %s containers, not linux ones", info.OSType), "use an engine on Linux")
	for _, need := range []struct {
		there        bool
		what, remedy string
	}{
		{info.MemoryLimit, "memory", "boot with cgroup_enable=memory"},
		{info.SwapLimit, "swap", "boot with swapaccount=1"},
		{info.PidsLimit, "processes", "mount the pids cgroup (cgroupfs-mount, or systemd)"},
		{info.CPUCfsQuota && info.CPUCfsPeriod, "CPU time", "use a kernel with CONFIG_CFS_BANDWIDTH"},
	} {
		see("limit of "+need.what, need.there, "its kernel can limit "+need.what, "its kernel cannot limit "+need.what, need.remedy)
	}
	options, err := securityOptions(info)
	see("seccomp", err == nil && options["seccomp"], "it has seccomp", "it has no seccomp", "use an engine built with seccomp, on a kernel with CONFIG_SECCOMP_FILTER")
	last := config.UIDFirst + config.UIDCount - 1
	mapped := options["userns"] || options["rootless"]
	see("uids", !mapped || last < 1<<16, fmt.Sprintf("%d to %d can be given to sessions", config.UIDFirst, last),
		fmt.Sprintf("it maps uids, and only those below %d: uids %d to %d are out of range", 1<<16, config.UIDFirst, last), "lower docker.uid_first or docker.uid_count")
	names := slices.Sorted(maps.Keys(info.Runtimes))
	_, there := info.Runtimes[config.Runtime]
	see("runtime", config.Runtime == "" || there, fmt.Sprintf("%s, of %v", runtimeName(config.Runtime, info.DefaultRuntime), names),
		fmt.Sprintf("it has no runtime %q: there are %q", config.Runtime, names), "register it in /etc/docker/daemon.json and reload the engine (scripts/gvisor.sh does so for runsc)")
	return found
}

func runtimeName(configured, byDefault string) string {
	if configured == "" {
		return byDefault + " (the engine's default)"
	}
	return configured
}

func securityOptions(info system.Info) (map[string]bool, error) {
	names := map[string]bool{}
	options, err := system.DecodeSecurityOptions(info.SecurityOptions)
	for _, option := range options {
		names[option.Name] = true
	}
	return names, err
}

// diagnoseImage looks at one image, and at a container of it.
func (r *Runtime) diagnoseImage(ctx context.Context, name string, config Image) []Finding {
	fail := func(err error, remedy string) []Finding {
		message := err.Error()
		var known *sandbox.Error
		if errors.As(err, &known) {
			message = known.Error()
		}
		return []Finding{{Name: "image " + name, Detail: message, Remedy: remedy}}
	}
	found, err := r.inspectImage(ctx, config.Ref)
	if notFound(err) {
		remedy := "pull it; the daemon does so when it starts"
		if config.Variant != "" {
			remedy = "run `make image`; the daemon pulls or builds it when it starts"
		}
		return fail(fmt.Errorf("%s is not here", config.Ref), remedy)
	}
	if err == nil {
		err = checkImage(config.Ref, found)
	}
	if err != nil {
		return fail(err, "use another image")
	}
	if r.host.masked == nil {
		if r.host.masked, err = r.engineMasks(ctx, found.ID); err != nil {
			return fail(err, "see the engine's log")
		}
	}
	report, posture, err := r.canary(ctx, config.Ref, preparedImage{id: found.ID, driver: driverPath, path: imagePath(found)})
	if err != nil {
		return fail(err, "see the engine's log; `docker run --rm "+config.Ref+" python3 --version` should work")
	}
	driver := "with this driver"
	if found.Config.Labels[LabelDriver] != r.config.DriverHash {
		driver = "the driver will be put in"
	}
	all := []Finding{{Name: "image " + name, OK: true, Detail: fmt.Sprintf("%s: Python %d.%d, %d MB, %s", config.Ref, report.Version[0], report.Version[1], found.Size/1e6, driver)}}
	for _, f := range posture {
		f.Name = strings.Join([]string{name, f.Name}, ": ")
		all = append(all, f)
	}
	return all
}
