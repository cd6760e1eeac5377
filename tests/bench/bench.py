#!/usr/bin/env python3
"""Measure dripgated against something else that runs beside it.

Every row runs the same load against two sides in turn, several rounds of it,
and reports ratios; the times alone say more about the machine than about us.

    bench.py [--only ROW]...    all rows, or some
    bench.py --loader-check     is the load generator the bottleneck?
    bench.py --syscalls         system calls a request

LOAD, DRIPGATED and REDIS_SERVER in the environment name the programs.
"""

import argparse
import collections
import contextlib
import functools
import os
import pathlib
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOAD = os.environ.get("LOAD", str(ROOT / "build/load"))
DRIPGATED = os.environ.get("DRIPGATED", str(ROOT / "build/dripgated"))
REDIS_SERVER = os.environ.get("REDIS_SERVER", "redis-server")

KEYS = 100_000
CONNS = 50

# So large that nothing is ever denied: a denial costs less than an admission.
CAPACITY = 1_000_000_000
RECHARGE_US = 1_000
LIMIT = f"capacity = {CAPACITY}\nrecharge = {RECHARGE_US}us\n"

BUSY = 0.9  # this share of a core, and a process is called the bottleneck
TICK = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A measurement that would mean nothing."""


# --- servers


class Server:
    """A process that is measured, and where it listens."""

    def __init__(self, name, argv, tcp, unix):
        self.name = name
        self.tcp, self.unix = f"127.0.0.1:{tcp}", f"unix:{unix}"
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            self.wait(tcp)
        except BaseException:
            self.stop()
            raise

    def wait(self, port):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            time.sleep(0.01)
        self.log.seek(0)
        raise Failed(f"{self.name} does not start:\n"
                     + self.log.read().decode(errors="replace"))

    def cpu(self):
        return cpu_seconds(self.process.pid)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def cpu_seconds(pid):
    """What a process with all its threads has used, user and system."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def machine_cpu_seconds():
    """What all processes have used, and what the host took away."""
    line = pathlib.Path("/proc/stat").read_text().splitlines()[0]
    user, nice, system, _, _, irq, softirq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Stage:
    """The servers of one row, and the folder for their files."""

    def __init__(self, transport="tcp"):
        self.transport = transport
        self.exits = contextlib.ExitStack()
        self.folder = pathlib.Path(self.exits.enter_context(
            tempfile.TemporaryDirectory(prefix="dripgate-bench.")))
        self.count = 0

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return self.exits.__exit__(*exception)

    def address(self, server):
        return getattr(server, self.transport)

    def start(self, name, make_argv):
        self.count += 1
        port, path = free_port(), self.folder / f"{name}{self.count}.sock"
        server = Server(name, make_argv(port, path), port, path)
        self.exits.callback(server.stop)
        return server

    def redis(self):
        return self.start("redis", lambda port, path: [
            REDIS_SERVER, "--port", str(port), "--bind", "127.0.0.1",
            "--unixsocket", str(path), "--save", "", "--appendonly", "no",
            "--dir", str(self.folder)])

    def dripgated(self, redis=None, limits=None):
        def argv(port, path):
            file = path.with_suffix(".limits.ini")
            file.write_text(limits or f"[login]\nmatch = login:*\n{LIMIT}")
            text = (f"[listen]\nline = 127.0.0.1:{port}\nunix = {path}\n"
                    f"[workers]\ncount = 1\n[limits]\nfile = {file}\n"
                    f"[store]\ntype = {'redis' if redis else 'memory'}\n")
            if redis and self.transport == "tcp":
                host, _, number = redis.tcp.partition(":")
                text += f"[redis]\nhost = {host}\nport = {number}\n"
            elif redis:
                path_of = redis.unix.removeprefix("unix:")
                text += f"[redis]\nunix_socket_path = {path_of}\n"
            config = path.with_suffix(".dripgate.ini")
            config.write_text(text)
            return [DRIPGATED, "-c", str(config)]

        return self.start("dripgated", argv)

    def script(self):
        """The script as the Makefile builds it into the daemon."""
        text = "".join((ROOT / "lua" / name).read_text()
                       for name in ("leaky_bucket.lua", "batch.lua"))
        path = self.folder / "script.lua"
        path.write_text(text)
        return path


