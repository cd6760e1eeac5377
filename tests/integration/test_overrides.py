"""Overrides: allow, deny, or let more in, in front of all limits, for a while."""

import json
import os
import subprocess
import time

import harness
from harness import PATIENT, fields, wait_until

MEMBERS = ["login match=login:* capacity=2 rate=1/h", "open match=open:* action=allow"]


class Overrides(harness.Case):
    def setUp(self):
        super().setUp()
        self.server = self.redis()
        for place, member in enumerate(MEMBERS):
            self.server.ask("ZADD", "limits", place, member)

    def follower(self, **settings):
        gate = self.redis_daemon(self.server, settings={
            "limits": {"source": "redis"},
            "control": {"unix_socket_path": self.server.path, "poll": "1h"},
            **PATIENT, **settings})
        wait_until(lambda: " info: limits reloaded: " in gate.log(), "limits")
        return gate

    def override(self, gate, *words, status=0):
        done = subprocess.run([os.environ["DRIPGATE"], "-c", gate.config_path, "override",
                               *words], check=False, capture_output=True, text=True,
                              timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, status, done)
        return done.stdout + done.stderr

    def put(self, gate, pattern, action, length="1h", status=0):
        return self.override(gate, "set", pattern, action, "--for", length, "--reason",
                             "a night sale", "--author", "ron", status=status)

    def wait_for(self, gate, request, start):
        wait_until(lambda: gate.ask(request).startswith(start), f"{start}; {gate.log()}")

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
            self.assertIn("2 in force, 2 overrides, ", gate.log())
        with gates[1].connect() as client:
            explained = client.ask_many("EXPLAIN open:1")
        self.assertRegex("\n".join(explained),
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
                             r"override=x10 until \S+Z by ron: a night sale$")
            self.assertRegex(explained[-1], r"^also open:evil: limit override.deny level=0 capacity=0 .* "
                             r"from=action decides=DENY override=deny until \S+Z by ron: a night sale$")
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

    def test_an_override_ends_by_itself_also_without_redis(self):
        gate = self.follower()
        self.put(gate, "login:1", "deny", "3s")
        self.wait_for(gate, "CONSUME login:1", "DENY limit=override.deny ")
        self.server.kill()
        self.wait_for(gate, "PEEK login:1", "ALLOW limit=login ")

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
        self.wait_for(gate, "CONSUME login:1", "DENY limit=override.deny ")
        self.assertTrue(gate.ask("CONSUME login:2").startswith("ALLOW limit=login "))
        for pattern in "a", "login:2", "~x", "big":
            self.assertIn(f"override '{pattern}' is left out: ", gate.log())
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


if __name__ == "__main__":
    harness.main()
