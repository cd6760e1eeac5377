"""HTTP: what is asked and what is responded with, as clients, pages and proxies do."""

import base64
import contextlib
import email.utils
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import harness
from harness import PATIENT, wait_until

LIMITS = """
[login]
match = login:*
capacity = 5
recharge = 1d

[lock]
match = lock:*
capacity = 2
recharge = 1d
block = 1h

[strict]
match = strict:*
capacity = 3
recharge = 1d
on_error = deny

[window]
match = win:*
algorithm = fixed_window
capacity = 4
window = 30d
"""

DAY = 86400


class Unix(http.client.HTTPConnection):
    """http.client over a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(harness.PATIENCE)
        self.sock.connect(self.path)


class Raw(harness.Client):
    """A client that writes bytes, and reads responses one by one."""

    def response(self, method="GET"):
        """(status, headers, body) of the next one."""
        version, status, _ = self.file.readline().split(b" ", 2)
        assert version == b"HTTP/1.1", version
        headers = http.client.parse_headers(self.file)
        if method == "HEAD":
            return int(status), headers, b""
        if "Content-Length" in headers:
            return int(status), headers, self.file.read(int(headers["Content-Length"]))
        body, size = b"", -1
        while size != 0:
            size = int(self.file.readline(), 16)
            body += self.file.read(size)
            assert self.file.readline() == b"\r\n"
        return int(status), headers, body


class HttpCase(harness.Case):
    def start(self, limits=LIMITS, settings=None, **options):
        self.http_port, self.admin_port = harness.free_port(), harness.free_port()
        settings = {"http": {"listen": f"127.0.0.1:{self.http_port}"},
                    "admin": {"listen": f"127.0.0.1:{self.admin_port}"}, **(settings or {})}
        return self.daemon(limits, settings, **options)

    def connection(self, port):
        connection = http.client.HTTPConnection("127.0.0.1", port,
                                                timeout=harness.PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def ask(self, connection, target, body=None, method=None, **headers):
        """The response with its body as bytes, in ${content}."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method or ("GET" if body is None else "POST"), target, body,
                           headers)
        response = connection.getresponse()
        response.content = response.read()
        return response

    def ask_json(self, connection, target, what):
        response = self.ask(connection, target, json.dumps(what),
                            Content_Type="application/json")
        return response, json.loads(response.content)

    def raw(self, address):
        client = Raw(address)
        self.addCleanup(client.close)
        return client

    def refused(self, address, request):
        """Status and code word of the one response to bytes, after which it closes."""
        with contextlib.closing(Raw(address)) as client:
            client.send(request)
            client.finish()
            status, headers, body = client.response()
            self.assertEqual(headers["Content-Type"], "application/problem+json")
            return status, json.loads(body)["code"], client.rest()


