#!/usr/bin/env python3
"""Run scenarios in which one call of the program fails, each call in its turn: make
torture.  The program must neither crash, hang nor leak, say nothing wrong, and go on
serving, or end with a message.

    torture.py [--every N] [--first N] [-j JOBS] [SCENARIO ...]

$DRIPGATED and $DRIPGATE are the programs with torture.c linked in.  Leaks are found by
a build with sanitizers.
"""

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "integration"))

import harness  # noqa: E402  (found by the line above)
import http2  # noqa: E402

# What a sanitizer exits with.
FOUND = 99
SANITIZERS = {"ASAN_OPTIONS": f"exitcode={FOUND}:detect_leaks=1",
              "LSAN_OPTIONS": f"exitcode={FOUND}",
              "UBSAN_OPTIONS": f"exitcode={FOUND}:print_stacktrace=1"}

PATIENCE = 20

# If one of these fails, what was to be said may be lost.
SAYS = ("write", "send")

ENVOY = """
domain: api
descriptors:
  - key: user
    rate_limit: &limit {unit: minute, requests_per_unit: 2}
    descriptors: [{key: path, rate_limit: *limit}]
  - {key: user, value: guest}
  - {key: user, value: b*, share_threshold: true, rate_limit: {<<: *limit}}
"""

LIMITS = """
[login]
match = login:*
capacity = 5
recharge = 1h

[mail]
match = mail:*
algorithm = fixed_window
capacity = 3
window = 365d

[odd]
match = ~^odd:[0-9]+$
capacity = 2
rate = 30000/s
block = 5m

[any]
match = any*thing
capacity = 3
recharge = 1h
on_error = deny
shadow = yes

[route:api]
host = *.example
path = /v1/{name}/*
query.plan = free
keys = login:$path.name
continue = yes

[route:user]
path = /v1/*
keys = mail:$header.x-user
amount = $header.x-cost
amount_max = 3

[route:all]
path = ~^/all/(?<what>[a-z]+)$
keys = login:$path.what
"""

USERS = """
default nopass verbs=all keys=*
web secret=%s verbs=decide keys=login:*,mail:* cert=web.example
me uid=1 verbs=decide,read keys=login:*
""" % ("pbkdf2-sha256:1:7de706ca650f6efbe2bcb730c6f0349b:"
       "3a9c2b3bb4eff5f66102f1b0885f08f795b4be48d1b429d91787ad9ddca08b6e")

DECISION = re.compile(
    r"(ALLOW|DENY) limit=(login|mail|odd|any|-) level=\d+ capacity=\d+ next=[\d.]+ "
    r"retry=([\d.]+|never) blocked=[\d.]+ from=(memory|redis|denycache|fallback|none)"
    r"( shadow=deny)?( key=\S+)?( taken=\d+)?")
ERROR = re.compile(r"ERR [a-z]+ .+")
KEYS = "login:1", "mail:1", "odd:7", "any:thing"
CONSUMES = 7
CAPACITY = {"login:1": 5, "mail:1": 3, "odd:7": 2, "any:thing": 3}


class Wrong(Exception):
    pass


class Gone(Exception):
    """The daemon ended."""


