#!/usr/bin/env python3
"""The dripgate command, and daemons and a Redis that say what ours do not say."""

import os
import socket
import subprocess
import tempfile
import threading
import unittest

import harness
from fake_redis import array, bulk

FINE, DIFFERENT, ERROR = 0, 1, 2

# What a daemon says to a request that starts like this; None: nothing, and it closes.
ANY = ""

DAY = 86400


class FakeDaemon:
    """One that has its responses from a table."""

    def __init__(self, path, responses):
        self.responses = responses
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, client.makefile("rb") as file:
                self.serve(client, file)

    def serve(self, client, file):
        for line in file:
            request = line.decode()
            response = next(said for start, said in self.responses.items()
                            if request.startswith(start))
            try:
                client.sendall((response or "").encode())
            except OSError:
                return
            if not response or not response.endswith("\n"):
                return

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


class StrangeDaemonTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, responses, name="gate.sock"):
        daemon = FakeDaemon(self.path(name), responses)
        self.addCleanup(daemon.stop)

    def tool(self, *words, status=FINE, at="gate.sock"):
        """What it prints, of both kinds."""
        socket_words = ["--socket", self.path(at)] if at else []
        done = subprocess.run(
            [harness.DRIPGATE, *words, *socket_words], capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=60, check=False, cwd=self.folder,
            env={**os.environ, "TZ": "UTC"})
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def check(self, response, *words, said, status=ERROR):
        """To all requests the response is the same."""
        self.start({ANY: response})
        self.assertIn(said, self.tool(*words, status=status))


def table(name, *rows):
    """A test for each row: the response, the command, what it says, its exit status."""
    def add(cls):
        for number, (response, words, said, status) in enumerate(rows):
            def test(self, response=response, words=words, said=said, status=status):
                self.check(response, *words.split(), said=said, status=status)
            setattr(cls, f"test_{name}_{number}", test)
        return cls
    return add


STATUS = ("daemon version=9 uptime={up} ready=yes state={state}\n"
          "limits count=2 digest=0123456789 age={up} \n"
          "refused age={up} text=limits.ini is wrong\n"
          "server up=no since={up} calls=1 errors=2 reconnects=3 name=redis:1\n"
          "END\n")


@table("status",
       (STATUS.format(up=59, state="redis"), "status", "for 59 s: Redis decides", DIFFERENT),
       (STATUS.format(up=3599, state="memory"), "status", "for 59 min: ", DIFFERENT),
       (STATUS.format(up=3600, state="odd"), "status", "for 1 h 0 min: odd", DIFFERENT),
       (STATUS.format(up=DAY - 1, state="odd"), "status", "for 23 h 59 min: ", DIFFERENT),
       (STATUS.format(up=3 * DAY, state="odd"), "status", "for 3 d 0 h: ", DIFFERENT),
       ("ERR noauth log in first\n", "status", "log in first", ERROR),
       ("", "status", "gate.sock", ERROR))
@table("watch",
       ("ERR forbidden LIMITS is not for you\n", "watch", "LIMITS is not for you", ERROR),
       ("", "watch", "is dripgated running there?", ERROR),
       ("login match=login:* capacity=5 rate=1/s\nEND\n", "watch",
        "does not count by limit", ERROR),
       ("login match=login:*", "watch", "is dripgated running there?", ERROR),
       ("END\n", "watch --count 1", "LIMIT", FINE))
