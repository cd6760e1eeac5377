"""The sweep: drained buckets leave Redis, live ones and what is not ours stay,
one daemon at a time does it, and Redis hardly notices.

A pass begins at a random time within the first period, 8 s here, so all that
there is to see is looked at in one go.
"""

import collections
import threading
import time

import harness
from harness import PATIENT, note, wait_until

LIMITS = """
[big]
match = big:*
capacity = 8
recharge = 1s

[wide]
match = wide:*
algorithm = fixed_window
capacity = 5
window = 5s

[little]
match = little:*
capacity = 5
recharge = 1s
block = 5s

[odd]
match = odd:*
capacity = 5
recharge = 1s
"""

DRAINED = 1_000_000
BRIEF = 100_000
PERIOD = 8.0

# So many that some of them will want to begin while one is at it.
DAEMONS = 6
STEP_MS = 5000

# As quick as Redis can do it.
FILL = """
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
	redis.call('HSET', KEYS[1], 'big:' .. i, string.format(
		i % 10 == 0 and '%.0f %.0f' or '%.0f', ARGV[3] - i, ARGV[3] - 2 * i))
end
"""

FOREIGN = [b"", b"hello", b"-5", b"1.5", b"1 2 3", b" 1", b"5 ", b"1\n", b"nan",
           b"0x10", b"1e3", b"9" * 400, b"x" * 100000]

Sample = collections.namedtuple("Sample", "time left holder lock_ms")


class Watch:
    """Looks at a hash and the lock of its sweep again and again."""

    def __init__(self, server, name):
        self.link = server.connect()
        self.name = name
        self.samples = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopping.wait(0.005):
            self.link.send("EVAL", "return {redis.call('HLEN', KEYS[1]), redis.call("
                           "'GET', KEYS[2]), redis.call('PTTL', KEYS[2])}",
                           2, self.name, self.name + ":sweep")
            self.samples.append(Sample(time.monotonic(), *self.link.read()))

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.link.close()


