"""The users that dripgate acl prints can do all that they have to; and, with any
one right less, not."""

import os
import subprocess
import time

import harness
from harness import PATIENT, redis_users, wait_until

BUCKETS = "[store]\ntype = redis\n"
LIMITS = "[limits]\nsource = redis\n"
OTHER_DATABASE = "[redis]\ndb = 1\n"


def member(capacity):
    """Short enough to be swept soon."""
    return f"probe match=* capacity={capacity} recharge=1s"


class RightsCase(harness.Case):
    """Daemons, each with everything in a database of its own, and as a user of
    its own: one with all rights, and one without each."""

    def setUp(self):
        super().setUp()
        self.server = self.redis(
            "--databases", "100", "--acllog-max-len", "10000")

    def rights(self, settings):
        """Of the daemon."""
        (user, password, rights), *_ = redis_users(self.folder, settings)
        self.assertEqual((user, password), ("dripgate", ">PASSWORD"))
        return rights

    def ask(self, database, *words):
        with self.server.connect() as link:
            link.ask("SELECT", database)
            return link.ask(*words)

    def start(self, user, database, rights, store):
        self.server.ask("ACL", "SETUSER", user, "reset", "on", ">secret", "resetchannels",
                        *rights)
        self.ask(database, "ZADD", "limits", 1, member(5))
        self.ask(database, "HSET", "limits:overrides", "none", "deny 9999999999 x\nx")
        return self.daemon(settings={
            "store": {"type": store},
            "limits": {"source": "redis"}, "control": {"poll": "2s"},
            "redis": {"unix_socket_path": self.server.path, "username": user,
                      "password": "secret", "db": database, **PATIENT["redis"]}})

    def put(self, databases, *members):
        with self.server.connect() as link:
            for database in databases:
                link.ask("SELECT", database)
                link.ask("MULTI")  # or a poll finds none
                link.ask("DEL", "limits")
                for text in members:
                    link.ask("ZADD", "limits", 1, text)
                link.ask("EXEC")
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
            self.server.ask("SCRIPT", "FLUSH")
            daemon.ask("CONSUME x 3", "CONSUME x -3", "CONSUME y")
        self.put(range(len(daemons)), "x match=x")
        # Or it lacked its right before.
        wait_until(lambda: all("not reloaded" in d.log() or "NOPERM" in d.log()
                               for d in daemons), "the complaints")
        self.server.ask("PUBLISH", "control", "ping:dripgate-test:x")
        self.put(range(len(daemons)), member(6))

    def check_each_is_needed(self, rights, store):
        self.assertGreater(len(rights), 15)
        users = [("all", rights)] + [
            (f"without{i}", [right for right in rights if right != left_out])
            for i, left_out in enumerate(rights)]
        daemons = [self.start(user, i, allowed, store)
                   for i, (user, allowed) in enumerate(users)]
        self.exercise(daemons)
        # A sweep comes within 15 s, a PING within 5, a poll within 3; and each
        # time the script is missing.
        if store == "redis":
            wait_until(lambda: self.ask(0, "EXISTS", "drip:probe:sweep"), "a sweep")
        at_the_end = rights[-1:] if store == "memory" else []
        wait_until(lambda: self.server.ask("SCRIPT", "FLUSH") and
                   len(self.denied()) == len(rights) - len(at_the_end) or
                   time.sleep(0.1), f"each to be denied something: {rights}")
        for daemon in daemons:
            daemon.stop()
        denied = self.denied()
        self.assertNotIn("all", denied)
        for i, left_out in enumerate(rights):
            with self.subTest(left_out):
                what = left_out.lstrip("+~&%RW").lstrip("~").rstrip("*")
                self.assertTrue(all(what in text for text in denied[f"without{i}"]),
                                denied[f"without{i}"])


