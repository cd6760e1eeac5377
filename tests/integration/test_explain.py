"""EXPLAIN of a key that is charged with others: each part, and which one decides."""

import contextlib
import http.client
import json
import random
import re
import subprocess

import harness
import test_joint
from harness import fields

LIMITS = test_joint.PARTS + """
[net]
match = net:*
capacity = 4
recharge = 1d
debt = 2
normalize = ip64

[jobs]
match = jobs:*
algorithm = concurrent
capacity = 2
lease = 1h

[user]
match = user:*
capacity = 4
recharge = 1d
also = day:$1 burst:all look:$1 block:$1 jobs:$1 none:$1

[host]
match = host:*
capacity = 9
recharge = 1d
normalize = ip
also = net:$1 net:all

[long]
match = long:*
capacity = 2
recharge = 1d
also = burst:$1$1$1
"""

# "also KEY: limit NAME level=... ..."
ALSO = re.compile(r"also (\S+): limit (\S+)(.*)$")
FIGURES = (r" level={} capacity={} empty=[0-9.]+ blocked={} from=\w+"
           r" (?:recharge=[0-9.]+ block=[0-9.]+|window=[0-9.]+|lease=[0-9.]+)(?: debt=\d+)?{}")


class EitherStore:
    LIMITS = LIMITS

    def parts(self, key, client=None):
        """The rows of the key itself, and [(key, limit, figures)] of the others."""
        lines = (client or self.client).ask_many(f"EXPLAIN {key}")
        also = [line for line in lines if line.startswith("also ")]
        self.assertEqual(lines[len(lines) - len(also):], also)
        return lines[:len(lines) - len(also)], [ALSO.match(line).groups() for line in also]

    def decider(self, key):
        """The key that decides, and its verdict."""
        rows, also = self.parts(key)
        marked = [(name, figures) for name, _, figures in [(key, "", rows[-1])] + also
                  if "decides=" in figures]
        self.assertEqual(len(marked), 1, (rows, also))
        return marked[0][0], fields(marked[0][1])["decides"]

    def test_each_part_has_its_figures_and_one_decides(self):
        self.client.ask("CONSUME user:7", "CONSUME burst:all 2", "CONSUME day:7 2")
        rows, also = self.parts("user:7")
        self.assertEqual(rows[0], "key user:7")
        self.assertRegex(rows[-1], "^bucket" + FIGURES.format(1, 4, 0, "$"))
        self.assertEqual([part[:2] for part in also], [
            ("day:7", "day"), ("burst:all", "burst"), ("look:7", "look"), ("block:7", "block"),
            ("jobs:7", "jobs"), ("none:7", "-")])
        # Two deny, and block:7 for longer.
        for (_, _, figures), expected in zip(also, [
                (3, 5, 0, "$"), (3, 3, 0, "$"), (1, 1, 0, " shadow=yes$"),
                (1, 1, 0, " decides=DENY$"), (1, 2, 0, "$")]):
            self.assertRegex(figures, "^" + FIGURES.format(*expected))
        self.assertEqual(also[-1][2], "")

    def test_the_key_itself_may_decide(self):
        for _ in range(4):
            self.client.ask("CONSUME user:1", "RESET burst:all", "RESET block:1", "RESET jobs:1")
        self.assertRegex(self.parts("user:1")[0][-1], "^bucket" + FIGURES.format(4, 4, 0, " decides=DENY$"))
        self.assertEqual(self.decider("user:1"), ("user:1", "DENY"))
        self.client.ask("CONSUME user:1 -9")
        self.assertEqual(self.decider("user:1"), ("block:1", "ALLOW"))

    def test_the_part_that_decides_is_that_of_peek(self):
        pick = random.Random(5)
        keys = ["user:1", "day:1", "burst:all", "look:1", "block:1", "jobs:1"]
        seen = set()
        for _ in range(120):
            key = pick.choice(keys)
            self.client.ask(pick.choice([f"CONSUME {key}", f"CONSUME {key} -1", "CONSUME user:1",
                                         f"RESET {key}", "RESET block:1", "RESET jobs:1"]))
            said = fields(self.client.ask("PEEK user:1"))
            self.assertEqual(self.decider("user:1"), (said["key"], said["verdict"]))
            seen.add((said["key"], said["verdict"]))
        self.assertGreater(len(seen), 4, seen)

    def test_nothing_changes_and_only_a_peek_is_counted(self):
        self.client.ask("CONSUME block:1", "CONSUME block:1")
        before = self.gate.stats()
        first = self.parts("user:1")[1]
        self.assertRegex(first[3][2], FIGURES.format(1, 1, r"3[0-9.]+", " decides=DENY$"))
        after = self.gate.stats()
        for name in "allowed", "denied", "shadow_denied":
            self.assertEqual(before[name], after[name])
        self.assertEqual(before["peeks"] + 1, after["peeks"])
        self.assertEqual(fields(self.client.ask("PEEK day:1"))["level"], "0")

    def test_keys_that_are_normalized_into_one(self):
        self.client.ask("CONSUME net:2001:db8::5 3", "CONSUME net:all 1")
        rows, also = self.parts("host:2001:db8:0::1")
        self.assertEqual(rows[-4:-2], ["limit host: match (prefix host:*)",
                                       "normalized host:2001:db8::1"])
        self.assertEqual([part[:2] for part in also],
                         [("net:2001:db8:0::1", "net"), ("net:all", "net")])
        self.assertRegex(also[0][2], FIGURES.format(3, 4, 0, " debt=2 decides=ALLOW normalized=net:2001:db8::/64$"))
        self.assertRegex(also[1][2], FIGURES.format(1, 4, 0, " debt=2 normalized=net:all$"))
        # Two names of one bucket; the first of them is marked.
        _, also = self.parts("host:all")
        self.assertEqual([part[0] for part in also], ["net:all", "net:all"])
        self.assertEqual(["decides=ALLOW" in part[2] for part in also], [True, False])

    def test_a_key_of_also_that_is_too_long(self):
        key = "long:" + "x" * 200
        self.client.ask(f"CONSUME {key}")
        lines = self.client.ask_many(f"EXPLAIN {key}")
        self.assertRegex(lines[-2], "^bucket" + FIGURES.format(0, 2, 0, "$"))
        self.assertEqual(lines[-1], "also a key that is too long")
        done = self.tool("explain", key, "--json")
        self.assertEqual(json.loads(done.stdout)["also"], [])

    def test_every_protocol_says_the_same(self):
        self.client.ask("CONSUME user:7")
        said = self.client.ask_many("EXPLAIN user:7")
        same = re.compile(r"empty=[0-9.]+").sub
        with harness.RedisClient(self.gate.path) as client:
            self.assertEqual([same("", line.decode() if isinstance(line, bytes) else line)
                              for line in client.ask("EXPLAIN", "user:7")],
                             [same("", line) for line in said])
        connection = http.client.HTTPConnection("127.0.0.1", self.gate.port)
        with contextlib.closing(connection):
            connection.request("GET", "/explain?key=user:7")
            body = connection.getresponse().read().decode()
        self.assertEqual(same("", body).splitlines(), [same("", line) for line in said])

    def tool(self, *words):
        return subprocess.run([harness.DRIPGATE, *words, "-s", self.gate.path], check=False,
                              capture_output=True, text=True, timeout=harness.PATIENCE)

    def test_the_tool_shows_the_parts(self):
        self.client.ask("CONSUME user:7")
        explained = json.loads(self.tool("explain", "user:7", "--json").stdout)
        self.assertEqual(explained["bucket"]["capacity"], 4)
        self.assertNotIn("decides", explained["bucket"])
        self.assertEqual([(part["key"], part["limit"], part.get("level"), part.get("decides"))
                          for part in explained["also"]],
                         [("day:7", "day", 1, None), ("burst:all", "burst", 1, None),
                          ("look:7", "look", 1, None), ("block:7", "block", 1, "DENY"),
                          ("jobs:7", "jobs", 1, None), ("none:7", None, None, None)])
        self.assertEqual(explained["also"][2]["shadow"], "yes")
        done = self.tool("why", "user:7")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stdout, r"^user:7 is denied by limit block of block:7, ")
        self.assertRegex(done.stdout, r"\nalso block:7: limit block level=1 .* decides=DENY\n")
        found = json.loads(self.tool("why", "user:7", "--json").stdout)
        self.assertEqual(found["decider"], "block:7")
        self.assertEqual([part["key"] for part in found["explain"]["also"] if "decides" in part],
                         ["block:7"])