def fill(redis):
    """Give Redis a value of the size of a bucket for every key."""
    commands = b"".join(b"SET login:%d 1700000000000000\r\n" % i
                        for i in range(KEYS))
    host, _, port = redis.tcp.partition(":")
    with socket.create_connection((host, int(port)), 10) as s:
        s.sendall(commands)
        left = KEYS * len(b"+OK\r\n")
        while left > 0:
            left -= len(s.recv(65536)) or left


# --- one measurement

Side = collections.namedtuple("Side", "label address options servers expect")
Figures = collections.namedtuple("Figures", "rate p50 p99 cost share others")


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
    wrong = [f"{name}={words[name]:.0f}" for name in ("errors", "deny", "nil")
             if words[name] > 0]
    wrong += [f"{name}={words[name]:.0f} of {n:.0f}"
              for name in side.expect if words[name] < n]
    if wrong:
        raise Failed(f"{side.label}: {', '.join(wrong)}")


def read_clocks(side):
    clocks = {server.name: server.cpu() for server in side.servers}
    return {**clocks, "machine": machine_cpu_seconds()}


def measure(side, options, generators=1):
    """Run ${generators} loads at once and return what they saw, summed."""
    argv = load_argv(side.address, {**side.options, **options})
    with contextlib.ExitStack() as exits:
        loads = [exits.enter_context(subprocess.Popen(
            argv, stdout=subprocess.PIPE, text=True))
            for _ in range(generators)]
        for load in loads:
            if load.stdout.readline() != "measuring\n":
                raise Failed(f"{side.label}: the load generator gave up")
        before, start = read_clocks(side), time.monotonic()
        lines = [load.stdout.readline() for load in loads]
        after, seconds = read_clocks(side), time.monotonic() - start
    if not all(lines):
        raise Failed(f"{side.label}: the load generator gave up")
    words = [read_words(line) for line in lines]
    for one in words:
        check(side, one)
    cpu = {name: after[name] - before[name] for name in before}
    everybody = cpu.pop("machine")
    cpu["load"] = sum(one["cpu_seconds"] for one in words)
    replies = sum(one["replies"] for one in words)
    return Figures(
        rate=sum(one["replies_per_second"] for one in words),
        p50=statistics.mean(one["p50_us"] for one in words),
        p99=statistics.mean(one["p99_us"] for one in words),
        cost={name: used / replies * 1e6 for name, used in cpu.items()},
        share={name: used / seconds for name, used in cpu.items()},
        others=max(0, everybody - sum(cpu.values())) / seconds)


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
    """The process that has a core to itself, or what there is instead."""
    name, share = max(figures.share.items(), key=lambda item: item[1])
    if share > BUSY * (loads if name == "load" else 1):
        return f"{name} {share:.0%}"
    total = sum(figures.share.values()) + figures.others
    if total > BUSY * os.cpu_count():
        return f"all {os.cpu_count()} cores"
    return f"none ({name} {share:.0%})"


# --- rows

Row = collections.namedtuple("Row", "name pipeline keys sides measures against")


def line_side(stage, dripgated, redis=None, label="dripgated"):
    expect = ["allow", "from_redis" if redis else "from_memory"]
    return Side(label, stage.address(dripgated), {"mode": "line"},
                [dripgated] + ([redis] if redis else []), expect)


def memory_sides(stage):
    redis = stage.redis()
    fill(redis)
    return (line_side(stage, stage.dripgated()),
            Side("redis GET", stage.address(redis), {"mode": "get"}, [redis],
                 []))


def redis_sides(stage):
    redis = stage.redis()
    evalsha = {"mode": "evalsha", "script": stage.script(),
               "hash": "drip:login", "capacity": CAPACITY,
               "recharge_us": RECHARGE_US}
    return (line_side(stage, stage.dripgated(redis), redis),
            Side("EVALSHA", stage.address(redis), evalsha, [redis], ["allow"]))


def many_limits(patterns):
    """999 limits that match none of our keys, and then the one that does."""
    text = "".join(f"[l{i}]\nmatch = {patterns[i % len(patterns)].format(i)}\n"
                   f"{LIMIT}" for i in range(999))
    return text + f"[login]\nmatch = login:*\n{LIMIT}"


def limits_sides(patterns, stage):
    many = stage.dripgated(limits=many_limits(patterns))
    one = stage.dripgated()
    return (line_side(stage, many, label="1,000 limits"),
            line_side(stage, one, label="1 limit"))


INDEXED = ["user:{}", "api{}:*"]

