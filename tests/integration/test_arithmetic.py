"""The scripts in a real Redis: the same arithmetic as in C, and their traps.

ARITHMETIC is the program built from arithmetic*.c; OPERATIONS is how many
random operations it is to compare.
"""

import os
import pathlib
import subprocess
import tempfile
import time
import unittest

from harness import Redis, RedisError

LUA = pathlib.Path(__file__).resolve().parents[2] / "lua"
CLOCK = "local time = call('TIME')\n"
NOW = 1_700_000_000_000_000
TTL_MS = 3_600_000


def as_text(reply):
    if isinstance(reply, list):
        return [as_text(part) for part in reply]
    return reply.decode() if isinstance(reply, bytes) else reply


def script_text(algorithm):
    return ((LUA / f"{algorithm}.lua").read_text()
            + (LUA / "batch.lua").read_text())


def with_injected_clock(text):
    """The time is the last two arguments then."""
    assert text.count(CLOCK) == 1
    return text.replace(CLOCK, "local time = {ARGV[#ARGV - 1], ARGV[#ARGV]}\n")


class Limit:
    """Three numbers, as the script takes them."""

    def __init__(self, *numbers):
        self.numbers = numbers

    def group(self, ops, *keys):
        """ARGV for one hash: the same operations on each key."""
        return [*self.numbers, TTL_MS, len(keys), ops, *keys]


class ScriptTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.redis = Redis(folder)
        cls.addClassCleanup(cls.redis.kill)
        cls.client = cls.enterClassContext(cls.redis.connect())

    def setUp(self):
        self.ask("FLUSHALL")

    def ask(self, *words):
        return as_text(self.client.ask(*words))

    def fields(self, name):
        flat = self.ask("HGETALL", name)
        return dict(zip(flat[::2], flat[1::2]))

    def run_script(self, groups, now=NOW):
        """${groups} maps a hash's name to its ARGV; return what each bucket
        was before."""
        args = [arg for group in groups.values() for arg in group]
        reply = self.ask(
            "EVAL", with_injected_clock(script_text(self.algorithm)),
            len(groups), *groups, *args, now // 1_000_000, now % 1_000_000)
        self.assertEqual(reply[:2],
                         [str(now // 1_000_000), str(now % 1_000_000)])
        return reply[2:]

    def run_ops(self, ops, *keys, now=NOW):
        return self.run_script({"h": self.limit.group(ops, *keys)}, now)


class EitherScript:
    """What holds of both; see the two classes below for ${algorithm}, ${limit}
    and ${one_drop}, what a drop at NOW leaves of an empty bucket."""

    def test_foreign_value_is_left_alone_and_reported(self):
        foreign = ["", "hello", "nan", "inf", "0x5", "1e15", "-5", "1.5", " 1",
                   "1 ", "1  2", "1 2 3", "1\n", "9007199254740992",
                   "1 9007199254740992"]
        for value in foreign:
            for ops in ["1", "-1", "r", "6*3 r 1"]:
                self.ask("HSET", "h", "a", value)
                self.assertEqual(self.run_ops(ops, "a", "b")[0], value)
                self.assertEqual(self.fields("h")["a"], value)

    def test_foreign_value_does_not_keep_others_from_being_decided(self):
        self.ask("HSET", "h", "a", "hello")
        self.run_ops("1", "a", "b")
        self.assertEqual(self.fields("h"),
                         {"a": "hello", "b": self.one_drop})

    def test_name_held_by_a_string_is_reported_and_left_alone(self):
        self.ask("SET", "mine", "precious")
        was = self.run_script({
            "first": self.limit.group("1", "a"),
            "mine": self.limit.group("1", "a", "b"),
            "last": self.limit.group("1", "a"),
        })
        self.assertEqual([was[0], was[3]], [None, None])
        for text in was[1:3]:
            self.assertTrue(text.startswith("WRONGTYPE "), text)
        self.assertEqual(self.ask("GET", "mine"), "precious")
        self.assertEqual(self.ask("PTTL", "mine"), -1)
        for name in ["first", "last"]:
            self.assertEqual(self.fields(name), {"a": self.one_drop})

    def test_server_out_of_memory_refuses_before_writing(self):
        self.run_ops("1", "a")
        self.ask("CONFIG", "SET", "maxmemory", 1_000_000)
        self.addCleanup(self.client.ask, "CONFIG", "SET", "maxmemory", 0)
        with self.assertRaisesRegex(RedisError, "^OOM "):
            self.run_ops("1", "a", "b")
        self.assertEqual(self.fields("h"), {"a": self.one_drop})

    def test_bucket_may_live_less_than_a_millisecond(self):
        """Redis takes whole milliseconds only."""
        group = {"h": Limit(1, 7, 0).group("1", "a")}
        self.run_script(group)
        self.assertEqual(self.ask("HLEN", "h"), 1)
        left = self.ask("PTTL", "h")
        self.assertTrue(TTL_MS - 60_000 < left <= TTL_MS, left)
        first = self.fields("h")
        self.run_script(group, NOW + 7)
        self.assertNotEqual(self.fields("h"), first)

    def test_emptied_bucket_leaves_no_field(self):
        for ops in ["r", "-1", "-1000000000"]:
            self.run_ops("1", "a")
            self.run_ops(ops, "a")
            self.assertEqual(self.ask("EXISTS", "h"), 0)

    def test_what_changes_nothing_writes_nothing(self):
        self.run_ops("5 1", "a")
        self.ask("CONFIG", "RESETSTAT")
        for ops in ["1", "1*9 6"]:
            self.run_ops(ops, "a")
        for ops in ["0", "6", "0*9"]:
            self.run_ops(ops, "a", "b")
        calls = self.ask("INFO", "commandstats")
        self.assertIn("cmdstat_hmget:", calls)
        for command in ["hset", "hdel", "pexpire"]:
            self.assertNotIn(f"cmdstat_{command}:", calls)


class LeakyBucketTest(EitherScript, ScriptTest):
    algorithm = "leaky_bucket"
    limit = Limit(5, 1_000_000, 60_000_000)  # a drop each second, block 60 s
    one_drop = str(NOW + 1_000_000)

    def test_each_hash_of_a_batch_has_its_own_limit_and_operations(self):
        groups = {
            "h": Limit(5, 1_000_000, 0).group("2", "a", "b"),
            "i": Limit(1, 60_000_000, 9_000_000).group("", "a", "b")
                 + ["1*2", "r"],
        }
        self.assertEqual(self.run_script(groups), [None] * 4)
        two = str(NOW + 2_000_000)
        blocked = f"{NOW + 60_000_000} {NOW + 9_000_000}"
        self.assertEqual(self.fields("h"), {"a": two, "b": two})
        self.assertEqual(self.fields("i"), {"a": blocked})
        self.assertEqual(self.run_script(groups), [two, two, blocked, None])

    def test_clock_is_the_servers(self):
        before = time.time_ns() // 1000
        reply = self.ask("EVAL", script_text(self.algorithm), 1, "h",
                                *self.limit.group("1", "a"))
        after = time.time_ns() // 1000
        now = int(reply[0]) * 1_000_000 + int(reply[1])
        self.assertTrue(before <= now <= after)
        self.assertEqual(self.fields("h"), {"a": str(now + 1_000_000)})


class FixedWindowTest(EitherScript, ScriptTest):
    algorithm = "fixed_window"
    limit = Limit(5, 1_000_000, 0)  # five in each second
    one_drop = f"{NOW // 1_000_000} 1"


class ArithmeticTest(ScriptTest):
    def test_c_and_lua_agree_to_the_microsecond(self):
        program = subprocess.run(
            [os.environ["ARITHMETIC"], self.redis.path,
             os.environ.get("OPERATIONS", "100000")],
            capture_output=True, text=True)
        self.assertEqual(program.returncode, 0, program.stderr)
        self.assertIn(" operations, 0 differences\n", program.stdout)


if __name__ == "__main__":
    unittest.main()