class Notes:
    """What torture.c wrote."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def read(self):
        return self.path.read_text().splitlines() if self.path.exists() else []

    def failed(self):
        """(call, place in the program), or None."""
        for line in self.read():
            if line.startswith("fails "):
                return tuple(line.split()[1:])
        return None

    def calls(self):
        return max((int(line.split()[1]) for line in self.read()
                    if line.startswith("calls ")), default=0)


def torture_env(at, notes):
    return {**os.environ, **SANITIZERS, "TORTURE_AT": str(at), "TORTURE_NOTES": notes}


def check_exit(status, said, expected=0):
    if status < 0 or status == FOUND:
        raise Wrong(f"ended by {status}:\n{said[-6000:]}")
    if status != expected and not said.strip():
        raise Wrong(f"exit status {status}, and no message")


#
# The tool, and what dripgated does without serving.
#

class Command:
    """A program that runs to its end."""

    def __init__(self, *argv, stable=True, status=0, stdin=os.devnull):
        self.argv = argv
        self.stable = stable # what it prints is the same each time
        self.status = status
        self.stdin = stdin
        self.expected = None

    def prepare(self, folder):
        pass

    def run(self, at, folder):
        notes = Notes(os.path.join(folder, "notes"))
        self.prepare(folder)
        with open(self.stdin, "rb") as stdin:
            done = subprocess.run(
                self.argv, env=torture_env(at, notes.path), stdin=stdin,
                capture_output=True, timeout=PATIENCE, check=False)
        said = done.stderr.decode(errors="replace")
        if at == 0:
            self.expected = done.stdout
            if done.returncode != self.status:
                raise Wrong(f"exit status {done.returncode}: {said}")
        failed = notes.failed()
        check_exit(done.returncode, "silenced" if failed and failed[0] in SAYS else said,
                   self.status)
        if done.returncode == self.status and self.stable and \
                done.stdout != self.expected:
            raise Wrong(f"printed {done.stdout!r} instead of {self.expected!r}")
        return notes


#
# The daemon.
#

class Daemon:
    """A dripgated in its own folder, of which one call fails."""

    def __init__(self, at, folder, settings):
        self.folder = folder
        self.path = os.path.join(folder, "gate.sock")
        self.limits = os.path.join(folder, "limits.ini")
        self.log_path = os.path.join(folder, "log")
        self.notes = Notes(os.path.join(folder, "notes"))
        self.write_limits(LIMITS)
        for name, text in ("users", USERS), ("secrets", "s" * 32 + "\n" + "t" * 40 + "\n"):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        config = os.path.join(folder, "gate.ini")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"[listen]\nunix = {self.path}\nline =\n"
                       f"users = {folder}/users\n[workers]\ncount = 1\n"
                       f"{settings}")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [harness.DRIPGATED, "-c", config], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=torture_env(at, self.notes.path))

    def write_limits(self, text):
        with open(self.limits, "w", encoding="utf-8") as file:
            file.write(text)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def is_silenced(self):
        failed = self.notes.failed()
        return failed is not None and failed[0] in SAYS

    def is_over(self):
        return self.process.poll() is not None

    def connect(self):
        """A client's socket, once the daemon takes one."""
        end = time.monotonic() + PATIENCE
        while not self.is_over():
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(PATIENCE)
            try:
                client.connect(self.path)
                return client
            except OSError:
                client.close()
            if time.monotonic() > end:
                raise Wrong("nothing listens")
            time.sleep(0.003)
        raise Gone

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Wrong(f"does not end after SIGTERM:\n{self.log()[-3000:]}") from None
        check_exit(status, "silenced" if self.is_silenced() else self.log())

    def kill(self):
        if not self.is_over():
            self.process.kill()
            self.process.wait()


class Lines:
    """A client with lines."""

    def __init__(self, client):
        self.file = client.makefile("rb")
        self.client = client

    def ask(self, request):
        """The response, as text; None: the connection was closed."""
        self.client.sendall(request.encode() + b"\n")
        line = self.file.readline().decode()
        verb = request.split()[0]
        if verb not in ("STATS", "LIMITS", "HELP", "EXPLAIN") or line.startswith("ERR"):
            return line[:-1] if line.endswith("\n") else None
        text = line
        while line and line != "END\n":
            line = self.file.readline().decode()
            text += line
        return text if line else None


class Resp:
    """A client with Redis's protocol."""

    def __init__(self, client):
        self.file = client.makefile("rb")
        self.client = client

    def read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError
        kind, rest = line[:1], line[1:-2]
        if kind in b"+-:,#":
            return line[:-2].decode()
        if kind in b"$=":
            if rest == b"-1":
                return None
            body = self.file.read(int(rest) + 2)
            if len(body) != int(rest) + 2 or body[-2:] != b"\r\n":
                raise EOFError
            return body[:-2].decode()
        if kind == b"_":
            return None
        if kind in b"*%":
            return [self.read() for _ in range(int(rest) * (2 if kind == b"%" else 1))]
        raise Wrong(f"no RESP: {line!r}")

    def ask(self, request):
        words = request.split()
        self.client.sendall(f"*{len(words)}\r\n".encode() + b"".join(
            b"$%d\r\n%s\r\n" % (len(w), w) for w in (w.encode() for w in words)))
        try:
            return self.read()
        except EOFError:
            return None


