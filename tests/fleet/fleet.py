#!/usr/bin/env python3
"""What Redis sees of a fleet that is told to reload within a spread.

Starts a redis-server and build/fleet, orders the reload, and prints how many
loads came in each part of the spread, and what they cost the server.
"""

import argparse
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

import harness  # noqa: E402  (found only now)

FLEET = os.path.abspath(os.environ.get("FLEET", os.path.join(ROOT, "build", "fleet")))


class Nodes:
    """So many subscribers of a server."""

    def __init__(self, server, count):
        self.process = subprocess.Popen([FLEET, server.path, str(count)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError("the fleet did not start")

    def stop(self):
        """The exit status."""
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(harness.PATIENCE)


def put_limits(server, count):
    words = [word for i in range(count) for word in
             (i, f"limit{i} match=key{i}:* capacity={i + 1} recharge=1s")]
    server.ask("ZADD", "limits", *words)


def watch_loads(server, count, order):
    """Seconds, by the server's clock, from the order to each of so many loads."""
    with server.connect() as monitor:
        monitor.ask("MONITOR")
        server.ask("PUBLISH", "control", order)
        start, times = None, []
        while len(times) < count:
            line = monitor.read()
            at = float(line.split(" ", 1)[0])
            if '"PUBLISH" "control"' in line:
                start = at
            elif '"EVALSHA_RO"' in line:
                times.append(at - start)
        return times


def histogram(times, spread, bins):
    counts = [0] * bins
    for seconds in times:
        counts[min(int(seconds / spread * bins), bins - 1)] += 1
    return counts


def cost(server, command):
    """Microseconds that the server spent on a call."""
    for line in server.ask("INFO", "commandstats").decode().splitlines():
        if line.startswith(f"cmdstat_{command}:"):
            return float(line.partition("usec_per_call=")[2].partition(",")[0])
    return 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--spread", type=float, default=10)
    parser.add_argument("--limits", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dripgate-fleet-") as folder:
        server = harness.Redis(folder)
        try:
            put_limits(server, arguments.limits)
            nodes = Nodes(server, arguments.nodes)
            server.ask("CONFIG", "RESETSTAT")
            times = watch_loads(server, arguments.nodes,
                                f"reload:spread:{arguments.spread}")
            report(server, times, arguments)
            nodes.stop()
        finally:
            server.kill()


def report(server, times, arguments):
    counts = histogram(times, arguments.spread, 10)
    width = arguments.spread / len(counts)
    for i, count in enumerate(counts):
        print(f"{i * width:6.1f} s {count:5} {'#' * count}")
    mean = len(times) / len(counts)
    print(f"peak/mean {max(counts) / mean:.2f}, last after {max(times):.2f} s")
    print(f"a load of {arguments.limits} limits: {cost(server, 'evalsha_ro'):.0f} us of the "
          f"server, and {cost(server, 'hset') + cost(server, 'expire'):.0f} us to say so")


if __name__ == "__main__":
    main()
