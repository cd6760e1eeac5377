"""The dripgate command: what it prints, and what it exits with."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading
import time

import harness
from harness import Process, fields, wait_until

DRIPGATE = harness.DRIPGATE

FINE, DIFFERENT, ERROR = 0, 1, 2

LOGIN = "login match=login:* capacity=5 recharge=1m"
API = "api match=api:* capacity=100 recharge=20ms on_error=allow"
MAIL = "mail match=mail:* algorithm=fixed_window capacity=1000 window=1d"

FILE = """
[login]
match = login:*
capacity = 5
recharge = 60s

[api]
match = api:*
capacity = 100
rate = 50/s
on_error = allow

[mail]
match = mail:*
algorithm = fixed_window
capacity = 1000
window = 1d
"""

# Every command with arguments that it takes, and what it prints as JSON.
DAEMON_COMMANDS = {
    "consume": ["login:1"], "peek": ["login:1"], "reset": ["login:1"],
    "explain": ["login:1"], "stats": [], "ping": [], "watch": ["--count", "1"],
}
REDIS_COMMANDS = {
    "limits load": ["FILE"], "limits dump": [], "limits diff": ["FILE"],
    "limits list": [], "reload": [], "command": ["ping", "x"], "nodes": [],
    "fleet": [],
}
COMMANDS = {**DAEMON_COMMANDS, **REDIS_COMMANDS, "limits check": ["FILE"]}


# An answer of which nothing comes.
SILENCE = object()


class FakeDaemon:
    """Answers LIMITS with what it is told to; each answer is a list of lines."""

    def __init__(self, folder, answers):
        self.path = os.path.join(folder, "fake.sock")
        self.answers = iter(answers)
        self.is_silent = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        """None among the answers: the connection is closed instead of one."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, client.makefile("rw") as file:
                for line in file:
                    assert line == "LIMITS\n", line
                    answer = next(self.answers, None)
                    if answer is SILENCE:
                        self.is_silent.set()
                        continue
                    if answer is None:
                        client.shutdown(socket.SHUT_RDWR)
                        break
                    file.write("".join(line + "\n" for line in [*answer, "END"]))
                    file.flush()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def counts(name, allowed, denied=0, **others):
    """A line of LIMITS."""
    more = "".join(f"{name}={value} " for name, value in others.items())
    return (f"{name} algorithm=leaky_bucket capacity=5 recharge=60.000000 block=0 "
            f"on_error=memory shadow=no allowed={allowed} denied={denied} {more}"
            f"match={name}:* denied=7")


class ToolCase(harness.Case):
    def run_tool(self, *arguments, env=None, **options):
        return subprocess.run(
            [DRIPGATE, *map(str, arguments)], capture_output=True, text=True,
            stdin=subprocess.DEVNULL, check=False, timeout=harness.PATIENCE,
            errors="backslashreplace", env={**os.environ, **(env or {})}, **options)

    def check(self, result, status, stdout=None):
        """The status, and output on the one channel that goes with it."""
        self.assertEqual(result.returncode, status, result)
        self.assertNotIn("\033", result.stdout)
        if status == ERROR:
            self.assertEqual(result.stdout, "", result)
            self.assertRegex(result.stderr, r"\A[^\n]+\n\Z")
        else:
            self.assertEqual(result.stderr, "", result)
        if stdout is not None:
            self.assertEqual(result.stdout, stdout)
        return result.stdout

    def tool(self, daemon, *arguments, status=FINE, stdout=None):
        """Run it with the settings of a daemon; what it prints."""
        return self.check(
            self.run_tool("-c", daemon.config_path, *arguments), status, stdout)

    def tool_json(self, daemon, *arguments, status=FINE):
        return json.loads(self.tool(daemon, *arguments, "--json", status=status))

    def complaint(self, *arguments, **options):
        result = self.run_tool(*arguments, **options)
        self.check(result, ERROR)
        return result.stderr

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        return path

    def settings(self, redis, **control):
        """A config file for the tool alone."""
        return self.write("tool.ini", "[redis]\nunix_socket_path = %s\n[control]\n%s" % (
            redis.path, "".join(f"{n} = {v}\n" for n, v in control.items())))

    def node(self, redis, name, **options):
        """A daemon that takes its limits from Redis, and has those there are."""
        daemon = self.daemon(settings={
            "limits": {"source": "redis", "allow_empty": "yes"},
            "redis": {"unix_socket_path": redis.path},
            "control": {"node_name": name, "state_dir": self.folder}}, **options)
        wait_until(lambda: redis.ask("HGET", "limits:fleet", name), "the node")
        return daemon