class Http:
    """A client with HTTP."""

    def __init__(self, client):
        self.file = client.makefile("rb")
        self.client = client

    def ask(self, request):
        """(status, body)"""
        head, _, body = request.partition(" body ")
        method, path = head.split()
        chunked = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n" if body else ""
        coding = ("Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n"
                  if body else "")
        self.client.sendall(
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{coding}\r\n{chunked}"
            .encode())
        status = self.file.readline()
        if not status.endswith(b"\r\n"):
            return None
        length, is_chunked = 0, False
        while (line := self.file.readline()) != b"\r\n":
            if not line.endswith(b"\r\n"):
                return None
            name, _, value = line.decode().partition(": ")
            if name.lower() == "content-length":
                length = int(value)
            is_chunked |= name.lower() == "transfer-encoding"
        if is_chunked:
            return self.read_chunks(status)
        body = self.file.read(length)
        return (status.decode(), body.decode()) if len(body) == length else None


    def read_chunks(self, status):
        text = b""
        while line := self.file.readline():
            chunk = self.file.read(int(line, 16) + 2)
            if chunk == b"\r\n":
                return status.decode(), text.decode()
            text += chunk[:-2]
        return None


class Grpc(http2.Client):
    """A client of gRPC."""

    def __init__(self, client): # pylint: disable=super-init-not-called
        self.client = self.file = client
        with contextlib.suppress(ConnectionError):
            self.begin_on(client)

    def ask(self, request):
        """The call, or None: the connection was closed."""
        path, message, goes_on = GRPC_CALLS[request]
        try:
            if not goes_on:
                return self.call(path, message)
            stream = self.begin(path, message)
            self.wait_message(stream, 0)
            return self.calls[stream]
        except (AssertionError, ConnectionError):
            return None


def is_grpc_right(request, call):
    if call.reset is not None:
        return True
    if call.headers.get("grpc-status", "0") != "0":
        return call.code in (8, 14) # no memory
    return len(call.messages) == 1 and (len(call.messages[0]) > 1 or request == "health")


def is_http_right(request, response):
    status, body = response
    match = re.fullmatch(r"HTTP/1\.1 (\d{3}) [A-Za-z -]+\r\n", status)
    if not match:
        return False
    code = int(match[1])
    if code >= 500:
        return '"status":' in body or "/readyz" in request
    if '"each"' in request:
        return code == 200 and body.count('"key":') + body.count('"allowed":') >= 2
    path = re.match(r"\S+ (/\w+)", request)[1]
    if path in ("/consume", "/peek"):
        return code in (200, 429) and re.match(r'\{"allowed":(true|false),"limit":', body) or \
            code in (200, 429) and '"retry":' in body
    return code == 200 and bool(body) or path == "/check" and code == 429


def is_line_right(request, response):
    verb = request.split()[0]
    if ERROR.fullmatch(response):
        return not response.startswith("ERR bad")
    if verb in ("CONSUME", "PEEK", "MCONSUME", "MPEEK", "CHARGE", "TAKE"):
        return DECISION.fullmatch(response)
    if verb in ("RESET", "PING", "QUIT"):
        return response == {"RESET": "OK", "PING": "PONG", "QUIT": "BYE"}[verb]
    # Without limits, if they could not be loaded so far, there are none to show.
    return response.endswith("END\n") and (len(response) > 20 or verb == "LIMITS")


