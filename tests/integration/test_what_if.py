"""dripgate what-if: recorded demand against other limits, and tail --record."""

import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import xml.etree.ElementTree

import harness
from harness import DRIPGATE, fields, wait_until

NOW = """
[login]
match = login:*
capacity = 5
recharge = 1h

[day]
match = day:*
algorithm = fixed_window
capacity = 7
window = 366d

[pair]
match = pair:*
capacity = 4
recharge = 1h
also = day:$1

[shadow]
match = shadow:*
capacity = 1
recharge = 1h
shadow = yes
"""
TIGHTER = NOW.replace("capacity = 5", "capacity = 3")
HEAD = "dripgate recording 1\n"


class WhatIfTest(harness.Case):
    def path(self, name, text=None):
        path = os.path.join(self.folder, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def tool(self, *words, gate=None):
        config = ("-c", gate.config_path) if gate else ()
        return subprocess.run([DRIPGATE, *config, *words], capture_output=True, text=True,
                              check=False, timeout=harness.PATIENCE)

    def replay(self, text, *words, then=TIGHTER, status=0):
        """What it says of a recording, as JSON, with what it says of the file."""
        done = self.tool("what-if", self.path("then.ini", then), "--demand",
                         self.path("demand", text), "--against", self.path("now.ini", NOW),
                         "--json", *words)
        self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(done.stdout), done.stderr

    def refused(self, text):
        done = self.tool("what-if", self.path("then.ini", TIGHTER), "--demand",
                         self.path("demand", text), "--against", self.path("now.ini", NOW))
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        return done.stderr

    def recorded(self, path):
        """Its lines, but for the first and for one that is not whole yet."""
        with open(path, encoding="utf-8") as file:
            return file.read().split("\n")[1:-1]

    def record(self, gate, name, *words, asks):
        """Have the daemon's decisions on ${asks} recorded; return the path and them."""
        path = self.path(name)
        tail = self.started(harness.Process(self.folder, name + "-tail", [
            DRIPGATE, "-c", gate.config_path, "tail", "--record", path, *words]))

        def has_begun():
            gate.ask("consume shadow:probe")
            return os.path.exists(path) and self.recorded(path)
        wait_until(has_begun, "the feed")
        with gate.connect() as client:
            decisions = [fields(client.ask(line)) for line in asks]
        gate.ask("consume shadow:last 9")
        wait_until(lambda: self.recorded(path)[-1].split()[1] == "9", "the last")
        tail.send(signal.SIGINT)
        self.assertEqual(tail.wait(), 0, tail.log())
        lines = self.recorded(path)
        self.assertIn(f"{len(lines)} requests are in {path}; 0 were too many\n", tail.log())
        return path, decisions, lines

    def test_it_decides_as_the_daemon_did(self):
        gate = self.daemon(NOW, {"workers": {"count": 1}})
        dice = random.Random(7)
        asks = [f"consume {dice.choice(('login', 'day', 'shadow'))}:"
                f"{dice.randrange(5)} {dice.randrange(1, 3)}" for _ in range(300)]
        path, decisions, lines = self.record(gate, "demand", asks=asks)
        denied = sum(one["verdict"] == "DENY" for one in decisions)
        done = self.tool("what-if", self.path("then.ini", TIGHTER), "--demand", path, "--json",
                         gate=gate)
        self.assertEqual(done.returncode, 1, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual((found["requests"], found["denied_now"]), (len(lines), denied))
        self.assertGreater(found["denied"], denied)
        self.assertEqual({one["limit"] for one in found["limits"]},
                         {"login", "day", "pair", "shadow", "-"})
        self.assertTrue(all(one["key"].startswith("login:") for one in found["keys"]))

    def test_requests_for_several_buckets(self):
        gate = self.daemon(NOW)
        dice = random.Random(8)
        asks = [f"{dice.choice(('day', 'pair'))}:{dice.randrange(5)}" for _ in range(200)]
        with gate.connect() as client:
            denied = [client.ask(f"consume {key}").startswith("DENY") for key in asks]
        found, _ = self.replay(HEAD + "".join(f"1 1 {key}\n" for key in asks))
        self.assertEqual(found["denied_now"], sum(denied))
        self.assertGreater(sum(denied), 100)

    def test_time_is_that_of_the_recording(self):
        hour = 3600 * 10 ** 6
        text = HEAD + "".join(f"{i * hour} 1 login:1\n" for i in range(20))
        self.assertEqual(self.replay(text)[0]["denied"], 0)
        text = HEAD + "".join(f"{i * hour // 2} 1 login:1\n" for i in range(20))
        found, _ = self.replay(text, status=1)
        # 20 at two an hour: 3 or 5, and one for each hour that has passed.
        self.assertEqual((found["denied"], found["denied_now"], found["seconds"]),
                         (20 - 3 - 9, 20 - 5 - 9, 19 * 1800))

    def test_what_it_says(self):
        lines = [f"{10 ** 6 * i} 1 login:{i % 2}\n" for i in range(12)] + ["dropped 9\n"]
        done = self.tool("what-if", self.path("then.ini", TIGHTER + "[odd]\nmatch = odd\n"
                                              "capacity = 1\nrecharge = 1s\n"),
                         "--demand", self.path("demand", HEAD + "".join(lines)),
                         "--against", self.path("now.ini", NOW),
                         "--chart", self.path("chart.svg"))
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        rows = [line.split() for line in done.stdout.splitlines() if line]
        self.assertEqual(rows[:2], ["12 requests in 11.0 s; 9 more were not recorded".split(),
                                    "6 denied, 2 by the limits in force".split()])
        self.assertIn(["login", "12", "6", "6", "2"], rows)
        self.assertIn(["odd", "0", "0", "0", "-"], rows)
        self.assertEqual(rows[-2:], [["login:0", "login", "3", "1", "6.0", "s"],
                                     ["login:1", "login", "3", "1", "7.0", "s"]])
        chart = xml.etree.ElementTree.parse(self.path("chart.svg")).getroot()
        self.assertEqual(len(chart.findall("{*}polyline")), 3)

    def test_nobody_loses(self):
        text = HEAD + "1 1 login:1\n" * 6
        found, _ = self.replay(text, then=NOW.replace("capacity = 5", "capacity = 6"))
        self.assertEqual((found["denied"], found["denied_now"], found["keys"]), (0, 1, []))

    def test_keys_that_become_equal(self):
        text = HEAD + "".join(f"1 1 login:2001:db8::{i}\n" for i in range(8))
        found, _ = self.replay(text, then=NOW.replace("capacity = 5", "capacity = 5\n"
                                                      "normalize = ip64"), status=1)
        self.assertEqual((found["denied"], found["denied_now"]), (3, 0))

    def test_bad_recordings(self):
        self.assertIn("demand:1: this is no recording", self.refused(""))
        self.assertIn("demand:1: this is no recording", self.refused("[login]\n"))
        self.assertIn("demand:1: recorded by another version",
                      self.refused("dripgate recording 2\n"))
        for line in ("x 1 a", "1 1", "1 1 ", "-1 1 a", "1 1000000001 a", "1  1 a", "", "1",
                     "99999999999999999999 1 a", "dropped x", "dropped -1"):
            self.assertIn("demand:2: ", self.refused(f"{HEAD}{line}\n1 1 a\n"), line)
        self.assertIn("No such file", self.tool(
            "what-if", self.path("then.ini", NOW), "--against", self.path("now.ini", NOW),
            "--demand", self.path("nothing")).stderr)
        self.assertIn("needs --demand", self.tool("what-if", "x").stderr)

    def test_a_recording_that_is_cut(self):
        found, said = self.replay(HEAD + "1 1 login:1\n1 1 login:")
        self.assertEqual(found["requests"], 1)
        self.assertIn("demand ends within a line, which is left out", said)

    def test_times_that_go_back_do_not(self):
        text = HEAD + "5000000 1 login:1\n" * 3 + "1 1 login:1\n"
        self.assertEqual(self.replay(text, status=1)[0]["seconds"], 0)

    def test_keys_may_be_hashed(self):
        gate = self.daemon(NOW, {"workers": {"count": 1}})
        asks = ["consume login:alice"] * 4 + ["consume login:bob"]
        path, _, lines = self.record(gate, "demand", "--hash-keys", asks=asks)
        self.assertNotIn("alice", "".join(lines))
        keys = [key for key in (line.split()[2] for line in lines) if key.startswith("login:")]
        self.assertEqual([len(set(keys[:4])), len(set(keys))], [1, 2])
        self.assertTrue(all(len(key) == len("login:") + 16 for key in keys))
        done = self.tool("what-if", self.path("then.ini", TIGHTER), "--demand", path, "--json",
                         gate=gate)
        self.assertEqual(json.loads(done.stdout)["denied"], 1)

    def test_files_are_not_replaced_by_accident(self):
        gate = self.daemon(NOW)
        path = self.path("demand", "mine")
        done = self.tool("tail", "--record", path, gate=gate)
        self.assertEqual(done.returncode, 2)
        self.assertIn("exists: use --force", done.stderr)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "mine")
        self.assertIn("--hash-keys is for --record", self.tool("tail", "--hash-keys",
                                                               gate=gate).stderr)

    def test_live(self):
        gate = self.daemon(NOW, {"workers": {"count": 1}})
        over = threading.Event()

        def ask():
            with gate.connect() as client, contextlib.suppress(OSError):
                while not over.wait(0.01):
                    client.ask("consume login:1")

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            done = self.tool("what-if", self.path("then.ini", TIGHTER), "--live", "2s",
                             "--demand", self.path("kept"), "--json", gate=gate)
        finally:
            over.set()
            thread.join()
        self.assertEqual(done.returncode, 1, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual(found["denied"] - found["denied_now"], 2)
        self.assertGreater(found["requests"], 20)
        again = self.tool("what-if", self.path("then.ini", TIGHTER), "--demand",
                          self.path("kept"), "--json", gate=gate)
        self.assertEqual(json.loads(again.stdout), found)


if __name__ == "__main__":
    harness.main()
