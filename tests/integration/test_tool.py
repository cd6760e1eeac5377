"""The dripgate command: what it prints, and what it exits with."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
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
    "mconsume": ["login:1", "1"], "mpeek": ["login:1", "1", "login:2", "1"],
    "charge": ["login:1", "1"], "take": ["login:1", "1"],
    "hold": ["job:1", "me"], "release": ["job:1", "me"],
    "explain": ["login:1"], "stats": [], "status": [], "why": ["login:1"], "top": [], "ping": [], "watch": ["--count", "1"],
}
REDIS_COMMANDS = {
    "limits load": ["FILE"], "limits dump": [], "limits diff": ["FILE"],
    "limits list": ["--redis"], "reload": [], "command": ["ping", "x"], "nodes": [],
    "override list": [], "override remove": ["k"],
    "override set": ["k", "deny", "--for", "1h", "--reason", "x"],
    "fleet": [], "limits log": [], "limits show": ["1"], "limits rollback": ["1"],
    "limits import-turnstile": [],
}
COMMANDS = {**DAEMON_COMMANDS, **REDIS_COMMANDS, "limits check": ["FILE"], "limits test": ["FILE"],
            "limits import-envoy": ["YAML"], "acl": [], "tail": [],
            "what-if": ["FILE", "--demand", "DEMAND"], "help": [],
            "hash": [], "cache stats": [], "cache purge": ["up"],
            "route": ["GET", "/"], "topology show": [],
            "topology plan": ["partitions=2"], "topology set": ["partitions=2"]}


# A response of which nothing comes.
SILENCE = object()


class FakeDaemon:
    """Responds to LIMITS as a test wants; each response is a list of lines."""

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
        """None among the responses: the connection is closed instead of one."""
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
        with contextlib.suppress(OSError): # it is closed
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
        wait_until(lambda: self.row(redis, name), "the node")
        return daemon

    @staticmethod
    def row(redis, node):
        """What a daemon of that name reports."""
        flat = redis.ask("HGETALL", "limits:fleet")
        return next((value for name, value in zip(flat[::2], flat[1::2])
                     if re.sub("#[0-9a-f]{4}$", "", name.decode()) == node), None)


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

    def test_ping_says_that_decisions_come_from_fallback(self):
        port = harness.free_port()
        daemon = self.daemon(settings={"store": {"type": "redis"},
                                       "redis": {"port": port}})
        self.check(self.run_tool("-s", daemon.path, "ping"), DIFFERENT,
                   "PONG, but decisions come from fallback: Redis does not respond\n")
        self.check(self.run_tool("-s", daemon.path, "ping", "--alive"), FINE, "PONG\n")
        self.redis(port=port)
        harness.wait_until(
            lambda: self.run_tool("-s", daemon.path, "ping").stdout == "PONG\n",
            "Redis to decide")

    def test_explain(self):
        daemon = self.daemon(harness.ALL_KINDS)
        text = self.tool(daemon, "explain", "guess:1")
        with daemon.connect() as client:
            self.assertEqual(text.splitlines(), client.ask_many("EXPLAIN guess:1"))
        as_json = self.tool_json(daemon, "explain", "guess:1")
        self.assertEqual(as_json, {
            "key": "guess:1", "limit": "guess", "why": "match (prefix guess:*)",
            "passed_over": [
                {"limit": "login", "why": "no match (prefix login:*)"}],
            "store": "memory",
            "bucket": {"level": 0, "capacity": 4, "empty": 0, "blocked": 0,
                       "from": "memory", "recharge": 30, "block": 300}})
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
        config = self.write("relative.ini", f"[listen]\nunix = {os.path.basename(daemon.path)}\n")
        self.check(self.run_tool("-c", config, "ping", cwd="/"), FINE, "PONG\n")
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
        """What the tool makes of a response in such pieces."""
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


class ManualTest(ToolCase):
    def example(self):
        """The shell script of dripgate(1)."""
        path = os.path.join(harness.ROOT, "src", "cli", "dripgate.1")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        return next(part.partition("\n")[2] for part in text.split(".Bd ")
                    if "until dripgate" in part).partition(".Ed")[0]

    def start_example(self, daemon_path):
        config = self.write("tool.ini", f"[listen]\nunix = {daemon_path}\n")
        script = f'dripgate() {{ "{DRIPGATE}" -c {config} "$@"; }}\n{self.example()}'
        return self.started(Process(self.folder, "script",
                                    ["sh", "-c", script + "\necho passed"]))

    def test_the_script_ends_where_there_is_no_daemon(self):
        script = self.start_example("/nonexistent")
        self.assertEqual(script.wait(), 2)
        self.assertRegex(script.log(), r"\Adripgate: /nonexistent: [^\n]*\n\Z")

    def test_the_script_waits_while_it_is_denied(self):
        daemon = self.daemon("[api]\nmatch = api:*\ncapacity = 1\nrecharge = 1h\n")
        daemon.ask("CONSUME api:export")
        script = self.start_example(daemon.path)
        wait_until(lambda: daemon.stats()["denied"], "its request")
        daemon.ask("RESET api:export")
        self.assertEqual((script.wait(), script.log()), (0, "passed\n"))


class Peer:
    """Whatever listens where dripgated or Redis should: serve(connection) is called
    for each client, until it raises or returns."""

    def __init__(self, folder, serve):
        self.path = os.path.join(folder, "peer.sock")
        self.serve = serve
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.threads = [threading.Thread(target=self.accept)]
        self.threads[0].start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                thread = threading.Thread(target=self.talk, args=[client])
                self.threads.append(thread)
                thread.start()

    def talk(self, client):
        with client, contextlib.suppress(OSError):
            self.serve(client)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        os.unlink(self.path)
        for thread in self.threads:
            thread.join()


class HostileTest(ToolCase):
    """Peers that mean no good: none keeps the tool waiting, and none speaks to the
    terminal."""

    def commands(self):
        """All that talk to a peer, each with the options that lead there."""
        file = self.write("limits.ini", FILE)
        config = self.write("peer.ini", "[redis]\nunix_socket_path = %s\n" %
                            os.path.join(self.folder, "peer.sock"))
        for command, words in DAEMON_COMMANDS.items():
            yield ["-s", os.path.join(self.folder, "peer.sock"), command, *words]
        for command, words in REDIS_COMMANDS.items():
            yield ["-c", config, *command.split(),
                   *(file if word == "FILE" else word for word in words)]

    def test_no_command_waits_for_a_reply_without_an_end(self):
        for start, piece in (b"", b"x"), (b"", b"x\n"), (b"*1\r\n$100000000\r\n", b"x"):
            def trickle(client, start=start, piece=piece):
                client.recv(65536)
                client.sendall(start)
                while True:
                    client.sendall(piece)
                    time.sleep(0.001)

            with Peer(self.folder, trickle):
                for arguments in self.commands():
                    with self.subTest(start=start, piece=piece, arguments=arguments):
                        result = self.run_tool(*arguments, "--timeout", "100ms")
                        self.assertEqual(result.returncode, ERROR, result)
                        self.assertRegex(result.stderr, r"\Adripgate: [^\n]+\n\Z")

    def test_what_is_no_dripgated_decides_nothing(self):
        def answer(client):
            client.recv(65536)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        with Peer(self.folder, answer) as peer:
            for words in ["consume", "a"], ["peek", "a"], ["reset", "a"], ["ping"]:
                self.assertIn("is not a response of dripgated",
                              self.complaint("-s", peer.path, *words))

    def test_no_command_waits_for_a_peer_that_says_nothing(self):
        def listen(client):
            while client.recv(65536):
                pass

        with Peer(self.folder, listen):
            for arguments in self.commands():
                with self.subTest(arguments):
                    said = self.complaint(*arguments, "--timeout", "50ms")
                    self.assertRegex(said, "no whole response within 50ms|no reply in time")

    def check_harmless(self, result):
        """Nothing that a terminal would obey."""
        for text in result.stdout, result.stderr:
            self.assertRegex(text, r"\A[^\x00-\x09\x0b-\x1f\x7f-\x9f]*\Z")

    EVIL = "\x1b]0;evil\x07\x1b[31m\x9b1m\x7f\r"

    def test_what_a_daemon_responds_is_escaped(self):
        for line in (f"ALLOW limit={self.EVIL} level=1", f"ERR {self.EVIL}", f"{self.EVIL}",
                     f"{self.EVIL} allowed=1 {self.EVIL}=2 match={self.EVIL}",
                     f"{self.EVIL} 1", f"not {self.EVIL}: {self.EVIL}",
                     f"bucket {self.EVIL}=1 a={self.EVIL}"):
            text = f"{line}\nEND\n".encode("latin-1")

            def answer(client, text=text):
                while client.recv(65536):
                    client.sendall(text)

            with Peer(self.folder, answer) as peer:
                for command, words in DAEMON_COMMANDS.items():
                    for options in [], ["--json"]:
                        with self.subTest(line=line, command=command, options=options):
                            self.check_harmless(self.run_tool(
                                "-s", peer.path, command, *words, *options))

    def test_what_a_redis_replies_is_escaped(self):
        evil = self.EVIL.encode("latin-1")
        bulk = b"$%d\r\n%s\r\n" % (len(evil), evil)
        file = self.write("limits.ini", FILE)
        for reply in (b"-ERR " + evil.replace(b"\r", b"") + b"\r\n", bulk,
                      b"*2\r\n" + bulk * 2, b"*1\r\n:1\r\n", b":1\r\n", b"$-1\r\n",
                      b"*2\r\n" + bulk + b":1\r\n", b"*-1\r\n", b"*0\r\n",
                      b"%1\r\n" + bulk * 2, b"!" + bulk[1:], b"?" + evil + b"\r\n"):
            def answer(client, reply=reply):
                while client.recv(65536):
                    client.sendall(reply * 9)

            with Peer(self.folder, answer) as peer:
                config = self.write(
                    "peer.ini", f"[redis]\nunix_socket_path = {peer.path}\n")
                for command, words in REDIS_COMMANDS.items():
                    words = [file if word == "FILE" else word for word in words]
                    with self.subTest(reply=reply, command=command):
                        result = self.run_tool("-c", config, *command.split(), *words,
                                               "--timeout", "100ms")
                        self.assertIn(result.returncode, (FINE, DIFFERENT, ERROR), result)
                        self.check_harmless(result)

    def test_what_daemons_say_of_themselves_is_escaped(self):
        server = self.redis()
        config = self.settings(server)
        now = int(time.time())
        evil = self.EVIL.encode("latin-1")
        server.ask("HSET", "limits:fleet", evil, evil.replace(b" ", b"") + b" %d 3 %d" % (
            now, now))
        for options in [], ["--json"]:
            result = self.run_tool("-c", config, "fleet", *options)
            self.assertEqual(result.returncode, DIFFERENT, result)
            self.check_harmless(result)


class ArgumentsTest(ToolCase):
    def test_each_command_has_help(self):
        everything = self.check(self.run_tool("--help"), FINE)
        for command in COMMANDS:
            with self.subTest(command):
                self.assertRegex(everything, rf"(?m)^  {command}\b")
                text = self.check(self.run_tool(*command.split(), "--help"), FINE)
                self.assertTrue(text.startswith(f"usage: dripgate {command}"), text)
                self.assertIn("--config FILE", text)
        listed = re.findall(r"(?m)^  ([a-z-]+(?: [a-z-]+)?) ", everything)
        listed = re.findall(r"(?m)^  ([a-z-]+(?: [a-z-]+)?) ", everything)
        self.assertEqual(sorted(set(listed)), sorted(COMMANDS))

    def test_help_of_a_family_has_its_commands_only(self):
        text = self.check(self.run_tool("limits", "--help"), FINE)
        self.assertIn("  limits load FILE", text)
        self.assertNotIn("consume", text)

    def test_the_command_help_says_the_same(self):
        for words in [], ["limits"], ["consume"], ["limits", "load"], ["help"]:
            self.assertEqual(self.check(self.run_tool("help", *words), FINE),
                             self.check(self.run_tool(*words, "--help"), FINE))
        self.assertIn("did you mean 'consume'?", self.complaint("help", "consme"))
        self.assertIn("did you mean 'limits load'?", self.complaint("help", "limits", "lod"))
        self.assertIn("usage: dripgate help [COMMAND]", self.complaint("help", "a", "b", "c"))

    def test_version(self):
        for option in "-V", "-v", "--version":
            self.assertRegex(self.check(self.run_tool(option), FINE), r"^dripgate \d")

    def test_wrong_arguments_say_what_to_do(self):
        wrong = {
            "": "--help", "consme a": "did you mean 'consume'?",
            "xyzzy": "--help", "limits": "limits --help", "limits lod x":
            "did you mean 'limits load'?", "consume": "usage: dripgate consume KEY",
            "consume a 1 2": "usage: dripgate consume KEY", "ping x": "usage",
            "limits check": "usage", "--jsn ping": "did you mean --json?",
            "-x ping": "unknown option -x", "ping --wait 1": "ping takes no --wait",
            "ping --socket": "--socket needs an argument",
            "ping -c": "-c needs an argument",
            "reload --spread x": "--spread", "reload --spread -1": "--spread",
            "reload --spread 0": "--spread", "reload --spread 2d": "--spread",
            "reload --spread 5u": "--spread",
            "reload --spread 1 --immediate": "exclude each other",
            "watch --count 0": "--count", "ping --timeout 0": "--timeout",
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
    """What comes until ${end} did, or until no process has it open any more."""
    text = b""
    while end is None or end not in text:
        if not select.select([fd], [], [], harness.PATIENCE)[0]:
            raise AssertionError(f"waited for {end} after {text[-200:]}")
        try:
            text += os.read(fd, 65536)
        except OSError:
            return text
    return text


class KeysTest(ToolCase):
    """limits test: which limit each key would get."""

    def ask(self, keys, *options):
        path = self.write("tested.ini", FILE)
        return subprocess.run(
            [DRIPGATE, "limits", "test", path, *options], input=keys, capture_output=True,
            check=False, timeout=harness.PATIENCE)

    def test_each_key_is_shown_with_its_limit(self):
        done = self.ask(b"login:42\nmail:a@b\nlogin:\xc3\xa9")
        self.assertEqual((done.returncode, done.stdout.decode()),
                         (FINE, "login:42 login\nmail:a@b mail\nlogin:\u00e9 login\n"))

    def test_a_key_without_a_limit_is_shown_and_changes_the_status(self):
        done = self.ask(b"nothing\nlogin:1\n", "--json")
        self.assertEqual(done.returncode, 1)
        self.assertEqual([json.loads(line) for line in done.stdout.splitlines()],
                         [{"key": "nothing", "limit": "-"}, {"key": "login:1", "limit": "login"}])

    def test_what_is_no_key_is_an_error_and_the_others_are_shown(self):
        done = self.ask(b"\n" + b"x" * 513 + b"\nlogin:\x1b\n")
        self.assertEqual(done.returncode, ERROR)
        self.assertEqual(done.stderr.decode().splitlines(),
                         ["dripgate: line 1: a key has 1 to 512 bytes",
                          "dripgate: line 2: a key has 1 to 512 bytes"])
        self.assertEqual(done.stdout, b"login:\\x1b login\n")

    def test_no_keys_are_fine(self):
        self.assertEqual(self.ask(b"").returncode, FINE)

    def test_a_wrong_file_is_an_error(self):
        self.complaint("limits", "test", "/nowhere")


class FilesTest(ToolCase):
    def test_a_file_that_is_fine(self):
        path = self.write("limits.ini", FILE)
        self.check(self.run_tool("limits", "check", path), FINE,
                   f"{path}: 3 limits, fine\n")

    def test_what_is_wrong_with_a_file_has_line_and_column(self):
        path = self.write("bad.ini", "")
        for text, where, what in (
                ("[a]\nmatch = a\n  capcity = 5\nrate = 1/s\n", "3:3",
                 "did you mean 'capacity'?"),
                ("[a]\nmatch = a\ncapacity =  x\nrate = 1/s\n", "3:13", "capacity must be"),
                ("[a]\nmatch = a\nrate = 1/s\n", "1:1", "capacity is missing"),
                (FILE + "nonsense\n", "18:1", "neither")):
            with self.subTest(text):
                self.write("bad.ini", text)
                said = self.complaint("limits", "check", path)
                self.assertTrue(said.startswith(f"{path}:{where}: "), said)
                self.assertIn(what, said)

    def test_all_that_is_wrong_is_said_at_once(self):
        path = self.write("bad.ini", "[a]\nmatch = a\ncapcity = 5\nrate = 1/s\n"
                          "[b]\nmatch = b\n")
        result = self.run_tool("limits", "check", path)
        self.assertEqual((result.returncode, result.stdout), (ERROR, ""))
        self.assertEqual([line.partition(": ")[0] for line in result.stderr.splitlines()],
                         [f"{path}:3:1", f"{path}:5:1", f"{path}:5:1"])
        config = self.write("bad.ini", "[listen]\nlime = x\nunit = x\n")
        result = self.run_tool("-c", config, "ping")
        self.assertEqual(result.returncode, ERROR)
        self.assertEqual([line.split(": ")[:2] for line in result.stderr.splitlines()],
                         [["dripgate", f"{config}:2"], ["dripgate", f"{config}:3"]])

    def test_what_may_be_a_mistake_is_said_of_a_file_that_is_fine(self):
        path = self.write("limits.ini", FILE + "".join(
            f"[{name}]\nmatch = ^last:\ncapacity = 1\nrate = 1/s\n"
            for name in ("last", "again")))
        result = self.run_tool("limits", "check", path)
        self.assertEqual((result.returncode, result.stdout),
                         (FINE, f"{path}: 5 limits, fine\n"))
        lines = len(FILE.splitlines())
        doubt = "match = ^last: looks like a regular expression, but has no ~ before it"
        self.assertEqual(result.stderr.splitlines(), [
            f"{path}:{lines + 2}:9: [last]: {doubt} (warning)",
            f"{path}:{lines + 6}:9: [again]: {doubt} (warning)",
            f"{path}:{lines + 5}:1: [again]: no key reaches it: [last] before it has the same "
            "match (warning)"])

    def test_files_that_cannot_be_read(self):
        self.assertIn("No such file", self.complaint("limits", "check", "/nonexistent"))
        self.assertIn("Is a directory", self.complaint("limits", "check", self.folder))
        self.assertIn("no limits", self.complaint("limits", "check", "/dev/null"))

    def test_a_complaint_is_fit_for_a_terminal(self):
        path = self.write("bad.ini", FILE + "mat\033[31mch = a\n")
        self.assertTrue(self.complaint("limits", "check", path)[:-1].isprintable())


class LimitsCase(ToolCase):
    def setUp(self):
        super().setUp()
        self.server = self.redis()
        self.config = self.settings(self.server)
        self.file = self.write("limits.ini", FILE)

    def limits(self, *arguments, status=FINE, stdout=None):
        return self.check(self.run_tool("-c", self.config, "limits", *arguments),
                          status, stdout)


class LimitsTest(LimitsCase):
    def members(self):
        return [m.decode() for m in self.server.ask("ZRANGE", "limits", 0, -1)]

    def put(self, *members):
        for i, member in enumerate(members):
            self.server.ask("ZADD", "limits", i, member)

    def test_load_replaces_the_key_and_orders_the_reload(self):
        self.put("old match=old capacity=1 recharge=1s")
        with self.server.connect() as link:
            link.ask("SUBSCRIBE", "control")
            self.limits("load", self.file, "--yes",
                        stdout="limits: 3 limits, number 2\nreload on control, heard by 1\n")
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
                                     (["--spread", "1.5s"], "reload:spread:1.5")):
                self.limits("load", self.file, *options)
                self.assertEqual(link.read()[2].decode(), message)
            self.limits("load", self.file, "--no-reload",
                        stdout="limits: 3 limits, number 5\n")
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
        bad = self.write("bad.ini", FILE + "[x]\nmatch = x\nrate = 1/s\n")
        self.assertIn("bad.ini:18:1: [x]: capacity is missing",
                      self.complaint("-c", self.config, "limits", "load", bad))
        self.assertEqual(self.members(), [LOGIN])

    def test_what_a_daemon_would_not_take_from_redis_is_not_loaded(self):
        rule = "[a%d]\nmatch = ~%s\ncapacity = 1\nrecharge = 1s\n"
        for text, complaint in (
                (FILE.replace("api:*", "~[ a]"), "[api]: match has a blank"),
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
        self.assertIn(r"1 of 2 members are no limits; member 2: is no MessagePack of "
                      r"Turnstile: \x82\xa4name", said)
        self.assertIn("--force", said)
        self.assertEqual(self.server.ask("ZCARD", "limits"), 2)
        self.limits("load", self.file, "--force")
        self.assertEqual(self.members(), [LOGIN, API, MAIL])

    def test_a_key_of_another_type_is_replaced_by_force_only(self):
        self.server.ask("SET", "limits", "x")
        for words in (["load", self.file], ["dump"], ["list", "--redis"],
                      ["diff", self.file]):
            self.assertIn("WRONGTYPE", self.complaint("-c", self.config, "limits", *words))
        self.assertEqual(self.server.ask("GET", "limits"), b"x")
        self.limits("load", self.file, "--force")
        self.assertEqual(self.members(), [LOGIN, API, MAIL])

    ODD = "odd match=o capacity=0 recharge=1s"
    ALIEN = b"\x82\xa4name\xa3foo\x1b[31m"

    def broken(self, *arguments):
        """What is shown of a set with members that are no limits, which is an error."""
        self.server.ask("DEL", "limits")
        self.put(LOGIN, self.ODD, API, LOGIN.replace("5", "6"), self.ALIEN)
        result = self.run_tool("-c", self.config, "limits", *arguments)
        self.assertEqual(result.returncode, ERROR, result)
        self.assertRegex(result.stderr, r"\Adripgate: limits: daemons refuse this set: 3 of 5 "
                         r"members are no limits; member 2: \[odd\]: capacity must be [^\n]*: "
                         rf"{self.ODD}(; --force replaces it)?\n\Z")
        self.assertNotIn("\033", result.stdout)
        return result.stdout

    def test_a_broken_set_is_listed_with_what_is_wrong(self):
        rows = self.broken("list", "--redis").splitlines()
        self.assertEqual([row.split()[:2] for row in rows], [
            ["NAME", "MATCH"], ["login", "login:*"], ["odd", "!"], ["api", "api:*"],
            ["login", "!"], [r"\x82\xa4name\xa3foo\x1b[31m", "!"]])
        self.assertIn("! [odd]: capacity must be a whole number", rows[2])
        self.assertIn("! another limit of this name comes before", rows[4])
        self.assertIn("! is no MessagePack of Turnstile", rows[5])
        entries = json.loads(self.broken("list", "--redis", "--json"))
        self.assertEqual([entry.get("name") for entry in entries],
                         ["login", None, "api", None, None])
        self.assertEqual(entries[1]["member"], self.ODD)
        self.assertIn("capacity must be", entries[1]["error"])

    def test_a_broken_set_is_dumped_such_that_a_check_finds_what_is_wrong(self):
        text = self.broken("dump")
        self.assertIn("; not a limit: [odd]: capacity must be", text)
        self.assertIn("\n[odd]\nmatch = o\ncapacity = 0\n", text)
        self.assertIn("; \\x82\\xa4name\\xa3foo\\x1b[31m\n", text)
        path = self.write("dumped.ini", text)
        result = self.run_tool("limits", "check", path)
        lines = text.split("\n")
        places = [line.split(":")[1] for line in result.stderr.splitlines()]
        self.assertEqual([lines[int(place) - 1] for place in places],
                         ["capacity = 0", "[login]"])
        saved = os.path.join(self.folder, "saved.ini")
        self.broken("dump", saved)
        with open(saved, encoding="utf-8") as file:
            self.assertEqual(file.read(), text)

    def test_a_broken_set_is_compared_with_what_is_wrong_marked(self):
        shown = self.broken("diff", self.file).splitlines()
        self.assertEqual(shown, [
            f"!{self.ODD}", "!" + LOGIN.replace("5", "6"),
            r"!\x82\xa4name\xa3foo\x1b[31m", f"+{MAIL}"])
        changes = json.loads(self.broken("diff", self.file, "--json"))
        self.assertEqual(changes["added"], [MAIL])
        self.assertEqual([entry["member"] for entry in changes["wrong"]][:1], [self.ODD])
        self.assertEqual(self.broken("load", self.file, "--dry-run").splitlines(), shown)

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

    def test_any_pattern_can_be_dumped_and_loaded_again(self):
        path = os.path.join(self.folder, "out.ini")
        for match in "~" + "x" * 300, ";x", '"x"', "'", 'x"', "#x", '"' * 4000:
            with self.subTest(match):
                self.server.ask("DEL", "limits")
                self.put(f"odd match={match} capacity=1 recharge=1s")
                before = self.members()
                self.limits("dump", path, "--force", stdout="")
                self.limits("load", path)
                self.assertEqual(self.members(), before)

    def test_an_empty_key(self):
        self.assertIn("no limits in it", self.complaint("-c", self.config, "limits", "dump"))
        self.assertEqual(len(self.limits("list", "--redis").splitlines()), 1)
        self.assertEqual(self.limits("list", "--redis", "--json"), "[]\n")
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
        rows = [line.split() for line in self.limits("list", "--redis").splitlines()]
        self.assertEqual(rows, [
            ["NAME", "MATCH", "CAPACITY", "RECHARGE", "WINDOW", "ALSO"],
            ["login", "login:*", "5", "1m", "block=5m"],
            ["api", "api:*", "100", "20ms", "on_error=allow"],
            ["mail", "mail:*", "1000", "1d", "algorithm=fixed_window"]])
        self.assertEqual(json.loads(self.limits("list", "--redis", "--json"))[2], {
            "name": "mail", "match": "mail:*", "algorithm": "fixed_window",
            "capacity": 1000, "window": "1d"})

    def test_list_shows_the_limits_of_a_daemon_that_has_a_file(self):
        """As the key would show them; --redis is for the key all the same."""
        text = FILE + """