ROWS = {row.name: row for row in (
    Row("memory", 64, KEYS, memory_sides,
        "CONSUME, memory store, 100,000 keys, 64 requests in flight on each of "
        "50 connections",
        "GET from redis-server, same keys, same load"),
    Row("memory-1", 1, KEYS, memory_sides,
        "the same with 1 request in flight on each connection",
        "GET from redis-server, same load"),
    Row("redis", 64, KEYS, redis_sides,
        "CONSUME, Redis store, 100,000 keys, 64 x 50",
        "the same script called directly, one bucket a call, on the same Redis "
        "and the same hash, same load"),
    Row("redis-1", 1, KEYS, redis_sides,
        "the same with 1 request in flight on each connection",
        "the same script called directly, same load"),
    Row("hot", 64, 1, redis_sides,
        "CONSUME, Redis store, one hot key, everything admitted, 64 x 50",
        "the same script called directly on that key, same load"),
    Row("limits", 64, KEYS,
        functools.partial(limits_sides, INDEXED + ["tenant{}:*:upload"]),
        "CONSUME, memory store, 1,000 limits (333 exact, 333 prefixes, 333 "
        "other globs, last the key's own), 64 x 50",
        "1 limit, same load"),
    Row("limits-indexed", 64, KEYS, functools.partial(limits_sides, INDEXED),
        "the same, 1,000 limits without the other globs (500 exact, 499 "
        "prefixes, last the key's own)",
        "1 limit, same load"),
)}


# --- reports


def machine():
    model = "unknown CPU"
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    redis = subprocess.run([REDIS_SERVER, "--version"], capture_output=True,
                           text=True, check=True).stdout.split()[2]
    return (f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, "
            f"redis-server {redis.removeprefix('v=')}")


def print_table(head, lines):
    cells = [head] + lines
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]

    def show(line):
        padded = (cell.ljust(width) for cell, width in zip(line, widths))
        print("| " + " | ".join(padded) + " |")

    show(head)
    print("|" + "|".join("-" * (w + 2) for w in widths) + "|")
    for line in lines:
        show(line)


def spread(values, digits=2):
    return (f"{statistics.median(values):.{digits}f} "
            f"({min(values):.{digits}f}-{max(values):.{digits}f})")


def per_process(values, form):
    return ", ".join(f"{name} {value:{form}}" for name, value in values.items())


def side_cells(figures):
    return [f"{figures.rate:,.0f}", f"{figures.p50:,.0f}",
            f"{figures.p99:,.0f}", per_process(figures.cost, ".2f"),
            per_process(figures.share, ".0%"), f"{figures.others:.0%}",
            bottleneck(figures)]


def run_row(row, arguments):
    """The rounds of both sides, alternating who goes first."""
    options = {"pipeline": row.pipeline, "keys": row.keys, "conns": CONNS,
               "seconds": arguments.seconds}
    results = ([], [])
    with Stage(arguments.transport) as stage:
        sides = row.sides(stage)
        for i in range(arguments.rounds):
            for k in (0, 1) if i % 2 == 0 else (1, 0):
                results[k].append(measure(sides[k], options))
    ours, theirs = results
    rates = [a.rate / b.rate for a, b in zip(ours, theirs)]
    p99s = [a.p99 / b.p99 for a, b in zip(ours, theirs)]
    return [[row.name, sides[0].label, spread(rates), spread(p99s)]
            + side_cells(medians(ours)),
            ["", sides[1].label, "", ""] + side_cells(medians(theirs))]


def compare(arguments):
    names = arguments.only or list(ROWS)
    lines, failed = [], []
    print(machine())
    print(f"rounds: {arguments.rounds}, of {arguments.seconds} s a side, "
          f"alternating, over {arguments.transport}\n")
    for name in names:
        print(f"{name} ...", end="", file=sys.stderr, flush=True)
        try:
            lines += run_row(ROWS[name], arguments)
            print(" done", file=sys.stderr)
        except Failed as reason:
            failed.append(f"{name}: {reason}")
            print(" FAILED", file=sys.stderr)
    if lines:
        print_table(["row", "side", "ratio (min-max)", "p99 ratio (min-max)",
                     "replies/s", "p50 us", "p99 us", "CPU s per million",
                     "CPU share", "others", "bottleneck"], lines)
    print("\nMedians of the rounds.  Ratios are of each round's pair, first "
          "side to second.\nA CPU share is of one core; others is what all "
          "else on the machine used:\nwhere that is much, so is the error.\n")
    for name in names:
        row = ROWS[name]
        print(f"  {name}: {row.measures}; against: {row.against}.")
    for reason in failed:
        print(f"\nFAILED {reason}", file=sys.stderr)
    return 1 if failed else 0


