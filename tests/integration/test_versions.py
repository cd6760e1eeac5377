"""Daemons that have different versions of a limit, as in every rolling change: the
bound of the loosest one holds, drops stay drops, and a refusal changes nothing.

And clocks that are set: nothing is locked out, and nothing let in twice.
"""

import os
import random
import struct
import time
import unittest

import harness
from harness import PATIENT, fields, note, wait_until

SECONDS = 3.0
HOUR = 3600 * 1000000

# Nothing is refused but by Redis.
ASK_REDIS = "deny_cache = no\n"


def limit(capacity, words, extra=""):
    return f"[a]\nmatch = a:*\ncapacity = {capacity}\n{words}\n{extra}"


def leaky(capacity, recharge, extra=""):
    return limit(capacity, f"recharge = {recharge}", extra)


def window(capacity, length, extra=""):
    return limit(capacity, f"algorithm = fixed_window\nwindow = {length}", extra)


def start_of_window(seconds):
    """Wait until a good part of the present window of that length is left."""
    left = seconds - time.time() % seconds
    if left < seconds / 2:
        time.sleep(left)


def set_clock(path, shift_us):
    with open(path, "r+b") as file:
        file.write(struct.pack("=q", shift_us))


def reload(daemon, limits):
    daemon.write_limits(limits)
    daemon.reload()


class Alternate(harness.Case):
    """Two daemons on one Redis, asked in random order: in turn, a daemon could always be
    asked within a block that the other one starts as soon as the last is over."""

    def alternate(self, first, second, capacity):
        """For a while, and until so much was admitted."""
        server = self.redis()
        gates = [self.redis_daemon(server, limits, PATIENT)
                 for limits in (first, second)]
        clients = [self.enterContext(gate.connect()) for gate in gates]
        admitted, begun = 0, time.monotonic()
        while (took := time.monotonic() - begun) < SECONDS or \
                admitted < capacity and took < harness.PATIENCE:
            admitted += random.choice(clients).ask("CONSUME a:1").startswith("ALLOW")
        return admitted, time.monotonic() - begun

    def check(self, first, second, capacity, recharge):
        for extra in ("", ASK_REDIS):
            with self.subTest(extra):
                admitted, took = self.alternate(first + extra, second + extra, capacity)
                note(f"{admitted} admitted in {took:.1f} s")
                self.assertLessEqual(admitted, capacity + took / recharge)
                self.assertGreaterEqual(admitted, capacity)

    def test_capacities(self):
        self.check(leaky(100, "60s"), leaky(5, "60s"), 100, 60)

    def test_recharges(self):
        self.check(leaky(5, "60s"), leaky(5, "1s"), 5, 1)

    def test_blocks_and_both(self):
        self.check(leaky(50, "60s"), leaky(5, "1s", "block = 10ms\n"), 50, 1)

    def test_windows(self):
        start_of_window(60)
        self.check(window(100, "1d"), window(5, "1d"), 100, 86400)


