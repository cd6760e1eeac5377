"""dripgate --json: what each command prints for programs."""

import json
import os
import signal
import subprocess

import harness
from harness import PATIENT
from test_tool import COMMANDS, DIFFERENT, FILE, FINE, ToolCase

YAML = """
domain: web
descriptors:
  - key: path
    rate_limit: {unit: minute, requests_per_unit: 5}
"""

# Those that go on, or print a line for each of several.
LINES = {"limits test", "tail", "watch"}


class JsonTest(ToolCase):
    def setUp(self):
        super().setUp()
        self.server = self.redis()
        self.file = self.write("limits.ini", FILE)
        self.gate = self.redis_daemon(self.server, FILE, PATIENT)

    def json(self, *words, status=FINE):
        """What a command prints: one line."""
        text = self.tool(self.gate, *words, "--json", status=status)
        self.assertEqual(text.count("\n"), 1, text)
        return json.loads(text)

    def test_every_command_prints_json(self):
        self.tool(self.gate, "limits", "load", self.file)
        self.tool(self.gate, "limits", "load", self.file)
        files = {"FILE": self.file, "DEMAND": self.write("demand", "dripgate recording 1\n"),
                 "YAML": self.write("envoy.yaml", YAML)}
        for command, arguments in COMMANDS.items():
            if command in LINES | {"hash", "nodes"}:
                continue
            with self.subTest(command):
                words = [files.get(word, word) for word in arguments]
                result = self.run_tool("-c", self.gate.config_path, *command.split(), *words, "-j")
                self.assertIn(result.returncode, (FINE, DIFFERENT), result)
                self.assertEqual(result.stderr, "")
                self.assertIsInstance(json.loads(result.stdout), (dict, list))

    def test_one_daemon(self):
        self.assertEqual(self.json("ping"), {"responds": True, "from": "redis"})
        self.assertEqual(self.json("ping", "--alive"), {"responds": True})
        self.assertEqual(self.json("reset", "login:1"), {"reset": True})

    def test_a_ping_while_decisions_come_from_fallback(self):
        gate = self.redis_daemon(self.server, FILE, {"redis": {"socket_timeout": "50ms"}})
        self.server.kill()
        harness.wait_until(lambda: gate.ask("READY") == "READY fallback", "the outage")
        text = self.tool(gate, "ping", "--json", status=DIFFERENT)
        self.assertEqual(json.loads(text), {"responds": True, "from": "fallback"})

    def test_limits(self):
        self.assertEqual(self.json("limits", "check", self.file),
                         {"file": self.file, "limits": 3, "routes": 0})
        self.assertEqual(self.json("limits", "load", self.file), {
            "key": "limits", "limits": 3, "number": 1,
            "reload": {"message": "reload", "channel": "control", "heard_by": 0}})
        self.assertEqual(self.json("limits", "load", self.file, "--no-reload"),
                         {"key": "limits", "limits": 3, "number": 2, "reload": None})
        self.assertEqual(self.json("limits", "load", self.file, "--dry-run"),
                         {"removed": [], "added": []})
        limits = self.json("limits", "dump")
        self.assertEqual([limit["name"] for limit in limits], ["login", "api", "mail"])
        self.assertEqual(limits, self.json("limits", "list", "--redis"))
        path = os.path.join(self.folder, "dump.json")
        self.tool(self.gate, "limits", "dump", path, "--json", stdout="")
        with open(path, encoding="utf-8") as file:
            self.assertEqual(json.load(file), limits)

    def test_the_control_channel(self):
        self.assertEqual(self.json("reload", "--spread", "30"), {
            "message": "reload:spread:30", "channel": "control", "heard_by": 0})
        self.assertEqual(self.json("command", "say", 'a "word"'), {
            "message": 'say:a "word"', "channel": "control", "heard_by": 0})
        listener = self.started(harness.Process(self.folder, "listener", [
            harness.DRIPGATE, "-c", self.gate.config_path, "command", "x", "y",
            "--listen", "control", "--json"]))
        harness.wait_until(lambda: listener.log().endswith("\n"), "the message")
        listener.send(signal.SIGINT)
        self.assertEqual(listener.wait(), 0)
        self.assertEqual(json.loads(listener.log()), {"message": "x:y"})
        text = self.tool(self.gate, "command", "x", "y", "--listen", "none", "--json",
                         "--timeout", "1")
        self.assertEqual(text, "")

    def test_the_topology(self):
        for i in range(3):
            self.gate.ask(f"consume login:{i}")
        self.assertEqual(self.json("topology", "plan", "partitions=4"), {
            "from": {"partitions": 1}, "to": {"partitions": 4},
            "limits": [{"limit": "login", "buckets": 3, "lost": 3}], "buckets": 3, "lost": 3})
        self.assertEqual(self.json("topology", "set", "partitions=4"),
                         {"from": {"partitions": 1}, "to": {"partitions": 4}})
        self.assertEqual(self.json("topology", "show"), {"partitions": 4, "stands": True})
        self.assertEqual(self.gate.stop(), 0)
        self.server.ask("DEL", "drip:topology")
        self.assertEqual(self.json("topology", "show"), {"partitions": 1, "stands": False})

    def test_the_users_of_redis(self):
        users = self.json("acl")
        lines = self.run_tool("-c", self.gate.config_path, "acl").stdout.splitlines()
        self.assertEqual(len(users), len(lines))
        for user, line in zip(users, lines):
            self.assertIn(user["user"], line)
            self.assertIn(user["server"], self.run_tool("-c", self.gate.config_path, "acl").stderr)
            self.assertTrue(user["rights"])
            for right in user["rights"]:
                self.assertIn(right, line)
            self.assertIs(user["password"], ">PASSWORD" in line)

    def test_a_hash_of_a_secret(self):
        done = subprocess.run([harness.DRIPGATE, "hash", "--json"], input="sesame\n", text=True,
                              capture_output=True, check=True, timeout=harness.PATIENCE)
        self.assertEqual(list(json.loads(done.stdout)), ["secret"])
        self.assertNotIn("sesame", done.stdout)

    def test_the_commands_themselves(self):
        commands = self.json("help")
        self.assertEqual({command["command"] for command in commands}, set(COMMANDS))
        load = self.json("help", "limits", "load")
        self.assertIn(load, commands)
        self.assertEqual(self.json("limits", "load", "--help"), load)
        self.assertIn({"name": "spread", "argument": "TIME", "help":
                       "reload at random within TIME: 60, 60s, 5m"}, load["options"])
        self.assertEqual([each["command"] for each in self.json("help", "topology")],
                         ["topology show", "topology plan", "topology set"])


if __name__ == "__main__":
    harness.main()
