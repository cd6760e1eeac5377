"""Overrides: allow, deny, or let more in, in front of all limits, for a while."""

import json
import os
import re
import struct
import subprocess
import time
import unittest

import harness
from harness import PATIENT, fields, wait_until

MEMBERS = ["login match=login:* capacity=2 rate=1/h", "open match=open:* action=allow"]


class Overrides(harness.Case):
    """What all have in common."""

    def setUp(self):
        super().setUp()
        self.server = self.redis()
        for place, member in enumerate(MEMBERS):
            self.server.ask("ZADD", "limits", place, member)

    def follower(self, server=None, loaded=True, env=None, **settings):
        """A daemon that takes its limits and overrides from that server."""
        server = server or self.server
        merged = {"limits": {"source": "redis"},
                  "control": {"unix_socket_path": server.path, "poll": "1h"}, **PATIENT}
        for section, values in settings.items():
            merged[section] = {**merged.get(section, {}), **values}
        gate = self.redis_daemon(server, settings=merged, env=env)
        if loaded:
            wait_until(lambda: " info: limits reloaded: " in gate.log(), "limits")
        return gate

    def override(self, gate, *words, status=0):
        done = self.tool(gate, "override", *words, status=status)
        return done.stdout + done.stderr

    def put(self, gate, pattern, action, length="1h", status=0):
        return self.override(gate, "set", pattern, action, "--for", length, "--reason",
                             "a night sale", "--author", "ron", status=status)

    def wait_for(self, gate, request, start):
        wait_until(lambda: gate.ask(request).startswith(start), f"{start}; {gate.log()}")

    def polls(self, count):
        """Wait until so many polls more have come."""
        def calls():
            stats = self.server.ask("INFO", "commandstats").decode()
            return int(re.search(r"cmdstat_evalsha_ro:calls=(\d+)", stats)[1])
        start = calls()
        wait_until(lambda: calls() > start + count, "polls")

    def tool(self, gate, *words, status=0):
        done = subprocess.run([os.environ["DRIPGATE"], "-c", gate.config_path, *words],
                              check=False, capture_output=True, text=True,
                              timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, status, done)
        return done

    def explained(self, gate, key):
        with gate.connect() as client:
            return "\n".join(client.ask_many(f"EXPLAIN {key}"))

    def rows(self, gate):
        with gate.connect() as client:
            return client.ask_many("LIMITS")

    def row(self, gate, name):
        return next(row for row in self.rows(gate) if row.startswith(name + " "))


