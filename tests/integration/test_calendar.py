"""Windows of the calendar: days, weeks, months and years of a time zone, by the
clock of Redis, whatever the daemon's own shows."""

import datetime
import os
import struct
import subprocess
import time
import unittest
import zoneinfo

import harness
from harness import PATIENT, fields

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
LIMIT = """
[a]
match = a:*
algorithm = fixed_window
capacity = 3
window = {}
timezone = Europe/Berlin
deny_cache = no
"""


def berlin(*when):
    """A moment, as seconds since the epoch."""
    return datetime.datetime(*when, tzinfo=BERLIN).timestamp()


@unittest.skipIf("-address" in os.environ["DRIPGATED"], "nothing goes before ASan")
class Calendar(harness.Case):
    def setUp(self):
        super().setUp()
        self.clocks = 0

    def make_clock(self):
        """A clock to be set, and the environment of who goes by it."""
        self.clocks += 1
        path = os.path.join(self.folder, f"clock-{self.clocks}")
        with open(path, "wb") as file:
            file.write(bytes(8))
        return path, {"LD_PRELOAD": os.environ["SET_CLOCK_SO"], "SET_CLOCK": path}

    def set_clock(self, path, seconds):
        """It shows that time now."""
        with open(path, "r+b") as file:
            file.write(struct.pack("=q", int((seconds - time.time()) * 1e6)))

    def check_end(self, client, end, clock):
        """The window of the drops that are put in ends at ${end}."""
        self.set_clock(clock, end - 1000)
        reply = client.ask("CONSUME a:1 3")
        self.assertTrue(reply.startswith("ALLOW"), reply)
        reply = client.ask("CONSUME a:1")
        self.assertTrue(reply.startswith("DENY"), reply)
        self.assertTrue(900 < float(fields(reply)["retry"]) <= 1000, reply)
        self.assertIn("from=redis", reply)
        self.set_clock(clock, end)
        reply = client.ask("CONSUME a:1 2")
        self.assertTrue(reply.startswith("ALLOW"), reply)
        self.assertIn(" level=2 ", reply)
        self.assertIn("from=redis", reply)

    def check_ends(self, window, *ends, own=0):
        """For a daemon whose clock is ${own} seconds ahead of ours."""
        for end in ends:
            clock, env = self.make_clock()
            server = self.redis(env=env)
            own_clock, own_env = self.make_clock()
            self.set_clock(own_clock, time.time() + own)
            self.set_clock(clock, end - 2000)
            gate = self.redis_daemon(server, LIMIT.format(window), PATIENT, env=own_env)
            with gate.connect() as client:
                self.check_end(client, end, clock)
            self.assertNotIn("OUTSIDE", gate.log())
            gate.stop()

    def test_days_by_the_clock_of_redis_over_both_changes(self):
        self.check_ends("day", berlin(2026, 3, 29), berlin(2026, 3, 30),
                        berlin(2026, 10, 26), berlin(2040, 10, 29))

    def test_weeks_months_and_years(self):
        self.check_ends("week", berlin(2027, 1, 4))
        self.check_ends("month", berlin(2028, 3, 1))
        self.check_ends("year", berlin(2029, 1, 1))

    def test_a_daemon_whose_own_clock_is_a_day_or_a_year_wrong(self):
        today = datetime.datetime.now(BERLIN).replace(
            hour=0, minute=0, second=0, microsecond=0)
        tomorrow = (today + datetime.timedelta(1)).timestamp()
        for own in -86400, 86400, 366 * 86400, -20 * 366 * 86400:
            with self.subTest(own=own):
                self.check_ends("day", tomorrow, own=own)

    def test_redis_whose_clock_is_set_while_a_daemon_runs(self):
        clock, env = self.make_clock()
        server = self.redis(env=env)
        gate = self.redis_daemon(server, LIMIT.format("day"), PATIENT)
        with gate.connect() as client:
            for end in berlin(2026, 6, 2), berlin(2031, 6, 2), berlin(2027, 3, 29):
                client.ask("RESET a:1")
                self.check_end(client, end, clock)
            # Several keys at once are decided by another script.
            self.set_clock(clock, berlin(2035, 5, 5))
            reply = client.ask("MCONSUME a:2 1 a:3 1")
            self.assertIn("from=redis", reply)
        self.assertNotIn("OUTSIDE", gate.log())


class Words(harness.Case):
    def check_limits(self, limits, env=None):
        """What dripgated --check says is wrong with them."""
        limits_path = os.path.join(self.folder, "limits.ini")
        path = os.path.join(self.folder, "dripgate.ini")
        with open(limits_path, "w", encoding="utf-8") as file:
            file.write(limits)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[limits]\nfile = {limits_path}\n")
        return subprocess.run(
            [harness.DRIPGATED, "-c", path, "--check"], check=False, text=True,
            capture_output=True, env={**os.environ, **(env or {})}).stderr

    def test_limits_shows_the_window_and_the_zone(self):
        gate = self.daemon(LIMIT.format("month"))
        with gate.connect() as client:
            self.assertIn(" window=month timezone=Europe/Berlin",
                          client.ask_many("LIMITS")[0])
            self.assertRegex(client.ask_many("EXPLAIN a:1")[-1],
                             "^bucket .* window=month timezone=Europe/Berlin$")
            left = float(fields(client.ask("CONSUME a:1"))["next"])
        now = datetime.datetime.now(BERLIN)
        first = now.replace(year=now.year + now.month // 12, month=now.month % 12 + 1,
                            day=1, hour=0, minute=0, second=0, microsecond=0)
        self.assertLess(abs(first.timestamp() - time.time() - left), 60)

    def test_a_zone_that_does_not_exist_is_refused_with_another_one(self):
        checked = self.check_limits(
            LIMIT.format("day").replace("Berlin", "Belrin"))
        self.assertRegex(checked, "timezone 'Europe/Belrin' does not exist, "
                         "did you mean 'Europe/Berlin'[?]")

    def test_a_zone_goes_with_the_calendar_only(self):
        self.assertIn("timezone goes only with window = day, week, month or year",
                      self.check_limits(LIMIT.format("60s")))
        self.assertIn("window must be a time, as in 60s, or day, week, month or year",
                      self.check_limits(LIMIT.format("fortnight")))

    def test_a_host_without_zones_knows_utc(self):
        limits = LIMIT.format("week")
        empty = {"TZDIR": self.folder}
        self.assertIn("there are no time zones on this host, only UTC: install tzdata",
                      self.check_limits(limits, env=empty))
        self.assertEqual("", self.check_limits(
            limits.replace("Europe/Berlin", "utc"), env=empty))


if __name__ == "__main__":
    harness.main()