class AskTest(ToolCase):
    def test_consume_and_peek_print_the_answer_and_exit_by_it(self):
        daemon = self.daemon()
        reply = fields(self.tool(daemon, "consume", "login:1", "5").strip())
        self.assertEqual((reply["verdict"], reply["level"]), ("ALLOW", "5"))
        reply = fields(self.tool(daemon, "consume", "login:1", status=DIFFERENT).strip())
        self.assertEqual((reply["verdict"], reply["level"]), ("DENY", "5"))
        reply = fields(self.tool(daemon, "peek", "login:1", status=DIFFERENT).strip())
        self.assertEqual(reply["verdict"], "DENY")
        self.tool(daemon, "consume", "login:1", "-2")
        reply = fields(self.tool(daemon, "peek", "login:1", "2").strip())
        self.assertEqual((reply["verdict"], reply["level"]), ("ALLOW", "3"))

    def test_a_decision_as_json(self):
        daemon = self.daemon()
        allowed = self.tool_json(daemon, "consume", "login:1")
        self.assertEqual(allowed, {
            "allowed": True, "limit": "login", "level": 1, "capacity": 5, "next": 60,
            "retry": 0, "blocked": 0, "from": "memory"})
        never = self.tool_json(daemon, "peek", "login:1", "6", status=DIFFERENT)
        self.assertEqual((never["allowed"], never["retry"]), (False, None))
        self.assertIsNone(self.tool_json(daemon, "consume", "other")["limit"])

    def test_a_limit_in_shadow_shows_in_json(self):
        daemon = self.daemon(harness.ALL_KINDS)
        self.tool(daemon, "consume", "look:1", "3")
        self.assertEqual(self.tool_json(daemon, "consume", "look:1")["shadow"], "deny")

    def test_a_limit_whose_name_is_a_number_is_a_text_in_json(self):
        daemon = self.daemon("[42]\nmatch = a\ncapacity = 5\nrecharge = 1s\n")
        self.assertEqual(self.tool_json(daemon, "consume", "a")["limit"], "42")

    def test_reset_and_ping(self):
        daemon = self.daemon()
        self.tool(daemon, "consume", "login:1", "5")
        self.tool(daemon, "reset", "login:1", stdout="OK\n")
        self.tool(daemon, "consume", "login:1", "5")
        self.tool(daemon, "ping", stdout="PONG\n")

    def test_explain(self):
        daemon = self.daemon(harness.ALL_KINDS)
        text = self.tool(daemon, "explain", "guess:1")
        with daemon.connect() as client:
            self.assertEqual(text.splitlines(), client.ask_many("EXPLAIN guess:1"))
        as_json = self.tool_json(daemon, "explain", "guess:1")
        self.assertEqual(as_json, {
            "key": "guess:1", "limit": "guess", "why": "the key is prefix guess:*",
            "passed_over": [
                {"limit": "login", "why": "the key is not prefix login:*"}],
            "store": "memory",
            "bucket": {"level": 0, "capacity": 4, "empty": 0, "blocked": 0,
                       "from": "memory"}})
        unmatched = self.tool_json(daemon, "explain", "other")
        self.assertIsNone(unmatched["limit"])
        self.assertEqual(len(unmatched["passed_over"]), 5)

    def test_stats(self):
        daemon = self.daemon()
        self.tool(daemon, "consume", "login:1")
        self.assertIn("\nallowed 1\n", self.tool(daemon, "stats"))
        as_json = self.tool_json(daemon, "stats")
        self.assertEqual(set(as_json), set(daemon.stats()))
        self.assertEqual(as_json["allowed"], 1)

    def test_a_key_of_any_letters_comes_through_as_json(self):
        daemon = self.daemon()
        key = 'a"b\\c/é€😀'
        self.assertEqual(self.tool_json(daemon, "explain", key)["key"], key)

    def test_keys_and_amounts_that_would_be_another_request_are_not_sent(self):
        daemon = self.daemon()
        for words in (["a b"], ["a\nRESET login:1"], [""], ["x" * 256], ["a", "1 2"],
                      ["a", "1\nQUIT"], ["a", "x"], ["a", "1.5"], ["a", ""],
                      ["a", "1000000001"]):
            with self.subTest(words):
                self.complaint("-c", daemon.config_path, "consume", *words)
        self.assertEqual(daemon.stats()["bad_lines"], 0)

    def test_what_the_daemon_refuses_is_an_error(self):
        daemon = self.daemon(settings={"limits": {"unmatched": "error"}})
        self.assertEqual(self.complaint("-c", daemon.config_path, "consume", "x"),
                         "dripgate: nolimit no limit matches this key\n")

    def test_the_daemon_is_found_by_every_kind_of_address(self):
        daemon = self.daemon()
        for address in daemon.path, f"127.0.0.1:{daemon.port}", f"localhost:{daemon.port}":
            with self.subTest(address):
                self.check(self.run_tool("--socket", address, "ping"), FINE, "PONG\n")
        daemon.settings["listen"]["unix"] = ""
        daemon.write_config()
        self.tool(daemon, "ping", stdout="PONG\n")
        relative = os.path.basename(daemon.config_path)
        self.check(self.run_tool("-c", relative, "ping", cwd=self.folder), FINE, "PONG\n")

    def test_a_socket_needs_no_settings(self):
        daemon = self.daemon()
        self.check(self.run_tool("-c", "/nonexistent", "-s", daemon.path, "ping"), FINE)

    def test_addresses_that_are_none(self):
        for address in ("", "x", ":1", "x:", "1:2:3", "[::1", "[]:1", "nowhere.invalid:1",
                        "/" + "x" * 200):
            with self.subTest(address):
                self.complaint("--socket", address, "ping")

    def test_no_daemon(self):
        for command, words in DAEMON_COMMANDS.items():
            with self.subTest(command):
                said = self.complaint("-s", f"127.0.0.1:{harness.free_port()}", command,
                                      *words)
                self.assertIn("Connection refused", said)
                self.assertIn("is dripgated running", said)

    def test_no_address(self):
        config = self.write("none.ini", "[listen]\nline =\n")
        self.assertIn("--socket", self.complaint("-c", config, "ping"))

    def test_settings_that_are_wrong(self):
        config = self.write("bad.ini", "[listen]\nlime = x\n")
        said = self.complaint("-c", config, "ping")
        self.assertIn("bad.ini:2", said)
        self.assertIn("do you mean line?", said)
        self.assertIn("No such file", self.complaint("-c", "/nonexistent", "ping"))

    def test_a_daemon_that_hangs_up(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            thread = threading.Thread(target=lambda: listener.accept()[0].close())
            thread.start()
            said = self.complaint("-s", f"127.0.0.1:{port}", "ping")
            thread.join()
        self.assertRegex(said, "closed the connection|Connection reset|Broken pipe")

    def answered(self, *pieces):
        """What comes of an answer that comes in such pieces."""
        def serve():
            client, _ = listener.accept()
            with client, contextlib.suppress(ConnectionError):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client.recv(65536)
                for piece in pieces:
                    client.sendall(piece)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve)
            thread.start()
            result = self.run_tool(
                "-s", f"127.0.0.1:{listener.getsockname()[1]}", "stats", "-j")
            thread.join()
        return result

    def test_an_answer_may_come_in_pieces(self):
        text = b"allowed 1\ndenied 22\nEND\n"
        for pieces in [text], [text[i:i + 1] for i in range(len(text))]:
            self.check(self.answered(*pieces), FINE, '{"allowed":1,"denied":22}\n')

    def test_an_answer_that_does_not_end_is_an_error(self):
        for pieces in [b"allowed 1\n"], [b"allowed 1\nEN"], [b"x" * 65536] * 3:
            self.check(self.answered(*pieces), ERROR)

    def test_too_many_clients_is_an_error(self):
        daemon = self.daemon(settings={"listen": {"max_clients": 1}})
        with daemon.connect() as client:
            self.assertEqual(client.ask("PING"), "PONG")
            self.assertIn("too many clients",
                          self.complaint("-c", daemon.config_path, "ping"))


