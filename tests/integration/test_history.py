"""The history of the limits in Redis: what each load keeps, and the way back."""

import hashlib
import json
import os
import socket
import subprocess
import threading
import time

import harness
from control import NEVER
from harness import redis_users, wait_until
from test_tool import API, DIFFERENT, ERROR, FILE, FINE, LOGIN, MAIL, LimitsCase

KEY = "limits:history"


def limit(name, capacity=5, recharge="1s"):
    return f"[{name}]\nmatch = {name}:*\ncapacity = {capacity}\nrecharge = {recharge}\n"


class HistoryCase(LimitsCase):
    def refused(self, *arguments):
        return self.complaint("-c", self.config, "limits", *arguments)

    def load(self, text, *options):
        """Load a text as a file; the number that it got."""
        path = self.write("next.ini", text)
        said = self.limits("load", path, *options)
        return int(said.partition("number ")[2].split()[0])

    def members(self):
        return [m.decode() for m in self.server.ask("ZRANGE", "limits", 0, -1)]

    def log(self):
        return json.loads(self.limits("log", "--json"))

    def field(self, name):
        return self.server.ask("HGET", KEY, name)

    def everything(self):
        """What the two keys have."""
        if self.server.ask("TYPE", KEY) != "hash":
            return (self.members(), self.server.ask("DUMP", KEY))
        flat = self.server.ask("HGETALL", KEY)
        return (self.members(), dict(zip(flat[::2], flat[1::2])))