class EitherStore:
    """What a reload changes; ${self.gate(limits)} is a daemon."""

    def consume(self, gate, *amounts):
        with gate.connect() as client:
            return [fields(client.ask(f"CONSUME a:1 {n}")) for n in amounts]

    def allowed(self, gate, count):
        replies = self.consume(gate, *[1] * count)
        return sum(reply["verdict"] == "ALLOW" for reply in replies)

    def test_capacity_lowered_and_raised_again(self):
        gate = self.gate(leaky(100, "60s"))
        self.assertEqual(self.allowed(gate, 150), 100)
        reload(gate, leaky(5, "60s"))
        reply, = self.consume(gate, 1)
        self.assertEqual(reply["level"], "5")
        self.assertGreater(float(reply["retry"]), 95 * 60)
        reload(gate, leaky(100, "60s"))
        self.assertEqual(self.allowed(gate, 150), 0)

    def test_limit_raised_helps_at_once(self):
        gate = self.gate(leaky(2, "30m"))
        self.assertEqual(self.allowed(gate, 3), 2)
        reload(gate, leaky(100, "36s"))
        reply, = self.consume(gate, 1)
        self.assertEqual((reply["verdict"], reply["level"]), ("ALLOW", "3"))
        self.assertEqual(self.allowed(gate, 150), 97)

    def test_rate_raised_helps_a_full_bucket(self):
        gate = self.gate(leaky(2, "1h"))
        self.assertEqual(self.allowed(gate, 3), 2)
        reload(gate, leaky(2, "500ms"))
        reply, = self.consume(gate, 1)
        self.assertLessEqual(float(reply["retry"]), 0.5)
        if reply["verdict"] == "DENY":  # else it has leaked already
            time.sleep(float(reply["retry"]))
            self.assertEqual(self.allowed(gate, 1), 1)

    def test_recharge_lengthened_forgives_nothing(self):
        gate = self.gate(leaky(5, "1s"))
        begun = time.monotonic()
        self.assertEqual(self.allowed(gate, 6), 5)
        reload(gate, leaky(5, "60s"))
        after = self.allowed(gate, 9)
        self.assertLessEqual(after, time.monotonic() - begun)

    def test_count_stays_a_count_whatever_the_length(self):
        for first, second in [("1h", "1d"), ("1d", "1h"), ("1d", "2d"), ("2d", "1d")]:
            with self.subTest(f"{first} {second}"):
                start_of_window(3600 if time.time() % 3600 > 3590 else 1)
                gate = self.gate(window(10, first))
                self.consume(gate, 10)
                reload(gate, window(10, second))
                reply, = self.consume(gate, 1)
                self.assertEqual((reply["verdict"], reply["level"]), ("DENY", "10"))
                reload(gate, window(12, second))
                self.assertEqual(self.allowed(gate, 5), 2)

    def test_counts_end_with_the_new_window(self):
        gate = self.gate(window(1, "1s"))
        for attempt in range(20):
            keys = [f"CONSUME a:{attempt}.{i}" for i in range(199)]
            start_of_window(2)
            self.assertTrue(all(r.startswith("ALLOW") for r in gate.ask(*keys)))
            reload(gate, window(1, "2s"))
            last = fields(gate.ask(*keys)[-1])
            if last["verdict"] == "DENY":
                break
            # The machine was so busy that the new window is over.
            reload(gate, window(1, "1s"))
        time.sleep(float(last["retry"]) + 0.01)
        self.assertTrue(all(r.startswith("ALLOW") for r in gate.ask(*keys)))
        self.check_gone_once_over(gate)

    def test_fast_rates_are_kept(self):
        """What is admitted while a bucket is asked all the time."""
        gate = self.gate(limit(50, "rate = 30000/s", ASK_REDIS))
        with gate.connect() as client:
            self.assertIn("recharge=0.000033334 ", client.ask_many("LIMITS")[0])
            many = ["CONSUME a:1 5"] * 1000
            client.ask(*many)
            begun, admitted = time.monotonic(), 0
            while (took := time.monotonic() - begun) < SECONDS:
                admitted += 5 * sum(r.startswith("ALLOW") for r in client.ask(*many))
            took = time.monotonic() - begun
        note(f"{admitted / took:.0f} a second")
        self.assertLessEqual(admitted, 50 + 30000 * took)


class Memory(EitherStore, harness.Case):
    def gate(self, limits):
        return self.daemon(limits)

    def check_gone_once_over(self, gate):
        wait_until(lambda: gate.stats()["memory_buckets"] == 0, "the sweep", 90)


class Redis(EitherStore, harness.Case):
    def gate(self, limits):
        self.server = self.redis()
        return self.redis_daemon(self.server, limits, PATIENT)

    def check_gone_once_over(self, gate):
        wait_until(lambda: self.server.ask("EXISTS", "drip:a:w") == 0, "the sweep", 60)

    def test_text_grows_by_ten_bytes_at_most(self):
        """As long as recharges may be, and windows as short and as long."""
        for limits, earlier in [
                (leaky(1, "1us"), 16), (leaky(1, "60s"), 16), (leaky(1, "1h"), 16),
                (leaky(1, "4503599627370495us"), 16),
                (leaky(1, "514285715us", "block = 1h\n"), 33),
                (window(5, "2us"), 15 + 2), (window(5, "100ms"), 11 + 2),
                (window(5, "1m"), 8 + 2), (window(5, "1d"), 5 + 2),
                (window(5, "52123d"), 1 + 2)]:
            with self.subTest(limits):
                gate = self.gate(limits)
                self.consume(gate, 1, 1)
                name = next(name for name in self.server.ask("KEYS", "drip:a*")
                            if b"sweep" not in name)
                text = self.server.ask("HGET", name, "a:1")
                if text is not None:  # it may have drained, and been swept
                    note(text.decode())
                    self.assertLessEqual(len(text), earlier + 10)

    def test_texts_of_earlier_versions_are_read(self):
        gate = self.gate(leaky(5, "60s"))
        now = int(self.server.ask("TIME")[0]) * 1000000
        self.server.ask("HSET", "drip:a", "a:1", now + 4 * 60 * 1000000)
        reply, = self.consume(gate, 1)
        self.assertEqual((reply["verdict"], reply["level"]), ("ALLOW", "5"))
        self.server.ask("HSET", "drip:a", "a:1", f"{now} {now + HOUR}")
        reply, = self.consume(gate, 1)
        self.assertGreater(float(reply["blocked"]), 3590)

    def test_windows_of_earlier_versions_are_read(self):
        gate = self.gate(window(5, "1d", ASK_REDIS))
        day = int(self.server.ask("TIME")[0]) // 86400
        self.server.ask("HSET", "drip:a:w", "a:1", f"{day} 4")
        self.assertEqual(self.allowed(gate, 3), 1)
        self.server.ask("HSET", "drip:a:w", "a:1", f"{day - 1} 4")
        self.assertEqual(self.allowed(gate, 7), 5)

    def test_refusal_by_another_version_leaves_the_text(self):
        gate = self.gate(leaky(100, "60s"))
        small = self.redis_daemon(self.server, leaky(5, "60s"), PATIENT)
        self.consume(gate, 95)
        before = self.server.ask("HGETALL", "drip:a")
        self.assertEqual(self.allowed(small, 50), 0)
        self.assertEqual(self.server.ask("HGETALL", "drip:a"), before)
        self.assertEqual(self.allowed(gate, 50), 5)