class ArgumentsTest(ToolCase):
    def test_each_command_has_help(self):
        everything = self.check(self.run_tool("--help"), FINE)
        for command in COMMANDS:
            with self.subTest(command):
                self.assertRegex(everything, rf"(?m)^  {command}\b")
                text = self.check(self.run_tool(*command.split(), "--help"), FINE)
                self.assertTrue(text.startswith(f"usage: dripgate {command}"), text)
                self.assertIn("--config FILE", text)
        listed = re.findall(r"(?m)^  ([a-z]+(?: [a-z]+)?) ", everything)
        self.assertEqual(sorted(set(listed)), sorted(COMMANDS))

    def test_help_of_a_family_has_its_commands_only(self):
        text = self.check(self.run_tool("limits", "--help"), FINE)
        self.assertIn("  limits load FILE", text)
        self.assertNotIn("consume", text)

    def test_version(self):
        self.assertRegex(self.check(self.run_tool("-V"), FINE), r"^dripgate \d")

    def test_wrong_arguments_say_what_to_do(self):
        wrong = {
            "": "--help", "consme a": "did you mean 'consume'?",
            "xyzzy": "--help", "limits": "limits --help", "limits lod x":
            "did you mean 'limits load'?", "consume": "usage: dripgate consume KEY",
            "consume a 1 2": "usage: dripgate consume KEY", "ping x": "usage",
            "limits check": "usage", "--jsn ping": "did you mean --json?",
            "-x ping": "unknown option -x", "ping --json": "ping takes no --json",
            "ping --socket": "--socket needs an argument",
            "ping -c": "-c needs an argument",
            "reload --spread x": "--spread", "reload --spread -1": "--spread",
            "reload --spread 0": "--spread", "reload --spread 2d": "--spread",
            "reload --spread 5u": "--spread",
            "reload --spread 1 --immediate": "exclude each other",
            "watch --count 0": "--count", "command x --timeout 1": "--listen",
            "command _x": "does not start with _", "nodes --wait": "needs an argument",
        }
        for line, hint in wrong.items():
            with self.subTest(line):
                self.assertIn(hint, self.complaint(*line.split()))

    def test_options_may_stand_anywhere(self):
        daemon = self.daemon()
        for words in (["-j", "consume", "login:1", "-s", daemon.path],
                      ["consume", "--json", "login:1", f"--socket={daemon.path}"],
                      ["-js", daemon.path, "consume", "login:1", "-1"],
                      ["-s", daemon.path, "-j", "consume", "--", "login:1"]):
            with self.subTest(words):
                self.assertTrue(json.loads(self.check(self.run_tool(*words), FINE))["allowed"])

    def test_a_key_that_looks_like_an_option_follows_two_dashes(self):
        daemon = self.daemon()
        text = self.check(self.run_tool("-s", daemon.path, "explain", "--", "--json"), FINE)
        self.assertTrue(text.startswith("key --json\n"))

    def test_output_that_cannot_be_written_is_an_error(self):
        daemon = self.daemon()
        with open("/dev/full", "w", encoding="ascii") as full:
            result = subprocess.run([DRIPGATE, "-s", daemon.path, "ping"], stdout=full,
                                    stderr=subprocess.PIPE, text=True, check=False,
                                    timeout=harness.PATIENCE)
        self.assertEqual(result.returncode, ERROR)
        self.assertIn("No space left", result.stderr)

    def test_colours_are_for_terminals(self):
        daemon = self.daemon()
        for env, coloured in (({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False),
                              ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
            with self.subTest(env):
                text = self.on_terminal("-s", daemon.path, "consume", "other", env=env)
                self.assertEqual(text.startswith(b"\033[32mALLOW\033[0m "), coloured)
                self.assertEqual(b"\033" in text, coloured)
        self.check(self.run_tool("-s", daemon.path, "consume", "other",
                                 env={"TERM": "xterm"}), FINE)

    def on_terminal(self, *arguments, env):
        """What it prints to a terminal."""
        ours, its = pty.openpty()
        with open(its, "wb", buffering=0) as terminal:
            child = subprocess.Popen([DRIPGATE, *arguments], stdin=terminal, stdout=terminal,
                                     stderr=terminal, env={**os.environ, **env})
        self.addCleanup(os.close, ours)
        text = read_terminal(ours)
        child.wait(harness.PATIENCE)
        return text


def read_terminal(fd, end=None):
    """What comes until ${end} did, or until nobody has it open any more."""
    text = b""
    while end is None or end not in text:
        if not select.select([fd], [], [], harness.PATIENCE)[0]:
            raise AssertionError(f"waited for {end} after {text[-200:]}")
        try:
            text += os.read(fd, 65536)
        except OSError:
            return text
    return text


class FilesTest(ToolCase):
    def test_a_file_that_is_fine(self):
        path = self.write("limits.ini", FILE)
        self.check(self.run_tool("limits", "check", path), FINE,
                   f"{path}: 3 limits, fine\n")

    def test_what_is_wrong_with_a_file_has_line_and_column(self):
        path = self.write("bad.ini", "")
        for text, where, what in (
                ("[a]\nmatch = a\n  capcity = 5\n", "3:3", "did you mean 'capacity'?"),
                ("[a]\nmatch = a\ncapacity =  x\n", "3:13", "capacity must be"),
                ("[a]\nmatch = a\n", "1:1", "capacity is missing"),
                ("[a]\nnonsense\n", "2:1", "neither")):
            with self.subTest(text):
                self.write("bad.ini", text)
                said = self.complaint("limits", "check", path)
                self.assertTrue(said.startswith(f"{path}:{where}: "), said)
                self.assertIn(what, said)

    def test_files_that_cannot_be_read(self):
        self.assertIn("No such file", self.complaint("limits", "check", "/nonexistent"))
        self.assertIn("Is a directory", self.complaint("limits", "check", self.folder))
        self.assertIn("no limits", self.complaint("limits", "check", "/dev/null"))

    def test_a_complaint_is_fit_for_a_terminal(self):
        path = self.write("bad.ini", "[a]\nmat\033[31mch = a\n")
        self.assertTrue(self.complaint("limits", "check", path)[:-1].isprintable())


class LimitsTest(ToolCase):
    def setUp(self):
        super().setUp()
        self.server = self.redis()
        self.config = self.settings(self.server)
        self.file = self.write("limits.ini", FILE)

    def limits(self, *arguments, status=FINE, stdout=None):
        return self.check(self.run_tool("-c", self.config, "limits", *arguments),
                          status, stdout)

    def members(self):
        return [m.decode() for m in self.server.ask("ZRANGE", "limits", 0, -1)]

    def put(self, *members):
        for i, member in enumerate(members):
            self.server.ask("ZADD", "limits", i, member)

    def test_load_replaces_the_key_and_orders_the_reload(self):
        self.put("old match=old capacity=1 recharge=1s")
        with self.server.connect() as link:
            link.ask("SUBSCRIBE", "control")
            self.limits("load", self.file,
                        stdout="limits: 3 limits\nreload on control, heard by 1\n")
            self.assertEqual(link.read(), [b"message", b"control", b"reload"])
        scores = self.server.ask("ZRANGE", "limits", 0, -1, "WITHSCORES")
        self.assertEqual([s.decode() for s in scores],
                         [LOGIN, "10", API, "20", MAIL, "30"])

    def test_load_orders_the_reload_that_is_asked_for(self):
        with self.server.connect() as link:
            link.ask("SUBSCRIBE", "control")
            for options, message in ((["--immediate"], "reload:immediate"),
                                     (["--spread", "60"], "reload:spread:60"),
                                     (["--spread", "5m"], "reload:spread:300"),
                                     (["--spread", "1.5s"], "reload:spread:1.500000")):
                self.limits("load", self.file, *options)
                self.assertEqual(link.read()[2].decode(), message)
            self.limits("load", self.file, "--no-reload", stdout="limits: 3 limits\n")
            link.socket.settimeout(0.2)
            with self.assertRaises(TimeoutError):
                link.read()

    def test_load_is_one_step_for_whoever_looks(self):
        self.limits("load", self.file)
        other = self.write("other.ini", FILE.replace("capacity = 5", "capacity = 6"))
        done = threading.Event()

        def look():
            with self.server.connect() as link:
                while not done.is_set():
                    seen.add(link.ask("ZCARD", "limits"))
        seen = set()
        thread = threading.Thread(target=look)
        thread.start()
        for _ in range(10):
            self.limits("load", other)
            self.limits("load", self.file)
        done.set()
        thread.join()
        self.assertEqual(seen, {3})

    def test_a_dry_run_shows_and_changes_nothing(self):
        self.put(LOGIN.replace("=5", "=4"), API)
        before = self.members()
        with self.server.connect() as link:
            link.ask("SUBSCRIBE", "control")
            self.limits("load", self.file, "--dry-run", stdout=(
                f"-{LOGIN.replace('=5', '=4')}\n+{LOGIN}\n+{MAIL}\n"))
            link.socket.settimeout(0.2)
            with self.assertRaises(TimeoutError):
                link.read()
        self.assertEqual(self.members(), before)

    def test_a_bad_file_is_not_loaded(self):
        self.put(LOGIN)
        bad = self.write("bad.ini", FILE + "[x]\nmatch = x\n")
        self.assertIn("bad.ini:18:1: [x]: capacity is missing",
                      self.complaint("-c", self.config, "limits", "load", bad))
        self.assertEqual(self.members(), [LOGIN])

    def test_what_a_daemon_would_not_take_from_redis_is_not_loaded(self):
        rule = "[a%d]\nmatch = ~%s\ncapacity = 1\nrecharge = 1s\n"
        for text, complaint in (
                (FILE.replace("api:*", "~[ a]"), "[api]: match holds a blank"),
                ("".join(rule % (i, i) for i in range(10001)),
                 "10001 limits are more than 10000"),
                (FILE.replace("api:*", "\udcff:*"), "member 2: is not one line of UTF-8"),
                (FILE.replace("api:*", "api\t:*"), "member 2: is not one line of UTF-8")):
            path = self.write("large.ini", text)
            self.assertIn(complaint,
                          self.complaint("-c", self.config, "limits", "load", path))
        self.assertEqual(self.members(), [])

    def test_ten_thousand_limits_are_loaded_dumped_and_compared(self):
        rule = "[a%d]\nmatch = a%d:*\ncapacity = 1\nrecharge = 1s\n"
        path = self.write("many.ini", "".join(rule % (i, i) for i in range(10000)))
        self.limits("load", path)
        self.assertEqual(self.server.ask("ZCARD", "limits"), 10000)
        self.limits("diff", path, stdout="")
        dumped = os.path.join(self.folder, "dumped.ini")
        self.limits("dump", dumped, stdout="")
        self.limits("diff", dumped, stdout="")

    def test_what_is_no_limit_is_replaced_by_force_only(self):
        self.put(LOGIN, b"\x82\xa4name\xa3foo")
        said = self.complaint("-c", self.config, "limits", "load", self.file)
        self.assertIn(r"limits: member 2: is not one line of UTF-8 text: \x82\xa4name", said)
        self.assertIn("--force", said)
        self.assertEqual(self.server.ask("ZCARD", "limits"), 2)
        self.limits("load", self.file, "--force")
        self.assertEqual(self.members(), [LOGIN, API, MAIL])

    def test_a_key_of_another_type_is_replaced_by_force_only(self):
        self.server.ask("SET", "limits", "x")
        for words in (["load", self.file], ["dump"], ["list"], ["diff", self.file]):
            self.assertIn("WRONGTYPE", self.complaint("-c", self.config, "limits", *words))
        self.assertEqual(self.server.ask("GET", "limits"), b"x")
        self.limits("load", self.file, "--force")
        self.assertEqual(self.members(), [LOGIN, API, MAIL])

    def test_members_that_are_no_limits_are_named(self):
        self.put("fine match=f capacity=1 recharge=1s", "odd match=o capacity=0 recharge=1s")
        for words in (["dump"], ["list"], ["diff", self.file]):
            with self.subTest(words):
                said = self.complaint("-c", self.config, "limits", *words)
                self.assertIn("limits: member 2: [odd]: capacity must be", said)
                self.assertIn("odd match=o capacity=0 recharge=1s", said)

    def test_a_dump_can_be_loaded_again(self):
        self.put(MAIL, LOGIN, API)
        text = self.limits("dump")
        self.assertTrue(text.startswith("[mail]\nmatch = mail:*\n"), text)
        self.server.ask("DEL", "limits")
        self.limits("load", self.write("again.ini", text))
        self.assertEqual(self.members(), [MAIL, LOGIN, API])

    def test_a_dump_overwrites_a_file_by_force_only(self):
        self.put(LOGIN)
        path = self.write("there.ini", "precious")
        self.assertIn("--force", self.complaint("-c", self.config, "limits", "dump", path))
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious")
        self.limits("dump", path, "--force", stdout="")
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), self.limits("dump"))
        self.limits("dump", os.path.join(self.folder, "new.ini"))
        self.assertIn("No such file", self.complaint(
            "-c", self.config, "limits", "dump", "/nonexistent/x", "--force"))

    def test_what_cannot_stand_in_a_file_is_not_dumped(self):
        path = os.path.join(self.folder, "out.ini")
        for match in "~" + "x" * 300, ";x":
            with self.subTest(match):
                self.server.ask("DEL", "limits")
                self.put(f"odd match={match} capacity=1 recharge=1s")
                said = self.complaint("-c", self.config, "limits", "dump", path)
                self.assertIn("cannot stand in a file", said)
                self.assertFalse(os.path.exists(path))

    def test_an_empty_key(self):
        self.assertIn("no limits in it", self.complaint("-c", self.config, "limits", "dump"))
        self.assertEqual(len(self.limits("list").splitlines()), 1)
        self.assertEqual(self.limits("list", "--json"), "[]\n")
        self.limits("diff", self.file, status=DIFFERENT,
                    stdout=f"+{LOGIN}\n+{API}\n+{MAIL}\n")

    def test_diff_shows_what_goes_and_what_comes_in_order(self):
        gone = "gone match=g capacity=1 recharge=1s"
        self.put(API, LOGIN, gone)
        text = self.limits("diff", self.file, status=DIFFERENT,
                           stdout=f"+{LOGIN}\n-{LOGIN}\n-{gone}\n+{MAIL}\n")
        changes = json.loads(self.limits("diff", self.file, "-j", status=DIFFERENT))
        self.assertEqual([f"-{line}" for line in changes["removed"]],
                         [line for line in text.splitlines() if line[0] == "-"])
        self.assertEqual([f"+{line}" for line in changes["added"]],
                         [line for line in text.splitlines() if line[0] == "+"])

    def test_equal_limits_differ_in_nothing_however_they_are_written(self):
        self.put("login   recharge=60s capacity=5  match=login:*", API, MAIL)
        self.limits("diff", self.file, stdout="")
        self.assertEqual(json.loads(self.limits("diff", self.file, "-j")),
                         {"removed": [], "added": []})

    def test_list(self):
        self.put(LOGIN + " block=5m", API, MAIL)
        rows = [line.split() for line in self.limits("list").splitlines()]
        self.assertEqual(rows, [
            ["NAME", "MATCH", "CAPACITY", "RECHARGE", "WINDOW", "ALSO"],
            ["login", "login:*", "5", "1m", "block=5m"],
            ["api", "api:*", "100", "20ms", "on_error=allow"],
            ["mail", "mail:*", "1000", "1d", "algorithm=fixed_window"]])
        self.assertEqual(json.loads(self.limits("list", "--json"))[2], {
            "name": "mail", "match": "mail:*", "algorithm": "fixed_window",
            "capacity": 1000, "window": "1d"})

    def test_another_key_and_channel(self):
        self.config = self.settings(self.server, limits_key="my limits", channel="my")
        self.limits("load", self.file,
                    stdout="my limits: 3 limits\nreload on my, heard by 0\n")
        self.assertEqual(self.server.ask("ZCARD", "my limits"), 3)

    def test_a_server_with_a_password_and_another_database(self):
        self.server.ask("ACL", "SETUSER", "ops", "on", ">secret", "~*", "&*", "+@all")
        self.config = self.settings(self.server, username="ops", password="secret",
                                    db=3, unix_socket_path=self.server.path)
        self.limits("load", self.file)
        with self.server.connect() as link:
            link.ask("SELECT", 3)
            self.assertEqual(link.ask("ZCARD", "limits"), 3)
        self.config = self.settings(self.server, username="ops", password="wrong",
                                    unix_socket_path=self.server.path)
        self.assertIn("WRONGPASS", self.complaint("-c", self.config, "limits", "list"))

    def test_no_redis(self):
        port = harness.free_port()
        config = self.write("none.ini", f"[redis]\nport = {port}\n")
        for command, words in REDIS_COMMANDS.items():
            with self.subTest(command):
                words = [self.file if word == "FILE" else word for word in words]
                said = self.complaint("-c", config, *command.split(), *words)
                self.assertIn(f"127.0.0.1:{port}: Connection refused", said)

    def test_a_redis_that_hangs(self):
        self.config = self.settings(self.server, socket_timeout="100ms")
        self.server.send(signal.SIGSTOP)
        self.assertIn("no answer in time",
                      self.complaint("-c", self.config, "limits", "list"))