class LogTest(HistoryCase):
    def test_without_a_load_there_is_none(self):
        self.limits("log", stdout="no history\n")
        self.assertEqual(self.log(), {"current": None, "history": []})
        for words in ["show", "1"], ["diff", "1"], ["rollback"], ["rollback", "1"]:
            with self.subTest(words):
                self.assertIn("limits:history: there is no history", self.refused(*words))
        self.assertEqual(self.server.ask("EXISTS", KEY), 0)

    def test_each_load_is_listed_with_time_author_and_message(self):
        before = int(time.time())
        self.limits("load", self.file, "--author", "ann", "-m", "the first of \u00e9ach")
        self.load(FILE + limit("x"))
        log = self.log()
        self.assertEqual(log["current"], 2)
        second, first = log["history"]
        self.assertEqual([first[n] for n in ("number", "author", "message", "limits")],
                         [1, "ann", "the first of \u00e9ach", 3])
        self.assertTrue(before <= first["time"] <= time.time() + 1, first)
        self.assertEqual([second[n] for n in ("number", "message", "limits")], [2, "", 4])
        self.assertRegex(second["author"], "^[^@]+@" + socket.gethostname() + "$")
        rows = [row.split() for row in self.limits("log").splitlines()]
        self.assertEqual(rows[0], ["NUMBER", "TIME", "DIGEST", "LIMITS", "AUTHOR", "MESSAGE"])
        self.assertEqual([rows[1][0], rows[1][3:5]], ["2", [second["digest"][:8], "4"]])
        self.assertEqual([rows[2][0], rows[2][5], " ".join(rows[2][6:])],
                         ["1", "ann", "the first of \u00e9ach"])
        self.assertRegex(" ".join(rows[1][1:3]), r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")

    def test_the_digest_is_the_one_that_daemons_know(self):
        self.limits("load", self.file)
        text = b"".join(b"%d:%s" % (len(m), m.encode()) for m in (LOGIN, API, MAIL))
        digest = hashlib.sha1(text).hexdigest()
        self.assertEqual(self.log()["history"][0]["digest"], digest)
        self.assertEqual(self.field("1:set"), text)
        fleet = json.loads(self.check(self.run_tool("-c", self.config, "fleet", "-j"), FINE))
        self.assertEqual((fleet["digest"], fleet["number"]), (digest, 1))

    def test_the_set_before_the_first_load_is_kept_too(self):
        for score, text in enumerate((LOGIN, API)):
            self.server.ask("ZADD", "limits", score, text)
        self.assertEqual(self.load(FILE), 2)
        found = self.log()["history"][1]
        self.assertEqual([found[n] for n in ("number", "time", "author", "limits")],
                         [1, None, None, 2])
        self.assertIn("something else than dripgate loaded it", self.limits("log"))
        self.limits("rollback", "--yes")
        self.assertEqual(self.members(), [LOGIN, API])

    def test_what_another_program_changes_is_said_and_kept(self):
        self.load(FILE)
        self.server.ask("ZADD", "limits", 40, "x match=x capacity=1 recharge=1s")
        self.assertIsNone(self.log()["current"])
        self.assertIn("something else has changed the limits after number 1\n",
                      self.limits("log"))
        self.assertEqual(self.load(FILE.replace("capacity = 5", "capacity = 6"), "--yes"), 3)
        self.assertEqual([e["number"] for e in self.log()["history"]], [3, 2, 1])
        self.limits("diff", "1", "2", status=DIFFERENT,
                    stdout="+x match=x capacity=1 recharge=1s\n")

    def test_the_last_fifty_are_kept(self):
        for capacity in range(10, 63):
            last = self.load(limit("a", capacity), "--no-reload")
        self.assertEqual(last, 53)
        self.assertEqual([e["number"] for e in self.log()["history"]], list(range(53, 3, -1)))
        self.assertEqual(self.server.ask("HLEN", KEY), 3 + 2 * 50)
        self.assertIn("has no number 3; 4 to 53", self.refused("show", "3"))
        self.assertIn("capacity = 13\n", self.limits("show", "4"))

    def test_texts_are_one_line_of_bounded_length(self):
        for options, reason in ((["-m", "a\nb"], "--message: not one line"),
                                (["-m", "x" * 1001], "--message: longer than 1000"),
                                (["--author", "\033[1m"], "--author: not one line"),
                                (["--author", "x" * 201], "--author: longer than 200")):
            self.assertIn(reason, self.refused("load", self.file, *options))
        self.assertEqual(self.server.ask("EXISTS", "limits", KEY), 0)
        self.limits("load", self.file, "-m", "x" * 1000, "--author", "x" * 200)

    def test_what_stands_there_does_not_speak_to_the_terminal(self):
        evil = "\x1b]0;evil\x07"
        self.load(FILE)
        about = self.field("1").decode().split("\n")
        self.server.ask("HSET", KEY, "1", f"{about[0]}\n{evil}\n{evil}\n{evil}")
        for words in ["log"], ["log", "-j"], ["show", "1"], ["show", "1", "-j"]:
            self.assertRegex(self.limits(*words), r"\A[^\x00-\x09\x0b-\x1f\x7f]*\Z")


class ShowTest(HistoryCase):
    def test_a_number_is_shown_as_a_file_that_can_be_loaded(self):
        self.limits("load", self.file, "--author", "ann", "-m", "why")
        self.load(limit("x"), "--yes")
        text = self.limits("show", "1")
        self.assertRegex(text, r"\A; number 1, \d{4}-\S+ \S+, by ann: why\n\n\[login\]\n")
        self.limits("load", self.write("shown.ini", text), "--yes")
        self.assertEqual(self.members(), [LOGIN, API, MAIL])

    def test_as_json(self):
        self.limits("load", self.file, "--author", "ann", "-m", "why")
        shown = json.loads(self.limits("show", "1", "--json"))
        self.assertEqual([shown[n] for n in ("number", "author", "message", "limits")],
                         [1, "ann", "why", 3])
        self.assertEqual(shown["set"], json.loads(self.limits("list", "--redis", "-j")))

    def test_numbers_are_compared(self):
        self.load(FILE)
        self.load(FILE.replace("capacity = 5", "capacity = 6"))
        self.load(FILE.replace("capacity = 5", "capacity = 7"))
        five, six, seven = (LOGIN.replace("=5", f"={n}") for n in (5, 6, 7))
        self.limits("diff", "1", "2", status=DIFFERENT, stdout=f"-{five}\n+{six}\n")
        self.limits("diff", "2", "1", status=DIFFERENT, stdout=f"-{six}\n+{five}\n")
        self.limits("diff", "1", status=DIFFERENT, stdout=f"-{five}\n+{seven}\n")
        self.limits("diff", "3", stdout="")
        self.assertEqual(json.loads(self.limits("diff", "1", "2", "-j", status=DIFFERENT)),
                         {"removed": [five], "added": [six]})
        self.assertIn("has no number 4; 1 to 3", self.refused("diff", "1", "4"))
        self.assertIn("numbers of the history with each other",
                      self.refused("diff", self.file, "1"))
        self.assertIn("is no number of the history", self.refused("diff", "1", self.file))

    def test_a_file_with_a_number_for_a_name_is_a_path(self):
        self.load(FILE)
        path = self.write("1", limit("x"))
        self.check(self.run_tool("-c", self.config, "limits", "diff", "./1",
                                 cwd=os.path.dirname(path)), DIFFERENT)


class RollbackTest(HistoryCase):
    def test_back_to_the_set_before_and_there_again(self):
        self.load(FILE)
        self.load(FILE.replace("capacity = 5", "capacity = 6"))
        self.limits("rollback", stdout="limits: 3 limits, number 3\nreload on control, "
                    "heard by 0: no daemon follows this channel\n")
        self.assertEqual(self.members()[0], LOGIN)
        self.assertEqual(self.log()["history"][0]["message"], "rollback to 1")
        self.limits("rollback", "-m", "no, not that")
        self.assertEqual(self.members()[0], LOGIN.replace("=5", "=6"))
        self.assertEqual(self.log()["history"][0]["message"], "no, not that (rollback to 2)")

    def test_back_to_a_number(self):
        for capacity in (5, 6, 7):
            self.load(FILE.replace("capacity = 5", f"capacity = {capacity}"))
        self.limits("rollback", "1", "--no-reload", stdout="limits: 3 limits, number 4\n")
        self.assertEqual(self.members()[0], LOGIN)
        self.assertEqual(self.log()["current"], 4)

    def test_what_another_program_did_is_undone(self):
        self.load(FILE)
        self.server.ask("ZREM", "limits", API)
        self.limits("rollback")
        self.assertEqual(self.members(), [LOGIN, API, MAIL])
        self.assertEqual(self.log()["history"][0]["message"], "rollback to 1")

    def test_a_dry_run_shows_and_changes_nothing(self):
        self.load(FILE)
        self.load(FILE.replace("capacity = 5", "capacity = 6"))
        before = self.everything()
        self.limits("rollback", "-n",
                    stdout=f"-{LOGIN.replace('=5', '=6')}\n+{LOGIN}\n")
        self.assertEqual(self.everything(), before)

    def test_there_is_nothing_before_the_first(self):
        self.load(FILE)
        self.assertIn("has no set before number 1", self.refused("rollback"))
        for word in "0", "-1", "x", "1x", "99999999999999999999", "":
            self.assertIn("number", self.refused("rollback", "--", word))

    def test_a_set_that_daemons_refuse_is_not_loaded_again(self):
        self.server.ask("ZADD", "limits", 1, "odd match=o capacity=0 recharge=1s")
        self.load(FILE, "--force")
        before = self.everything()
        self.assertIn("number 1: daemons refuse this set", self.refused("rollback"))
        self.assertEqual(self.everything(), before)


class GuardTest(HistoryCase):
    def check_refused(self, old, new, reason):
        self.server.ask("DEL", "limits", KEY)
        self.load(old)
        before = self.everything()
        result = self.run_tool("-c", self.config, "limits", "load", self.write("new.ini", new))
        self.assertEqual((result.returncode, result.stdout), (ERROR, ""))
        # Of a limit that no key reaches, there is a warning before that.
        said = result.stderr.splitlines(True)[-1]
        self.assertEqual(said, f"dripgate: limits: not loaded: {reason}; --yes loads it all "
                         "the same\n")
        self.assertEqual(self.everything(), before)
        shown = self.run_tool("-c", self.config, "limits", "load", "-n",
                              self.write("new.ini", new)).stdout
        self.assertTrue(shown.endswith(f"needs --yes: {reason}\n"), shown)
        self.assertEqual(self.everything(), before)
        result = self.run_tool("-c", self.config, "limits", "load", "-y",
                               self.write("new.ini", new))
        self.assertEqual(result.returncode, FINE, result)
        self.assertNotEqual(self.everything(), before)

    def test_a_limit_must_not_lose_its_buckets(self):
        self.check_refused(limit("a") + limit("b"), limit("b"), "a is removed")
        self.check_refused(limit("a"), "[a]\nmatch = a:*\nalgorithm = fixed_window\n"
                           "capacity = 5\nwindow = 5s\n",
                           "a algorithm leaky_bucket -> fixed_window")
        everything = "[all]\nmatch = *\ncapacity = 5\nrecharge = 1s\n"
        self.check_refused(limit("a"), everything + limit("a"),
                           "a gets no keys, all takes them")

    def test_a_limit_must_not_shrink_below_a_tenth(self):
        self.check_refused(limit("a", 1000) + limit("b", 5, "1s"),
                           limit("a", 10) + limit("b", 5, "1m"),
                           "a capacity 1000 -> 10; b rate is 1/60 of before")
        self.load(limit("c", 1000), "--yes")
        self.load(limit("c", 100))

    def test_many_are_counted(self):
        self.check_refused("".join(limit(f"a{i}") for i in range(20)), limit("x"),
                           "; ".join(f"a{i} is removed" for i in range(8)) + "; and 12 more")

    def test_a_rollback_is_a_load_in_this_too(self):
        self.load(limit("a"))
        self.load(limit("a") + limit("b"))
        self.assertIn("not loaded: b is removed", self.refused("rollback"))
        self.limits("rollback", "--yes")

    def test_a_set_that_was_not_in_force_has_nothing_to_lose(self):
        self.server.ask("ZADD", "limits", 1, "odd match=o capacity=0 recharge=1s")
        self.server.ask("ZADD", "limits", 2, LOGIN)
        self.load(limit("x"), "--force")


class BadHistoryTest(HistoryCase):
    """A history that this dripgate did not write, or not whole."""

    def check_refused_everywhere(self, reason):
        before = self.everything()
        for words in (["log"], ["show", "1"], ["diff", "1"], ["rollback"],
                      ["load", self.file]):
            with self.subTest(words):
                self.assertIn(f"limits:history: {reason}", self.refused(*words))
        self.assertEqual(self.everything(), before)
        self.limits("load", self.file, "--force")
        self.assertEqual([e["number"] for e in self.log()["history"]][-1], 1)
        self.assertEqual(self.members(), [LOGIN, API, MAIL])

    def test_of_a_newer_dripgate(self):
        self.load(FILE)
        self.server.ask("HSET", KEY, "version", "2")
        self.check_refused_everywhere("was written by a newer dripgate (version 2)")

    def test_other_things(self):
        for words in (["SET", KEY, "x"], ["RPUSH", KEY, "x"], ["HSET", KEY, "x", "y"],
                      ["HSET", KEY, "version", "x y"]):
            self.server.ask("DEL", KEY)
            self.server.ask(*words)
            self.check_refused_everywhere("is no history of limits")

    def test_without_its_head(self):
        for words in (["HDEL", KEY, "last"], ["HSET", KEY, "last", "x"]):
            self.load(FILE, "--force")
            self.server.ask(*words)
            self.check_refused_everywhere("its last number is missing")

    def test_a_torn_set_is_said_and_the_others_are_fine(self):
        for capacity in (5, 6, 7, 8):
            self.load(FILE.replace("capacity = 5", f"capacity = {capacity}"))
        whole = self.field("1:set")
        for field, value in (("1", None), ("1", b"x"), ("1", self.field("1")[:30]),
                             ("1:set", None), ("1:set", whole[:-3]),
                             ("1:set", whole[:whole.index(b"64:")])):
            about = self.field("1")
            if value is None:
                self.server.ask("HDEL", KEY, field)
            else:
                self.server.ask("HSET", KEY, field, value)
            with self.subTest(field=field, value=value):
                self.assertIn("number 1 is torn", self.refused("show", "1"))
                self.assertIn("number 1 is torn", self.refused("rollback", "1"))
                if field == "1":
                    self.assertIn("torn: not as dripgate wrote it", self.limits("log"))
                    self.assertIn("error", self.log()["history"][-1])
                self.limits("show", "2")
            self.server.ask("HSET", KEY, "1", about, "1:set", whole)
        self.limits("show", "1")
        self.assertEqual(self.load(FILE), 5)

    def test_a_torn_set_does_not_keep_a_load_from_its_place(self):
        self.load(FILE)
        self.server.ask("HDEL", KEY, "1", "1:set", "digest")
        self.assertIn("its last number is missing", self.refused("log"))
        self.assertEqual(self.load(FILE.replace("capacity = 5", "capacity = 6")), 3)
        self.assertEqual([e["number"] for e in self.log()["history"]], [3, 2, 1])
        self.assertEqual([e.get("error") is None for e in self.log()["history"]],
                         [True, True, False])

    def test_what_was_in_the_key_is_kept_whatever_it_is(self):
        odd = b"\x82\xa4name\xa3foo\n\x00"
        self.server.ask("ZADD", "limits", 1, odd)
        self.load(FILE, "--force")
        self.assertEqual(self.field("1:set"), b"%d:%s" % (len(odd), odd))
        result = self.run_tool("-c", self.config, "limits", "show", "1")
        self.assertEqual(result.returncode, ERROR)
        self.assertIn("daemons refuse this set: 1 of 1", result.stderr)

    def test_a_set_that_is_too_large_is_not_kept(self):
        with self.server.connect() as link:
            link.ask("ZADD", "limits", *sum(([i, f"x{i}"] for i in range(10001)), []))
        self.assertIn("TOOLARGE", self.refused("load", self.file))
        self.assertEqual(self.load(FILE, "--force"), 1)
        self.assertEqual(self.members(), [LOGIN, API, MAIL])


class TogetherTest(HistoryCase):
    """Loads at the same time, and loads that do not end."""

    def slow_load(self, text, *options):
        """A load that has read the key, and has not changed it yet."""
        path = self.write("slow.ini", text)
        middle = Middle(self.folder, self.server.path)
        self.addCleanup(middle.close)
        config = self.write("slow-tool.ini", f"[redis]\nunix_socket_path = {middle.path}\n")
        child = subprocess.Popen(
            [harness.DRIPGATE, "-c", config, "--timeout", "30s", "limits", "load", path,
             *options], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(middle.is_held.is_set, "the load")
        return child, middle

    def test_the_second_of_two_at_the_same_time_is_refused(self):
        self.load(FILE)
        child, middle = self.slow_load(FILE.replace("capacity = 5", "capacity = 6"))
        self.load(FILE.replace("capacity = 5", "capacity = 7"))
        before = self.everything()
        middle.go.set()
        stdout, stderr = child.communicate(timeout=harness.PATIENCE)
        self.assertEqual((child.returncode, stdout), (ERROR, ""))
        self.assertEqual(stderr, "dripgate: limits: was changed meanwhile (number 2): compare, "
                         "and load again\n")
        self.assertEqual(self.everything(), before)

    def test_with_force_both_are_kept(self):
        self.load(FILE)
        child, middle = self.slow_load(FILE.replace("capacity = 5", "capacity = 6"), "--force")
        self.load(FILE.replace("capacity = 5", "capacity = 7"))
        middle.go.set()
        stdout, _ = child.communicate(timeout=harness.PATIENCE)
        self.assertIn("number 3\n", stdout)
        self.limits("diff", "2", "3", status=DIFFERENT)

    def test_an_interrupted_load_has_changed_nothing(self):
        self.load(FILE)
        before = self.everything()
        child, middle = self.slow_load(FILE.replace("capacity = 5", "capacity = 6"))
        child.kill()
        child.communicate()
        middle.go.set()
        middle.close()
        self.assertEqual(self.everything(), before)
        self.assertEqual(self.load(FILE.replace("capacity = 5", "capacity = 7")), 2)

    def test_many_at_once_give_each_a_number(self):
        children = [subprocess.Popen(
            [harness.DRIPGATE, "-c", self.config, "limits", "load", "--force", "--no-reload",
             self.write(f"many{i}.ini", FILE.replace("capacity = 5", f"capacity = {i}"))],
            stdout=subprocess.DEVNULL) for i in range(10, 20)]
        for child in children:
            self.assertEqual(child.wait(harness.PATIENCE), 0)
        log = self.log()
        self.assertEqual([e["number"] for e in log["history"]], list(range(10, 0, -1)))
        self.assertEqual(len({e["digest"] for e in log["history"]}), 10)
        self.assertEqual(log["current"], 10)


class Middle:
    """Stands between a load and Redis: holds the call that replaces the key."""

    def __init__(self, folder, server_path):
        self.path = os.path.join(folder, "middle.sock")
        self.server_path = server_path
        self.is_held, self.go = threading.Event(), threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        client, _ = self.listener.accept()
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self.server_path)
            threading.Thread(target=self.forward, args=[server, client], daemon=True).start()
            text = b""
            while data := client.recv(65536):
                text += data
                if b"UNLINK" in text and not self.is_held.is_set():
                    self.is_held.set()
                    self.go.wait(harness.PATIENCE)
                    # A client that is gone has sent half of it, as far as Redis knows.
                    data = data[:100] if self.is_gone(client) else data
                server.sendall(data)

    @staticmethod
    def is_gone(client):
        client.setblocking(False)
        try:
            return client.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        finally:
            client.setblocking(True)

    @staticmethod
    def forward(server, client):
        try:
            while data := server.recv(65536):
                client.sendall(data)
        except OSError:
            pass

    def close(self):
        self.go.set()
        self.thread.join()
        self.listener.close()


class RightsTest(HistoryCase):
    SETTINGS = "[limits]\nsource = redis\n"

    def as_user(self, name, rights):
        self.server.ask("ACL", "SETUSER", name, "reset", "on", ">secret", "resetchannels",
                        *rights)
        return self.write(f"{name}.ini", f"[redis]\nunix_socket_path = {self.server.path}\n"
                          f"username = {name}\npassword = secret\n")

    def rights(self, user):
        return next(rights for name, _, rights in redis_users(self.folder, self.SETTINGS)
                    if name == user)

    def test_a_load_without_the_right_changes_nothing_and_says_what_is_needed(self):
        self.load(FILE)
        before = self.everything()
        new = self.write("new.ini", FILE.replace("capacity = 5", "capacity = 6"))
        rights = self.rights("operator")
        for left_out in "~limits:history", "+hset", "+hdel", "+zadd", "+unlink", "+hkeys":
            self.assertIn(left_out, rights)
            config = self.as_user("less", [r for r in rights if r != left_out])
            with self.subTest(left_out):
                said = self.complaint("-c", config, "limits", "load", new)
                self.assertRegex(said, "does not let this user .*; dripgate acl prints the rights")
                self.assertEqual(self.everything(), before)
        self.check(self.run_tool("-c", self.as_user("all", rights), "limits", "load", new), FINE)

    def test_a_daemon_without_the_right_has_the_limits_without_their_number(self):
        self.load(FILE)
        rights = self.rights("dripgate")
        self.assertIn("%R~limits:history", rights)
        for name, allowed, number in (
                ("all", rights, "number 1, "),
                ("less", [r for r in rights if r not in ("%R~limits:history", "+hmget")], "")):
            self.as_user(name, allowed)
            daemon = self.daemon(settings={
                "limits": {"source": "redis"}, "control": {"poll": NEVER},
                "redis": {"unix_socket_path": self.server.path, "username": name,
                          "password": "secret"}})
            wait_until(lambda d=daemon: "limits reloaded" in d.log(), "the limits")
            self.assertIn(f"limits reloaded: 3 in force, {number}from redis", daemon.log())
            self.assertIn("limit=mail", daemon.ask("PEEK mail:1"))

    def test_a_user_who_may_not_read_it_sees_the_fleet(self):
        self.load(FILE)
        config = self.as_user("less", [r for r in self.rights("operator")
                                       if r != "~limits:history"])
        self.check(self.run_tool("-c", config, "fleet"), FINE, "no daemons\n")


class FleetTest(HistoryCase):
    def start(self, name):
        return self.node(self.server, name)

    def rows(self, status=FINE):
        text = self.check(self.run_tool("-c", self.config, "fleet"), status)
        return [row.split() for row in text.splitlines()]

    def test_daemons_and_the_fleet_name_the_number(self):
        self.load(FILE)
        daemon = self.start("a")
        wait_until(lambda: "limits reloaded: 3 in force, number 1, from" in daemon.log(),
                   "number 1")
        self.load(FILE.replace("capacity = 5", "capacity = 6"), "--immediate")
        wait_until(lambda: "limits reloaded: 3 in force, number 2, from" in daemon.log(),
                   "number 2")
        self.assertEqual(daemon.ask("PEEK login:1").split()[3], "capacity=6")
        wait_until(lambda: self.row(self.server, "a").startswith(
            self.field("digest") + b" "), "the report")
        heading, row = self.rows()
        self.assertEqual(heading[:4], ["NODE", "DIGEST", "NUMBER", "LIMITS"])
        self.assertEqual([row[0], row[2], row[3]], ["a", "2", "3"])

    def test_what_another_program_loaded_has_no_number(self):
        self.load(FILE)
        daemon = self.start("a")
        wait_until(lambda: "3 in force, number 1, from" in daemon.log(), "number 1")
        self.server.ask("ZADD", "limits", 90, "x match=x capacity=1 recharge=1s")
        self.server.ask("PUBLISH", "control", "reload:immediate")
        wait_until(lambda: "limits reloaded: 4 in force, " in daemon.log(), "the limits")
        self.assertIn("limits reloaded: 4 in force, from", daemon.log())

    def test_one_that_lags_is_named_with_the_number_that_it_runs(self):
        self.load(FILE)
        self.start("a")
        wait_until(lambda: b" 3 " in self.row(self.server, "a"), "the report")
        self.load(FILE.replace("capacity = 5", "capacity = 6"), "--no-reload")
        self.assertEqual(self.rows(DIFFERENT)[1][2], "1")
        fleet = json.loads(self.check(self.run_tool("-c", self.config, "fleet", "--json"),
                                      DIFFERENT))
        self.assertEqual((fleet["number"], fleet["nodes"][0]["number"]), (2, 1))

    def test_a_rollback_reaches_daemons(self):
        self.load(FILE)
        self.load(FILE.replace("capacity = 5", "capacity = 6"))
        daemon = self.start("a")
        self.limits("rollback", "--immediate")
        wait_until(lambda: "limits reloaded: 3 in force, number 3, from" in daemon.log(),
                   "number 3")
        self.assertEqual(daemon.ask("PEEK login:1").split()[3], "capacity=5")

    def test_a_set_without_a_history_is_followed_as_before(self):
        self.server.ask("ZADD", "limits", 1, LOGIN)
        daemon = self.start("a")
        wait_until(lambda: "limits reloaded: 1 in force, from" in daemon.log(), "the limits")
        self.assertEqual(self.rows()[0], ["NODE", "DIGEST", "LIMITS", "LOADED", "SEEN", "STATE"])
        self.server.ask("SET", KEY, "foreign")
        self.server.ask("ZADD", "limits", 2, API)
        self.server.ask("PUBLISH", "control", "reload:immediate")
        wait_until(lambda: "limits reloaded: 2 in force, from" in daemon.log(), "the limits")


if __name__ == "__main__":
    harness.main()