class DecisionTest(HttpCase):
    def test_each_listener_and_its_headers(self):
        daemon = self.start()
        for i, connection in enumerate((self.connection(daemon.port),
                                        self.connection(self.http_port),
                                        Unix(daemon.path))):
            response = self.ask(connection, f"/consume?key=login:{i}&amount=2")
            self.assertEqual(response.status, 200)
            decision = json.loads(response.content)
            self.assertAlmostEqual(decision.pop("next"), DAY, delta=60)
            self.assertEqual(decision, {
                "allowed": True, "limit": "login", "level": 2, "capacity": 5, "retry": 0,
                "blocked": 0, "from": "memory"})
            self.assertEqual(response.headers["RateLimit-Policy"],
                             f'"login";q=5;w={5 * DAY}')
            self.assertEqual(response.headers["RateLimit"], f'"login";r=3;t={DAY}')
            self.assertEqual(response.headers["X-RateLimit-Limit"], "5")
            self.assertEqual(response.headers["X-RateLimit-Remaining"], "3")
            self.assertEqual(response.headers["X-RateLimit-Reset"], str(2 * DAY))
            self.assertEqual(response.headers["X-Dripgate-From"], "memory")
            self.assertEqual(response.headers["Content-Type"], "application/json")
            self.assertEqual(response.headers["Cache-Control"], "no-store")
            self.assertIsNone(response.headers["Retry-After"])
            self.assertAlmostEqual(
                email.utils.parsedate_to_datetime(response.headers["Date"]).timestamp(),
                time.time(), delta=harness.PATIENCE)
            connection.close()

    def test_denials(self):
        connection = self.connection(self.start().port)
        for target, status in (("/consume?key=login:1&amount=6", 429),
                               ("/peek?key=login:1&amount=6", 429),
                               ("/consume?key=login:1&amount=6&deny=403", 403),
                               ("/consume?key=login:1&amount=6&deny=503", 503)):
            response = self.ask(connection, target)
            problem = json.loads(response.content)
            self.assertEqual(response.status, status)
            self.assertEqual(response.headers["Content-Type"], "application/problem+json")
            self.assertEqual(problem["status"], status)
            self.assertEqual(problem["type"].rpartition("#")[2], "quota-exceeded")
            self.assertEqual(problem["violated-policies"], ["login"])
            # It never fits.
            self.assertIsNone(problem["retry"])
            self.assertIsNone(response.headers["Retry-After"])
        self.ask(connection, "/consume?key=login:1&amount=5")
        response = self.ask(connection, "/consume?key=login:1&amount=2")
        self.assertIn(int(response.headers["Retry-After"]), range(2 * DAY - 100, 2 * DAY + 1))
        self.assertRegex(response.headers["RateLimit"], r'^"login";r=0;t=86[34]\d\d$')
        self.ask(connection, "/consume?key=lock:1&amount=1")
        response = self.ask(connection, "/consume?key=lock:1&amount=2")
        # Blocked: there is room, but not before the end of the block.
        self.assertEqual(response.headers["RateLimit"], '"lock";r=0;t=3600')
        self.assertIn(int(response.headers["Retry-After"]), range(DAY - 100, DAY + 1))
        response = self.ask(connection, "/consume?key=win:1")
        self.assertEqual(response.headers["RateLimit-Policy"], f'"window";q=4;w={30 * DAY}')
        self.assertEqual(self.ask(connection, "/consume?key=lock:1", method="HEAD").status,
                         429)

    def test_without_a_limit(self):
        for unmatched, status in ("allow", 200), ("deny", 429), ("error", 404):
            connection = self.connection(
                self.start(settings={"limits": {"unmatched": unmatched}}).port)
            response = self.ask(connection, "/consume?key=other")
            self.assertEqual(response.status, status)
            self.assertIsNone(response.headers["RateLimit"])
            self.assertIsNone(response.headers["X-RateLimit-Limit"])
            self.assertNotIn("violated-policies", json.loads(response.content))

    def test_headers_are_a_setting(self):
        for headers, names in (
                ("all", {"RateLimit", "RateLimit-Policy", "X-RateLimit-Limit",
                         "X-RateLimit-Remaining", "X-RateLimit-Reset", "X-Dripgate-From"}),
                ("standard", {"RateLimit", "RateLimit-Policy", "X-Dripgate-From"}),
                ("legacy", {"X-RateLimit-Limit", "X-RateLimit-Remaining",
                            "X-RateLimit-Reset", "X-Dripgate-From"}),
                ("none", set())):
            daemon = self.daemon(LIMITS, {"http": {"headers": headers}})
            connection = self.connection(daemon.port)
            for extra, target in ((set(), "/consume?key=login:1&amount=5"),
                                  ({"Retry-After"}, "/consume?key=login:1")):
                response = self.ask(connection, target)
                self.assertEqual(
                    {name for name in response.headers
                     if re.match("RateLimit|X-R|X-D|Retry", name)}, names | extra)

    def test_bodies_as_forms_and_json(self):
        connection = self.connection(self.start().port)
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        level = 0
        for body in "key=login%3Aa", b"&amount=1&key=login:a", "key=%6Cogin:%61":
            response = self.ask(connection, "/consume", body, **form)
            level += 1
            self.assertEqual(json.loads(response.content)["level"], level)
        response, decision = self.ask_json(connection, "/consume",
                                           {"key": "login:a", "amount": 2})
        self.assertEqual((response.status, decision["level"]), (200, 5))
        response, decision = self.ask_json(connection, "/peek",
                                           {"key": "login:a", "deny": 401})
        self.assertEqual((response.status, decision["allowed"]), (401, False))
        self.assertEqual(self.ask(connection, "/reset?key=login:a", "").content, b"OK\n")
        response = self.ask(connection, "/explain?key=login:a")
        self.assertIn(b"\nbucket level=0 capacity=5 ", response.content)
        self.assertEqual(response.headers["Content-Type"], "text/plain; charset=utf-8")

    def test_large_and_chunked_bodies(self):
        connection = self.connection(self.start().port)
        for pad in 0, 1000, 16_400, 65_000:
            body = " " * pad + '{"key": "login:big", "amount": 0}'
            for content in body, (piece.encode() for piece in re.findall("(?s).{1,700}", body)):
                response = self.ask(connection, "/peek", content,
                                    Content_Type="application/json")
                self.assertEqual(response.status, 200, pad)
        # Sent at once: the daemon waits for no more than two seconds for the rest.
        client = self.raw(connection.sock.getpeername())
        client.send(b"POST /peek HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    b"Content-Length: 65537\r\n\r\n" + b" " * 65_537)
        status, headers, _ = client.response()
        self.assertEqual((status, headers["Connection"]), (413, "close"))

    def test_many_decisions_at_once(self):
        connection = self.connection(self.start().port)
        each = [{"key": f"login:{i % 100}"} for i in range(1000)]
        response, decisions = self.ask_json(connection, "/consume", {"each": each})
        self.assertEqual(response.status, 200)
        self.assertEqual([decision["allowed"] for decision in decisions],
                         [i < 500 for i in range(1000)])
        _, decisions = self.ask_json(connection, "/peek", {"each": each[:1]})
        self.assertEqual([decision["level"] for decision in decisions], [5])
        # Nothing is done if anything is wrong.
        response, problem = self.ask_json(
            connection, "/consume", {"each": [{"key": "login:new"}, {"key": "a b"}]})
        self.assertEqual((response.status, problem["code"]), (400, "badkey"))
        _, decision = self.ask_json(connection, "/peek", {"key": "login:new"})
        self.assertEqual(decision["level"], 0)
        response, problem = self.ask_json(connection, "/consume",
                                          {"each": [{"key": "a"}] * 1001})
        self.assertEqual((response.status, problem["code"]), (400, "badeach"))

    def test_many_decisions_when_no_limit_is_an_error(self):
        connection = self.connection(
            self.start(settings={"limits": {"unmatched": "error"}}).port)
        response, decisions = self.ask_json(
            connection, "/consume", {"each": [{"key": "login:1"}, {"key": "other"}]})
        self.assertEqual(response.status, 200)
        self.assertEqual([decision.get("error") for decision in decisions],
                         [None, "nolimit"])

    def test_a_store_in_redis_and_without_it(self):
        redis = self.redis()
        daemon = self.redis_daemon(redis, LIMITS, PATIENT)
        connection = self.connection(daemon.port)
        self.ask(connection, "/consume?key=login:1&amount=5")
        response = self.ask(connection, "/consume?key=login:1")
        self.assertEqual(response.status, 429)
        self.assertIn(response.headers["X-Dripgate-From"], ("redis", "denycache"))
        _, decisions = self.ask_json(
            connection, "/consume", {"each": [{"key": f"login:{i}"} for i in range(300)]})
        self.assertEqual([decision["allowed"] for decision in decisions],
                         [i != 1 for i in range(300)])
        daemon = self.daemon(LIMITS, {"store": {"type": "redis"}, "http": {"headers": "none"},
                                      "redis": {"port": harness.free_port()}})
        connection = self.connection(daemon.port)
        response = self.ask(connection, "/consume?key=login:1")
        self.assertEqual(response.status, 200)
        self.assertEqual(response.headers["X-Dripgate-From"], "fallback")
        response = self.ask(connection, "/consume?key=strict:1")
        self.assertEqual(response.status, 429)
        self.assertEqual(response.headers["Retry-After"], "1")
        self.assertEqual(self.ask(connection, "/reset?key=login:1", "").status, 503)

    def test_curl(self):
        curl = shutil.which("curl")
        if not curl:
            self.skipTest("no curl")
        daemon = self.start()
        said = subprocess.run(
            [curl, "-s", "-o", os.devnull, "-w", "%{http_code} "]
            + [f"http://127.0.0.1:{daemon.port}/consume?key=login:curl"] * 1
            + ["-o", os.devnull, f"http://localhost:{daemon.port}/consume?key=login:curl"],
            check=True, capture_output=True, text=True, timeout=harness.PATIENCE).stdout
        self.assertEqual(said.split(), ["200", "200"])
        said = subprocess.run(
            [curl, "-s", "--unix-socket", daemon.path, "-d", "key=login:curl",
             "-H", "Expect: 100-continue", "http://localhost/peek"], check=True,
            capture_output=True, timeout=harness.PATIENCE).stdout
        self.assertEqual(json.loads(said)["level"], 2)


class ConnectionTest(HttpCase):
    GET = b"GET /peek?key=login:1 HTTP/1.1\r\nHost: x\r\n\r\n"

    def test_a_connection_is_kept(self):
        daemon = self.start()
        connection = self.connection(daemon.port)
        for _ in range(50):
            self.assertEqual(self.ask(connection, "/healthz").content, b"PONG\n")
            self.assertEqual(self.ask(connection, "/nothing").status, 404)
            self.assertEqual(self.ask(connection, "/consume?key=%").status, 400)
            self.assertEqual(self.ask(connection, "/consume", method="PUT").status, 405)
        self.assertEqual(daemon.stats()["connections"], 2)

    def test_requests_at_once_are_responded_to_in_order(self):
        for settings in {}, {"store": {"type": "redis"}}:
            if settings:
                daemon = self.redis_daemon(self.redis(), LIMITS, PATIENT)
            else:
                daemon = self.start()
            client = self.raw(daemon.path)
            targets = [f"/consume?key=login:{i % 7}" for i in range(500)]
            targets[3::7] = ["/healthz"] * len(targets[3::7])
            client.send("".join(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"
                                for target in targets))
            levels = {}
            for target in targets:
                status, _, body = client.response()
                if target == "/healthz":
                    self.assertEqual((status, body), (200, b"PONG\n"))
                    continue
                levels[target] = min(levels.get(target, 0) + 1, 5)
                self.assertEqual(json.loads(body)["level"], levels[target])

    def test_byte_by_byte(self):
        client = self.raw(self.start().path)
        request = (b"POST /consume HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                   b"Transfer-Encoding: chunked\r\n\r\n8\r\n{\"key\":\"\r\n"
                   b"9\r\nlogin:9\"}\r\n0\r\n\r\n")
        for byte in request + self.GET:
            client.send(bytes([byte]))
        self.assertEqual(json.loads(client.response()[2])["level"], 1)
        self.assertEqual(json.loads(client.response()[2])["level"], 0)

    def test_the_last_request_closes(self):
        daemon = self.start()
        for request in (b"GET /healthz HTTP/1.0\r\n\r\n",
                        b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
            client = self.raw(daemon.path)
            client.send(request + self.GET)
            status, headers, body = client.response()
            self.assertEqual((status, headers["Connection"], body), (200, "close", b"PONG\n"))
            self.assertEqual(client.rest(), b"")
        client = self.raw(daemon.path)
        client.send(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + self.GET)
        self.assertEqual(client.response()[1]["Connection"], "keep-alive")
        self.assertEqual(client.response()[0], 200)

    def test_head_has_no_body(self):
        client = self.raw(self.start().path)
        client.send(self.GET.replace(b"GET", b"HEAD") + b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n"
                    + self.GET)
        status, headers, body = client.response("HEAD")
        self.assertEqual((status, body), (200, b""))
        length = int(headers["Content-Length"])
        self.assertEqual(client.response("HEAD")[0], 404)
        self.assertEqual(len(client.response()[2]), length)

    def test_a_body_is_asked_for(self):
        client = self.raw(self.start().path)
        head = (b"POST /peek HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Expect: 100-continue\r\nContent-Length: 17\r\n\r\n")
        client.send(head)
        self.assertEqual(client.file.readline(), b"HTTP/1.1 100 Continue\r\n")
        self.assertEqual(client.file.readline(), b"\r\n")
        client.send(b'{"key":"login:7"}' + self.GET)
        self.assertEqual(client.response()[0], 200)
        self.assertEqual(client.response()[0], 200)
        # A request that is refused for its head alone is not.
        for path, status in (b"/nothing", 404), (b"/healthz", 405):
            client = self.raw(client.socket.getpeername())
            client.send(head.replace(b"/peek", path))
            self.assertEqual(client.response()[0], status)
            self.assertEqual(client.rest(), b"")

    def test_a_request_that_does_not_end_gets_a_response(self):
        daemon = self.start(settings={"listen": {"line_timeout": "1s"}})
        for start in (b"GET ", b"GET / HTTP/1.1\r\n", b"POST /consume HTTP/1.1\r\nHost: x\r\n"
                      b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"):
            client = self.raw(daemon.path)
            client.send(self.GET + start)
            self.assertEqual(client.response()[0], 200)
            status, headers, _ = client.response()
            self.assertEqual((status, headers["Connection"]), (408, "close"))
            self.assertEqual(client.rest(), b"")

    def test_dripping_a_request_does_not_keep_a_connection(self):
        daemon = self.start(settings={"listen": {"line_timeout": "1s"}})
        clients = [self.raw(daemon.path) for _ in range(50)]
        for client in clients:
            client.send(b"GET /consume?key=login:1 HTTP/1.1\r\n")

        def is_over():
            for client in clients:
                with contextlib.suppress(OSError):
                    client.send(b"X-A: b\r\n")
            self.assertEqual(daemon.ask("PING"), "PONG")
            time.sleep(0.2) # more than 100 headers would end it, too
            return daemon.stats()["clients_idle"] == len(clients)
        wait_until(is_over, "the time-out of all")
        for client in clients:
            self.assertEqual(client.response()[0], 408)
            self.assertEqual(client.rest(), b"")
        self.assertIn(" level=0 ", daemon.ask("peek login:1"))

    def test_a_list_that_is_not_read_is_bounded(self):
        daemon = self.start()
        before = daemon.memory()
        body = json.dumps({"each": [{"key": f"login:{i}"} for i in range(1000)]}).encode()
        request = (b"POST /peek HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                   b"Content-Length: %d\r\n\r\n" % len(body)) + body
        client = self.raw(daemon.path)
        client.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(1000):
                client.socket.sendall(request)
        self.assertEqual(daemon.ask("PING"), "PONG")
        self.assertLess(daemon.memory() - before, 4 << 20)

    def test_too_many_clients(self):
        daemon = self.start(settings={"listen": {"max_clients": 1}})
        with daemon.connect() as first:
            self.assertEqual(first.ask("PING"), "PONG")
            # It waits for 100 ms for what shows the protocol: have it there at once.
            daemon.send(signal.SIGSTOP)
            client = self.raw(daemon.path)
            client.send(self.GET)
            daemon.send(signal.SIGCONT)
            self.assertEqual(client.response()[0], 503)


class RefusedTest(HttpCase):
    def test_what_may_be_read_in_two_ways_is_refused_and_nothing_follows(self):
        daemon = self.start()
        smuggled = b"POST /consume?key=login:smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
        for head, code in (
                (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "badlength"),
                (b"Content-Length: 5\r\nContent-Length: 6\r\n", "badlength"),
                (b"Content-Length: 5, 5\r\n", "badlength"),
                (b"Content-Length: +5\r\n", "badlength"),
                (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "badlength"),
                (b"Transfer-Encoding : chunked\r\n", "badheader"),
                (b"A: b\r\n c\r\n", "badheader"),
                (b"A: b\rTransfer-Encoding: chunked\r\n", "badheader"),
                (b"A: b\nContent-Length: 5\r\n", "badrequest"),
                (b"A: \0\r\n", "badheader"), (b"Host: y\r\n", "badhost")):
            with self.subTest(head):
                said = self.refused(daemon.path, b"POST /peek?key=a HTTP/1.1\r\nHost: x\r\n"
                                    + head + b"\r\n0\r\n\r\n" + smuggled)
                self.assertEqual(said, (400, code, b""))
        said = self.refused(daemon.path,
                            b"POST /peek?key=a HTTP/1.1\r\nHost: x\r\n"
                            b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + smuggled)
        self.assertEqual(said, (501, "badcoding", b""))
        self.assertIn(" level=0 ", daemon.ask("peek login:smuggled"))

    def test_statuses(self):
        daemon = self.start()
        for request, status, code in (
                (b"GET / HTTP/2.0\r\n\r\n", 505, "badversion"),
                (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501, "badmethod"),
                (b"GET /" + b"a" * 9000, 414, "toolong"),
                (b"GET / HTTP/1.1\r\nA: " + b"a" * 17000, 431, "toolong"),
                (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 101, 431, "toolong"),
                (b"POST /reset HTTP/1.0\r\n\r\n", 411, "nolength"),
                (b"GET / HTTP/1.1\r\n", 400, "incomplete"),
                (b"GET /\r\n\r\n", 400, "badrequest")):
            self.assertEqual(self.refused(daemon.path, request), (status, code, b""))
        for request, status in ((b"BREW / HTTP/1.1\r\n\r\n", 501), (b"\n", 400),
                                (b"*1\r\n$4\r\nPING\r\n", 400), (b"PING\r\n", 400)):
            address = ("127.0.0.1", self.http_port)
            self.assertEqual(self.refused(address, request)[0], status)

    def test_pages_of_other_sites(self):
        daemon = self.start(settings={"http": {"hosts": "gate.example.com"}})
        for headers, status in (
                ({}, 200), ({"Host": "localhost"}, 200), ({"Host": "dripgate:80"}, 200),
                ({"Host": "gate.example.com"}, 200), ({"Host": "[::1]"}, 200),
                ({"Host": "evil.example"}, 403),
                ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403),
                ({"Host": "localhost", "Origin": "http://localhost"}, 200),
                ({"Host": "localhost", "Origin": "http://localhost:3000"}, 403),
                ({"Sec-Fetch-Site": "cross-site"}, 403),
                ({"Sec-Fetch-Site": "same-site"}, 403),
                ({"Sec-Fetch-Site": "same-origin"}, 200)):
            connection = self.connection(daemon.port)
            response = self.ask(connection, "/peek?key=login:1", **headers)
            self.assertEqual(response.status, status, headers)
        # A form of another site, which asks no one before it is sent.
        connection = self.connection(daemon.port)
        response = self.ask(connection, "/consume", "key=login:form", Origin="http://evil.example",
                            Content_Type="application/x-www-form-urlencoded")
        self.assertEqual(response.status, 403)
        self.assertIn(" level=0 ", daemon.ask("peek login:form"))

    def test_bad_requests_are_counted(self):
        daemon = self.start()
        connection = self.connection(daemon.port)
        for target in "/nothing", "/consume", "/consume?key=%":
            self.ask(connection, target)
        self.assertEqual(daemon.stats()["bad_lines"], 3)


class AdminTest(HttpCase):
    def test_what_is_for_operators_is_at_their_listener_alone(self):
        daemon = self.start()
        admin = self.connection(self.admin_port)
        for port, paths in ((self.admin_port, {"/limits", "/stats"}),
                            (daemon.port, {"/consume"}), (self.http_port, {"/consume"})):
            connection = self.connection(port)
            for path in "/limits", "/stats", "/consume":
                response = self.ask(connection, path)
                self.assertEqual(response.status != 404, path in paths, (port, path))
        self.assertIn(b"login algorithm=leaky_bucket ", self.ask(admin, "/limits").content)
        stats = self.ask(admin, "/stats").content.decode().splitlines()
        self.assertEqual([line.split()[0] for line in stats], list(daemon.stats()))

    def test_health(self):
        daemon = self.start()
        for port in daemon.port, self.http_port, self.admin_port:
            connection = self.connection(port)
            self.assertEqual(self.ask(connection, "/healthz").content, b"PONG\n")
            response = self.ask(connection, "/readyz")
            self.assertEqual((response.status, response.content), (200, b"READY memory\n"))

    def test_ready_on_fallback(self):
        for yes, status, code in ("yes", 200, None), ("no", 503, "fallback"):
            port = harness.free_port()
            daemon = self.daemon(LIMITS, {
                "store": {"type": "redis"}, "redis": {"port": port, **PATIENT["redis"]},
                "admin": {"listen": "", "ready_on_fallback": yes}})
            connection = self.connection(daemon.port)
            response = self.ask(connection, "/readyz")
            self.assertEqual(response.status, status)
            if code:
                self.assertEqual(json.loads(response.content)["code"], code)
                self.assertTrue(daemon.ask("READY").startswith("ERR fallback "))
            else:
                self.assertEqual(response.content, b"READY fallback\n")
            self.assertEqual(self.ask(connection, "/healthz").status, 200)
            self.redis(port=port)
            wait_until(lambda: self.ask(connection, "/readyz").content == b"READY redis\n",
                       "Redis to decide")

    def test_not_ready_before_limits(self):
        redis = self.redis()
        daemon = self.redis_daemon(redis, "", {**PATIENT, "limits": {"source": "redis"}})
        connection = self.connection(daemon.port)
        response = self.ask(connection, "/readyz")
        self.assertEqual(response.status, 503)
        self.assertEqual(json.loads(response.content)["code"], "nolimits")
        self.assertEqual(self.ask(connection, "/healthz").status, 200)

    def test_an_address_in_use_is_no_reason_not_to_start(self):
        self.start()
        daemon = self.daemon(LIMITS, {"admin": {"listen": f"127.0.0.1:{self.admin_port}"}})
        self.assertRegex(daemon.log(), r"warning: \[admin\] listen = .*: goes on without it")
        self.assertEqual(daemon.ask("PING"), "PONG")


class PageTest(HttpCase):
    def events(self):
        """A client to which events come; what came so far was its head."""
        client = self.raw(("127.0.0.1", self.admin_port))
        client.send(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.file.readline()
        self.assertIn(b"\r\nContent-Type: text/event-stream\r\n", head)
        return client

    def event(self, client):
        """The lines of the next one."""
        length = int(client.file.readline(), 16)
        chunk = client.file.read(length + 2).decode()
        self.assertTrue(chunk.endswith("\n\n\r\n"), chunk)
        lines = chunk[:-4].split("\n")
        self.assertTrue(all(line.startswith("data: ") for line in lines), lines)
        return [line[6:] for line in lines]

    def test_the_page_runs_nothing_but_what_its_policy_names(self):
        self.start()
        connection = self.connection(self.admin_port)
        response = self.ask(connection, "/")
        page, policy = response.content.decode(), response.headers["Content-Security-Policy"]
        self.assertEqual(response.headers["Content-Type"], "text/html; charset=utf-8")
        self.assertTrue(policy.startswith("default-src 'none'; "))
        for name in "style", "script":
            text, = re.findall(rf"(?s)<{name}>(.*?)</{name}>", page)
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            self.assertIn(f"; {name}-src 'sha256-{digest}'; ", policy)
        self.assertNotRegex(page, r"https?://(?!www\.w3\.org/2000/svg)")
        self.assertEqual(self.ask(connection, "/", method="HEAD").status, 200)
        self.assertEqual(self.ask(connection, "/", b"x").status, 405)
        for port in self.http_port, self.admin_port:
            self.assertEqual(self.ask(self.connection(port), "/page").status, 404)
        self.assertEqual(self.ask(self.connection(self.http_port), "/").status, 404)

    def test_events_tell_of_the_fleet(self):
        redis = self.redis()
        redis.ask("ZADD", "limits", 10, "login match=login:* capacity=5 recharge=1h")
        now = int(time.time())
        self.start("", {
            "limits": {"source": "redis"}, "redis": {"unix_socket_path": redis.path},
            "control": {"unix_socket_path": redis.path, "node_name": "here"}})
        client = self.events()
        self.assertEqual([line for line in self.event(client)
                          if line.startswith(("fleet", "member"))], [])
        def fleet():
            lines = self.event(client)
            return {name: [harness.fields(line) for line in lines if line.startswith(name + " ")]
                    for name in ("fleet", "member")}
        wait_until(lambda: [member["state"] for member in fleet()["member"]] == ["current"],
                   "this daemon's report")
        for name, digest, seen in (("old", "0" * 40, 7), ("kept", "-", 0), ("left", "0" * 40, 600),
                                   ("\nmember evil=1", "1" * 40, 0)):
            redis.ask("HSET", "limits:fleet", name, f"{digest} {now - 3600} 3 {now - seen}")
        redis.ask("HSET", "limits:fleet", "odd", "what is this")
        shown = {}
        def all_shown():
            shown.update(fleet())
            return len(shown["member"]) == 5
        wait_until(all_shown, "all reports")
        self.assertEqual([(member["node"].split("#")[0], member["state"]) for member in shown["member"]], [
            ("\\x0amember", "lags"), ("kept", "kept"), ("left", "gone"), ("old", "lags"), ("here", "current")])
        self.assertEqual({name: shown["fleet"][0][name] for name in (
            "count", "current", "lags", "kept", "gone", "more")}, {
                "count": "5", "current": "1", "lags": "2", "kept": "1", "gone": "1", "more": "no"})
        old = shown["member"][3]
        self.assertEqual((old["digest"], old["limits"]), ("0" * 40, "3"))
        self.assertGreaterEqual(int(old["loaded"]), 3600)
        self.assertGreaterEqual(int(old["seen"]), 7)
        # A fleet that is not small: some of it.
        with redis.connect() as link:
            for i in range(3000):
                link.ask("HSET", "limits:fleet", f"n{i}", f"{'2' * 40} {now} 1 {now}")
        wait_until(lambda: fleet()["fleet"][0]["more"] == "yes", "the many")
        lines = fleet()
        self.assertEqual(len(lines["member"]), 50)
        self.assertGreater(int(lines["fleet"][0]["lags"]), 900)
        # Nobody asks Redis for it when nobody looks.
        client.close()
        def scans():
            return sum(int(calls) for calls in re.findall(
                rb"cmdstat_hscan:calls=(\d+)", redis.ask("INFO", "commandstats")))
        def rests():
            before = scans()
            time.sleep(2)
            return scans() <= before + 1
        wait_until(rests, "it to stop")

    def test_events_come_each_second_until_the_client_sends_more(self):
        daemon = self.start()
        client = self.events()
        self.event(client)
        daemon.ask(*["CONSUME login:7"] * 7)
        lines = self.event(client)
        while "requests allowed=5 denied=2 fallback=0" not in lines:
            lines = self.event(client)
        self.assertIn("limit allowed=5 denied=2 name=login", lines)
        self.assertTrue(any(re.match(r"denied limit=login .* key=login:7$", line) for line in lines))
        times = [line for line in lines if line.startswith("decided ")]
        self.assertEqual(sum(int(harness.fields(line)["count"]) for line in times), 7)
        client.send(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        while (length := int(client.file.readline(), 16)) > 0:
            client.file.read(length + 2)
        self.assertEqual(client.file.readline(), b"\r\n")
        self.assertEqual(client.response()[2], b"PONG\n")

    def test_many_viewers_and_such_as_do_not_read(self):
        daemon = self.start()
        viewers = [self.events() for _ in range(200)]
        for viewer in viewers[::2]:
            self.event(viewer)
        self.assertEqual(daemon.ask("PING"), "PONG")
        daemon.send(signal.SIGTERM)
        for viewer in viewers:
            self.assertTrue(viewer.rest().endswith(b"0\r\n\r\n"))
        self.assertEqual(daemon.wait(), 0)


class DrainTest(HttpCase):
    def test_clients_are_told_to_go(self):
        wait_until(self.are_told_to_go, "a drain without a halt")

    def are_told_to_go(self):
        """Or False: the machine kept the client from the rest of its request for longer
        than the daemon waits for that, half a second."""
        daemon = self.start()
        client, idle = self.raw(daemon.path), self.raw(daemon.path)
        client.send(ConnectionTest.GET)
        client.response()
        idle.send(ConnectionTest.GET)
        idle.response()
        # Its request is not whole yet: it gets its response, and is closed.
        client.send(b"GET /ready")
        begun = time.monotonic()
        daemon.send(signal.SIGTERM)
        wait_until(lambda: "draining" in daemon.log(), "the drain")
        with contextlib.suppress(BrokenPipeError):
            client.send(b"z HTTP/1.1\r\nHost: x\r\n\r\n")
        if time.monotonic() - begun > 0.3:
            return False
        status, headers, body = client.response()
        self.assertEqual((status, headers["Connection"]), (503, "close"))
        self.assertEqual(json.loads(body)["code"], "draining")
        self.assertEqual((client.rest(), idle.rest()), (b"", b""))
        self.assertEqual(daemon.wait(), 0)
        return True


if __name__ == "__main__":
    harness.main()