def loader_check(arguments):
    """One generator against two, on every server and mode that is fast."""
    lines = []
    print(machine())
    print(f"One load generator, then two with half the connections each, on "
          f"the same server.\nRounds: {arguments.rounds}, of "
          f"{arguments.seconds} s, medians, over {arguments.transport}\n")
    for pipeline in (64, 1):
        with Stage(arguments.transport) as stage:
            for side in memory_sides(stage):
                for generators in (1, 2):
                    options = {"pipeline": pipeline, "keys": KEYS,
                               "conns": CONNS // generators,
                               "seconds": arguments.seconds}
                    seen = medians([measure(side, options, generators)
                                    for _ in range(arguments.rounds)])
                    alone = 1e6 / seen.cost["load"]
                    lines.append([
                        side.label, str(pipeline), str(generators),
                        f"{seen.rate:,.0f}", per_process(seen.cost, ".2f"),
                        per_process(seen.share, ".0%"), f"{seen.others:.0%}",
                        bottleneck(seen, generators), f"{alone:,.0f}"])
    print_table(["server", "pipeline", "generators", "replies/s",
                 "CPU s per million", "CPU share", "others", "bottleneck",
                 "load's own limit/s"], lines)
    print("\nload's own limit: replies per second of CPU that one generator "
          "uses, which is\nwhat it could count with a core to itself and a "
          "server that costs nothing.")
    return 0


def count_calls(stage, side, arguments):
    """Trace the daemon through one load; return replies, and calls by name."""
    report = stage.folder / "strace"
    pid = side.servers[0].process.pid
    strace = subprocess.Popen(
        ["strace", "-f", "-c", "-U", "name,calls", "-o", str(report),
         "-p", str(pid)], stderr=subprocess.PIPE, text=True)
    try:
        if "attached" not in (said := strace.stderr.readline()):
            raise Failed(f"strace: {said.strip()}")
        options = {"pipeline": 1, "conns": CONNS, "keys": KEYS,
                   "warmup": 0, "seconds": arguments.seconds}
        done = subprocess.run(
            load_argv(side.address, {**side.options, **options}),
            stdout=subprocess.PIPE, text=True, check=True)
    finally:
        strace.send_signal(signal.SIGINT)
        strace.stderr.read()
        strace.wait()
    words = read_words(done.stdout.splitlines()[-1])
    check(side, words)
    rows = (line.split() for line in report.read_text().splitlines())
    calls = {r[0]: int(r[1]) for r in rows if len(r) == 2 and r[1].isdigit()}
    calls.pop("total", None)
    return int(words["replies"]), calls


def syscalls(arguments):
    if not shutil.which("strace"):
        print("strace is not installed: system calls cannot be counted here")
        return 1
    print(f"dripgated under strace, {CONNS} connections, 1 request in flight "
          "on each;\nopening and closing them is counted too\n")
    for name in ("memory", "redis"):
        with Stage(arguments.transport) as stage:
            side = ROWS[name].sides(stage)[0]
            replies, calls = count_calls(stage, side, arguments)
        print(f"{name} store: {replies:,} requests")
        lines = [[call, f"{count:,}", f"{count / replies:.3f}"]
                 for call, count in sorted(calls.items(), key=lambda c: -c[1])]
        print_table(["system call", "calls", "a request"], lines)
        print()
    return 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=ROWS, metavar="ROW",
                        help="one of " + ", ".join(ROWS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0,
                        help="measured each round and side (default 2)")
    parser.add_argument("--transport", choices=("tcp", "unix"), default="tcp")
    parser.add_argument("--loader-check", action="store_true")
    parser.add_argument("--syscalls", action="store_true")
    arguments = parser.parse_args()
    for program in (LOAD, DRIPGATED, REDIS_SERVER):
        if not shutil.which(program):
            parser.error(f"{program} is not there")
    try:
        if arguments.loader_check:
            return loader_check(arguments)
        if arguments.syscalls:
            return syscalls(arguments)
        return compare(arguments)
    except Failed as reason:
        print(f"FAILED {reason}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