class Single(Overrides):
    def test_keys_are_allowed_and_denied_on_all_daemons(self):
        gates = [self.follower() for _ in range(2)]
        self.put(gates[0], "login:42", "allow")
        said = self.put(gates[0], "open:*", "deny")
        self.assertRegex(said, r"^open:\* deny until 20\d\d-.*Z, heard by 2\n$")
        for gate in gates:
            self.wait_for(gate, "CONSUME login:42 9", "ALLOW limit=override.allow ")
            self.wait_for(gate, "CONSUME open:1", "DENY limit=override.deny ")
            self.assertIn("from=action", gate.ask("CONSUME open:2"))
            self.assertTrue(gate.ask("CONSUME login:7").startswith("ALLOW limit=login "))
            self.assertGreaterEqual(gate.stats()["overridden"], 3)
            wait_until(lambda gate=gate: "2 in force, 2 overrides, " in gate.log(), "the log")
        self.assertRegex(self.explained(gates[1], "open:1"),
                         r"limit override.deny: match \(prefix open:\*\), override deny until "
                         r"\S+Z by ron: a night sale")
        self.override(gates[0], "remove", "open:*")
        for gate in gates:
            self.wait_for(gate, "CONSUME open:1", "ALLOW limit=open ")
        self.assertIn("x was none", self.override(gates[0], "remove", "x", status=1))

    def test_explain_shows_the_overrides_of_what_is_charged_too(self):
        self.server.ask("ZADD", "limits", 3, "user match=user:* capacity=9 rate=1/h also=login:$1,open:$1")
        gate = self.follower()
        self.put(gate, "login:*", "x10")
        self.put(gate, "open:evil", "deny")
        with gate.connect() as client:
            wait_until(lambda: "override.deny" in "".join(client.ask_many("EXPLAIN user:evil")), "deny")
            explained = client.ask_many("EXPLAIN user:evil")
            self.assertRegex(explained[-2], r"^also login:evil: limit login level=0 capacity=20 .* from=redis "
                             r".*override=x10 until \S+Z by ron: a night sale$")
            self.assertRegex(explained[-1], r"^also open:evil: limit override.deny level=0 capacity=0 .* "
                             r"from=action action=deny decides=DENY override=deny until \S+Z by ron: a night sale$")
            self.assertNotIn("decides", explained[-3])
        done = subprocess.run([os.environ["DRIPGATE"], "-s", gate.path, "explain", "user:evil", "--json"],
                              check=True, capture_output=True, text=True, timeout=harness.PATIENCE)
        self.assertRegex(json.loads(done.stdout)["also"][1]["override"], "^deny until .*: a night sale$")

    def test_a_limit_that_is_multiplied_keeps_its_bucket(self):
        gate = self.follower()
        gate.ask("CONSUME login:1 2")
        self.assertTrue(gate.ask("CONSUME login:1").startswith("DENY"))
        self.put(gate, "login:*", "x10")
        self.wait_for(gate, "CONSUME login:1", "ALLOW limit=login level=3 capacity=20 ")
        reply = fields(gate.ask("CONSUME login:1 17"))
        self.assertEqual((reply["level"], reply["from"]), ("20", "redis"))
        self.assertLess(float(reply["next"]), 361)
        replies = gate.ask("MCONSUME login:1 1 login:2 1", "MCONSUME login:3 1 login:2 1")
        self.assertTrue(replies[0].startswith("DENY"), replies)
        self.assertTrue(replies[1].startswith("ALLOW"), replies)
        self.override(gate, "remove", "login:*")
        self.wait_for(gate, "PEEK login:1 1", "DENY limit=login level=2 capacity=2 ")

    def test_polls_find_what_no_message_told_of_and_keep_it(self):
        gate = self.follower(control={"poll": "1s"})
        end = int(time.time()) + 3600
        self.server.ask("HSET", "limits:overrides", "login:*", f"x10 {end} ron\nnone heard of it")
        self.wait_for(gate, "PEEK login:1", "ALLOW limit=login level=0 capacity=20 ")
        self.polls(2)
        self.assertTrue(gate.ask("PEEK login:1").startswith("ALLOW limit=login level=0 capacity=20 "))
        self.assertEqual(gate.log().count("limits reloaded"), 2)
        self.assertNotIn("not reloaded", gate.log())
        self.server.ask("HSET", "limits:overrides", "login:*", f"deny {end} ron\nnor of this")
        self.wait_for(gate, "PEEK login:1", "DENY limit=override.deny ")
        self.server.ask("DEL", "limits:overrides")
        self.wait_for(gate, "PEEK login:1", "ALLOW limit=login level=0 capacity=2 ")
        self.polls(2)
        self.assertEqual(gate.log().count("limits reloaded"), 4)
        self.assertNotIn("not reloaded", gate.log())

    def test_polls_find_that_none_is_left_where_there_are_no_limits(self):
        self.server.ask("DEL", "limits")
        gate = self.follower(control={"poll": "1s"}, limits={"allow_empty": "yes"})
        end = int(time.time()) + 3600
        self.server.ask("HSET", "limits:overrides", "login:*", f"deny {end} ron\nby night")
        self.wait_for(gate, "PEEK login:1", "DENY limit=override.deny ")
        self.server.ask("DEL", "limits:overrides")
        self.wait_for(gate, "PEEK login:1", "ALLOW limit=- ")

    def test_an_override_ends_by_itself_also_without_redis(self):
        gate = self.follower()

        def is_seen():
            # Else it was over before that.
            self.put(gate, "login:1", "deny", "3s")
            return gate.ask("PEEK login:1").startswith("DENY limit=override.deny ")

        wait_until(is_seen, "the override")
        self.server.kill()
        self.wait_for(gate, "PEEK login:1", "ALLOW limit=login ")
        self.assertEqual(gate.stats()["overrides"], 0)

    def test_a_daemon_that_starts_without_redis_has_those_that_have_not_ended(self):
        state = os.path.join(self.folder, "state")
        os.mkdir(state)
        saves = {"control": {"state_dir": state}}
        gate = self.follower(**saves)
        self.put(gate, "open:*", "deny")
        self.put(gate, "login:*", "x3")
        self.put(gate, "login:9", "deny", "1s")
        self.wait_for(gate, "PEEK login:1", "ALLOW limit=login level=0 capacity=6 ")
        gate.stop()
        self.server.kill()
        # By the clock of the daemon: its folder has when that was.
        wait_until(lambda: time.time() > os.stat(os.path.join(state, "overrides")).st_mtime + 1,
                   "the end of the third")
        gate = self.follower(loaded=False, **saves)
        self.assertIn("saved overrides in force: 2", gate.log())
        self.assertTrue(gate.ask("CONSUME open:1").startswith("DENY limit=override.deny "))
        self.assertIn(" capacity=6 ", gate.ask("PEEK login:9"))
        explained = self.explained(gate, "open:1")
        self.assertRegex(explained, "override deny until .* by ron: a night sale")
        self.assertEqual(gate.stats()["overrides"], 2)

    def test_they_need_no_valid_limits_in_redis(self):
        gate = self.follower()
        self.server.ask("ZADD", "limits", 10, "wrong capacity=none")
        self.put(gate, "open:*", "deny")
        self.wait_for(gate, "CONSUME open:1", "DENY limit=override.deny ")
        self.assertTrue(gate.ask("CONSUME login:1").startswith("ALLOW limit=login "))
        wait_until(lambda: "limits not reloaded" in gate.log(), "the log")
        self.assertIn("overrides reloaded: 1, in front of the limits in force", gate.log())
        self.assertIn("refused   ", self.tool(gate, "status", status=1).stdout)
        self.override(gate, "remove", "open:*")
        self.wait_for(gate, "CONSUME open:1", "ALLOW limit=open ")
        self.server.ask("ZREM", "limits", "wrong capacity=none")
        self.put(gate, "login:*", "x10")
        self.wait_for(gate, "PEEK login:2", "ALLOW limit=login level=0 capacity=20 ")
        self.assertEqual(gate.stats()["limits"], 2)

    def test_what_was_removed_is_not_saved(self):
        state = os.path.join(self.folder, "state")
        os.mkdir(state)
        saves = {"control": {"state_dir": state}}
        gate = self.follower(**saves)
        self.put(gate, "open:*", "deny")
        wait_until(lambda: os.path.exists(os.path.join(state, "overrides")), "the file")
        self.override(gate, "remove", "open:*")
        wait_until(lambda: not os.path.exists(os.path.join(state, "overrides")), "its end")
        gate.stop()
        self.server.kill()
        gate = self.follower(loaded=False, **saves)
        self.assertTrue(gate.ask("CONSUME open:1").startswith("ALLOW limit=open "))

    @unittest.skipIf("-address" in os.environ["DRIPGATED"], "nothing goes before ASan")
    def test_the_clock_of_redis_ends_an_override(self):
        """That of the daemon is a day behind."""
        server, clock = self.redis_by_a_clock()
        own = self.make_clock()
        self.set_clock(own, -86400)
        gate = self.follower(server, env=self.goes_by(own))
        self.put(gate, "open:*", "deny", "30d")
        self.wait_for(gate, "CONSUME open:1", "DENY limit=override.deny ")
        self.set_clock(clock, 30 * 86400 - 60)
        server.ask("PUBLISH", "control", "reload:immediate")
        wait_until(lambda: gate.log().count("limits reloaded") >= 3, "a reload")
        self.wait_for(gate, "CONSUME open:1", "DENY limit=override.deny ")
        self.assertRegex(self.row(gate, "override.deny"), r" left=\d\d\.\d+ ")
        self.set_clock(clock, 30 * 86400)
        server.ask("PUBLISH", "control", "reload:immediate")
        self.wait_for(gate, "CONSUME open:1", "ALLOW limit=open ")

    def make_clock(self):
        path = os.path.join(self.folder, f"clock-{len(os.listdir(self.folder))}")
        self.set_clock(path, 0)
        return path

    def set_clock(self, path, seconds):
        """It is so many seconds ahead of ours."""
        with open(path, "r+b" if os.path.exists(path) else "wb") as file:
            file.write(struct.pack("=q", seconds * 1000000))

    def goes_by(self, clock):
        return {"LD_PRELOAD": os.environ["SET_CLOCK_SO"], "SET_CLOCK": clock}

    def redis_by_a_clock(self):
        clock = self.make_clock()
        server = self.redis(env=self.goes_by(clock))
        for place, member in enumerate(MEMBERS):
            server.ask("ZADD", "limits", place, member)
        return server, clock

    def test_a_year_at_most(self):
        gate = self.follower()
        self.put(gate, "open:*", "deny", "366d")
        self.wait_for(gate, "CONSUME open:1", "DENY limit=override.deny ")
        self.assertIn("is not a time from 1us to 366d",
                      self.put(gate, "open:*", "deny", "367d", status=2))

    def test_they_are_listed_explained_and_counted(self):
        gate = self.follower()
        self.put(gate, "login:vip", "x10")
        self.put(gate, "login:bad", "deny")
        self.put(gate, "other:*", "allow")
        wait_until(lambda: len(self.used(gate)) == 3, "all of them")
        said = gate.ask("CONSUME login:vip", "CONSUME login:bad", "CONSUME other:1",
                        "CONSUME login:vip", "CONSUME login:bad", "MCONSUME login:bad 1 login:1 1")
        for reply, start in zip(said, ("ALLOW limit=login level=1 capacity=20 ", "DENY", "ALLOW")):
            self.assertTrue(reply.startswith(start), reply)
        self.assertRegex(self.row(gate, "override.deny"),
                         r"^override.deny left=3\d+\.\d+ pattern=login:bad used=3 note=deny until "
                         r"\S+Z by ron: a night sale$")
        names = [row.split(" ")[0] for row in self.rows(gate)]
        self.assertEqual(sorted(names[:3]), ["override.allow", "override.deny", "override.x10"])
        self.assertEqual(names[3:], ["login", "open"])
        self.assertRegex(self.row(gate, "login"), " overridden=5 ")
        self.assertIn(" overridden=0 ", self.row(gate, "open"))
        status = self.tool(gate, "status", "--json")
        self.assertEqual({(one["pattern"], one["note"].split(" ")[0]) for one in
                          json.loads(status.stdout)["overrides"]},
                         {("login:vip", "x10"), ("login:bad", "deny"), ("other:*", "allow")})
        self.assertRegex(self.tool(gate, "status").stdout,
                         r"override  login:bad: deny until .*sale \(used \d+ times\)\n")

    def used(self, gate):
        """How often each override was used, by its pattern."""
        rows = [fields(row.split(" note=")[0]) for row in self.rows(gate) if row.startswith("override.")]
        return {row["pattern"]: int(row["used"]) for row in rows}

    def test_each_counts_what_it_changed(self):
        gate = self.follower()
        for pattern, action in (("login:vip", "x10"), ("login:*", "x10"), ("open:*", "deny"),
                                ("none:*", "x10"), ("idle", "deny")):
            self.put(gate, pattern, action)
        wait_until(lambda: len(self.used(gate)) == 5, "all of them")
        gate.ask("CONSUME login:vip", "CONSUME login:vip", "CONSUME login:1", "CONSUME none:1",
                 "PEEK login:1", "EXPLAIN login:1", "CONSUME open:1", "MCONSUME open:2 1 login:1 1")
        counted = {"login:vip": 2, "login:*": 1, "open:*": 2, "none:*": 0, "idle": 0}
        self.assertEqual(self.used(gate), counted)
        self.assertEqual(gate.stats()["overridden"], 5)
        # It goes on, also under another action; one that was away begins again.
        self.put(gate, "open:*", "allow")
        self.override(gate, "remove", "login:vip")
        wait_until(lambda: len(self.used(gate)) == 4, "its removal")
        self.wait_for(gate, "PEEK open:1", "ALLOW limit=override.allow ")
        self.put(gate, "login:vip", "x10")
        wait_until(lambda: len(self.used(gate)) == 5, "its return")
        gate.ask("CONSUME open:1")
        self.assertEqual(self.used(gate), {**counted, "login:vip": 0, "open:*": 3})

    def test_the_list_adds_up_what_daemons_count(self):
        gates = [self.follower() for _ in range(2)]
        self.put(gates[0], "open:*", "deny")
        self.put(gates[0], "login:1", "x3")
        for gate in gates:
            wait_until(lambda gate=gate: " capacity=6 " in gate.ask("PEEK login:1"), "both")
            gate.ask("CONSUME open:1", "CONSUME login:1", "CONSUME open:2")
        nodes = ",".join(gate.path for gate in gates)
        listed = self.override(gates[0], "list", "--nodes", nodes)
        self.assertRegex(listed, r"^PATTERN +USED +OVERRIDE\n")
        self.assertRegex(listed, r"\nopen:\* +4 +deny until ")
        self.assertRegex(listed, r"\nlogin:1 +2 +x3 until ")
        listed = json.loads(self.override(gates[0], "list", "--json", "--nodes", gates[1].path))
        self.assertEqual({one["pattern"]: one["used"] for one in listed}, {"open:*": 2, "login:1": 1})
        self.assertNotIn("USED", self.override(gates[0], "list"))
        self.assertIn("is dripgated running there?", self.override(
            gates[0], "list", "--nodes", f"{nodes},/nowhere.sock", status=2))
        self.assertIn("--nodes: no address", self.override(gates[0], "list", "--nodes", ",", status=2))

    def test_why_says_who_did_it_and_why(self):
        gate = self.follower()
        self.put(gate, "login:vip", "x10")
        self.put(gate, "login:bad", "deny")
        self.wait_for(gate, "CONSUME login:bad", "DENY limit=override.deny ")
        said = self.tool(gate, "why", "login:bad", status=1).stdout
        self.assertRegex(said, r"^login:bad is denied by limit override.deny; an override is in "
                               r"force: deny until \S+Z by ron: a night sale\.\n")
        said = self.tool(gate, "why", "login:vip").stdout
        self.assertRegex(said, r"^login:vip is allowed by limit login \(0 of 20 drops\); an "
                               r"override is in force: x10 until \S+Z by ron: a night sale\.\n")
        found = json.loads(self.tool(gate, "why", "login:bad", "--json", status=1).stdout)
        self.assertRegex(found["override"], r"^deny until \S+Z by ron: a night sale$")
        self.assertNotIn("override", json.loads(
            self.tool(gate, "why", "login:x", "--json").stdout))

    def test_the_tool_knows_limits_from_overrides(self):
        gate = self.follower()
        self.put(gate, "login:bad", "deny")
        self.wait_for(gate, "CONSUME login:bad", "DENY limit=override.deny ")
        shown = self.tool(gate, "limits", "list").stdout
        self.assertNotIn("override", shown)
        self.assertIn("login", shown)

    def test_overrides_are_kept_over_a_restart_and_expire_in_redis(self):
        gate = self.follower()
        self.put(gate, "login:1", "deny")
        gate.stop()
        gate = self.follower()
        self.wait_for(gate, "CONSUME login:1", "DENY limit=override.deny ")
        self.assertTrue(3500 < self.server.ask("TTL", "limits:overrides") <= 3601)
        self.put(gate, "login:2", "deny", "1s")
        time.sleep(1.1)
        self.put(gate, "login:3", "deny")
        self.assertEqual(sorted(self.server.ask("HKEYS", "limits:overrides")),
                         [b"login:1", b"login:3"])

    def test_special_patterns_come_first(self):
        gate = self.follower()
        self.put(gate, "login:*", "deny")
        self.put(gate, "login:admin", "allow")
        self.wait_for(gate, "CONSUME login:admin", "ALLOW limit=override.allow ")
        self.wait_for(gate, "CONSUME login:1", "DENY limit=override.deny ")

    def test_what_is_no_override_is_said_and_left_out(self):
        gate = self.follower()
        end = int(time.time()) + 1000
        for pattern, value in (("a", "hello"), ("login:2", f"x1 {end} me\nno"), ("", "deny"),
                               ("~x", f"deny {end} me\nno"), ("big", "x" * 100000),
                               ("b" * 5000, f"deny {end} me\nno"),
                               ("c", f"deny 99999999999 \xff\n".encode("latin-1")),
                               ("login:1", f"deny {end} me\nwhy")):
            self.server.ask("HSET", "limits:overrides", pattern, value)
        self.server.ask("PUBLISH", "control", "reload:immediate")
        self.wait_for(gate, "PEEK login:1", "DENY limit=override.deny ")
        self.assertTrue(gate.ask("CONSUME login:2").startswith("ALLOW limit=login "))
        for pattern in "a", "login:2", "~x", "big":
            wait_until(lambda pattern=pattern: f"override '{pattern}' is left out: " in gate.log(),
                       "the log")
        listed = self.override(gate, "list")
        self.assertIn("its value is not ACTION END AUTHOR", listed)
        self.server.ask("DEL", "limits:overrides")
        self.server.ask("SET", "limits:overrides", "no hash")
        self.server.ask("PUBLISH", "control", "reload:immediate")
        self.wait_for(gate, "CONSUME login:1", "ALLOW limit=login ")

    def test_what_daemons_would_leave_out_is_refused(self):
        gate = self.follower()
        for pattern, action in (("~a", "deny"), ("", "deny"), ("a", "x1"), ("a", "x1001"),
                                ("a", "maybe"), ("a", "x10 1 2"), ("a" * 256, "deny")):
            self.assertIn("override: must be", self.put(gate, pattern, action, status=2))
        self.assertIn("--for is missing", self.override(
            gate, "set", "a", "deny", "--reason", "x", status=2))
        self.assertIn("--reason is missing", self.override(
            gate, "set", "a", "deny", "--for", "1h", status=2))
        alone = self.daemon()
        self.assertIn("Redis at ", self.override(alone, "list", status=2))

    def test_there_are_a_hundred_at_most(self):
        gate = self.follower()
        end = int(time.time()) + 1000
        for i in range(100):
            self.server.ask("HSET", "limits:overrides", f"k{i}", f"deny {end} me\nx")
        self.assertIn("there are 100 overrides", self.put(gate, "login:1", "deny", status=2))
        self.put(gate, "k7", "x3")
        listed = json.loads(self.override(gate, "list", "--json"))
        self.assertEqual(len(listed), 100)
        mine = next(one for one in listed if one["pattern"] == "k7")
        self.assertIn("by ron: a night sale", mine["override"])
        self.assertTrue(3500 < mine["seconds_left"] <= 3600)