class InMemory(EitherStore, harness.InMemory, harness.Case):
    def test_a_key_without_a_limit_decides_if_it_may_not_pass(self):
        for setting, verdict in [("deny", "DENY"), ("error", "ERR")]:
            gate = self.daemon(LIMITS, {"limits": {"unmatched": setting}})
            with gate.connect() as client:
                client.ask("CONSUME burst:all 3", "CONSUME user:9")
                _, also = self.parts("user:9", client)
                self.assertEqual(also[-1], ("none:9", "-", f" decides={verdict}"))
                self.assertEqual(sum("decides" in figures for _, _, figures in also), 1)
                self.assertRegex(also[1][2], FIGURES.format(3, 3, 0, "$"))
            if setting == "deny":
                done = subprocess.run([harness.DRIPGATE, "why", "user:9", "-s", gate.path],
                                      check=False, capture_output=True, text=True)
                self.assertTrue(done.stdout.startswith("user:9 is denied: no limit matches none:9.\n"))


class InRedis(EitherStore, harness.InRedis, harness.Case):
    def test_the_deny_cache_hides_no_figures(self):
        self.client.ask(*["CONSUME user:7"] * 5, *["CONSUME burst:all 3"] * 5)
        # It knows for a second at most.
        harness.wait_until(lambda: "from=denycache" in self.client.ask("CONSUME user:7"),
                           "the deny cache")
        _, also = self.parts("user:7")
        self.assertEqual({fields(figures)["from"] for _, limit, figures in also if limit != "-"},
                         {"redis"})


if __name__ == "__main__":
    harness.main()