@table("tail",
       ("ERR forbidden MONITOR is not for you\n", "tail", "MONITOR is not for you", ERROR),
       ("", "tail", "gate.sock", ERROR),
       ("OK\nDROPPED 7\nEND", "tail", "... 7 decisions were too many", ERROR),
       ("OK\nnonsense\nDENY limit=a at=1.5 key=a b\n", "tail --count 1",
        "DENY  a b limit=a", FINE),
       ("OK\nDENY limit=a key=a\x1b[m\n", "tail --count 1", "a\\x1b[m limit=a", FINE),
       ("OK\nDROPPED 7\nALLOW limit=a at=1.5 key=a\n", "tail --json --count 1",
        '"key":"a","allowed":true', FINE),
       ("OK\nDROPPED 7\nALLOW at=1.5 amount=2 key=a b\n",
        "tail --record recorded --count 1", "", FINE),
       ("OK\nALLOW limit=a key=a\n", "tail --record recorded", "it is older", ERROR),
       ("OK\nALLOW at=1 key=a\n", "tail --record recorded", "it is older", ERROR),
       ("OK\nALLOW at=1 amount=1\n", "tail --record recorded", "it is older", ERROR),
       ("OK\nALLOW at=x amount=1 key=a\n", "tail --record recorded", "it is older", ERROR),
       ("OK\nALLOW at=1 amount=x key=a\n", "tail --record recorded", "it is older", ERROR),
       ("OK\nDROPPED x\n", "tail --record recorded", "it is older", ERROR),
       ("OK\n", "tail --record nowhere/recorded", "nowhere/recorded", ERROR))
@table("response",
       ("", "peek a", "gate.sock", ERROR),
       ("ERR badkey no\n", "peek a", "no", ERROR),
       ("nonsense\n", "peek a", "nonsense", ERROR),
       ("ALLOW", "peek a", "gate.sock", ERROR),
       ("x" * 70000 + "\n", "peek a", "gate.sock", ERROR),
       ("", "top", "gate.sock", ERROR),
       ("ERR forbidden no\n", "top", "no", ERROR),
       ("", "explain a", "gate.sock", ERROR),
       ("ERR badkey no\n", "explain a", "no", ERROR),
       ("ERR badkey no\n", "why a", "no", ERROR),
       ("", "why a", "gate.sock", ERROR),
       ("", "stats", "gate.sock", ERROR),
       ("ERR forbidden no\n", "cache stats", "no", ERROR),
       ("", "cache stats", "gate.sock", ERROR),
       ("", "cache purge up", "gate.sock", ERROR),
       ("ERR forbidden no\n", "cache purge up", "no", ERROR),
       ("ERR forbidden no\n", "ping", "no", ERROR),
       ("NO\n", "ping", "NO", ERROR),
       ("ERR forbidden no\n", "limits list", "no", ERROR),
       ("", "limits list", "gate.sock", ERROR))
class RowsTest(StrangeDaemonTest):
    pass


class ManyTest(StrangeDaemonTest):
    def test_login_that_is_refused_is_said(self):
        with open(self.path("secret"), "w", encoding="utf-8") as file:
            file.write("secret\n")
        os.chmod(self.path("secret"), 0o600)
        self.start({"AUTH": "ERR wrongpass no\n", ANY: "PONG\n"})
        said = self.tool("ping", "--user", "me", "--secret-file", "secret", status=ERROR)
        self.assertIn("not logged in: ERR wrongpass no", said)
        self.start({"AUTH": "", ANY: "PONG\n"}, "closing.sock")
        said = self.tool("ping", "--user", "me", "--secret-file", "secret", status=ERROR,
                         at="closing.sock")
        self.assertIn("not logged in: ", said)

    def test_nodes_that_are_away_are_said_and_others_are_watched(self):
        limits = ("login capacity=5 rate=1/s allowed={0} denied=0 match=login:*\n"
                  "END\n")
        self.start({ANY: limits.format(1)}, "one.sock")
        self.start({ANY: limits.format(2)}, "two.sock")
        nodes = ",".join(self.path(name) for name in ("one.sock", "two.sock", "none.sock"))
        said = self.tool("watch", "--nodes", nodes, "--count", "2", at=None)
        self.assertIn("none.sock", said)
        self.assertEqual(said.count("login "), 2, said)

    def test_words_of_nodes_that_cannot_be(self):
        nodes = ",".join(self.path(str(i)) for i in range(300))
        for words, reason in (
                (("--nodes", " , "), "--nodes: no address"),
                (("--nodes", nodes), "--nodes: more than"),
                (("--nodes", "a", "--socket", "b"), "--nodes or --socket, not both")):
            self.assertIn(reason, self.tool("watch", *words, status=ERROR, at=None))

    def test_record_is_not_written_over(self):
        self.start({ANY: "OK\nALLOW at=1 amount=1 key=a\n"})
        self.tool("tail", "--record", "recorded", "--count", "1")
        said = self.tool("tail", "--record", "recorded", "--count", "1", status=ERROR)
        self.assertIn("recorded", said)
        self.tool("tail", "--record", "recorded", "--count", "1", "--force")