class Sweep(harness.Case):
    def setUp(self):
        super().setUp()
        self.server = self.redis("--slowlog-log-slower-than", "1000",
                                 "--slowlog-max-len", "100000")
        self.link = self.server.connect()
        self.addCleanup(self.link.close)
        seconds, micros = self.link.ask("TIME")
        self.now = int(seconds) * 1000000 + int(micros)
        self.kept = {}

    def put(self, name, values, kept):
        """Fields of a hash, and whether they must be there in the end."""
        for field, value in values.items():
            self.link.ask("HSET", name, field, value)
            if kept:
                self.kept.setdefault(name, {})[field.encode()] = value

    def script_us(self, command):
        """How often a command that runs scripts was called, and the microseconds of
        Redis that it took."""
        stats = self.link.ask("INFO", "commandstats").decode()
        figures = dict(item.split("=") for item in stats.split(
            f"cmdstat_{command}:")[1].split("\r")[0].split(","))
        return int(figures["calls"]), int(figures["usec"])

    def fill(self):
        for first in range(1, DRAINED, 50000):
            self.link.ask("EVAL", FILL, 1, "drip:big", first, first + 49999, self.now)
        later = self.now + 3600 * 1000000
        self.put("drip:big", {f"big:live{i}": b"%d" % (later + i)
                              for i in range(300)}, True)
        self.put("drip:big", {f"big:blocked{i}": b"%d %d" % (i, later)
                              for i in range(100)}, True)
        self.put("drip:big", {f"big:unblocked{i}": b"%d %d" % (later, i)
                              for i in range(100)}, True)
        self.put("drip:big", {f"big:foreign{i}": value
                              for i, value in enumerate(FOREIGN)}, True)

        window = self.now // 5000000
        self.put("drip:wide:w", {f"wide:{i}": b"%d 3" % (window - 1 - i)
                                 for i in range(2000)}, False)
        self.put("drip:wide:w", {f"wide:live{i}": b"%d 3" % (window + 1000 + i)
                                 for i in range(100)}, True)
        self.put("drip:wide:w", {f"wide:foreign{i}": value for i, value in enumerate(
            [*FOREIGN, b"5", b"5 %d" % 2**53, b"5 -1"])}, True)

        # Few enough for Redis to keep them in one piece; the other is gone with
        # the last of its fields.
        self.put("drip:little", {f"little:{i}": b"%d" % (i + 1)
                                 for i in range(50)}, False)
        self.link.ask("SET", "drip:odd", "no hash")
        return DRAINED + 2000 + 50

    def holders_after(self, samples):
        """Which daemon held the lock while no field was removed any more, and longer than
        from one call to the next."""
        kept = len(self.kept["drip:big"])
        return [s.holder for s in list(samples)
                if s.left == kept and s.lock_ms > STEP_MS]

    def swept(self):
        return sum(daemon.stats()["swept_buckets"] for daemon in self.daemons)

    def test_drained_buckets_go_and_all_else_stays(self):
        drained = self.fill()
        self.set_us = self.script_us("eval")[1] / DRAINED
        self.link.ask("CONFIG", "RESETSTAT")
        self.link.ask("SLOWLOG", "RESET")
        watch = Watch(self.server, "drip:big")
        self.addCleanup(watch.stop)
        self.daemons = [self.redis_daemon(
            self.server, LIMITS, PATIENT)
            for _ in range(DAEMONS)]
        wait_until(lambda: self.link.ask("EXISTS", "drip:big:sweep"), "a pass")
        self.link.ask("SCRIPT", "FLUSH")

        kept = len(self.kept["drip:big"])
        wait_until(lambda: self.link.ask("HLEN", "drip:big") == kept and
                   self.swept() == drained, "the sweep", 20 * PERIOD)
        # It ends with the lock held on, so that no other daemon begins another.
        wait_until(lambda: self.holders_after(watch.samples), "the end of the pass")
        watch.stop()
        self.check_what_stays()
        self.check_one_at_a_time(watch.samples)
        self.check_cost(watch.samples)

    def check_what_stays(self):
        for name, expected in self.kept.items():
            words = self.link.ask("HGETALL", name)
            self.assertEqual(dict(zip(words[::2], words[1::2])), expected)
        self.assertEqual(self.link.ask("EXISTS", "drip:little"), 0)
        self.assertEqual(self.link.ask("GET", "drip:odd"), b"no hash")

    def check_one_at_a_time(self, samples):
        """The lock has one holder from the first field to the last, and no more
        is counted as removed than was there (see above)."""
        first = next(i for i, s in enumerate(samples) if s.holder)
        last = next(i for i, s in enumerate(samples)
                    if s.left == samples[-1].left)
        during = samples[first:last]
        self.assertEqual(len({s.holder for s in during}), 1)
        self.assertTrue(all(0 < s.lock_ms <= STEP_MS for s in during), during[:5])
        self.assertEqual(self.holders_after(samples)[0], during[0].holder)

    def check_cost(self, samples):
        begun = next(s.time for s in samples if s.holder)
        ended = next(s.time for s in samples if s.left == samples[-1].left)
        calls, used = self.script_us("evalsha")
        slow = [entry[2] for entry in self.link.ask("SLOWLOG", "GET", -1)
                if entry[3][0].upper() == b"EVALSHA"]
        share = used / 1e6 / (ended - begun)
        note(f"{DRAINED} fields in {ended - begun:.1f} s, {calls} calls of "
             f"{used / calls:.0f} us, {len(slow)} over 1 ms"
             f" ({max(slow, default=0)} us at most), {share:.1%} of Redis")
        # A call costs Redis as much as to set 160 fields, 0.3 ms, and the pass takes
        # 9 s where nothing else runs.  The slack is for a machine that others use too:
        # time that it gave to them in the middle of a call is counted in.  So it is in
        # the slow log, which is only told about.
        self.assertLess(used / calls, 500 * self.set_us)
        self.assertLess(share, 0.25)

    def test_buckets_that_live_for_a_second_are_gone_soon(self):
        daemons = [self.redis_daemon(
            self.server, "[brief]\nmatch = brief:*\ncapacity = 1\nrate = 1/s\n", PATIENT)
            for _ in range(2)]
        with daemons[0].connect() as client:
            for first in range(0, BRIEF, 1000):
                client.ask(*(f"consume brief:{first + i}" for i in range(1000)))
        filled = time.monotonic()
        wait_until(lambda: self.link.ask("HLEN", "drip:brief") == 0, "the sweep")
        note(f"the last of {BRIEF} buckets left {time.monotonic() - filled:.1f} s later")


if __name__ == "__main__":
    harness.main()
