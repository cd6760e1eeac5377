"""Four daemons, 32 clients, one Redis: exactly as much is admitted as the limits
say, no more over any interval, and no less while there is demand.

SECONDS_EXACT is how long they ask, 8 by default.

When a request was decided is known to lie between its sending and its response.
Whatever was sent at a or later and had its response at b or earlier was decided within
[a, b]; so the sum of such amounts can be held against capacity + (b-a)/recharge
for every a and b, and a test that fails has found a drop too many, however slow
the machine.  Redis decides by the clock that these times are read from.
"""

import json
import multiprocessing
import os
import random
import re
import sys
import threading
import time
import unittest

import harness
from harness import PATIENT, Client

SECONDS = float(os.environ.get("SECONDS_EXACT", "8"))

DAEMONS = 4
PROCESSES = 4
THREADS = 8
PIPELINE = 32

MS = 1000  # microseconds


class Bucket:
    def __init__(self, name, capacity, recharge_us, amounts, block_us=0):
        self.name = name
        self.key = f"{name}:1"
        self.capacity = capacity
        self.recharge_us = recharge_us
        self.amounts = amounts
        self.block_us = block_us

    def words(self):
        return (f"[{self.name}]\nmatch = {self.name}:*\ncapacity = {self.capacity}\n"
                f"recharge = {self.recharge_us}us\nblock = {self.block_us}us\n"
                "on_error = deny\n")


# Large enough not to run empty when the machine stalls for a second, small
# enough to be full soon.
BUCKETS = [
    Bucket("steady", 1000, 2 * MS, [1]),
    Bucket("mixed", 3000, 1 * MS, [1, 1, 1, 2, 3, 7, 40]),
    Bucket("slow", 100, 25 * MS, [1]),
    Bucket("odd", 1500, 1237, [1, 5]),
    Bucket("strict", 20, 3 * MS, [1, 2], block_us=40 * MS),
    Bucket("hot", 1000, 2 * MS, [1]),
]

WINDOW_US = 1000 * MS
WINDOW = ("[window]\nmatch = window:*\nalgorithm = fixed_window\ncapacity = 200\n"
          "window = 1s\non_error = deny\n")


# The state that all share, or what a denial by it is still good for.
SHARED = re.compile(" from=(redis|denycache)")


def now_us():
    return time.time_ns() // 1000


