import json
import os
import sys


def read(*paths):
    for path in paths:
        try:
            with open(path) as file:
                return file.read().strip()
        except OSError:
            pass
    return ""


def root_writes():
    try:
        os.close(os.open("/.probe", os.O_CREAT | os.O_WRONLY))
        return True
    except OSError:
        return bool(not os.statvfs("/").f_flag & os.ST_RDONLY)


status = {}
for line in read("/proc/self/status").splitlines():
    name, _, value = line.partition(":")
    status[name] = value.strip()

json.dump(
    {
        "version": list(sys.version_info[:2]),
        "executable": sys.executable or "",
        "status": status,
        "interfaces": [line.split(":")[0].strip() for line in read("/proc/net/dev").splitlines()[2:]],
        "root_writes": root_writes(),
        "memory": read("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        "pids": read("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"),
    },
    sys.stdout,
)
