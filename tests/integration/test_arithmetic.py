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
    return reply.decode("latin-1") if isinstance(reply, bytes) else reply


def log_text(drops, width, base, *leases):
    """A log without names; ${leases} are pairs of an end and drops."""
    return (drops.to_bytes(3, "big") + b"%d" % width + base.to_bytes(7, "big") +
            b"".join((end % 256 ** width).to_bytes(width, "big") + bytes([own])
                     for end, own in leases)).decode("latin-1")


def script_text(algorithm, what="batch"):
    fields = ["fields.lua"] if what == "batch" else []
    return "".join((LUA / part).read_text() for part in [
        "common.lua", f"algorithm/{algorithm}.lua", *fields, f"{what}.lua"])


def with_injected_clock(text):
    """The time is the last two arguments then."""
    assert text.count(CLOCK) == 1
    return text.replace(CLOCK, "local time = {ARGV[#ARGV - 1], ARGV[#ARGV]}\n")


class Limit:
    """Its parameters, as the script takes them."""

    def __init__(self, *parameters):
        self.parameters = parameters

    def group(self, ops, *keys):
        """ARGV for one hash: the same operations on each key."""
        return [*self.parameters, TTL_MS, len(keys), ops, *keys]


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
    """What holds of both; see the two classes below for ${algorithm}, ${limit},
    ${brief} (one in 7 us) and ${one_drop}, what a drop at NOW leaves of an empty
    bucket."""

    def test_foreign_value_is_left_alone_and_reported(self):
        foreign = ["", "hello", "nan", "inf", "0x5", "1e15", "-5", "1.5", " 1",
                   "1 ", "1  2", "1 2 3", "1\n", "9007199254740992",
                   "1 9007199254740992", "1/", "1/0", "1//2", "1/2/3", "1/fFgnDxSe8",
                   "1s", "s1", "1x2", "9007199255s1", "1u9007199254740992"]
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
        group = {"h": self.brief.group("1", "a")}
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
    limit = Limit(5, 1_000_000, 60_000_000, "/4C92")  # one a second, block 60 s
    brief = Limit(1, 7, 0, "/7")
    one_drop = f"{NOW + 1_000_000}/4C92"

    def test_each_hash_of_a_batch_has_its_own_limit_and_operations(self):
        groups = {
            "h": Limit(5, 1_000_000, 0, "/4C92").group("2", "a", "b"),
            "i": Limit(1, 60_000_000, 9_000_000, "/43kjw").group("", "a", "b")
                 + ["1*2", "r"],
        }
        self.assertEqual(self.run_script(groups), [None] * 4)
        two = f"{NOW + 2_000_000}/4C92"
        blocked = f"{NOW + 60_000_000} {NOW + 9_000_000}/43kjw"
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
        self.assertEqual(self.fields("h"), {"a": f"{now + 1_000_000}/4C92"})


class FixedWindowTest(EitherScript, ScriptTest):
    algorithm = "fixed_window"
    limit = Limit(5, 1_000_000)  # five in each second
    brief = Limit(1, 7)
    one_drop = f"{NOW // 1_000_000 + 1}s1"

    def calendar(self, *ends):
        return Limit(5, " ".join(str(n) for n in (86_400_000_000, *ends)))

    def test_windows_of_the_calendar_end_when_the_caller_says(self):
        second = NOW // 1_000_000
        for ends in [(1, 2, second + 9, second + 99), (1, second, second + 9, second + 20),
                     (second, second + 9, second + 10, second + 20), (0, 0, 0, second + 9)]:
            self.ask("DEL", "h")
            self.run_script({"h": self.calendar(*ends).group("1", "a")})
            self.assertEqual(self.fields("h"), {"a": f"{second + 9}s1"})

    def test_windows_of_another_time_are_refused_with_the_servers(self):
        second = NOW // 1_000_000
        self.run_ops("1", "a")
        for ends in [(1, 2, 3, second), (second + 1, second + 2, second + 3, second + 4)]:
            with self.assertRaisesRegex(RedisError, f"^OUTSIDE {NOW} "):
                self.run_script({"h": self.limit.group("1", "b"),
                                 "i": self.calendar(*ends).group("1", "a")})
        self.assertEqual(self.fields("h"), {"a": self.one_drop})

    def test_window_that_ends_within_a_second(self):
        self.run_script({"h": self.brief.group("1", "a")})
        self.assertEqual(self.fields("h"), {"a": f"{(NOW // 7 + 1) * 7}u1"})


