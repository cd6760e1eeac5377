"""Real processes for the tests: redis-server, dripgated, and clients of both.

Everything lives in a temporary folder and ends with the test that started it.
The daemon under test is $DRIPGATED, by default build/dripgated; Redis is
$REDIS_SERVER, by default redis-server.
"""

import contextlib
import functools
import itertools
import os
import random
import re
import resource
import selectors
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DRIPGATED = os.path.abspath(
    os.environ.get("DRIPGATED", os.path.join(ROOT, "build", "dripgated")))
DRIPGATE = os.path.abspath(
    os.environ.get("DRIPGATE", os.path.join(ROOT, "build", "dripgate")))

REDIS_SERVER = os.environ.get("REDIS_SERVER", "redis-server")

# Some tests have more clients than a process may have descriptors by default.
resource.setrlimit(resource.RLIMIT_NOFILE,
                   (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


def give_children_default_signals():
    """A shell starts a background job with SIGINT ignored, nohup one without SIGHUP;
    what is ignored or blocked here would be so in every process under test."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM:
        if signal.getsignal(number) == signal.SIG_IGN:
            # A handler, which ignores it here, is not inherited over exec.
            signal.signal(number, lambda *_: None)


give_children_default_signals()

# How a process ends by its own fault.
CRASHES = (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGFPE)

# Bounds only how long a broken build can hang; no test passes or fails by it.
PATIENCE = 30


def redis_users(folder, settings):
    """What dripgate acl prints for the text of a settings file, a line each:
    [(user, password or nopass, rights)]."""
    path = os.path.join(folder, "acl.ini")
    with open(path, "w", encoding="utf-8") as file:
        file.write(settings)
    lines = subprocess.run([DRIPGATE, "-c", path, "acl"], check=True, text=True,
                           capture_output=True).stdout.splitlines()
    users = []
    for words in map(shlex.split, lines):
        # Else what is left out in a test might be there all the same.
        if words[:2] != ["ACL", "SETUSER"] or words[3:5] != ["reset", "on"] or \
                words[6] != "resetchannels":
            raise AssertionError(words)
        users.append((words[2], words[5], words[7:]))
    return users


# Ports that this process may still give out.
PORTS = []


def claim_ports():
    """A hundred ports for this process alone: an abstract socket with their number in
    its name says to other tests that they are taken, until this process ends."""
    while True:
        first = random.randrange(10_000, 20_000, 100)
        sign = socket.socket(socket.AF_UNIX)
        try:
            sign.bind(f"\0dripgate-test-ports-{first}")
        except OSError:
            sign.close()
            continue
        sign.detach()
        PORTS.extend(range(first, first + 100))
        return


def free_port():
    """A TCP port that no process listens on just now, and that the kernel gives to
    no connection: or one that tries in vain to reach it could take it, or reach
    itself.  A node of a cluster listens on the port 10,000 above its own, too:
    that one is of the same kind, and never one that was given out."""
    while True:
        if not PORTS:
            claim_ports()
        port = PORTS.pop()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def wait_until(condition, what, patience=PATIENCE):
    """Poll until condition() is true and return what it returned."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience} s for {what}")
        time.sleep(0.005)


def note(text):
    """A figure that passes or fails nothing, shown with NOTES=1."""
    if os.environ.get("NOTES"):
        print(f"    {text}", file=sys.stderr)


class Process:
    """A child process whose output goes to a file in the folder of the test."""

    def __init__(self, folder, name, argv, env=None, **popen):
        self.log_path = os.path.join(folder, f"{name}.log")
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(env or {})}, **popen)
        self.pid = self.popen.pid

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="backslashreplace") as file:
            return file.read()

    def send(self, number):
        self.popen.send_signal(number)

    def is_running(self):
        return self.popen.poll() is None

    def memory(self):
        """Bytes of memory that it holds just now; 0 if a sanitizer's are among
        them, which report leaks in their own way."""
        with open(f"/proc/{self.pid}/maps", encoding="ascii") as file:
            if re.search(r"/lib[a-z]san\.so", file.read()):
                return 0
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    def descriptors(self):
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def has_socket(self):
        """Whether one of those is a socket."""
        folder = f"/proc/{self.pid}/fd"
        for name in os.listdir(folder):
            # It may be closed by now.
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(os.path.join(folder, name)).startswith("socket:"):
                    return True
        return False

    def wait(self, patience=PATIENCE):
        return self.popen.wait(patience)

    def kill(self):
        if self.is_running():
            self.popen.send_signal(signal.SIGCONT)
            self.popen.kill()
        self.popen.wait()