def is_resp_right(request, response):
    verb = request.split()[0]
    if isinstance(response, str) and response.startswith("-"):
        return True
    if verb in ("CONSUME", "PEEK"):
        return isinstance(response, list) and len(response) >= 7
    if verb == "CL.THROTTLE":
        return isinstance(response, list) and len(response) == 5
    if verb in ("RESET", "MULTI", "QUIT"):
        return response == "+OK"
    if verb == "EXEC":
        return isinstance(response, list) and len(response) == 2
    if verb in ("DEL", "EXISTS", "TTL", "PTTL"):
        return re.fullmatch(r":-?\d+", response)
    return bool(response) or verb == "LIMITS" # those that could not be loaded so far


LINE_REQUESTS = ["PING", *(f"CONSUME {key}" for key in KEYS for _ in range(CONSUMES)),
                 "PEEK login:1 2", "CONSUME login:1 -1", "CONSUME nothing", "RESET login:2",
                 "MCONSUME login:8 1 mail:8 2", "MPEEK login:8 1 odd:8 1", "CHARGE login:8 9",
                 "TAKE mail:8 9", "EXPLAIN login:1", "LIMITS", "STATS", "HELP"]
RESP_REQUESTS = ["PING", "HELLO 3", "CONSUME login:3", "CONSUME login:3 1 MAP", "PEEK mail:3",
                 "RESET mail:3", "CL.THROTTLE cell:1 5 10 60", "EXISTS login:3",
                 "TTL login:3", "PTTL login:3", "DEL login:3", "COMMAND", "INFO",
                 "CLIENT ID", "CONFIG GET databases", "LIMITS", "STATS", "EXPLAIN login:3",
                 "MULTI", "CONSUME login:4", "CONSUME login:4", "EXEC"]


HTTP_REQUESTS = ["GET /healthz", "GET /readyz",
                 *("GET /consume?key=login:6" for _ in range(7)), "GET /peek?key=login:6",
                 "POST /reset?key=login:6", "GET /explain?key=login:6",
                 'POST /consume body {"key":"login:7","amount":2}',
                 'POST /consume body {"each":[{"key":"log\\u0069n:7"},{"key":"mail:7"}]}',
                 "GET /check/all/of", "GET /check/nothing"]


GRPC_CALLS = {
    "limit": (http2.LIMIT, http2.limit_request(
        "web", http2.descriptor(("login", "1"), more=http2.field(2, b"\x08\x03\x10\x02")),
        http2.descriptor(("login", "1"), more=http2.field(2, b"\x08\x03\x10\x02")),
        http2.descriptor(("path", "x"))), False),
    "health": (http2.HEALTH, b"", False),
    "watch": (http2.WATCH, b"", True),
    "services": (http2.REFLECTION, http2.field(7, ""), True),
    "file": (http2.REFLECTION, http2.field(4, "grpc.health.v1.Health"), True),
    "authorize": (http2.AUTHORIZE, http2.check_request("GET", "/all/of"), False),
}


def talk(daemon, kind, requests, is_right, seen):
    """Ask all, one after the other, over a new connection when one is closed."""
    client = kind(daemon.connect())
    for request in requests:
        if request == "EXEC" and "MULTI" in seen.get("lost", ()):
            continue
        try:
            response = client.ask(request)
        except ConnectionError:
            response = None
        except TimeoutError:
            raise Wrong(f"{request}: no response\n{daemon.log()[-2000:]}") from None
        if response is None:
            client.file.close()
            client.client.close()
            client = kind(daemon.connect())
            seen.setdefault("lost", []).append("MULTI")
            continue
        if request in ("CONSUME login:4",) and kind is Resp and response == "+QUEUED":
            continue
        if not is_right(request, response):
            raise Wrong(f"{request}: {response!r}")
        seen.setdefault(request, []).append(response)
    client.file.close()
    client.client.close()


def check_bound(seen):
    """No store has admitted more than fits."""
    for key, capacity in CAPACITY.items():
        admitted = {}
        for response in seen.get(f"CONSUME {key}", ()):
            store = response.rpartition("from=")[2].split()[0]
            if response.startswith("ALLOW") and "shadow" not in response and \
                    store in ("memory", "redis", "fallback"):
                admitted[store] = admitted.get(store, 0) + 1
        for store, count in admitted.items():
            if count > capacity and key != "odd:7":
                raise Wrong(f"{count} of {key} admitted by {store}")