class DaemonTest(RightsCase):
    def test_with_buckets_and_limits_it_needs_all_of_it_and_nothing_else(self):
        self.check_each_is_needed(self.rights(BUCKETS + LIMITS + OTHER_DATABASE), "redis")

    def test_with_limits_alone_it_needs_all_of_it_and_nothing_else(self):
        rights = self.rights(LIMITS + OTHER_DATABASE)
        # It leaves the fleet when it ends; the others have ended by then.
        self.check_each_is_needed([r for r in rights if r != "+hdel"] + ["+hdel"], "memory")

    def test_it_is_enough(self):
        daemon = self.start("all", 0, self.rights(BUCKETS + LIMITS), "redis")
        self.assertRegex(daemon.ask("CONSUME x"), "^ALLOW limit=probe .* from=redis")
        self.put([0], "x match=x")
        wait_until(lambda: self.ask(0, "SMEMBERS", "errors"), "the complaint")
        self.put([0], member(7))
        wait_until(lambda: not self.ask(0, "SMEMBERS", "errors"), "it to be taken back")
        self.assertIn(" capacity=7 ", daemon.ask("PEEK x"))
        wait_until(lambda: self.ask(0, "HLEN", "limits:fleet") == 1, "its row")
        self.assertNotIn("NOPERM", daemon.log())
        self.assertEqual(daemon.stop(), 0)
        wait_until(lambda: self.ask(0, "HLEN", "limits:fleet") == 0, "its row to be gone")
        self.assertEqual(self.denied(), {})

    def test_buckets_alone_need_no_rights_of_limits(self):
        (_, _, rights), *others = redis_users(self.folder, BUCKETS)
        self.assertEqual(others, [])
        both = self.rights(BUCKETS + LIMITS)
        self.assertTrue(set(rights) < set(both))
        self.server.ask("ACL", "SETUSER", "gate", "reset", "on", ">secret",
                        "resetchannels", *rights)
        daemon = self.redis_daemon(self.server, settings={
            "redis": {**PATIENT["redis"], "username": "gate", "password": "secret"}})
        self.assertIn("from=redis", daemon.ask("CONSUME login:1"))
        self.assertEqual(self.denied(), {})