class FakeServer(FakeDaemon):
    """A Redis that has one reply to whatever comes behind the greeting."""

    def serve(self, client, file):
        while line := file.readline():
            words = [file.read(int(file.readline()[1:]) + 2)[:-2]
                     for _ in range(int(line[1:]))]
            reply = {b"PING": b"+PONG\r\n", b"AUTH": b"+OK\r\n", b"SELECT": b"+OK\r\n"}.get(
                words[0].upper(), self.responses)
            try:
                client.sendall(reply)
            except OSError:
                return
            if not reply:
                return


REPLIES = [
    b"", b"nonsense\r\n", b"$5\r\nhel", b"-ERR no\r\n", b"-NOPERM no\r\n", b"-MOVED 1 a:1\r\n",
    b"+OK\r\n", b":0\r\n", b":1\r\n", b"$-1\r\n", b"*-1\r\n", b"*0\r\n", bulk(""), bulk("x"),
    array(b":1\r\n"), array(bulk("0"), array()), array(bulk("0"), b":1\r\n"),
    array(b":1\r\n", bulk("x"), array()), array(array(), array()),
    array(bulk("0"), array(bulk("a"), bulk("b"))), array(bulk("a" * 40), bulk("login"), b":7\r\n"),
    array(bulk("OK"), b":1\r\n", bulk("1")), array(bulk("EXPECTED"), bulk("x")),
]

COMMANDS = [
    "limits load limits.ini", "limits load limits.ini --dry-run", "limits load limits.ini --force",
    "limits dump", "limits diff limits.ini", "limits log", "limits show 1", "limits rollback",
    "limits rollback 1", "limits list --redis", "limits import-turnstile", "override list",
    "override set login:1 x10 --for 1h --reason none", "override remove login:1",
    "reload", "fleet", "nodes", "command ping", "topology show", "topology plan partitions=2",
    "topology set partitions=2 --yes", "route GET /a --redis",
]


class StrangeRedisTest(StrangeDaemonTest):
    def setUp(self):
        super().setUp()
        with open(self.path("limits.ini"), "w", encoding="utf-8") as file:
            file.write("[login]\nmatch = login:*\ncapacity = 5\nrate = 1/s\n")
        with open(self.path("gate.ini"), "w", encoding="utf-8") as file:
            file.write("[store]\ntype = redis\n[limits]\nsource = redis\n"
                       f"[redis]\nunix_socket_path = {self.path('redis.sock')}\n")

    def test_command_ends_and_says_why(self):
        """Whatever the reply is, and none is taken for what it is not."""
        server = FakeServer(self.path("redis.sock"), b"")
        self.addCleanup(server.stop)
        for number, words in enumerate(COMMANDS):
            # Not each with each: all replies, and to each command a third of them.
            for server.responses in REPLIES[number % 3::3]:
                with self.subTest(reply=server.responses, words=words):
                    self.check_ends(words)

    def test_plan_reads_what_is_a_piece_of_a_scan(self):
        server = FakeServer(self.path("redis.sock"), b"")
        self.addCleanup(server.stop)
        for server.responses in (
                b":1\r\n", array(b":1\r\n", array()), array(array(), array()),
                array(bulk("0"), b":1\r\n"), array(bulk("0"), array(b":1\r\n"))):
            done = self.run_tool("topology plan partitions=2", patience="20s")
            self.assertEqual(done.returncode, ERROR)
            self.assertIn("sent a reply that is not to SCAN", done.stderr)

    def run_tool(self, words, patience="50ms"):
        return subprocess.run(
            [harness.DRIPGATE, "-c", "gate.ini", "-t", patience, *words.split()],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
            cwd=self.folder)

    def check_ends(self, words):
        done = self.run_tool(words)
        self.assertIn(done.returncode, (FINE, DIFFERENT, ERROR), done.stderr)
        if done.returncode == ERROR:
            self.assertTrue(done.stderr.startswith("dripgate: ") or "limits" in done.stderr,
                            done.stderr)


if __name__ == "__main__":
    unittest.main()
