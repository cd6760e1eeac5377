"""The users that README.md gives a daemon and an operator can do all that they have
to; and, with any one permission less, not."""

import os
import subprocess
import time

import harness
from harness import PATIENT, rights_in_readme, wait_until


def member(capacity):
    """Short enough to be swept soon."""
    return f"probe match=* capacity={capacity} recharge=1s"


class AclTest(harness.Case):
    def setUp(self):
        super().setUp()
        self.permissions, _, _ = rights_in_readme()
        self.assertGreater(len(self.permissions), 20)
        self.server = self.redis(
            "--databases", "100", "--acllog-max-len", "10000")

    def start(self, user, database, allowed):
        """A daemon that is that user, with everything in a database of its own."""
        self.server.ask("ACL", "SETUSER", user, "on", ">secret", "resetchannels", *allowed)
        self.ask(database, "ZADD", "limits", 1, member(5))
        return self.redis_daemon(self.server, settings={
            "limits": {"source": "redis"}, "control": {"poll": "2s"},
            "redis": {"username": user, "password": "secret", "db": database,
                      **PATIENT["redis"]}})

    def ask(self, database, *words):
        with self.server.connect() as link:
            link.ask("SELECT", database)
            return link.ask(*words)

    def put(self, databases, *members):
        for database in databases:
            self.ask(database, "DEL", "limits")
            for text in members:
                self.ask(database, "ZADD", "limits", 1, text)
        self.server.ask("PUBLISH", "control", "reload:immediate")

    def denied(self):
        """{user: what it was denied}"""
        denied = {}
        for entry in self.server.ask("ACL", "LOG", 10000):
            entry = dict(zip(entry[::2], entry[1::2]))
            denied.setdefault(entry[b"username"].decode(), set()).add(
                entry[b"object"].decode())
        return denied

    def exercise(self, daemons):
        """All that daemons do, but what comes by itself with the time."""
        for daemon in daemons:
            daemon.ask("CONSUME x 3", "CONSUME x -3", "CONSUME y")
        self.put(range(len(daemons)), "x match=x")
        wait_until(lambda: all("not reloaded" in d.log() or self.is_stuck(d)
                               for d in daemons), "the complaints")
        self.put(range(len(daemons)), member(6))

    @staticmethod
    def is_stuck(daemon):
        return "no limits from Redis" in daemon.log() or "NOPERM" in daemon.log()

    def test_a_daemon_needs_all_of_it_and_nothing_else(self):
        users = [("all", self.permissions)] + [
            (f"without{i}", [p for p in self.permissions if p != left_out])
            for i, left_out in enumerate(self.permissions)]
        daemons = [self.start(user, i, allowed) for i, (user, allowed) in enumerate(users)]
        self.exercise(daemons)
        # A sweep comes within 15 s, a PING within 5.
        wait_until(lambda: self.ask(0, "EXISTS", "drip:probe:sweep"), "a sweep")
        wait_until(lambda: len(self.denied()) == len(self.permissions) or
                   time.sleep(0.1), "each to be denied something")
        denied = self.denied()
        self.assertNotIn("all", denied)
        for i, left_out in enumerate(self.permissions):
            with self.subTest(left_out):
                what = left_out.lstrip("+~&%RW").lstrip("~").rstrip("*")
                self.assertTrue(all(what in text for text in denied[f"without{i}"]),
                                denied[f"without{i}"])

    def test_it_is_enough(self):
        daemon = self.start("all", 0, self.permissions)
        self.assertRegex(daemon.ask("CONSUME x"), "^ALLOW limit=probe .* from=redis")
        self.put([0], "x match=x")
        wait_until(lambda: self.ask(0, "SMEMBERS", "errors"), "the complaint")
        self.put([0], member(7))
        wait_until(lambda: not self.ask(0, "SMEMBERS", "errors"), "it to be taken back")
        self.assertIn(" capacity=7 ", daemon.ask("PEEK x"))
        self.assertEqual(self.ask(0, "HLEN", "limits:fleet"), 1)
        self.assertNotIn("NOPERM", daemon.log())


# What an operator does in Redis, and what it exits with.
COMMANDS = (
    (["limits", "load", os.path.join(harness.ROOT, "conf", "limits.ini")], 0),
    (["limits", "list"], 0), (["reload"], 0), (["fleet"], 0), (["nodes", "--wait", "1ms"], 1))


class OperatorTest(harness.Case):
    def run_all(self, server, allowed):
        """What all commands exit with, as a user with these permissions."""
        server.ask("ACL", "SETUSER", "operator", "reset", "on", ">secret",
                   "resetchannels", *allowed)
        server.ask("HSET", "limits:fleet", "long-gone", "- 1 1 1")
        path = os.path.join(self.folder, "operator.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[redis]\nunix_socket_path = {server.path}\n"
                       "username = operator\npassword = secret\n")
        return [subprocess.run([harness.DRIPGATE, "-c", path, *words], check=False,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               timeout=harness.PATIENCE).returncode
                for words, _ in COMMANDS]

    def test_an_operator_needs_all_of_it_and_nothing_else(self):
        server = self.redis()
        allowed, = rights_in_readme("operator")
        self.assertGreater(len(allowed), 10)
        fine = [status for _, status in COMMANDS]
        self.assertEqual(self.run_all(server, allowed), fine)
        for left_out in allowed:
            if left_out != "+select":  # for another database
                less = [p for p in allowed if p != left_out]
                self.assertNotEqual(self.run_all(server, less), fine, left_out)


if __name__ == "__main__":
    harness.main()