class Serving:
    """A daemon's life: start, requests, a reload, requests, the end."""

    settings = "[limits]\nfile = {folder}/limits.ini\n"

    def reload(self, daemon):
        before = daemon.log().count("reloaded")
        daemon.write_limits(LIMITS.replace("capacity = 5", "capacity = 6"))
        daemon.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + PATIENCE
        while daemon.log().count("reloaded") == before and not daemon.is_over():
            if daemon.is_silenced():
                time.sleep(0.2)
                break
            if time.monotonic() > end:
                raise Wrong(f"what came of a reload is not said:\n{daemon.log()[-2000:]}")
            time.sleep(0.003)

    def run(self, at, folder):
        daemon = Daemon(at, folder, self.settings.format(folder=folder, **self.names()))
        seen = {}
        try:
            try:
                talk(daemon, Lines, LINE_REQUESTS, is_line_right, seen)
                check_bound(seen)
                talk(daemon, Resp, RESP_REQUESTS, is_resp_right, {})
                talk(daemon, Http, HTTP_REQUESTS, is_http_right, {})
                talk(daemon, Grpc, GRPC_CALLS, is_grpc_right, {})
                self.reload(daemon)
                talk(daemon, Lines, ["PING", "CONSUME login:5", "QUIT"], is_line_right, {})
                with daemon.connect() as client, contextlib.suppress(OSError):
                    client.sendall(b"PING")
                    client.shutdown(socket.SHUT_WR)
                    client.recv(100)
                self.check_serves(daemon)
            except Gone:
                pass
            daemon.end()
            return daemon.notes
        finally:
            daemon.kill()

    def check_serves(self, daemon):
        """Whatever failed: by now it serves as ever."""
        for _ in range(3):
            client = Lines(daemon.connect())
            with contextlib.suppress(ConnectionError):
                if client.ask("PING") == "PONG":
                    return
        raise Wrong("does not serve any more")

    def names(self):
        return {}


class ServingAgain(Serving):
    """The buckets of the process before are taken over, and left to the next."""

    settings = Serving.settings + "[store]\nstate_dir = {folder}\n"

    def __init__(self, folder):
        daemon = Daemon(0, folder, self.settings.format(folder=folder))
        client = Lines(daemon.connect())
        for key in "login:20", "mail:20", "any:thing":
            client.ask(f"CONSUME {key}")
        client.client.close()
        client.file.close()
        daemon.end()
        self.buckets = pathlib.Path(folder, "buckets").read_bytes()

    def run(self, at, folder):
        pathlib.Path(folder, "buckets").write_bytes(self.buckets)
        return super().run(at, folder)


class ServingFromRedis(Serving):
    """Buckets and limits in Redis, which are handed on to another one."""

    settings = """
[store]
type = redis
key_secrets = {folder}/secrets
[limits]
source = redis
[redis]
unix_socket_path = {redis}
socket_timeout = 1s
connect_timeout = 1s
[control]
state_dir = {folder}
[master]
host = localhost
port = {port}
[slave:one]
unix_socket_path = {target}
"""

    def __init__(self, redis, target):
        self.redis, self.target = redis, target

    def names(self):
        return {"redis": self.redis.path, "port": self.redis.port,
                "target": self.target.path}

    def run(self, at, folder):
        self.redis.fill()
        return super().run(at, folder)

    def reload(self, daemon):
        with contextlib.suppress(harness.RedisError):
            self.redis.ask("PUBLISH", "control", "reload:immediate")
        time.sleep(0.05)


class Server(harness.Redis):
    """A redis-server that holds the limits."""

    def fill(self):
        self.ask("FLUSHALL")
        members = []
        for section in LIMITS.strip().split("\n\n"):
            name, *words = section.splitlines()
            members += [len(members), name.strip("[]") + " " + " ".join(
                re.sub(r" = ", "=", w) for w in words)]
        self.ask("ZADD", "limits", *members)


