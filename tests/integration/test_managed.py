"""Managed servers refuse CONFIG, INFO, SCRIPT, CLIENT: what needs them is left out,
with one line in the log."""

import subprocess

import harness
from harness import PATIENT, wait_until

REFUSED = "CONFIG", "INFO", "SCRIPT", "CLIENT", "HELLO", "COMMAND", "MONITOR", "DEBUG", "KEYS"

LIMITS = """
[login]
match = login:*
capacity = 2
recharge = 1h

[short]
match = short:*
capacity = 1
recharge = 100ms
"""


class ManagedTest(harness.Case):
    def gate(self, server, **redis):
        return self.daemon(settings={
            "store": {"type": "redis"}, "limits": {"source": "redis"},
            "redis": {"unix_socket_path": server.path, **PATIENT["redis"], **redis}})

    def tool(self, gate, *words, check=True):
        return subprocess.run([harness.DRIPGATE, "-c", gate.config_path, *words], check=check,
                              text=True, capture_output=True).stdout

    def check_works(self, server, gate):
        """Limits are loaded and reloaded, buckets decided and swept, nodes seen."""
        self.tool(gate, "limits", "load", gate.limits_path)
        wait_until(lambda: " limit=login " in gate.ask("consume login:1"), "the limits")
        gate.ask("reset login:1")
        self.assertEqual([gate.ask("consume login:1").split()[0] for _ in range(3)],
                         ["ALLOW", "ALLOW", "DENY"])
        self.assertIn(" from=redis", gate.ask("peek login:2"))
        gate.ask("consume short:1")
        wait_until(lambda: server.ask("EXISTS", "drip:short") == 0, "the sweep")
        wait_until(lambda: "DAEMONS" in self.tool(gate, "nodes", check=False),
                   "a pong within a second")
        self.assertEqual(gate.stats()["fallback"], 0)
        lines = [line for line in gate.log().splitlines() if "are not known" in line]
        self.assertEqual(len(lines), 1, gate.log())
        self.assertIn("its version and maxmemory-policy", lines[0])
        for word in "NOPERM", "unknown command", "replies again":
            self.assertNotIn(word, gate.log().replace(lines[0], ""))

    def check_checks(self, gate):
        """--check --connect finds nothing wrong."""
        done = subprocess.run(
            [harness.DRIPGATED, "-c", gate.config_path, "--check", "--connect"], check=False,
            text=True, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("are not known", done.stderr)
        self.assertRegex(done.stdout, r"\d+ rights")

    def test_a_server_whose_commands_are_renamed(self):
        server = self.redis(*(word for name in REFUSED
                              for word in ("--rename-command", name, "")))
        gate = self.gate(server)
        gate.write_limits(LIMITS)
        self.check_works(server, gate)
        self.check_checks(gate)

    def test_a_user_without_them(self):
        server = self.redis()
        server.ask("ACL", "SETUSER", "tenant", "on", ">secret", "~*", "&*", "+@all",
                   *(f"-{name.lower()}" for name in REFUSED))
        gate = self.gate(server, username="tenant", password="secret")
        gate.write_limits(LIMITS)
        self.check_works(server, gate)
        self.check_checks(gate)


if __name__ == "__main__":
    harness.main()