class Redis(Process):
    """A redis-server without persistence, on a TCP port and a Unix socket."""

    count = 0

    def __init__(self, folder, *arguments, port=None, path=None, env=None):
        Redis.count += 1
        self.port = port or free_port()
        self.path = path or os.path.join(folder, f"redis-{Redis.count}.sock")
        super().__init__(folder, f"redis-{Redis.count}", [
            REDIS_SERVER, "--port", str(self.port), "--bind", "127.0.0.1",
            "--unixsocket", self.path, "--save", "", "--appendonly", "no",
            "--daemonize", "no", "--dir", folder, "--enable-debug-command", "yes",
            *arguments], env=env)
        wait_until(self.answers, REDIS_SERVER)

    def answers(self):
        if not self.is_running():
            raise AssertionError(f"{REDIS_SERVER} ended:\n" + self.log())
        try:
            with self.connect() as link:
                link.ask("PING")
            return True
        except RedisError:
            return True  # it wants a password, or is still loading
        except OSError:
            return False

    def connect(self):
        return RedisClient(self.path)

    def ask(self, *words):
        with self.connect() as link:
            return link.ask(*words)


class Connection:
    """A stream to an address: a path, or (host, port)."""

    def __init__(self, address):
        self.socket = socket.socket(
            socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(address)
        except OSError:
            self.socket.close()
            raise
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()


class RedisError(Exception):
    pass


class RedisClient(Connection):
    """Just enough of RESP2 to look into a server."""

    def ask(self, *words):
        self.send(*words)
        return self.read()

    def send(self, *words):
        parts = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(
            b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))

    def read(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        return [self.read() for _ in range(int(rest))]


LIMITS = """
[login]
match = login:*
capacity = 5
recharge = 60s
"""

# One limit of each kind.
ALL_KINDS = """
[login]
match = login:*
capacity = 5
recharge = 60s

[guess]
match = guess:*
capacity = 4
recharge = 30s
block = 5m

[mail]
match = mail:*
algorithm = fixed_window
capacity = 10
window = 365d

[hot]
match = hot:*
capacity = 1000
recharge = 1h

[look]
match = look:*
capacity = 3
recharge = 1h
shadow = yes
"""

# No response shall come from a fallback only because the machine is busy: neither
# when it is asked for nor at the start, which goes on without Redis once that has
# not greeted in time.
PATIENT = {"redis": {"socket_timeout": "20s", "connect_timeout": "20s"}}


class Daemon(Process):
    """A dripgated with a config file of its own.

    settings: {"section": {"name": value}}; what it does not say is as short as
    it can be: one worker, a free TCP port, a Unix socket, the limits given.
    launcher: a command that is to start it.
    """

    count = 0

    def __init__(self, folder, limits=LIMITS, settings=None, env=None,
                 wait=True, launcher=(), **popen):
        Daemon.count += 1
        name = f"dripgated-{Daemon.count}"
        self.port = free_port()
        self.path = os.path.join(folder, f"{name}.sock")
        self.config_path = os.path.join(folder, f"{name}.ini")
        self.limits_path = os.path.join(folder, f"{name}-limits.ini")
        self.settings = {
            "listen": {"line": f"127.0.0.1:{self.port}", "unix": self.path},
            "admin": {"listen": ""},
            "workers": {"count": 1},
            "limits": {"file": self.limits_path},
        }
        for section, values in (settings or {}).items():
            self.settings.setdefault(section, {}).update(values)
        self.write_config()
        self.write_limits(limits)
        super().__init__(
            folder, name, [*launcher, DRIPGATED, "-c", self.config_path],
            env=env, **popen)
        if wait:
            wait_until(self.is_ready, "dripgated")

    def write_config(self):
        with open(self.config_path, "w", encoding="utf-8") as file:
            for section, values in self.settings.items():
                file.write(f"[{section}]\n")
                for name, value in values.items():
                    file.write(f"{name} = {value}\n")

    def write_limits(self, text):
        with open(self.limits_path, "w", encoding="utf-8") as file:
            file.write(text)

    def is_ready(self):
        if not self.is_running():
            raise AssertionError("dripgated ended:\n" + self.log())
        return "try: printf " in self.log()

    def listens(self):
        """Whether it does on its Unix socket, whose file is there before."""
        try:
            self.connect().close()
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def reload(self):
        """SIGHUP, and wait for what came of it; the new part of the log."""
        before = len(self.log())
        self.send(signal.SIGHUP)
        return wait_until(
            lambda: "reloaded" in self.log()[before:] and self.log()[before:],
            "the reload")

    def stop(self):
        """SIGTERM, and the exit status."""
        self.send(signal.SIGTERM)
        return self.wait()

    def connect(self, unix=True):
        return Client(self.path if unix else ("127.0.0.1", self.port))

    def ask(self, *lines):
        """The one-line replies to some requests, over a connection of their own."""
        with self.connect() as client:
            return client.ask(*lines)

    def stats(self):
        with self.connect() as client:
            return {name: int(value) for name, value in
                    (line.split(" ") for line in client.ask_many("STATS"))}


class Client(Connection):
    """A connection to dripgated."""

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """The next line, without its end; "" if the connection was closed."""
        line = self.file.readline()
        if line and not line.endswith(b"\n"):
            raise AssertionError(f"half a line: {line!r}")
        return line[:-1].decode()

    def finish(self):
        """Say that nothing more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def rest(self):
        """All bytes up to the end of the connection."""
        return self.file.read()

    def vanish(self):
        """Close so that the other side gets a reset (TCP)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
        self.close()

    def ask(self, *lines):
        """Send all lines at once; one reply line each (a str for one line)."""
        self.send("".join(line + "\n" for line in lines))
        replies = [self.line() for _ in lines]
        return replies[0] if len(lines) == 1 else replies

    def ask_many(self, line):
        """The lines before END of a reply that has many."""
        self.send(line + "\n")
        return self.until_end()

    def until_end(self):
        lines = []
        while (reply := self.line()) != "END":
            if not reply:
                raise AssertionError(f"no END: {lines}")
            lines.append(reply)
        return lines


class Talk:
    """One client's side of converse(): sends a text in pieces, takes responses."""

    def __init__(self, address, text, piece_sizes):
        self.client = Client(address)
        self.client.socket.setblocking(False)
        self.left = memoryview(text)
        self.piece_sizes = piece_sizes
        self.answer = bytearray()
        self.events = selectors.EVENT_READ | selectors.EVENT_WRITE

    def send(self):
        try:
            sent = self.client.socket.send(self.left[:next(self.piece_sizes)])
        except BlockingIOError:
            return
        self.left = self.left[sent:]
        if not self.left:
            self.client.finish()
            self.events = selectors.EVENT_READ

    def receive(self):
        """Return whether that was the end."""
        received = self.client.socket.recv(65536)
        self.answer += received
        return not received


def converse(address, *texts, piece_sizes=itertools.repeat(65536)):
    """All texts at once, each on a connection of its own, which then says that
    no more will come; all responses to each until the daemon closes."""
    talks = [Talk(address, text, piece_sizes) for text in texts]
    with selectors.DefaultSelector() as selector:
        for talk in talks:
            selector.register(talk.client.socket, talk.events, talk)
        while selector.get_map():
            ready = selector.select(PATIENCE)
            if not ready:
                raise AssertionError(f"no answer for {PATIENCE} s")
            for entry, events in ready:
                talk = entry.data
                if events & selectors.EVENT_WRITE:
                    talk.send()
                if events & selectors.EVENT_READ and talk.receive():
                    selector.unregister(talk.client.socket)
                elif talk.events != entry.events:
                    selector.modify(talk.client.socket, talk.events, talk)
    for talk in talks:
        talk.client.close()
    return [bytes(talk.answer) for talk in talks]


def fields(reply):
    """{"verdict": "ALLOW", "limit": "login", "level": "1", ...}"""
    verdict, *rest = reply.split(" ")
    return {"verdict": verdict, **dict(word.split("=", 1) for word in rest)}


class Case(unittest.TestCase):
    """A test with a folder, whose processes end with it and must not have
    complained of themselves (sanitizers)."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="dripgate-")
        self.processes = []
        self.addCleanup(self.clean_up)

    def clean_up(self):
        broken = []
        for process in self.processes:
            if isinstance(process, Daemon) and process.is_running():
                process.send(signal.SIGCONT)
                process.send(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait()
            process.kill()
            log = process.log()
            if "Sanitizer" in log or "runtime error" in log or \
                    process.popen.returncode in CRASHES:
                broken.append(log)
        # The child of a Redis that was killed while it saved may still write there.
        shutil.rmtree(self.folder, ignore_errors=True)
        self.assertEqual(broken, [])

    def redis(self, *arguments, **options):
        return self.started(Redis(self.folder, *arguments, **options))

    def daemon(self, limits=LIMITS, settings=None, **options):
        return self.started(Daemon(self.folder, limits, settings, **options))

    @staticmethod
    def check_connect(gate):
        """What dripgated --check --connect says with the settings of a daemon."""
        return subprocess.run(
            [DRIPGATED, "-c", gate.config_path, "--check", "--connect"],
            capture_output=True, text=True, check=False, timeout=PATIENCE)

    def redis_level(self, gate, key="login:1"):
        """The level after one more drop, once Redis decides."""
        said = {}

        def decided():
            said.update(fields(gate.ask(f"consume {key}")))
            return said["from"] == "redis"

        wait_until(decided, f"Redis; {gate.log()}")
        return int(said["level"])

    def redis_daemon(self, redis, limits=LIMITS, settings=None, **options):
        """A daemon whose buckets are in that Redis, and which is PATIENT with it unless
        the settings say otherwise."""
        merged = {"store": {"type": "redis"},
                  "redis": {"unix_socket_path": redis.path, **PATIENT["redis"]}}
        for section, values in (settings or {}).items():
            merged.setdefault(section, {}).update(values)
        return self.daemon(limits, merged, **options)

    def started(self, process):
        self.processes.append(process)
        return process


class Asks:
    """Mixed into a Case that has self.client."""

    def ask(self, line, verdict, level=None, **expected):
        """What is said of a decision, which is this one, and says this."""
        said = fields(self.client.ask(line))
        self.assertEqual(said["verdict"], verdict, f"{line}: {said}")
        if level is not None:
            self.assertEqual(said["level"], str(level), f"{line}: {said}")
        for name, value in expected.items():
            self.assertEqual(said.get(name), value, f"{line}: {said}")
        return said

    def ask_cached(self, line, verdict, level=None, **expected):
        """The same of a denial that Redis is not asked for again: a daemon that halts
        for a second does ask."""
        wait_until(lambda: self.ask(line, verdict, level, **expected)["from"] == "denycache",
                   f"the deny cache: {line}")


class InMemory:
    """Mixed into a Case: self.gate decides by LIMITS in memory, and self.client
    talks to it."""

    SETTINGS = {"workers": {"count": 2}}

    def setUp(self):
        super().setUp()
        self.gate = self.daemon(self.LIMITS, self.SETTINGS)
        self.client = self.gate.connect()
        self.addCleanup(self.client.close)


class InRedis:
    """The same, with the buckets in self.server."""

    SETTINGS = {**PATIENT, "workers": {"count": 2}}

    def setUp(self):
        super().setUp()
        self.server = self.redis()
        self.gate = self.redis_daemon(self.server, self.LIMITS, self.SETTINGS)
        self.client = self.gate.connect()
        self.addCleanup(self.client.close)
        wait_until(lambda: self.client.ask("READY") == "READY redis", "Redis")

    @contextlib.contextmanager
    def halted(self, gates, length):
        """Redis stands still until each of the daemons has got so many bytes meanwhile, so
        that it sees all of it at once."""
        expected = {gate: gate.stats()["received_bytes"] + length for gate in gates}

        def has_come(gate):
            expected[gate] += len("STATS\n")
            return gate.stats()["received_bytes"] >= expected[gate]

        self.server.send(signal.SIGSTOP)
        try:
            yield
            for gate in gates:
                wait_until(functools.partial(has_come, gate), "what was sent")
        finally:
            self.server.send(signal.SIGCONT)


def main():
    unittest.main(verbosity=2 if sys.stdout.isatty() else 1)