class ComeAlong(harness.Case):
    """CL.THROTTLE: one key asked under several parameters has its time."""

    def check(self, gate):
        admitted = 0
        with harness.RedisClient(gate.path) as client:
            for _ in range(50):
                admitted += 95 * (client.ask("CL.THROTTLE", "u", 99, 1, 60, 95)[0] == 0)
                reply = client.ask("CL.THROTTLE", "u", 4, 1, 60, 5)
                self.assertEqual(reply[0], 1)
                self.assertTrue(5390 <= reply[3] <= 5700, reply)
                admitted += 95 * (client.ask("CL.THROTTLE", "u", 99, 1, 60, 95)[0] == 0)
        self.assertEqual(admitted, 95)

    def test_refusals_between_admissions_let_nothing_in(self):
        with self.subTest("memory"):
            self.check(self.daemon())
        with self.subTest("redis"):
            self.check(self.redis_daemon(self.redis(), settings=PATIENT))


class Clocks(harness.Case):
    def setUp(self):
        super().setUp()
        self.clock = os.path.join(self.folder, "clock")
        with open(self.clock, "wb") as file:
            file.write(bytes(8))
        self.env = {"LD_PRELOAD": os.environ["SET_CLOCK_SO"],
                    "SET_CLOCK": self.clock}

    def test_redis_clock_that_is_set_back_locks_nothing_out(self):
        server = self.redis(env=self.env)
        gate = self.redis_daemon(
            server, leaky(5, "1s", ASK_REDIS), PATIENT)
        with gate.connect() as client, harness.RedisClient(gate.path) as throttle:
            client.ask("CONSUME a:1 5")
            throttle.ask("CL.THROTTLE", "u", 4, 1, 1, 5)
            set_clock(self.clock, -HOUR)
            begun = time.monotonic()
            wait_until(lambda: client.ask("CONSUME a:1").startswith("ALLOW"), "a drop")
            wait_until(lambda: throttle.ask("CL.THROTTLE", "u", 4, 1, 1, 1)[0] == 0,
                       "another")
            note(f"{time.monotonic() - begun:.1f} s after the clock was set")
        wait_until(lambda: "its clock was set back by 3" in gate.log(), "the log")

    def test_redis_clock_that_was_set_back_while_no_daemon_ran_locks_nothing_out(self):
        server = self.redis(env=self.env)
        limits = leaky(5, "1s", ASK_REDIS)
        gate = self.redis_daemon(server, limits, PATIENT)
        with harness.RedisClient(gate.path) as throttle:
            throttle.ask("CL.THROTTLE", "u", 4, 1, 1, 5)
        gate.ask("CONSUME a:1 5")
        wait_until(lambda: server.ask("EXISTS", "drip::sweep"), "a pass")
        gate.ask("CONSUME a:2 5")
        gate.stop()
        set_clock(self.clock, -HOUR)
        begun = time.monotonic()
        gate = self.redis_daemon(server, limits, PATIENT)
        with gate.connect() as client, harness.RedisClient(gate.path) as throttle:
            reply = client.ask("CONSUME a:2")
            # Once the machine halted for long enough, a drop has leaked.
            self.assertTrue(reply.startswith("DENY") or time.monotonic() - begun > 1)
            wait_until(lambda: client.ask("CONSUME a:2").startswith("ALLOW"), "a drop")
            wait_until(lambda: throttle.ask("CL.THROTTLE", "u", 4, 1, 1, 1)[0] == 0,
                       "another")
        wait_until(lambda: "its clock was set back by 3" in gate.log(), "the log")
        mark = int(server.ask("GET", "drip::sweep"))
        self.assertLess(mark / 1e6, time.time() - 3000)

    @unittest.skipIf("-address" in os.environ["DRIPGATED"], "nothing goes before ASan")
    def test_windows_in_memory_follow_a_clock_that_is_set(self):
        set_clock(self.clock, -123456 * 1000000)
        gate = self.daemon(window(3, "1d"), env=self.env)
        with gate.connect() as client:
            client.ask("CONSUME a:1 3")
            set_clock(self.clock, 0)

            def is_right():
                reply = fields(client.ask("PEEK a:1"))
                self.assertEqual(reply["level"], "3")
                left = 86400 - time.time() % 86400
                return abs(float(reply["next"]) - left) < 60
            wait_until(is_right, "the window to follow")
            self.assertTrue(client.ask("CONSUME a:1").startswith("DENY"))


if __name__ == "__main__":
    harness.main()