[odd]
match = ~^a=b[.]5 ?$
capacity = 1
recharge = 1us
block = 90s
shadow = on
deny_cache = off
on_error = deny
max_buckets = 1000
"""
        daemon = self.daemon(text, settings={
            "redis": {"unix_socket_path": self.server.path}})
        self.put(API)
        shown = [self.tool(daemon, "limits", "list"),
                 self.check(self.run_tool("limits", "list", "-s", daemon.path), FINE)]
        shown_json = self.tool(daemon, "limits", "list", "--json")
        self.assertEqual(len(self.tool(daemon, "limits", "list", "--redis").splitlines()), 2)
        with daemon.connect() as client:
            client.ask("consume login:1")
        self.server.ask("DEL", "limits")
        self.put(LOGIN, API, MAIL, "odd match=~^a=b[.]5?$ capacity=1 recharge=1us block=90s "
                 "shadow=yes deny_cache=no on_error=deny max_buckets=1000")
        expected = self.limits("list", "--redis").replace("5?$", "5 ?$")
        self.assertEqual([" ".join(text.split()) for text in shown],
                         [" ".join(expected.split())] * 2)
        self.assertEqual(json.loads(shown_json), json.loads(
            self.limits("list", "--redis", "--json").replace("5?$", "5 ?$")))

    def test_list_shows_all_words_of_the_limits_of_a_daemon(self):
        members = [
            "grow match=grow:* capacity=1 recharge=1s block=2500ms,x3,max,1m block_memory=1h",
            "bad match=bad:* action=deny",
            "good match=good/* segments=yes action=allow also=1.5,a.b:$0",
            "queue match=q:* capacity=2 debt=5 recharge=500ms queue=5s normalize=lower,ip64 "
            "also=all:$1 retry_jitter=10% id_memory=90s",
            "month match=m:* algorithm=fixed_window capacity=5 window=month timezone=Asia/Tokyo",
            "slide match=s:* algorithm=sliding_window capacity=5 window=90s",
            "job match=job:* algorithm=concurrent capacity=5 lease=1500ms max_buckets=7"]
        text = "".join("[" + member.replace(" ", "]\n", 1).replace(" ", "\n") + "\n"
                       for member in members)
        daemon = self.daemon(text, settings={
            "redis": {"unix_socket_path": self.server.path}})
        self.put(*members)
        self.assertEqual(self.tool(daemon, "limits", "list"), self.limits("list", "--redis"))
        self.assertEqual(self.tool(daemon, "limits", "list", "-j"),
                         self.limits("list", "--redis", "-j"))

    def test_list_shows_the_key_where_the_daemon_takes_its_limits_from_there(self):
        self.put(LOGIN)
        config = self.write("source.ini", f"[redis]\nunix_socket_path = {self.server.path}\n"
                            "[limits]\nsource = redis\n")
        text = self.check(self.run_tool("-c", config, "limits", "list"), FINE)
        self.assertEqual(text.splitlines()[1].split()[:2], ["login", "login:*"])

    def test_another_key_and_channel(self):
        self.config = self.settings(self.server, limits_key="my limits", channel="my")
        self.limits("load", self.file,
                    stdout="my limits: 3 limits, number 1\nreload on my, heard by 0: "
                    "no daemon follows this channel\n")
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
        self.assertIn("WRONGPASS", self.complaint("-c", self.config, "limits", "list", "--redis"))

    def test_a_password_in_a_file_of_its_own(self):
        self.server.ask("CONFIG", "SET", "requirepass", "sesame;1")
        said = self.complaint("-c", self.config, "limits", "dump")
        self.assertIn("NOAUTH", said)
        self.assertIn("--password-file", said)
        secret = self.write("secret", "sesame;1\n")
        wrong = self.write("wrong", "open\n")
        self.limits("diff", self.file, "--password-file", secret, status=DIFFERENT)
        self.config = self.settings(self.server)
        with open(self.config, "a", encoding="ascii") as file:
            file.write("password = other\n")
        self.limits("diff", self.file, "--password-file", secret, status=DIFFERENT)
        self.assertIn("WRONGPASS", self.complaint(
            "-c", self.config, "limits", "dump", "--password-file", wrong))
        for path, why in ((self.write("two", "a\nb\n"), "a password is one line"),
                          ("/nonexistent", "No such file"),
                          (self.write("long", "x" * 4097), "at most 4096")):
            self.assertIn(f"{path}: {why}" if path == "/nonexistent" else why, self.complaint(
                "-c", self.config, "limits", "dump", "--password-file", path))

    def in_service_host(self, place, *command):
        """Run the tool where systemd has the credential of the service at that place,
        for root alone."""
        script = f"""
            mount -t tmpfs none /run
            mkdir -p -m 700 {os.path.dirname(place)} && echo sesame > {place} &&
            exec "$@" """
        probe = subprocess.run(["unshare", "-m", "true"], check=False)
        if probe.returncode or os.getuid():
            self.skipTest("needs root and namespaces")
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", script, "sh", *command], capture_output=True,
            text=True, check=False, timeout=harness.PATIENCE)

    def test_the_credential_of_the_service_is_found(self):
        self.server.ask("CONFIG", "SET", "requirepass", "sesame")
        place = "/run/credentials/dripgated.service/dripgate.redis-password"
        dump = [DRIPGATE, "-c", self.config, "limits", "diff", self.file]
        result = self.in_service_host(place, *dump)
        self.assertEqual((result.returncode, result.stdout),
                         (DIFFERENT, f"+{LOGIN}\n+{API}\n+{MAIL}\n"), result)

    def test_who_may_not_read_the_credential_is_told_what_to_do(self):
        self.server.ask("CONFIG", "SET", "requirepass", "sesame")
        place = "/run/credentials/dripgated.service/dripgate.redis-password"
        os.chmod(self.folder, 0o755)
        os.chmod(self.server.path, 0o777)
        result = self.in_service_host(
            place, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
            DRIPGATE, "-c", self.config, "limits", "dump")
        self.assertEqual(result.returncode, ERROR, result)
        self.assertIn("credential of systemd", result.stderr)
        self.assertIn("sudo", result.stderr)
        self.assertIn("--password-file", result.stderr)

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
        self.assertIn("no reply in time",
                      self.complaint("-c", self.config, "limits", "list", "--redis"))


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
        # A daemon that was too slow is asked again.
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
                   "no daemon responds\n")
        self.check(self.run_tool("-c", self.config, "nodes", "-w", "50ms", "-j"), DIFFERENT,
                   "[]\n")

    def test_a_load_reaches_the_fleet(self):
        daemons = [self.node(self.server, name) for name in ("a", "b")]
        self.run_fine("limits", "load", self.file, "--immediate")
        for daemon in daemons:
            wait_until(lambda d=daemon: "limit=mail" in d.ask("PEEK mail:1"), "the limits")
        for name in "a", "b":
            wait_until(lambda n=name: b" 3 " in self.row(self.server, n), "the node")
        self.assertEqual(self.states(), {"a": "current", "b": "current"})

    def test_who_lags_is_seen(self):
        self.node(self.server, "a")
        self.assertEqual(self.states(), {"a": "current"})
        self.run_fine("limits", "load", self.file, "--no-reload")
        self.assertEqual(self.states(DIFFERENT), {"a": "lags"})
        self.run_fine("reload", "--immediate")
        wait_until(lambda: b" 3 " in self.row(self.server, "a"), "the node")
        self.assertEqual(self.states(), {"a": "current"})

    def say(self, name, digest, seen_ago):
        now = int(time.time())
        self.server.ask("HSET", "limits:fleet", name,
                        f"{digest} {now - 3970} 3 {now - seen_ago}")

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

    def test_daemons_of_one_name_are_shown_one_by_one(self):
        for name, digest in (("web#0001", "-"), ("web#00ff", "abc"), ("web b#1234", "-"),
                             ("web#12x4", "-"), ("web-#1234", "-"), ("#1234", "-"), ("web2", "-")):
            self.say(name, digest, 1)
        rows = [row.split("  ") for row in self.run_fine(
            "fleet", status=DIFFERENT).splitlines()[1:]]
        self.assertEqual([(row[0], row[-1]) for row in rows], [
            ("#1234", "kept"), ("web#0001", "kept"), ("web#00ff", "lags"), ("web b", "kept"),
            ("web#12x4", "kept"), ("web-", "kept"), ("web2", "kept")])
        self.assertEqual(
            [(node["node"], node["id"]) for node in json.loads(self.run_fine(
                "fleet", "--json", status=DIFFERENT))["nodes"]],
            [("#1234", None), ("web", "0001"), ("web", "00ff"), ("web b", "1234"),
             ("web#12x4", None), ("web-", "1234"), ("web2", None)])

    def test_an_empty_fleet(self):
        self.assertEqual(self.run_fine("fleet"), "no daemons\n")

    def test_what_no_daemon_says_is_an_error(self):
        for value in "", "x", "abc 1 2", "abc 1 2 x", "abc 1 2 3 4", "x" * 100 + " 1 2 3":
            with self.subTest(value):
                self.server.ask("HSET", "limits:fleet", "\033odd", value)
                result = self.run_tool("-c", self.config, "fleet")
                self.assertEqual(result.returncode, ERROR)
                self.assertIn(r"\x1bodd: not a daemon's report", result.stderr)
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
        # A daemon that was too slow is asked again.
        wait_until(lambda: self.run_fine("command", "ping", "back", "hi", "-l", "back", "-t",
                                         "3") == "pong:a:hi\n", "the answer")

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
        self.assertEqual([row[0] for row in rows[1:]], ["total", "busy", "slow", "idle"])
        for place in range(1, 6):
            self.assertAlmostEqual(float(rows[1][place]), sum(float(row[place])
                                                              for row in rows[2:]), delta=0.2)
        allowed, denied, _, fallback, _ = map(float, rows[2][1:])
        self.assertAlmostEqual(allowed / denied, 20, delta=0.5)
        self.assertAlmostEqual(allowed / fallback, 100, delta=5)
        self.assertEqual(set(rows[4][1:]), {"0.0"})

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
            self.folder, "watching", [DRIPGATE, "-s", daemon.path, "watch",
                                       "--timeout", "1h"]))
        self.assertTrue(daemon.is_silent.wait(harness.PATIENCE))
        process.send(signal.SIGINT)
        self.assertEqual(process.wait(), FINE)
        self.assertNotIn("dripgate:", process.log())

    def on_terminal(self, daemon, *options, size=(0, 0), term="xterm"):
        """A tool that watches it, and the other end of its terminal, which has so
        many lines and columns."""
        ours, its = pty.openpty()
        self.addCleanup(os.close, ours)
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self.before = termios.tcgetattr(its)
        env = {name: value for name, value in os.environ.items() if name != "TERM"}
        if term is not None:
            env["TERM"] = term
        with open(its, "wb", buffering=0) as terminal:
            child = subprocess.Popen(
                [DRIPGATE, "-s", daemon.path, "watch", *options], stdin=terminal,
                stdout=terminal, stderr=terminal, env=env)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child, ours

    def hundred(self):
        return self.fake(*([counts(f"a{i}", i) for i in range(100)] for _ in range(99)))

    def test_what_is_no_screen_gets_plain_lines(self):
        for size, term in (((10, 20), "xterm"), ((4, 80), "xterm"), ((24, 80), "dumb"),
                           ((24, 80), ""), ((24, 80), None)):
            with self.subTest(size=size, term=term):
                daemon = self.fake(*([counts("a" * 30, i), counts("b", i)] for i in range(9)))
                child, ours = self.on_terminal(daemon, "--count", "1", size=size, term=term)
                lines = read_terminal(ours).decode().split("\r\n")
                self.assertEqual(child.wait(harness.PATIENCE), FINE)
                self.assertNotIn("\033", "".join(lines))
                self.assertEqual(lines[0].split()[:2], ["LIMIT", "ALLOWED/S"])
                self.assertEqual([line[:3].strip() for line in lines],
                                 ["LIM", "tot", "aaa", "b", ""])
                self.assertLessEqual(max(map(len, lines)), size[1])
                daemon.close()
                os.unlink(daemon.path)

    def test_a_screen_is_never_wider_than_the_terminal(self):
        child, ours = self.on_terminal(self.hundred(), size=(10, 40))
        text = read_terminal(ours, b"LIMIT")
        text += read_terminal(ours, b"LIMIT")
        child.send_signal(signal.SIGINT)
        text += read_terminal(ours)
        table = re.sub(r"\033\[[?0-9]*[a-zA-Z]", "", text.decode()).split("\r\n")
        self.assertLessEqual(max(map(len, table)), 40)

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

    def test_q_ends_it(self):
        child, ours = self.on_terminal(self.hundred())
        read_terminal(ours, b"LIMIT")
        self.assertNotEqual(termios.tcgetattr(ours), self.before)
        os.write(ours, b"xq")
        text = read_terminal(ours)
        self.assertNotIn(b"x", text)
        self.assertTrue(text.endswith(b"\033[?25h\033[?1049l"), text[-40:])
        self.assertEqual(child.wait(harness.PATIENCE), FINE)

    def test_denials_are_red(self):
        daemon = self.fake(*([counts("a", 1, 10 * i), counts("b", i)] for i in range(99)))
        child, ours = self.on_terminal(daemon)
        text = b"".join(read_terminal(ours, b"DENYCACHE/S") for _ in range(2))
        rows = [line for line in text.split(b"\r\n") if line.startswith((b"a ", b"b ", b"total "))]
        self.assertEqual({line[:1]: b"\033[31m" in line for line in rows},
                         {b"t": True, b"a": True, b"b": False})
        child.send_signal(signal.SIGINT)

    def test_several_daemons_are_added_up(self):
        gates = [self.daemon(FILE, {"workers": {"count": 1}}) for _ in range(2)]
        nodes = ",".join([gates[0].path, "/nowhere.sock", gates[1].path])
        watching = self.started(Process(self.folder, "watching", [
            DRIPGATE, "watch", "--json", "--nodes", nodes]))
        wait_until(lambda: "trying again" in watching.log(), "the first look")

        def objects():
            *lines, _ = watching.log().split("\n")
            return [json.loads(line) for line in lines if line.startswith("{")]

        def are_seen():
            for i, gate in enumerate(gates):
                gate.ask(*["consume login:1"] * (i + 1), "consume other:1")
            # What was asked may have been late for a look.
            return len(objects()) >= 3 and objects()[-1]["total"]["denied"] and objects()
        last = wait_until(are_seen, "rates of both")[-1]
        self.assertEqual(last["daemons"], 2)
        names = [limit["name"] for limit in last["limits"]]
        self.assertEqual(sorted(names), sorted(set(names)))
        for name in "allowed", "denied":
            self.assertAlmostEqual(sum(limit[name] for limit in last["limits"]),
                                   last["total"][name], delta=0.01)
        self.assertEqual(watching.log().count("/nowhere.sock"), 1)
        gates[0].stop()
        wait_until(lambda: watching.log().count("trying again") == 2, "the other one alone")
        wait_until(lambda: objects()[-1]["daemons"] == 1, "one")

    def test_nodes_that_are_none(self):
        for words, reason in ((("--nodes", ","), "no address"),
                              (("--nodes", "/a", "-s", "/b"), "not both"),
                              (("--nodes", "/nowhere,/there"), "/nowhere: "),
                              (("--nodes", ",".join(["/a"] * 65)), "more than 64")):
            done = self.run_tool("watch", *words)
            self.assertEqual(done.returncode, ERROR)
            self.assertIn(reason, done.stderr)

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