class FleetTest(ToolCase):
    def setUp(self):
        super().setUp()
        self.server = self.redis()
        self.config = self.settings(self.server)
        self.file = self.write("limits.ini", FILE)

    def run_fine(self, *arguments, status=FINE):
        return self.check(self.run_tool("-c", self.config, *arguments), status)

    def states(self, status=FINE):
        fleet = json.loads(self.run_fine("fleet", "--json", status=status))
        return {node["node"]: node["state"] for node in fleet["nodes"]}

    def test_who_answers_a_ping(self):
        for name in "b", "a", "a":
            self.node(self.server, name)
        # Who was too slow is asked again.
        wait_until(lambda: [(n["node"], n["daemons"]) for n in json.loads(
            self.answers("--json"))] == [("a", 2), ("b", 1)], "all to answer")
        wait_until(lambda: [row.split()[:2] for row in self.answers(
            "--wait", "500ms").splitlines()] == [
                ["NODE", "DAEMONS"], ["a", "2"], ["b", "1"]], "all to answer")

    def answers(self, *options):
        """What it says of them, if there are any in time."""
        result = self.run_tool("-c", self.config, "nodes", *options)
        if result.returncode != DIFFERENT:
            self.check(result, FINE)
        return result.stdout

    def test_nobody_answers_a_ping(self):
        self.check(self.run_tool("-c", self.config, "nodes", "--wait", "50ms"), DIFFERENT,
                   "nobody answers\n")
        self.check(self.run_tool("-c", self.config, "nodes", "-w", "50ms", "-j"), DIFFERENT,
                   "[]\n")

    def test_a_load_reaches_the_fleet(self):
        daemons = [self.node(self.server, name) for name in ("a", "b")]
        self.run_fine("limits", "load", self.file, "--immediate")
        for daemon in daemons:
            wait_until(lambda d=daemon: "limit=mail" in d.ask("PEEK mail:1"), "the limits")
        for name in "a", "b":
            wait_until(lambda n=name: b" 3 " in self.server.ask("HGET", "limits:fleet", n),
                       "the node")
        self.assertEqual(self.states(), {"a": "current", "b": "current"})

    def test_who_lags_is_seen(self):
        self.node(self.server, "a")
        self.assertEqual(self.states(), {"a": "current"})
        self.run_fine("limits", "load", self.file, "--no-reload")
        self.assertEqual(self.states(DIFFERENT), {"a": "lags"})
        self.run_fine("reload", "--immediate")
        wait_until(lambda: b" 3 " in self.server.ask("HGET", "limits:fleet", "a"), "the node")
        self.assertEqual(self.states(), {"a": "current"})

    def say(self, name, digest, seen_ago):
        now = int(time.time())
        self.server.ask("HSET", "limits:fleet", name,
                        f"{digest} {now - 4000} 3 {now - seen_ago}")

    def test_who_kept_limits_who_is_gone_and_who_is_forgotten(self):
        self.say("kept", "-", 1)
        self.say("gone", "abc", 200)
        self.say("old", "abc", 3700)
        self.assertEqual(self.states(), {"kept": "kept", "gone": "gone"})
        self.assertIsNone(self.server.ask("HGET", "limits:fleet", "old"))
        rows = [row.split() for row in self.run_fine("fleet").splitlines()]
        self.assertEqual([row[:4] + row[5:] for row in rows], [
            ["NODE", "DIGEST", "LIMITS", "LOADED", "STATE"],
            ["gone", "abc", "3", "66m", "gone"], ["kept", "-", "3", "66m", "kept"]])

    def test_an_empty_fleet(self):
        self.assertEqual(self.run_fine("fleet"), "nobody\n")

    def test_what_no_daemon_says_is_an_error(self):
        for value in "", "x", "abc 1 2", "abc 1 2 x", "abc 1 2 3 4", "x" * 100 + " 1 2 3":
            with self.subTest(value):
                self.server.ask("HSET", "limits:fleet", "\033odd", value)
                result = self.run_tool("-c", self.config, "fleet")
                self.assertEqual(result.returncode, ERROR)
                self.assertIn(r"\x1bodd: is not what a daemon says", result.stderr)
                self.assertTrue(self.server.ask("HEXISTS", "limits:fleet", "\033odd"))

    def test_a_reload_is_ordered_as_asked(self):
        with self.server.connect() as link:
            link.ask("SUBSCRIBE", "control")
            for options, message in (([], "reload"), (["--immediate"], "reload:immediate"),
                                     (["--spread", "60"], "reload:spread:60")):
                text = self.run_fine("reload", *options)
                self.assertEqual(text, f"{message} on control, heard by 1\n")
                self.assertEqual(link.read()[2].decode(), message)

    def test_a_command_is_said_as_it_is(self):
        with self.server.connect() as link:
            link.ask("SUBSCRIBE", "control")
            self.assertEqual(self.run_fine("command", "foo", "a", "", "b:c"),
                             "heard by 1\n")
            self.assertEqual(link.read()[2], b"foo:a::b:c")

    def test_answers_are_listened_to_until_a_timeout(self):
        self.node(self.server, "a")
        text = self.run_fine("command", "ping", "back", "hi", "-l", "back", "-t", "3")
        self.assertEqual(text, "pong:a:hi\n")

    def listening(self, *arguments):
        """A tool that has said something and goes on listening."""
        process = self.started(Process(self.folder, "listening", [
            DRIPGATE, "-c", self.config, "command", "hello", "-l", "back", *arguments]))
        wait_until(lambda: self.server.ask("PUBSUB", "NUMSUB", "back")[1], "the subscription")
        return process

    def test_answers_are_shown_as_they_come_and_until_interrupted(self):
        for number in signal.SIGINT, signal.SIGTERM:
            process = self.listening()
            before = len(process.log())
            self.server.ask("PUBLISH", "back", b"one\n\033[31m\xff")
            wait_until(lambda p=process, b=before: p.log()[b:], "the message")
            self.assertEqual(process.log()[before:], r"one\x0a\x1b[31m\xff" + "\n")
            process.send(number)
            self.assertEqual(process.wait(), FINE)

    def test_who_waits_for_a_redis_that_hangs_is_let_go(self):
        self.server.send(signal.SIGSTOP)
        config = self.settings(self.server, socket_timeout="300s")
        process = self.started(Process(self.folder, "waiting", [
            DRIPGATE, "-c", config, "command", "hello", "-l", "back"]))
        wait_until(process.has_socket, "the connection")
        process.send(signal.SIGINT)
        self.assertEqual(process.wait(), -signal.SIGINT)

    def test_a_redis_that_goes_while_listening_is_an_error(self):
        process = self.listening()
        self.server.kill()
        self.assertEqual(process.wait(), ERROR)
        self.assertIn("dripgate: Redis at ", process.log())