class LeasesTest(EitherScript, ScriptTest):
    algorithm = "leases"
    SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
    limit = Limit(5, SECOND)
    brief = Limit(1, 7)
    one_drop = log_text(1, 3, NOW + SECOND, (NOW + SECOND, 1))

    def put(self, text):
        self.ask("HSET", "h", "a", text.encode("latin-1"))

    def consume(self, limit, now, amount=1):
        """Return the text that the bucket has then."""
        self.run_script({"h": limit.group(str(amount), "a")}, now)
        return self.fields("h").get("a")

    def test_ends_have_the_bytes_that_the_window_needs(self):
        for width, window in [(3, 7), (3, 1 << 24), (4, (1 << 24) + 1), (4, 1 << 32),
                              (5, (1 << 32) + 1), (5, 24 * self.HOUR), (5, 1 << 40),
                              (6, (1 << 40) + 1), (6, 1 << 48), (7, (1 << 48) + 1)]:
            self.ask("DEL", "h")
            limit, ends = Limit(5, window), []
            for now in range(NOW, NOW + 3):
                ends.append((now + window, 1))
                self.assertEqual(self.consume(limit, now),
                                 log_text(len(ends), width, ends[-1][0], *ends))

    def test_many_drops_of_one_moment_are_several_leases(self):
        limit, end = Limit(2000, self.SECOND), NOW + self.SECOND
        for amount, owns in [(255, [255]), (256, [255, 1]), (510, [255, 255]),
                             (600, [255, 255, 90])]:
            self.ask("DEL", "h")
            text = log_text(amount, 3, end, *((end, own) for own in owns))
            self.assertEqual(self.consume(limit, NOW, amount), text)
            self.consume(limit, NOW, -amount)
            self.assertEqual(self.ask("HLEN", "h"), 0)

    def test_a_log_is_widened_for_a_longer_window_and_narrowed_after_it(self):
        second, minute = Limit(5, self.SECOND), Limit(5, self.MINUTE)
        first, later = NOW + self.SECOND, NOW + self.MINUTE + 1
        self.consume(second, NOW)
        self.assertEqual(self.consume(minute, NOW + 1),
                         log_text(2, 4, later, (first, 1), (later, 1)))
        between = NOW + 2 + self.SECOND
        self.assertEqual(self.consume(second, NOW + 2),
                         log_text(3, 4, later, (first, 1), (between, 1), (later, 1)))
        last = later - 1 + self.SECOND
        self.assertEqual(self.consume(second, later - 1),
                         log_text(2, 3, last, (later, 1), (last, 1)))

    def test_a_log_of_another_width_is_not_taken_for_one_of_the_limits(self):
        """Four leases of five bytes are as long as five of four."""
        ends = [(NOW + self.MINUTE + i, 1) for i in range(4)]
        for now in range(NOW, NOW + 4):
            self.consume(Limit(5, self.MINUTE), now)
        now = NOW + self.MINUTE - self.SECOND + 3
        ends.append((now + self.SECOND, 1))
        self.assertEqual(self.consume(Limit(5, self.SECOND), now),
                         log_text(5, 3, ends[-1][0], *ends))

    def test_a_drop_counts_until_the_microsecond_before_its_end(self):
        limit, ends = Limit(2, self.SECOND), [NOW + self.SECOND, NOW + self.SECOND + 5]
        for end in ends:
            self.consume(limit, end - self.SECOND)
        full = log_text(2, 3, ends[1], *((end, 1) for end in ends))
        self.assertEqual(self.consume(limit, ends[0] - 1), full)
        last = ends[0] + self.SECOND
        self.assertEqual(self.consume(limit, ends[0]),
                         log_text(2, 3, last, (ends[1], 1), (last, 1)))

    def test_a_clock_that_was_set_back_widens_a_log_too(self):
        end, hour = NOW + self.SECOND, NOW + self.HOUR
        self.consume(self.limit, hour)
        self.assertEqual(self.consume(self.limit, NOW), log_text(
            2, 4, hour + self.SECOND, (end, 1), (hour + self.SECOND, 1)))
        self.assertEqual(self.consume(self.limit, hour), log_text(
            2, 3, hour + self.SECOND, (hour + self.SECOND, 1), (hour + self.SECOND, 1)))

    def test_a_clock_that_was_set_back_by_years_widens_a_log_to_whole_ends(self):
        ahead, end = NOW + 80_000 * self.HOUR, NOW + self.SECOND
        self.consume(self.limit, ahead - self.SECOND)
        for owns in [1], [1, 1], [1, 1, 1]:
            self.assertEqual(self.consume(self.limit, NOW), log_text(
                1 + len(owns), 7, ahead, *((end, own) for own in owns), (ahead, 1)))

    def test_what_only_looks_like_a_log_fails_no_script(self):
        """Of a log, no script checks more than its length."""
        end = NOW + self.SECOND
        logs = [head + width + base + lease
                for head in ["\0\0\1", "\xff\xff\xff"] for width in "\0\1234567\xff"
                for base in ["\0" * 7, "\xff" * 7, end.to_bytes(7, "big").decode("latin-1")]
                for lease in ["", "\0" * 4, "\xff" * 4, "\xff" * 8, "\0" * 16]]
        for text in [*logs, "\0\0\1\0\1" + "\xff" * 21, "\0\0\1\0\1" + "\xff" * 30]:
            for ops in ["1", "300*9", "-1", "2~ 1#abcdefghijk #abcdefghijk"]:
                self.put(text)
                self.assertEqual(self.run_ops(ops, "a", "b")[0], text)
            self.put(text)
            self.ask("EVAL", with_injected_clock(script_text("leases", "sweep")), 3,
                     "h", "lock", "mark", "me", 5000, 15000, "0", 100, 60, 0, 2000,
                     self.SECOND, NOW // 1_000_000, NOW % 1_000_000)
            self.ask("DEL", "lock")


class TimeToLive(ScriptTest):
    """Versions of a limit want different times; the longest counts."""

    algorithm = "leaky_bucket"

    def run_for(self, ttl_ms, *keys, ops="1"):
        self.run_script({"h": [5, 1_000_000, 0, "/4C92", ttl_ms, len(keys), ops,
                               *keys]})
        return self.ask("PTTL", "h")

    def test_is_that_of_the_longest_life(self):
        self.assertLessEqual(self.run_for(60_000, "a"), 60_000)
        self.assertGreater(self.run_for(3_600_000, "a", "b"), 3_590_000)
        for _ in range(2):
            self.assertGreater(self.run_for(60_000, "a", "c"), 3_590_000)
        self.assertGreater(self.run_for(7_200_000, "a"), 7_190_000)

    def test_is_set_though_the_hash_is_new(self):
        for _ in range(3):
            self.ask("DEL", "h")
            self.assertGreater(self.run_for(60_000, "a", "b"), 50_000)


class SweepScript(ScriptTest):
    """What is left of buckets, also after the clock was set back by an hour."""

    algorithm = "leaky_bucket"
    limit = Limit(5, 1_000_000, 60_000_000, "/4C92")
    HOUR = 3_600_000_000

    def sweep(self, caller="me", back=0, before=0, cursor="0", limit=None):
        return self.ask(
            "EVAL", with_injected_clock(script_text(self.algorithm, "sweep")), 3,
            "h", "lock", "mark", caller, TTL_MS, TTL_MS, cursor, 100, back, before,
            *(limit or self.limit).parameters, NOW // 1_000_000, NOW % 1_000_000)

    def put(self, **texts):
        for field, text in texts.items():
            self.ask("HSET", "h", field, text)

    def check(self, **texts):
        self.assertEqual(self.fields("h"), texts)

    def test_clock_that_was_not_set_back_leaves_what_is_not_drained(self):
        ahead = NOW + self.HOUR
        self.put(drained=f"{NOW}/4C92", unblocked=f"0 {NOW}", live=f"{ahead}/4C92",
                 blocked=f"{NOW} {NOW + 1}/4C92")
        self.assertEqual(self.sweep(), ["0", 4, 2, str(NOW // 1_000_000), "0", 0])
        self.check(live=f"{ahead}/4C92", blocked=f"{NOW} {NOW + 1}/4C92")

    def test_clock_that_was_set_back_trims_to_what_the_limit_lets_in(self):
        ahead = NOW + self.HOUR
        self.put(one=f"{ahead + 1_000_000}/4C92", within=f"{NOW + 4_000_000}/4C92",
                 other=f"{ahead}/7", block=f"0 {ahead + 60_000_000}",
                 both=f"{ahead} {ahead}/4C92", foreign="hello")
        self.sweep(back=self.HOUR)
        full = f"{NOW + 5_000_000}/4C92"
        self.check(one=full, within=f"{NOW + 4_000_000}/4C92", other=full,
                   block=f"0 {NOW + 60_000_000}", foreign="hello",
                   both=f"{NOW + 5_000_000} {NOW + 60_000_000}/4C92")

    def test_more_than_the_clock_was_set_back_by_is_another_versions(self):
        self.put(a=f"{NOW + self.HOUR + 20_000_000}/4C92")
        self.sweep(back=self.HOUR)
        self.check(a=f"{NOW + 20_000_000}/4C92")

    def test_limits_that_come_along_lose_what_was_written_before(self):
        self.put(before=f"{NOW + self.HOUR + 20_000_000}",
                 gone=f"{NOW + self.HOUR - 1_000_000}", after=f"{NOW + 20_000_000}")
        self.sweep(back=self.HOUR, before=self.HOUR - 2_000_000,
                   limit=Limit(1, 1, 0, ""))
        self.check(before=f"{NOW + 20_000_000}", after=f"{NOW + 20_000_000}")

    def test_windows_end_no_later_than_the_present_one(self):
        self.algorithm, limit = "fixed_window", Limit(5, 60_000_000)
        end = NOW // 60_000_000 + 1
        self.put(ahead=f"{end * 60 + 3600}s3", present=f"{end * 60}s2",
                 earlier=f"{end + 60} 4")
        self.sweep(limit=limit)
        self.assertEqual(self.fields("h")["ahead"], f"{end * 60 + 3600}s3")
        self.sweep(back=self.HOUR, limit=limit)
        self.check(ahead=f"{end * 60}s3", present=f"{end * 60}s2",
                   earlier=f"{end * 60}s4")

    def test_blocks_that_grow_are_kept_until_they_are_forgotten(self):
        limit = Limit(5, 1_000_000, "5000000 3 60000000 50000000", "/4C92")
        self.put(over=f"0 {NOW - 49_999_999}*2", gone=f"0 {NOW - 50_000_000}*2",
                 live=f"{NOW + 1} {NOW - 50_000_000}*2/4C92", known=f"0 {NOW - 1}",
                 ahead=f"0 {NOW + self.HOUR}*3", none="0 1*64", wrong="0 1*0")
        kept = {"over": f"0 {NOW - 49_999_999}*2", "live": f"{NOW + 1} {NOW - 50_000_000}*2/4C92",
                "known": f"0 {NOW - 1}", "none": "0 1*64", "wrong": "0 1*0"}
        self.sweep(limit=limit)
        self.check(**kept, ahead=f"0 {NOW + self.HOUR}*3")
        self.sweep(back=self.HOUR, limit=limit)
        self.check(**kept, ahead=f"0 {NOW + 60_000_000}*3")

    def test_leases_end_no_later_than_those_that_go_in_now(self):
        self.algorithm, limit = "leases", Limit(5, 60_000_000)
        end, ahead = NOW + 60_000_000, NOW + 60_000_000 + self.HOUR

        def named(drops, until):
            return (b"\0\0%c\0\1" % drops + until.to_bytes(7, "big") +
                    b"\0\0\2abcdefghijk").decode("latin-1")
        texts = {
            "ahead": log_text(3, 5, ahead, (end - 9, 1), (ahead - 1, 1), (ahead, 1)),
            "present": log_text(2, 4, end, (NOW + 1, 1), (end, 1)),
            "drained": log_text(1, 4, end, (NOW, 1)), "foreign": "hello",
            "both": named(3, ahead) + log_text(0, 4, ahead, (ahead, 1))[3:],
            "named": named(2, ahead)}
        for field, text in texts.items():
            self.put(**{field: text.encode("latin-1")})
        self.sweep(limit=limit)
        del texts["drained"]
        self.check(**texts)
        self.sweep(back=self.HOUR, limit=limit)
        texts.update(
            ahead=log_text(3, 5, end, (end - 9, 1), (end, 1), (end, 1)),
            both=named(3, end) + log_text(0, 4, end, (end, 1))[3:], named=named(2, end))
        self.check(**texts)

    def test_one_caller_at_a_time_but_trimming_comes_first(self):
        def is_let(*args, **options):
            return self.sweep(*args, **options)[0] == "0"
        self.put(a=f"{NOW + 1}/4C92")
        self.assertTrue(is_let("me"))
        self.assertFalse(is_let("you"))
        self.assertTrue(is_let("me"))
        self.assertTrue(is_let("you", back=self.HOUR))
        self.assertFalse(is_let("me", cursor="7"))
        self.assertFalse(is_let("me", back=self.HOUR))
        self.assertTrue(is_let("you", back=self.HOUR))
        self.assertTrue(is_let("you"))

    def test_a_pass_that_began_later_than_now_is_told_until_one_trims(self):
        self.put(a=f"{NOW + 1}/4C92")
        for mark in None, NOW - 1, NOW + 999_999, "nonsense", 10 ** 17:
            if mark:
                self.ask("SET", "mark", mark)
            self.assertEqual(self.sweep()[5], 0, mark)
            self.assertEqual(self.ask("GET", "mark"), str(NOW))
        for ahead in self.HOUR, 1_000_001:
            self.ask("SET", "mark", NOW + ahead)
            self.assertEqual(self.sweep()[5], ahead)
            self.assertEqual(self.sweep("you"), ["", 0, 0, str(NOW // 1_000_000), "0", ahead])
            self.assertEqual(self.sweep(cursor="7")[5], 0)
            self.assertEqual(self.ask("GET", "mark"), str(NOW + ahead))
            self.assertEqual(self.sweep(back=ahead)[5], 0)
            self.assertEqual(self.ask("GET", "mark"), str(NOW))
            self.ask("DEL", "lock")


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
