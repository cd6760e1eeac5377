"""Passwords in files of their own, which change while the daemon runs."""

import os
import subprocess

import harness
from harness import PATIENT, wait_until

# Each printable byte, those that a settings file or a shell reads in its own way too.
EVERY_BYTE = "".join(map(chr, range(0x20, 0x7f)))

LIMITS = """
[login]
match = login:*
capacity = 100000
recharge = 1h
"""


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.folder, "password")
        self.server = self.redis()

    def write(self, text, end="\n"):
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write(text + end)
        os.rename(self.path + ".new", self.path)

    def change(self, password):
        """The server's; all connections of before end."""
        with self.server.connect() as link:
            if self.password:
                link.ask("AUTH", self.password)
            link.ask("CONFIG", "SET", "requirepass", password)
            self.password = password
            link.ask("CLIENT", "KILL", "TYPE", "normal")
            link.ask("CLIENT", "KILL", "TYPE", "pubsub")

    password = ""

    def gate(self, limits=None, **redis):
        return self.daemon(LIMITS, {
            "store": {"type": "redis"}, "limits": limits or {},
            "redis": {"unix_socket_path": self.server.path, "password_file": self.path,
                      **PATIENT["redis"], **redis}})

    def decides(self, gate):
        return " from=redis" in gate.ask("consume login:1")


class PasswordFileTest(Case):
    def check_password(self, password, end="\n"):
        self.change(password)
        self.write(password, end)
        gate = self.gate()
        self.assertTrue(self.decides(gate), gate.log())
        self.assertNotIn(password, gate.log())
        gate.stop()

    def test_every_printable_byte(self):
        self.check_password(EVERY_BYTE[1:] + " x")

    def test_four_kilobytes(self):
        self.check_password("p" * 4096, end="")

    def test_what_it_may_be_is_one_line(self):
        self.change("secret")
        for text, reason in (("p" * 4097, "at most 4096"), ("a\nb", "one line")):
            self.write(text)
            gate = self.daemon(settings={
                "store": {"type": "redis"},
                "redis": {"password_file": self.path}}, wait=False)
            self.assertEqual(gate.wait(), 1)
            self.assertIn(reason, gate.log())

    def test_a_path_starts_at_the_folder_of_the_settings(self):
        self.change("secret")
        self.write("secret")
        gate = self.gate(password_file=os.path.basename(self.path))
        self.assertTrue(self.decides(gate))

    def test_the_tool_reads_it_too(self):
        self.change(EVERY_BYTE[1:])
        self.write(EVERY_BYTE[1:])
        gate = self.gate({"source": "redis"})
        said = subprocess.run(
            [harness.DRIPGATE, "-c", gate.config_path, "limits", "load", gate.limits_path],
            check=True, text=True, capture_output=True).stdout
        self.assertIn("1 limit", said)
        wait_until(lambda: self.decides(gate), "the limits")


class RotationTest(Case):
    """The server's password changes under a live daemon, and the file does."""

    def setUp(self):
        super().setUp()
        self.change("first")
        self.write("first")

    def test_the_server_changes_first(self):
        gate = self.gate()
        self.change("second")
        wait_until(lambda: "takes another username or password" in gate.log(), "the refusal")
        self.write("second")
        wait_until(lambda: self.decides(gate), "the new password")
        wait_until(lambda: "read a new password" in gate.log(), "the log")
        self.assertNotIn("second", gate.log())

    def test_the_file_changes_first(self):
        gate = self.gate()
        self.write("second")
        self.assertTrue(self.decides(gate))
        self.change("second")
        wait_until(lambda: self.decides(gate), "the new password")

    def test_a_reload_reads_it(self):
        gate = self.gate()
        self.write("second")
        gate.reload()
        self.change("second")
        wait_until(lambda: self.decides(gate), "the new password")
        self.assertNotIn("takes another", gate.log())

    def test_limits_follow(self):
        gate = self.gate({"source": "redis"})
        self.change("second")
        self.write("second")
        with self.server.connect() as link:
            link.ask("AUTH", "second")
            link.ask("ZADD", "limits", 1, "login match=login:* capacity=9 recharge=1h")
        wait_until(lambda: "1 in force" in gate.log(), "the limits")

    def test_a_file_that_is_missing_changes_nothing(self):
        gate = self.gate()
        os.unlink(self.path)
        self.change("second")
        wait_until(lambda: "the previous password stays in use" in gate.log(), "the warning")
        self.change("first")
        wait_until(lambda: self.decides(gate), "the first password")
        self.assertIn("settings not reloaded", gate.reload())
        self.assertTrue(self.decides(gate))


if __name__ == "__main__":
    harness.main()
