#!/usr/bin/env python3
"""Run a command, and halt its processes meanwhile, now one and now several, each for up
to a second: python3 tests/halts.py make check-integration.

So a busy machine does, if not as often.  A test that fails by it waits for a time, or for
an order that no one promised.  Needs root, and control groups of version 2: to be in one
that is frozen looks like having no processor.  SIGSTOP would not do: the parent is told
of it, and tests send it themselves.
"""

import contextlib
import os
import random
import re
import subprocess
import sys
import threading
import time

KINDS = "redis-server", "dripgated", "python3"

# Seconds from one to the next on average, and how long they take.
BETWEEN = 0.2
SHORTEST, LONGEST = 0.3, 1.0


def own_group():
    """The folder of the control group that this process is in."""
    with open("/proc/self/mounts", encoding="ascii") as file:
        (root,) = re.findall(r"(?m)^\S+ (\S+) cgroup2 ", file.read())
    with open("/proc/self/cgroup", encoding="ascii") as file:
        return root + re.search(r"(?m)^0::(.*)$", file.read())[1].rstrip("/")


def put(pid, group):
    with contextlib.suppress(OSError), \
            open(f"{group}/cgroup.procs", "w", encoding="ascii") as file:
        file.write(str(pid))


def processes(root):
    """{pid: name} of all below a process."""
    children, names = {}, {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            name, rest = re.search(r"\((.*)\) \S+ (\d+)", file.read()).groups()
            names[int(pid)] = name
            children.setdefault(int(rest), []).append(int(pid))
    found, left = {}, [root]
    while left:
        for pid in children.get(left.pop(), []):
            found[pid] = names[pid]
            left.append(pid)
    return found


def halt(pid, halted, frozen, group):
    halted.add(pid)
    put(pid, frozen)
    time.sleep(random.uniform(SHORTEST, LONGEST))
    put(pid, group)
    time.sleep(LONGEST)  # it has as long to itself
    halted.discard(pid)


def main():
    group = own_group()
    frozen = f"{group}/dripgate-halts-{os.getpid()}"
    os.mkdir(frozen)
    with open(f"{frozen}/cgroup.freeze", "w", encoding="ascii") as file:
        file.write("1")
    command = subprocess.Popen(sys.argv[1:])
    halted, threads = set(), []
    while command.poll() is None:
        time.sleep(random.uniform(0, 2 * BETWEEN))
        kind = random.choice(KINDS)
        pids = [pid for pid, name in processes(command.pid).items()
                if name.startswith(kind) and pid not in halted]
        if pids:
            thread = threading.Thread(target=halt, args=(random.choice(pids), halted, frozen, group))
            thread.start()
            threads.append(thread)
    for thread in threads:
        thread.join()
    os.rmdir(frozen)
    return command.returncode


if __name__ == "__main__":
    sys.exit(main())
