"""Is the load generator in the way?  And how many system calls is a request?"""

import shutil
import signal
import statistics
import subprocess

from measure import (bottleneck, check, load_argv, measure, medians,
                     per_process, read_words)
from rows import ROWS
from servers import KEYS, Failed, Stage, fill
from table import print_table

CONNS = 50


def generator_line(side, arguments, pipeline, generators):
    options = {"pipeline": pipeline, "keys": KEYS,
               "conns": CONNS // generators, "seconds": arguments.seconds}
    seen = medians([measure(side, options, generators)
                    for _ in range(arguments.rounds)])
    return [side.label, str(pipeline), str(generators), f"{seen.rate:,.0f}",
            per_process(seen.cost, ".2f"), per_process(seen.share, ".0%"),
            f"{seen.others:.0%}", bottleneck(seen, generators),
            f"{1e6 / seen.cost['load']:,.0f}"]


def redis_benchmark_line(side, arguments, pipeline):
    """What the tool that comes with Redis sees of the same GET."""
    redis = side.servers[0]
    fill(redis, b"login:%012d")  # as it writes the keys that it draws
    requests = int(arguments.seconds * (2_000_000 if pipeline > 1 else 100_000))
    argv = ["redis-benchmark", "-p", str(redis.port), "-c", str(CONNS), "-P",
            str(pipeline), "-n", str(requests), "-r", str(KEYS), "--csv",
            "GET", "login:__rand_int__"]
    rates = []
    for _ in range(arguments.rounds):
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        rates.append(float(done.stdout.splitlines()[-1].split('","')[1]))
    return [side.label, str(pipeline), "redis-benchmark",
            f"{statistics.median(rates):,.0f}"] + [""] * 5


def loader_check(arguments, machine):
    """One generator against two, on every server and mode that is fast."""
    lines = []
    print(machine)
    print(f"One load generator, then two with half the connections each, on "
          f"the same server.\nRounds: {arguments.rounds}, of "
          f"{arguments.seconds} s, medians, over {arguments.transport}\n")
    for pipeline in (64, 1):
        with Stage(arguments.transport) as stage:
            sides = ROWS["memory"].sides(stage)
            lines += [generator_line(side, arguments, pipeline, generators)
                      for side in sides for generators in (1, 2)]
            if shutil.which("redis-benchmark"):
                lines.append(
                    redis_benchmark_line(sides[-1], arguments, pipeline))
    print_table(["side", "pipeline", "generators", "replies/s",
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