#
# All of it.
#

class Ticker:
    """A client that goes on asking, so that there are decisions to show."""

    def __init__(self, gate):
        self.client = Lines(gate.connect())
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.is_over.wait(0.01):
            self.client.ask("CONSUME mail:9 -1")

    def stop(self):
        self.is_over.set()
        self.thread.join()
        self.client.file.close()
        self.client.client.close()


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def tool_scenarios(folder, gate, redis):
    """{name: a scenario}; ${gate} is a daemon, ${redis} a server."""
    limits = write(folder, "tool-limits.ini", LIMITS)
    tighter = write(folder, "tighter.ini", LIMITS.replace("capacity = 5", "capacity = 4"))
    config = write(folder, "tool.ini",
                   f"[listen]\nunix = {gate.path}\n[limits]\nfile = {limits}\n"
                   f"[redis]\nunix_socket_path = {redis.path}\n")
    users = write(folder, "users.ini", "[store]\ntype = redis\n[limits]\nsource = redis\n"
                  "[redis]\nusername = gate\npassword = secret\n")
    envoy = write(folder, "envoy.yaml", ENVOY)
    store = write(folder, "store.ini", "[store]\ntype = redis\n[limits]\nsource = redis\n"
                  f"[redis]\nunix_socket_path = {redis.path}\n")
    keys = write(folder, "keys", "login:1\nnothing\nodd:3\n")
    demand = write(folder, "demand", "dripgate recording 1\n" + "".join(
        f"{second * 1000000} 1 {key}\n" for second in range(20)
        for key in ("login:1", "mail:2", "nothing")))

    # A history that no scenario adds to.
    shown = write(folder, "shown.ini", f"[redis]\nunix_socket_path = {redis.path}\n"
                  "[control]\nlimits_key = shown\n")
    subprocess.run([harness.DRIPGATE, "-c", shown, "limits", "load", limits], check=True,
                   stdout=subprocess.DEVNULL)

    def stored(*words):
        return Command(harness.DRIPGATE, "-c", store, "-t", "2s", *words)

    def tool(*words, **options):
        return Command(harness.DRIPGATE, "-c", config, "-t", "2s", *words, **options)

    return {
        "dripgated --check": Command(harness.DRIPGATED, "-c", config, "--check"),
        "dripgated --dump-config": Command(harness.DRIPGATED, "-c", config, "--dump-config"),
        "limits check": tool("limits", "check", limits),
        "limits load": tool("limits", "load", limits, stable=False),
        "limits log": tool("limits", "log", stable=False),
        "limits show": Command(harness.DRIPGATE, "-c", shown, "-t", "2s", "limits", "show", "1"),
        "limits rollback": tool("limits", "rollback", stable=False),
        "limits dump": tool("limits", "dump"),
        "limits diff": tool("limits", "diff", limits),
        "limits list": tool("limits", "list", "--redis"),
        "limits list of dripgated": tool("limits", "list"),
        "limits import-envoy": tool("limits", "import-envoy", envoy),
        "limits import-envoy as JSON": tool("limits", "import-envoy", envoy, "--json"),
        "limits test": tool("limits", "test", limits, stdin=keys, status=1),
        "limits load --dry-run": tool("limits", "load", tighter, "--dry-run", stable=False),
        "consume": tool("consume", "any:thing", "0"),
        "mpeek": tool("mpeek", "login:9", "1", "mail:10", "1"),
        "charge": tool("charge", "login:9", "0"),
        "peek": tool("peek", "login:9", "--json"),
        "explain": tool("explain", "login:9"),
        "reset": tool("reset", "login:9"),
        "stats": tool("stats", stable=False),
        "ping": tool("ping"),
        "reload": tool("reload", stable=False),
        "nodes": tool("nodes", "--wait", "100ms", status=1),
        "fleet": tool("fleet", stable=False),
        "status": tool("status", stable=False),
        "why": tool("why", "login:9", stable=False),
        "top": tool("top", stable=False),
        "tail": tool("tail", "--allowed", "--count", "2", stable=False),
        "tail as JSON": tool("tail", "--allowed", "--count", "2", "--json", stable=False),
        "tail --record": tool("tail", "--record", os.path.join(folder, "recorded"), "--force",
                              "--count", "2", stable=False),
        "watch": tool("watch", "--count", "1", stable=False),
        "what-if": tool("what-if", tighter, "--demand", demand, status=1),
        "what-if of two files": tool("what-if", tighter, "--against", limits, "--demand", demand,
                                     "--json", status=1),
        "what-if as a chart": tool("what-if", tighter, "--demand", demand, "--chart",
                                   os.path.join(folder, "chart.svg"), status=1),
        "route": tool("route", "GET", "/v1/7%20/x?plan=free", "-H", "Host: a.example",
                      "-H", "X-User: u", "-H", "X-Cost: 2"),
        "route as JSON": tool("route", "GET", "/all/of", "--json"),
        "topology show": stored("topology", "show"),
        "topology plan": stored("topology", "plan", "partitions=2"),
        "dripgated --check --connect": Command(
            harness.DRIPGATED, "-c", store, "--check", "--connect", stable=False),
        "acl": Command(harness.DRIPGATE, "-c", users, "acl"),
    }