class Multiplied(Overrides):
    """A limit that is multiplied keeps its bucket, whatever its algorithm."""

    LIMITS = ("window match=window:* algorithm=fixed_window capacity=2 window=366d",
              "month match=month:* algorithm=fixed_window capacity=2 window=year",
              "log match=log:* algorithm=sliding_window capacity=2 window=366d",
              "lease match=lease:* algorithm=concurrent capacity=2 lease=1d",
              "debt match=debt:* capacity=2 recharge=1d debt=1",
              "queue match=queue:* capacity=2 recharge=1d queue=1d",
              "block match=block:* capacity=2 recharge=1d block=1ms")

    def check(self, gate):
        names = [limit.split(" ")[0] for limit in self.LIMITS]
        for name in names:
            self.assertTrue(gate.ask(f"CONSUME {name}:1 2").startswith("ALLOW"), name)
            self.assertTrue(gate.ask(f"CONSUME {name}:1").startswith("DENY"), name)
        self.put(gate, "*", "x2")
        for name in names:
            self.wait_for(gate, f"PEEK {name}:1", f"ALLOW limit={name} level=2 capacity=4 ")
            self.wait_for(gate, f"CONSUME {name}:1 2", f"ALLOW limit={name} level=4 capacity=4 ")
            self.assertTrue(gate.ask(f"CONSUME {name}:1").startswith("DENY"), name)
            self.assertIn("bucket level=4 capacity=4 ", self.explained(gate, f"{name}:1"))
        self.override(gate, "remove", "*")
        for name in names:
            # What is in its debt still counts as well.
            level = 3 if name == "debt" else 2
            self.wait_for(gate, f"PEEK {name}:1 1", f"DENY limit={name} level={level} capacity=2 ")

    def setUp(self):
        super().setUp()
        for place, member in enumerate(self.LIMITS):
            self.server.ask("ZADD", "limits", 10 + place, member)

    def test_in_redis(self):
        self.check(self.follower())

    def test_in_memory(self):
        self.check(self.follower(store={"type": "memory"}))

    def test_keys_that_mean_one_are_one_though_only_one_way_to_write_it_has_more(self):
        self.server.ask("ZADD", "limits", 30, "user match=user:* capacity=9 recharge=1d normalize=lower")
        for settings in {}, {"store": {"type": "memory"}}:
            gate = self.follower(**settings)
            self.put(gate, "user:bob", "x2")
            self.wait_for(gate, "PEEK user:bob", "ALLOW limit=user level=0 capacity=18 ")
            self.assertIn(" level=5 ", gate.ask("MCONSUME user:bob 2 user:BOB 3"))
            self.assertIn(" level=5 ", gate.ask("PEEK user:bob"))
            # Those that come at once are each decided by its own limit.
            with gate.connect() as client:
                said = client.ask("CONSUME user:BOB 3", "CONSUME user:bob 8", "CONSUME user:Bob 1",
                                  "CONSUME user:bob 2")
            self.assertEqual([(line.split()[0], fields(line)["level"]) for line in said],
                             [("ALLOW", "8"), ("ALLOW", "16"), ("DENY", "9"), ("ALLOW", "18")])
            self.assertIn(" level=18 ", gate.ask("PEEK user:bob"))