class LinesTest(harness.Case):
    """What is printed, as text."""

    def run_acl(self, settings, **options):
        path = os.path.join(self.folder, "settings.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(settings)
        return subprocess.run([harness.DRIPGATE, "-c", path, "acl"], check=False,
                              capture_output=True, text=True, **options)

    def test_the_lines_can_be_pasted(self):
        server = self.redis()
        odd = "p*[x]?\\'\"é$HOME:"
        text = self.run_acl(f"""
{BUCKETS}
prefix = '{odd.replace("'", "''")}'
{LIMITS}
[redis]
username = gate
[control]
channel = "my channel"
""").stdout
        self.assertEqual(len(text.splitlines()), 2)
        pasted = subprocess.run(["redis-cli", "-s", server.path], input=text, text=True,
                                check=True, capture_output=True).stdout
        self.assertEqual(pasted.split(), ["OK", "OK"])
        with server.connect() as link:
            self.assertEqual(link.ask("AUTH", "gate", ""), "OK")
            for key, there in ((odd + "login", True), ("pa[x]?login", False),
                               ("p*x?login", False), ("limits", False)):
                with self.subTest(key):
                    if there:
                        link.ask("HSET", key, "field", 1)
                    else:
                        with self.assertRaisesRegex(harness.RedisError, "NOPERM"):
                            link.ask("HSET", key, "field", 1)
            self.assertEqual(link.ask("PUBLISH", "my channel", "x"), 0)
        with server.connect() as link:
            self.assertEqual(link.ask("AUTH", "operator", "PASSWORD"), "OK")

    def test_a_shell_reads_the_same(self):
        text = self.run_acl(BUCKETS + "prefix = '$HOME;`id`*:'\n").stdout
        words = subprocess.run(["sh", "-c", f"printf '%s\\n' {text.strip()}"], check=True,
                               capture_output=True, text=True).stdout.splitlines()
        self.assertIn("~$HOME;`id`\\*:*", words)
        self.assertIn(">PASSWORD", words)

    def test_the_secret_is_not_shown(self):
        result = self.run_acl(BUCKETS + "[redis]\nusername = gate\npassword = sesame\n")
        self.assertTrue(result.stdout.startswith(
            "ACL SETUSER gate reset on '>PASSWORD' resetchannels '~drip:*' "), result.stdout)
        self.assertNotIn("sesame", result.stdout + result.stderr)

    def test_a_user_without_a_password_has_none(self):
        result = self.run_acl(BUCKETS + "[redis]\nusername = gate\n")
        self.assertTrue(result.stdout.startswith("ACL SETUSER gate reset on nopass "))

    def test_servers_have_their_own_lines(self):
        result = self.run_acl(BUCKETS + LIMITS + """
[control]
host = elsewhere
[master]
host = elsewhere
[slave:a]
host = east
[slave:b]
host = west
""")
        self.assertEqual(result.stderr.split("\n"), [
            "; at 127.0.0.1:6379:", "; at elsewhere:6379:", "; at east:6379:",
            "; at west:6379:", "; at elsewhere:6379:", ""])
        self.assertEqual([line.split()[2] for line in result.stdout.splitlines()],
                         ["dripgate"] * 4 + ["operator"])

    def test_nothing_in_redis_needs_no_user(self):
        result = self.run_acl("")
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("these settings have nothing in Redis", result.stderr)


# What an operator does in Redis, and what it exits with.
COMMANDS = (
    (["limits", "load", os.path.join(harness.ROOT, "conf", "limits.ini")], 0),
    (["limits", "log"], 0), (["limits", "rollback", "1"], 0),
    (["limits", "list", "--redis"], 0), (["reload"], 0), (["fleet"], 0),
    (["override", "set", "x", "deny", "--for", "1h", "--reason", "x"], 0),
    (["override", "set", "y", "deny", "--for", "1h", "--reason", "x"], 0),
    (["override", "remove", "x"], 0), (["nodes", "--wait", "1ms"], 1))


class OperatorTest(harness.Case):
    def run_all(self, server, rights):
        """What all commands exit with, as a user with these rights."""
        server.ask("ACL", "SETUSER", "operator", "reset", "on", ">secret",
                   "resetchannels", *rights)
        with server.connect() as link:
            link.ask("SELECT", 1)
            link.ask("HSET", "limits:fleet", "long-gone", "- 1 1 1")
        path = os.path.join(self.folder, "operator.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[redis]\nunix_socket_path = {server.path}\ndb = 1\n"
                       "username = operator\npassword = secret\n")
        return [subprocess.run([harness.DRIPGATE, "-c", path, *words], check=False,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               timeout=harness.PATIENCE).returncode
                for words, _ in COMMANDS]

    def test_an_operator_needs_all_of_it_and_nothing_else(self):
        server = self.redis()
        name, _, rights = redis_users(self.folder, LIMITS + OTHER_DATABASE)[-1]
        self.assertEqual(name, "operator")
        self.assertGreater(len(rights), 10)
        fine = [status for _, status in COMMANDS]
        self.assertEqual(self.run_all(server, rights), fine)
        for left_out in rights:
            with self.subTest(left_out):
                less = [right for right in rights if right != left_out]
                self.assertNotEqual(self.run_all(server, less), fine)


class PlannerTest(harness.Case):
    """An operator who changes the topology."""

    COMMANDS = ["show"], ["plan", "partitions=8"], ["set", "partitions=8"]

    def run_all(self, server, rights):
        """Whether all commands work, as a user with these rights."""
        with server.connect() as link:
            link.ask("ACL", "SETUSER", "operator", "reset", "on", ">secret", "resetchannels",
                     *rights)
            link.ask("SELECT", 1)
            link.ask("SET", "drip:topology", "partitions=4")
            for i in range(4):
                link.ask("HSET", f"drip:{{{i}}}:login", *sum(
                    ([f"login:{n}", "1"] for n in range(10)), []))
        path = os.path.join(self.folder, "planner.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(BUCKETS + f"[redis]\nunix_socket_path = {server.path}\ndb = 1\n"
                       "username = operator\npassword = secret\n")
        return all(subprocess.run(
            [harness.DRIPGATE, "-c", path, "topology", *words], check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
                   for words in self.COMMANDS)

    def test_an_operator_needs_all_of_it_and_nothing_else(self):
        server = self.redis()
        name, _, rights = redis_users(
            self.folder, BUCKETS + OTHER_DATABASE + "partitions = 4\n")[-1]
        self.assertEqual(name, "operator")
        self.assertTrue(self.run_all(server, rights))
        for left_out in rights:
            with self.subTest(left_out):
                self.assertFalse(self.run_all(
                    server, [right for right in rights if right != left_out]))


if __name__ == "__main__":
    harness.main()