def place(program, failed):
    """Where the call that failed is."""
    if not failed:
        return "no call failed"
    found = subprocess.run(["addr2line", "-e", program, "-f", "-p", failed[1]],
                           capture_output=True, text=True, check=False).stdout.strip()
    return f"{failed[0]} failed in {found}"


def try_point(scenario, at, folder):
    """Return (notes, what was wrong or None)."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        notes = Notes(os.path.join(own, "notes"))
        try:
            notes = scenario.run(at, own)
            return notes.calls(), None
        except Wrong as error:
            reason = str(error)
        except subprocess.TimeoutExpired:
            reason = "does not end"
        program = getattr(scenario, "argv", [harness.DRIPGATED])[0]
        return notes.calls(), f"{place(program, notes.failed())}\n    {reason}"


def torture(name, scenario, arguments, folder):
    """Return (points, failures)."""
    calls, reason = try_point(scenario, 0, folder)
    if reason or not calls:
        print(f"{name}: wrong although nothing fails: {reason}", flush=True)
        return 0, 1
    # Threads take turns as it happens: some runs have a few calls more.
    points = range(arguments.first, calls + 1, arguments.every)
    jobs = 1 if isinstance(scenario, ServingFromRedis) else arguments.jobs
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for at, (_, reason) in zip(points, pool.map(
                lambda at: try_point(scenario, at, folder), points)):
            if reason:
                failures += 1
                print(f"{name}, call {at}: {reason}", flush=True)
    print(f"{name}: {len(points)} of {calls} calls failed once, {failures} wrong",
          flush=True)
    return len(points), failures


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    parser.add_argument("scenarios", nargs="*")
    arguments = parser.parse_args()
    points = failures = 0
    with tempfile.TemporaryDirectory(prefix="dripgate-torture-") as folder, \
            contextlib.ExitStack() as stack:
        redis, target = Server(folder), Server(folder)
        stack.callback(redis.kill)
        stack.callback(target.kill)
        redis.fill()
        gate = Daemon(0, tempfile.mkdtemp(dir=folder),
                      "[limits]\nfile = limits.ini\n")
        stack.callback(gate.kill)
        gate.connect().close()
        stack.callback(Ticker(gate).stop)
        scenarios = {**tool_scenarios(folder, gate, redis), "daemon": Serving(),
                     "daemon after another": ServingAgain(tempfile.mkdtemp(dir=folder)),
                     "daemon with Redis": ServingFromRedis(redis, target)}
        for name, scenario in scenarios.items():
            if arguments.scenarios and name not in arguments.scenarios:
                continue
            more = torture(name, scenario, arguments, folder)
            points, failures = points + more[0], failures + more[1]
    print(f"{points} calls failed once, {failures} went wrong")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