class Distributed(Overrides):
    """Daemons of other Redis servers than those to which they are said."""

    def start(self):
        self.others = [self.redis() for _ in range(2)]
        text = f"[config]\npoll = 1h\n[master]\nunix_socket_path = {self.server.path}\n"
        for i, other in enumerate(self.others):
            text += f"[slave:{i}]\nunix_socket_path = {other.path}\n"
        path = os.path.join(self.folder, "distributor.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        distributor = self.started(harness.Process(
            self.folder, "distributor", [harness.DRIPGATED, "--distribute-only", "-c", path]))
        for i in range(2):
            wait_until(lambda i=i: f"target {i}: copied 2 limits" in distributor.log(), "limits")
        wait_until(lambda: self.server.ask("PUBSUB", "NUMSUB", "control")[1], "the subscription")
        return [self.follower(other) for other in self.others]

    def test_they_are_in_force_everywhere_and_so_is_their_removal(self):
        gates = self.start()
        at_master = self.follower()
        self.put(at_master, "open:*", "deny")
        self.put(at_master, "login:*", "x10")
        for gate in [at_master, *gates]:
            self.wait_for(gate, "CONSUME open:1", "DENY limit=override.deny ")
            self.wait_for(gate, "PEEK login:1", "ALLOW limit=login level=0 capacity=20 ")
            self.assertRegex(self.explained(gate, "login:1"),
                             "bucket level=0 capacity=20 .* recharge=360.000000 block=0")
        self.assertEqual(self.others[0].ask("HGET", "limits:overrides", "open:*"),
                         self.server.ask("HGET", "limits:overrides", "open:*"))
        self.override(at_master, "remove", "login:*")
        self.override(at_master, "remove", "open:*")
        for gate in [at_master, *gates]:
            self.wait_for(gate, "CONSUME open:1", "ALLOW limit=open ")
            self.wait_for(gate, "PEEK login:1", "ALLOW limit=login level=0 capacity=2 ")
        self.assertEqual([other.ask("EXISTS", "limits:overrides") for other in self.others],
                         [0, 0])

    def test_a_master_that_lost_all_takes_none_away(self):
        gates = self.start()
        at_master = self.follower()
        self.put(at_master, "open:*", "deny")
        for gate in gates:
            self.wait_for(gate, "CONSUME open:1", "DENY limit=override.deny ")
        self.server.ask("FLUSHALL")
        self.server.ask("PUBLISH", "control", "reload:immediate")
        self.put(at_master, "login:*", "deny")
        self.server.ask("ZADD", "limits", 1, MEMBERS[0])
        self.server.ask("PUBLISH", "control", "reload:immediate")
        for gate in gates:
            self.wait_for(gate, "CONSUME login:1", "DENY limit=override.deny ")


if __name__ == "__main__":
    harness.main()