class WatchTest(ToolCase):
    def fake(self, *answers):
        daemon = FakeDaemon(self.folder, answers)
        self.addCleanup(daemon.close)
        return daemon

    def watch(self, daemon, *arguments, status=FINE):
        result = self.run_tool("-s", daemon.path, "watch", *arguments)
        self.assertEqual(result.returncode, status, result)
        return result

    def test_rates_by_limit_the_busiest_first(self):
        daemon = self.fake(
            [counts("idle", 5, 5), counts("slow", 0), counts("busy", 1000, 50, fallback=1)],
            [counts("idle", 5, 5), counts("slow", 10),
             counts("busy", 3000, 150, fallback=21)])
        text = self.watch(daemon, "--count", 1).stdout
        rows = [line.split() for line in text.splitlines()]
        self.assertEqual(rows[0], ["LIMIT", "ALLOWED/S", "DENIED/S", "SHADOW/S",
                                   "FALLBACK/S", "DENYCACHE/S"])
        self.assertEqual([row[0] for row in rows[1:]], ["busy", "slow", "idle"])
        allowed, denied, _, fallback, _ = map(float, rows[1][1:])
        self.assertAlmostEqual(allowed / denied, 20, delta=0.5)
        self.assertAlmostEqual(allowed / fallback, 100, delta=5)
        self.assertEqual(set(rows[3][1:]), {"0.0"})

    def test_json_is_an_object_a_line(self):
        # Much more, whatever the time in between.
        daemon = self.fake(*([counts("a", i, 2 * i)] for i in (0, 10, 1010)))
        lines = self.watch(daemon, "--count", 2, "--json").stdout.splitlines()
        objects = [json.loads(line)["limits"] for line in lines]
        self.assertEqual(len(objects), 2)
        for (limit,) in objects:
            self.assertEqual(limit["name"], "a")
            self.assertAlmostEqual(limit["denied"], 2 * limit["allowed"], delta=0.01)
        self.assertGreater(objects[1][0]["allowed"], objects[0][0]["allowed"])

    def test_a_daemon_that_starts_anew_is_followed(self):
        daemon = self.fake([counts("a", 1000000)], [counts("a", 1000000)], None,
                           [counts("a", 10), counts("new", 4)])
        result = self.watch(daemon, "--count", 2, "--json")
        self.assertIn("trying again", result.stderr)
        limits = {limit["name"]: limit["allowed"] for limit in
                  json.loads(result.stdout.splitlines()[1])["limits"]}
        self.assertTrue(0 < limits["a"] <= 10, limits)
        self.assertTrue(0 < limits["new"] <= 4, limits)

    def test_a_daemon_that_does_not_count_is_told_of(self):
        daemon = self.fake(["a algorithm=leaky_bucket capacity=5 match=a"])
        self.assertIn("does not count by limit", self.watch(daemon, status=ERROR).stderr)

    def test_who_watches_a_daemon_that_hangs_is_let_go(self):
        daemon = self.fake([counts("a", 1)], [counts("a", 1)], SILENCE)
        process = self.started(Process(
            self.folder, "watching", [DRIPGATE, "-s", daemon.path, "watch"]))
        self.assertTrue(daemon.is_silent.wait(harness.PATIENCE))
        before = time.monotonic()
        process.send(signal.SIGINT)
        self.assertEqual(process.wait(), FINE)
        self.assertLess(time.monotonic() - before, 5)
        self.assertNotIn("dripgate:", process.log())

    def on_terminal(self, daemon):
        """A tool that watches it, and the other end of its terminal."""
        ours, its = pty.openpty()
        self.addCleanup(os.close, ours)
        with open(its, "wb", buffering=0) as terminal:
            child = subprocess.Popen(
                [DRIPGATE, "-s", daemon.path, "watch"], stdin=terminal, stdout=terminal,
                stderr=terminal, env={**os.environ, "TERM": "xterm"})
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child, ours

    def hundred(self):
        return self.fake(*([counts(f"a{i}", i) for i in range(100)] for _ in range(99)))

    def test_a_terminal_is_given_back_as_it_was(self):
        daemon = self.hundred()
        for number in signal.SIGINT, signal.SIGQUIT:
            child, ours = self.on_terminal(daemon)
            text = read_terminal(ours, b"LIMIT")
            self.assertIn(b"\033[?1049h\033[?25l", text)
            child.send_signal(number)
            text = read_terminal(ours)
            self.assertTrue(text.endswith(b"\033[?25h\033[?1049l"), text[-40:])
            self.assertEqual(child.wait(harness.PATIENCE), FINE)

    def test_a_terminal_is_lent_to_the_shell_meanwhile(self):
        child, ours = self.on_terminal(self.hundred())
        read_terminal(ours, b"LIMIT")
        child.send_signal(signal.SIGTSTP)
        read_terminal(ours, b"\033[?25h\033[?1049l")
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status))
        child.send_signal(signal.SIGCONT)
        read_terminal(ours, b"\033[?1049h\033[?25l")
        read_terminal(ours, b"LIMIT")


if __name__ == "__main__":
    harness.main()
