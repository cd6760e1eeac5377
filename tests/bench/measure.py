"""One measurement: a load on one side, what it saw, and what it cost."""

import collections
import contextlib
import os
import statistics
import subprocess
import time

from servers import LOAD, Failed, machine_cpu_seconds

BUSY = 0.9  # this share of a core, and a process is called the bottleneck

QUIET = 0.2  # of a core: so little others may use when a round starts

# What a load is put on: "options" of the load generator, "servers" whose CPU
# time counts, dripgated first; all replies are to be "decision" (allow, deny)
# and, where they say so, from one of "sources".
Side = collections.namedtuple(
    "Side", "label address options servers decision sources",
    defaults=(None, ()))
Figures = collections.namedtuple(
    "Figures", "rate p50 p99 slowest cost share others")

# Of what dripgated counts: a request that should not have been.
NOT_DECIDED = ("fallback", "unmatched", "bad_lines", "memory_full")


def load_argv(address, options):
    argv = [LOAD, "--server", address]
    for name, value in options.items():
        argv += ["--" + name, str(value)]
    return argv


def read_words(line):
    return {name: float(value) for name, _, value in
            (word.partition("=") for word in line.split())}


def check(side, words):
    """A side that errs, or does not do the work, looks fast."""
    n = words["replies"]
    if n == 0:
        raise Failed(f"{side.label}: no replies")
    wrong = [f"{name}={words[name]:.0f}" for name in ("errors", "nil")
             if words[name] > 0]
    if side.decision and words[side.decision] < n:
        wrong.append(f"{side.decision}={words[side.decision]:.0f} of {n:.0f}")
    came = sum(words[f"from_{source}"] for source in side.sources)
    if side.sources and came < n:
        wrong.append(f"from {' or '.join(side.sources)}: {came:.0f} of {n:.0f}")
    if wrong:
        raise Failed(f"{side.label}: {', '.join(wrong)}")


@contextlib.contextmanager
def nothing_undecided(side):
    """RESP does not say what decided: the counters do."""
    ours = [s for s in side.servers if s.name == "dripgated"]
    before = [s.stats() for s in ours]
    yield
    for server, was in zip(ours, before):
        now = server.stats()
        wrong = [f"{name}={now[name] - was[name]}" for name in NOT_DECIDED
                 if now.get(name, 0) > was.get(name, 0)]
        if wrong:
            raise Failed(f"{side.label}: STATS {', '.join(wrong)}\n  "
                         + server.last_words())


def read_clocks(side):
    clocks = {server.name: server.cpu() for server in side.servers}
    return {**clocks, "machine": machine_cpu_seconds()}


def read_load(side, load):
    line = load.stdout.readline()
    if not line:
        ends = [server.last_words() for server in side.servers]
        raise Failed("\n  ".join(
            [f"{side.label}: the load generator gave up"] + ends))
    return line


def run_loads(side, argv, generators):
    """Return the words of each load, the CPU seconds used, and the time."""
    with contextlib.ExitStack() as exits:
        loads = [exits.enter_context(subprocess.Popen(
            argv, stdout=subprocess.PIPE, text=True))
            for _ in range(generators)]
        for load in loads:
            read_load(side, load)
        before, start = read_clocks(side), time.monotonic()
        lines = [read_load(side, load) for load in loads]
        after, seconds = read_clocks(side), time.monotonic() - start
    cpu = {name: after[name] - before[name] for name in before}
    return [read_words(line) for line in lines], cpu, seconds


def measure(side, options, generators=1):
    """Run ${generators} loads at once and return what they saw, summed."""
    argv = load_argv(side.address, {**options, **side.options})
    with nothing_undecided(side):
        words, cpu, seconds = run_loads(side, argv, generators)
    for one in words:
        check(side, one)
    everybody = cpu.pop("machine")
    cpu["load"] = sum(one["cpu_seconds"] for one in words)
    replies = sum(one["replies"] for one in words)
    return Figures(
        rate=sum(one["replies_per_second"] for one in words),
        p50=statistics.mean(one["p50_us"] for one in words),
        p99=statistics.mean(one["p99_us"] for one in words),
        slowest=min(one["slowest"] for one in words),
        cost={name: used / replies * 1e6 for name, used in cpu.items()},
        share={name: used / seconds for name, used in cpu.items()},
        others=max(0, everybody - sum(cpu.values())) / seconds)


class Quiet:
    """Waits until others leave the machine alone; never longer than that in all."""

    def __init__(self, patience):
        self.left = patience

    def wait(self):
        while self.left > 0 and self.busy() > QUIET:
            pass

    def busy(self):
        """What everybody uses while we do nothing, as a share of a core."""
        before, start = machine_cpu_seconds(), time.monotonic()
        time.sleep(0.2)
        seconds = time.monotonic() - start
        self.left -= seconds
        return (machine_cpu_seconds() - before) / seconds


def medians(rounds):
    """The median of every figure over the rounds."""
    def of(name):
        values = [getattr(r, name) for r in rounds]
        if isinstance(values[0], dict):
            return {key: statistics.median(v[key] for v in values)
                    for key in values[0]}
        return statistics.median(values)

    return Figures(*map(of, Figures._fields))


def bottleneck(figures, loads=1):
    """The process that has a core to itself, or the one that is busiest."""
    name, share = max(figures.share.items(), key=lambda item: item[1])
    if share > BUSY * (loads if name == "load" else 1):
        return f"{name} {share:.0%}"
    total = sum(figures.share.values()) + figures.others
    if total > BUSY * os.cpu_count():
        return f"all {os.cpu_count()} cores"
    return f"none ({name} {share:.0%})"


def per_process(values, form):
    return ", ".join(f"{name} {value:{form}}" for name, value in values.items())