class Tally:
    """What one client saw of the buckets."""

    def __init__(self):
        self.allowed = []   # [key, amount, sent, received]
        self.denied = {}    # key: the first and the last denial of one drop
        self.full = []      # windows in which one drop was denied
        self.asked = 0
        self.pipelined = 0
        self.strange = []

    def add(self, key, amount, sent, reply):
        received = now_us() + 1  # rounded up
        self.asked += 1
        if not SHARED.search(reply):
            self.strange.append(reply)
        elif reply.startswith("ALLOW"):
            self.allowed.append((key, amount, sent, received))
        elif amount == 1:
            self.denied.setdefault(key, [(sent, received), None])[1] = (sent, received)
            if key == "window:1" and sent // WINDOW_US == received // WINDOW_US:
                self.full.append(sent // WINDOW_US)


def ask(path, seed, end, tally):
    """One client.  Every fourth pipelines on one hot key, the others ask one
    request at a time, on all."""
    rng = random.Random(seed)
    keys = [(b.key, b.amounts) for b in BUCKETS] + [("window:1", [1, 1, 3])]
    with Client(path) as client:
        while time.monotonic() < end:
            if seed % 4 == 0:
                requests = [("hot:1", 1)] * PIPELINE
            else:
                key, amounts = rng.choice(keys)
                requests = [(key, rng.choice(amounts))]
            sent = now_us()
            client.send("".join(f"consume {k} {n}\n" for k, n in requests))
            for key, amount in requests:
                tally.add(key, amount, sent, client.line())
            if seed % 4 == 0:
                tally.pipelined += PIPELINE
                time.sleep(0.005)  # else there is no time for the others


def run_process(paths, number, end, output):
    """Clients that share a process, and put what they saw into a file."""
    tallies = [Tally() for _ in range(THREADS)]
    threads = [threading.Thread(target=ask, args=(
        paths[(number + i) % len(paths)], number * THREADS + i, end, tallies[i]))
        for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open(output, "w", encoding="utf-8") as file:
        json.dump([vars(tally) for tally in tallies], file)


def largest_excess(allowed, recharge_us):
    """The most of sum(amounts) * recharge - (b - a), over all a and b, of what was
    sent at a or later whose response came at b or earlier.

    The candidates for a are the times of sending.  They are the leaves of a tree,
    each node of which knows the sum of the costs below it, and the best of a +
    the costs from a on.  Costs are put in one by one, in the order of the responses,
    which are the candidates for b; an a counts from its first cost.
    """
    starts = sorted({sent for _, sent, _ in allowed})
    place = {sent: i for i, sent in enumerate(starts)}
    size = 1 << max(1, (len(starts) - 1).bit_length())
    never = -float("inf")
    total = [0] * (2 * size)
    best = [never] * (2 * size)
    excess = never
    for amount, sent, received in sorted(allowed, key=lambda a: a[2]):
        i = size + place[sent]
        total[i] += amount * recharge_us
        best[i] = sent + total[i]
        i //= 2
        while i:
            left, right = 2 * i, 2 * i + 1
            total[i] = total[left] + total[right]
            best[i] = max(best[right], best[left] + total[right])
            i //= 2
        excess = max(excess, best[1] - received)
    return excess


class TestOfTheTest(unittest.TestCase):
    """It finds one drop too many, and complains of none that may be."""

    def simulate(self, capacity, recharge_us):
        rng = random.Random(1)
        now, empty_at, allowed = 10**15, 0, []
        for _ in range(3000):
            now += rng.randrange(2 * recharge_us)
            amount = rng.choice([1, 1, 2, 3])
            fill = max(0, empty_at - now)
            if fill + amount * recharge_us <= capacity * recharge_us:
                empty_at = now + fill + amount * recharge_us
                allowed.append((amount, now, now))
        return allowed

    def by_hand(self, allowed, recharge_us):
        return max(sum(n for n, s, r in allowed if s >= a and r <= b) * recharge_us
                   - (b - a) for _, a, _ in allowed for _, _, b in allowed if b >= a)

    def test_the_tree_finds_what_trying_all_pairs_does(self):
        rng = random.Random(2)
        allowed = []
        for _ in range(60):
            sent = rng.randrange(1000)
            allowed.append((rng.randrange(1, 4), sent, sent + rng.randrange(200)))
        self.assertEqual(largest_excess(allowed, 17), self.by_hand(allowed, 17))

    def test_an_exact_bucket_passes_and_one_drop_more_does_not(self):
        allowed = self.simulate(10, 100)
        self.assertLessEqual(largest_excess(allowed, 100), 1000)
        self.assertGreater(largest_excess(allowed, 100), 900)
        full = next(i for i in range(len(allowed)) if largest_excess(
            allowed[:i + 1], 100) > 900)
        allowed.insert(full, (2, *allowed[full][1:]))
        self.assertGreater(largest_excess(allowed, 100), 1000)


class Exact(harness.Case):
    def setUp(self):
        super().setUp()
        self.server = self.redis()
        limits = WINDOW + "".join(bucket.words() for bucket in BUCKETS)
        # A slow machine shall not make a response come from a fallback.
        self.gates = [self.redis_daemon(
            self.server, limits, PATIENT)
            for _ in range(DAEMONS)]

    def run_clients(self):
        context = multiprocessing.get_context("fork")
        paths = [gate.path for gate in self.gates]
        outputs = [os.path.join(self.folder, f"seen-{i}") for i in range(PROCESSES)]
        end = time.monotonic() + SECONDS
        processes = [context.Process(target=run_process, args=(paths, i, end, output))
                     for i, output in enumerate(outputs)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            self.assertEqual(process.exitcode, 0)
        tallies = []
        for output in outputs:
            with open(output, encoding="utf-8") as file:
                tallies.extend(json.load(file))
        return tallies

    def test_what_is_admitted_is_what_leaked_and_the_capacity(self):
        tallies = self.run_clients()
        self.assertEqual([t["strange"] for t in tallies if t["strange"]], [])
        allowed = {}
        for tally in tallies:
            for key, *admitted in tally["allowed"]:
                allowed.setdefault(key, []).append(admitted)
        self.note(f"{sum(t['asked'] for t in tallies)} requests in {SECONDS:.0f} s, "
                  f"{sum(map(len, allowed.values()))} allowed")
        for bucket in BUCKETS:
            with self.subTest(bucket.name):
                self.check_no_more(bucket, allowed[bucket.key])
                if bucket.block_us == 0:
                    self.check_no_less(bucket, allowed[bucket.key], tallies)
        self.check_windows(allowed["window:1"],
                           {window for tally in tallies for window in tally["full"]})
        self.check_batches(tallies)

    @staticmethod
    def note(text):
        if os.environ.get("NOTES"):
            print(f"    {text}", file=sys.stderr)

    def check_no_more(self, bucket, allowed):
        excess = largest_excess(allowed, bucket.recharge_us)
        self.note(f"{bucket.name}: never more than {excess / bucket.recharge_us:.2f}"
                  f" drops above what leaked, capacity {bucket.capacity}")
        self.assertLessEqual(excess, bucket.capacity * bucket.recharge_us)
        # The bucket was full at some time: else this shows nothing.
        if bucket.block_us == 0:
            self.assertGreater(excess, 0.9 * bucket.capacity * bucket.recharge_us)

    def check_no_less(self, bucket, allowed, tallies):
        """A denial of one drop says that the bucket is full to less than that.  So
        what leaked from the first to the last was admitted in between."""
        denied = [t["denied"][bucket.key] for t in tallies if bucket.key in t["denied"]]
        first_sent, first_received = min((d[0] for d in denied), key=lambda d: d[1])
        last_sent, last_received = max(d[1] for d in denied)
        leaked = (last_sent - first_received) / bucket.recharge_us
        admitted = sum(amount for amount, sent, received in allowed
                       if received >= first_sent and sent <= last_received)
        self.note(f"{bucket.name}: {admitted} of {leaked:.1f} that leaked"
                  f" ({admitted / leaked:.2%})")
        self.assertGreater(last_sent - first_received, SECONDS * 1e6 / 2)
        self.assertGreaterEqual(admitted, 0.995 * leaked)
        self.assertGreaterEqual(admitted, leaked - 1)

    def check_windows(self, allowed, full):
        """No window admitted more than it holds, and none that was full, less:
        where a drop was denied, all of it was admitted before."""
        inside, touching = {}, {}
        for amount, sent, received in allowed:
            first, last = sent // WINDOW_US, received // WINDOW_US
            if first == last:
                inside[first] = inside.get(first, 0) + amount
            for window in range(first, last + 1):
                touching[window] = touching.get(window, 0) + amount
        self.assertLessEqual(max(inside.values()), 200)
        # Most were: else this shows nothing.
        self.assertGreaterEqual(len(full), SECONDS / 2)
        for window in full:
            self.assertGreaterEqual(touching[window], 200)

    def check_batches(self, tallies):
        """The hot key's requests were decided many at a time."""
        asked = sum(tally["asked"] for tally in tallies)
        pipelined = sum(tally["pipelined"] for tally in tallies)
        buckets = sum(gate.stats()["batch_buckets"] for gate in self.gates)
        decided = sum(gate.stats()["allowed"] + gate.stats()["denied"]
                      for gate in self.gates)
        self.assertEqual(decided, asked)
        self.assertLess(buckets - (asked - pipelined), pipelined / 4)


if __name__ == "__main__":
    harness.main()
