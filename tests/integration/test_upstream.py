"""Upstreams: what is passed on, what is passed back, and what is not."""

import http.client
import http.server
import json
import os
import select
import signal
import socket
import socketserver
import threading
import unittest

import harness
from harness import PATIENT, wait_until
from test_http import HttpCase

LIMITS = """
[up]
match = up:few
capacity = 3
recharge = 1d

[plenty]
match = up:*
capacity = 1000000
rate = 1000/s
"""


class Handler(http.server.BaseHTTPRequestHandler):
    """A server that does what the path says, and remembers what it was asked."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        length = int(self.headers.get("Content-Length", 0))
        asked = (self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
        with self.server.lock:
            self.server.asked.append(asked)
            self.number = len(self.server.asked)
        name = self.path.strip("/").split("?")[0].split("/")[-1].replace("-", "_")
        getattr(self, f"do_{name}", self.do_echo)()

    do_GET = do_HEAD = do_POST = do_PUT = answer

    def raw(self, data):
        self.wfile.write(data)
        self.wfile.flush()

    def plain(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.raw(body)

    def do_echo(self):
        self.plain(200, self.path.encode(), X_One="1", ETag='"x"', Connection="X-Two",
                   X_Two="2", Keep_Alive="9", Set_Cookie="a=b")

    def do_nothing(self):
        self.send_response(204)
        self.end_headers()

    def do_wrong(self):
        self.plain(500, b"oops")

    def do_chunks(self):
        self.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"5\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n")

    def do_big(self):
        self.send_response(200)
        self.send_header("Content-Length", str(1000 * 20000))
        self.end_headers()
        for i in range(1000):
            self.raw(b"%-20d" % i * 1000)

    def do_endless(self):
        self.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                self.raw(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
                self.server.sent += 0x4000
        except OSError:
            self.server.ended.set()

    def do_short(self):
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        self.close_connection = True

    def do_bad_chunk(self):
        self.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"5\r\nhello\r\nzz\r\nworld\r\n")
        self.close_connection = True

    def do_split(self):
        self.raw(b"HTTP/1.1 200 OK\r\nX-A: a\rSet-Cookie: b=c\r\nContent-Length: 0\r\n\r\n")

    def do_two_lengths(self):
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\nevil")

    def do_odd_length(self):
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0x4\r\n\r\nevil")
        self.close_connection = True

    def do_switch(self):
        self.raw(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
                 b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        self.close_connection = True

    def do_no_http(self):
        self.raw(b"220 mail.example ESMTP\r\n")
        self.close_connection = True

    def do_long_head(self):
        self.raw(b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 20000 +
                 b"\r\nContent-Length: 0\r\n\r\n")

    def do_reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   b"\1\0\0\0\0\0\0\0")
        self.close_connection = True

    def do_flaky(self):
        if len(self.server.asked) % 3:
            self.do_reset()
        else:
            self.do_echo()

    def do_hang(self):
        self.server.released.wait(harness.PATIENCE)
        self.do_echo()

    def do_slow(self):
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
        self.server.released.wait(harness.PATIENCE)
        self.close_connection = True


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.sent, self.lock = [], 0, threading.Lock()
        self.released, self.ended = threading.Event(), threading.Event()
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass

    def close(self):
        self.released.set()
        self.shutdown()
        self.server_close()


class UpstreamCase(HttpCase):
    def upstream(self):
        server = Server()
        self.addCleanup(server.close)
        return server

    def serve(self, settings=None, limits=LIMITS, server=None, **options):
        self.server = server or self.upstream()
        upstream = {"url": f"http://127.0.0.1:{self.server.port}", "limit_key": "up:a",
                    **(settings or {})}
        self.gate = self.start(limits, {"upstream:api": upstream, **options})
        return self.gate

    def get(self, path, method=None, body=None, **headers):
        return self.ask(self.connection(self.http_port), f"/upstream/api{path}", body,
                        method, **headers)

    def code(self, path, **options):
        """Status and code word of a response of ours."""
        response = self.get(path, **options)
        self.assertEqual(response.headers["Content-Type"], "application/problem+json")
        return response.status, json.loads(response.content)["code"]


class PassTest(UpstreamCase):
    def test_request_and_response_are_passed_on(self):
        self.serve()
        response = self.get("/x/./y?q=%2f", Accept="a/b", Cookie="no", X_Other="no")
        self.assertEqual((response.status, response.content), (200, b"/x/y?q=%2F"))
        self.assertEqual(response.headers["ETag"], '"x"')
        self.assertEqual(response.headers["X-One"], "1")
        for name in "X-Two", "Keep-Alive", "Connection":
            self.assertIsNone(response.headers[name])
        self.assertEqual(response.headers.get_all("Content-Length"), ["10"])
        [(method, path, headers, body)] = self.server.asked
        self.assertEqual((method, path, body), ("GET", "/x/y?q=%2F", b""))
        self.assertEqual(headers["Accept"], "a/b")
        self.assertEqual(set(headers), {"Host", "Accept", "Accept-Encoding", "User-Agent"})

    def test_url_has_a_path_of_its_own(self):
        server = self.upstream()
        self.serve({"url": f"http://127.0.0.1:{server.port}/v1/"}, server=server)
        self.assertEqual(self.get("/x").content, b"/v1/x")
        self.assertEqual(self.get("").content, b"/v1/")
        self.assertEqual(self.get("?a").content, b"/v1/?a")

    def test_path_that_leads_elsewhere_is_refused(self):
        self.serve()
        for path in ("/../x", "/a/../../x", "/%2e%2e/x", "/a%2fb", "/a%5Cb", "/a%0d%0ab",
                     "/a%00"):
            with self.subTest(path):
                self.assertEqual(self.code(path), (400, "badpath"))
        self.assertEqual(self.server.asked, [])

    def test_only_configured_upstreams_are_asked(self):
        self.serve()
        for path in ("/upstream/other/x", "/upstream", "/upstream/", "/upstream//api/x"):
            response = self.ask(self.connection(self.http_port), path)
            self.assertEqual(response.status, 404)
            self.assertEqual(json.loads(response.content)["code"], "noupstream")
        self.assertEqual(self.ask(self.connection(self.admin_port), "/upstream/api/x").status,
                         404)
        self.assertEqual(self.server.asked, [])

    def test_methods_are_those_of_the_settings(self):
        self.serve({"methods": "GET POST"})
        response = self.get("/x", "PUT", b"hello")
        self.assertEqual((response.status, response.headers["Allow"]), (405, "GET, POST"))
        self.assertEqual(self.get("/x", "HEAD").status, 405)
        self.assertEqual(self.get("/x", body=b"hello", Content_Type="a/b").status, 200)
        [(method, _, headers, body)] = self.server.asked
        self.assertEqual((method, body, headers["Content-Type"]), ("POST", b"hello", "a/b"))

    def test_body_is_bounded(self):
        self.serve({"methods": "POST", "max_body": "5"})
        self.assertEqual(self.get("/x", body=b"12345").status, 200)
        self.assertEqual(self.code("/x", body=b"123456"), (413, "toolong"))
        self.assertEqual(len(self.server.asked), 1)

    def test_body_that_comes_in_chunks_is_passed_on(self):
        self.serve({"methods": "POST"})
        client = self.raw(("127.0.0.1", self.http_port))
        client.send(b"POST /upstream/api/x HTTP/1.1\r\nHost: x\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        client.send(b"2\r\nde\r\n0\r\n\r\nGET /upstream/nobody HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(client.response()[0], 200)
        self.assertEqual(client.response()[0], 404)
        self.assertEqual(self.server.asked[0][3], b"abcde")

    def test_head_has_no_body(self):
        self.serve()
        connection = self.connection(self.http_port)
        response = self.ask(connection, "/upstream/api/x", method="HEAD")
        self.assertEqual((response.status, response.content), (200, b""))
        self.assertEqual(response.headers["Content-Length"], "2")
        self.assertEqual(self.ask(connection, "/upstream/api/yz").content, b"/yz")

    def test_status_without_a_body_keeps_the_connection(self):
        self.serve()
        connection = self.connection(self.http_port)
        for _ in range(2):
            self.assertEqual(self.ask(connection, "/upstream/api/nothing").status, 204)
            self.assertEqual(self.ask(connection, "/upstream/api/wrong").content, b"oops")

    def test_chunks_are_ours(self):
        self.serve()
        client = self.raw(("127.0.0.1", self.http_port))
        client.send(b"GET /upstream/api/chunks HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        for _ in range(2):
            status, headers, body = client.response()
            self.assertEqual((status, body), (200, b"hello world"))
            self.assertEqual(headers.get_all("Transfer-Encoding"), ["chunked"])

    def test_old_client_gets_no_chunks(self):
        self.serve()
        client = self.raw(("127.0.0.1", self.http_port))
        client.send(b"GET /upstream/api/chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        text = client.rest()
        self.assertNotIn(b"Transfer-Encoding", text)
        self.assertTrue(text.endswith(b"\r\n\r\nhello world"))

    def test_large_body_passes_without_being_held(self):
        self.serve()
        before = self.gate.memory()
        connection = self.connection(self.http_port)
        connection.request("GET", "/upstream/api/big")
        response = connection.getresponse()
        for i in range(1000):
            self.assertEqual(response.read(20000), b"%-20d" % i * 1000)
        self.assertEqual(response.read(), b"")
        if before:
            self.assertLess(self.gate.memory() - before, 8 << 20)

    def test_client_that_does_not_read_stops_the_upstream(self):
        self.serve()
        connection = self.connection(self.http_port)
        connection.request("GET", "/upstream/api/endless")
        response = connection.getresponse()

        def rests():
            before = self.server.sent
            return not self.server.ended.wait(0.3) and self.server.sent == before > 0
        wait_until(rests, "the upstream to wait")
        self.assertLess(self.server.sent, 32 << 20)
        # It goes on with the client, and ends with it.
        more = self.server.sent + 1
        self.assertEqual(response.read(more), b"x" * more)
        connection.sock.close()
        response.close()
        self.assertTrue(self.server.ended.wait(harness.PATIENCE))

    def test_secret_is_sent_and_never_shown(self):
        folder = self.folder
        with open(os.path.join(folder, "token"), "w", encoding="ascii") as file:
            file.write("s3cret\n")
        self.serve({"header.Authorization": "Bearer $credential.token",
                    "header.X-Plain": "pl4in", "credentials": folder, "retries": "0"})
        self.get("/x")
        headers = self.server.asked[0][2]
        self.assertEqual((headers["Authorization"], headers["X-Plain"]),
                         ("Bearer s3cret", "pl4in"))
        self.get("/reset")
        wait_until(lambda: "upstream api:" in self.gate.log(), "a warning")
        self.assertNotIn("s3cret", self.gate.log())


class MisbehavingTest(UpstreamCase):
    def test_response_that_is_malformed_is_502(self):
        self.serve({"failures": "0"})
        for path in "/split", "/no-http", "/long-head", "/switch", "/two-lengths", "/odd-length":
            with self.subTest(path):
                self.assertEqual(self.code(path), (502, "badgateway"))

    def test_request_is_not_sent_again_behind_our_back(self):
        """As libcurl does, where a connection that was kept is closed."""
        self.serve({"methods": "GET POST", "retries": "0", "failures": "0"})
        for options in {}, {"body": b"x"}, {"method": "POST", "body": b""}:
            self.assertEqual(self.get("/x", **options).status, 200)
            self.server.asked.clear()
            self.assertEqual(self.code("/reset", **options), (502, "badgateway"))
            self.assertEqual(len(self.server.asked), 1)
        wait_until(lambda: "closed a connection that it had kept" in self.gate.log(),
                   "a warning")

    def test_response_that_breaks_off_closes_the_connection(self):
        self.serve({"failures": "0"})
        for path in "/short", "/bad-chunk":
            with self.subTest(path):
                try:
                    # What came may have been told already, or not.
                    self.assertEqual(self.get(path).status, 502)
                except (http.client.HTTPException, OSError):
                    pass
        self.assertEqual(self.get("/x").status, 200)

    def test_reset_is_tried_again(self):
        self.serve({"retries": "2"})
        self.assertEqual(self.get("/flaky").content, b"/flaky")
        self.assertEqual(len(self.server.asked), 3)

    def test_what_changes_something_is_sent_once(self):
        self.serve({"methods": "POST", "retries": "5"})
        self.assertEqual(self.code("/reset", body=b"x"), (502, "badgateway"))
        self.assertEqual(len(self.server.asked), 1)

    def test_server_that_says_nothing_is_504(self):
        self.serve({"timeout": "100ms", "retries": "0"})
        self.assertEqual(self.code("/hang"), (504, "timeout"))

    def test_server_that_never_ends_is_bounded(self):
        self.serve({"max_time": "2s"})
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.get("/slow")
        # We are the server, too: if we are kept from running, it is late again.
        wait_until(lambda: self.get("/x").status == 200, "a response")

    def test_client_that_is_slow_is_no_failure_of_the_server(self):
        self.serve({"max_time": "2s", "failures": "1", "pause": "1h"})
        client = self.raw(("127.0.0.1", self.http_port))
        client.send(b"GET /upstream/api/endless HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(self.server.ended.wait(harness.PATIENCE))
        self.assertEqual(self.get("/x").status, 200)

    @unittest.skipIf("-address" in os.environ["DRIPGATED"], "nothing goes before ASan")
    def test_look_up_that_hangs_holds_up_nothing_else(self):
        flag = os.path.join(self.folder, "names")
        server = self.upstream()
        self.http_port = harness.free_port()
        shared = {"timeout": "200ms", "retries": "0"}
        self.gate = self.daemon(LIMITS, {
            "http": {"listen": f"127.0.0.1:{self.http_port}"},
            "upstream:slow": {"url": "http://slow.invalid", **shared},
            "upstream:api": {"url": f"http://127.0.0.1:{server.port}"}},
            env={"LD_PRELOAD": os.environ["SET_CLOCK_SO"], "WAIT_NAMES": flag})
        with open(flag, "wb"):
            self.addCleanup(os.unlink, flag)
        for _ in range(2):
            response = self.ask(self.connection(self.http_port), "/upstream/slow/x")
            self.assertEqual(response.status, 504)
            self.assertEqual(self.get("/x").status, 200)

    def test_server_that_is_gone_is_502_and_then_left_alone(self):
        self.serve({"failures": "2", "retries": "0", "pause": "1h"})
        self.server.close()
        self.assertEqual(self.code("/x"), (502, "badgateway"))
        self.assertEqual(self.code("/x"), (502, "badgateway"))
        response = self.get("/x")
        self.assertEqual((response.status, json.loads(response.content)["code"]),
                         (503, "failing"))
        self.assertGreater(int(response.headers["Retry-After"]), 3500)
        wait_until(lambda: "failed 2 times in a row" in self.gate.log(), "the log")

    def leave_alone(self):
        """Have the server fail, and the pause be over."""
        self.serve({"failures": "1", "retries": "0", "pause": "10ms", "timeout": "1m"})
        self.assertEqual(self.get("/wrong").status, 500)
        with self.gate.connect() as client:
            wait_until(lambda: " state=failing again=0 " in client.ask_many("explain up:a")[-1],
                       "the end of the pause")

    def test_one_request_tries_a_server_that_was_left_alone(self):
        self.leave_alone()
        probe = self.connection(self.http_port)
        probe.request("GET", "/upstream/api/hang")
        wait_until(lambda: len(self.server.asked) == 2, "the probe")
        for _ in range(3):
            self.assertEqual(self.code("/x"), (503, "failing"))
        self.assertEqual(len(self.server.asked), 2)
        self.server.released.set()
        self.assertEqual(probe.getresponse().read(), b"/hang")
        self.assertEqual(self.get("/x").status, 200)
        wait_until(lambda: "upstream api responds again" in self.gate.log(), "the log")

    def test_probe_that_no_one_reads_keeps_no_one_from_a_server_that_responds(self):
        self.leave_alone()
        client = self.raw(("127.0.0.1", self.http_port))
        client.send(b"GET /upstream/api/endless HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b" 200 ", client.file.readline())
        self.assertEqual(self.get("/x").status, 200)

    def test_name_of_this_machine_is_not_asked(self):
        server = self.upstream()
        self.serve({"url": f"http://localhost:{server.port}", "retries": "0"}, server=server)
        self.assertEqual(self.code("/x"), (502, "badgateway"))
        self.assertEqual(server.asked, [])
        wait_until(lambda: "its name has an address of this machine" in self.gate.log(),
                   "the log")


class LimitTest(UpstreamCase):
    def test_limit_holds_back_what_would_be_too_much(self):
        self.serve({"limit_key": "up:few up:b", "max_wait": "0"})
        for _ in range(3):
            self.assertEqual(self.get("/x").status, 200)
        response = self.get("/x")
        self.assertEqual((response.status, json.loads(response.content)["code"]),
                         (429, "limited"))
        self.assertGreater(int(response.headers["Retry-After"]), 3600)
        self.assertEqual(len(self.server.asked), 3)

    def test_request_waits_for_its_limit(self):
        self.serve({"limit_key": "up:w", "max_wait": "20s"},
                   "[w]\nmatch = up:w\ncapacity = 1\nrate = 5/s\nqueue = 20s\n")
        connections = [self.connection(self.http_port) for _ in range(6)]
        for i, connection in enumerate(connections):
            connection.request("GET", f"/upstream/api/{i}")
        self.assertEqual([connection.getresponse().status for connection in connections],
                         [200] * 6)

    def test_request_waits_for_several_limits(self):
        self.serve({"limit_key": "up:w all", "max_wait": "20s"},
                   "[w]\nmatch = up:w\ncapacity = 1\nrate = 5/s\n"
                   "[all]\nmatch = all\ncapacity = 2\nrate = 10/s\n")
        connections = [self.connection(self.http_port) for _ in range(6)]
        for i, connection in enumerate(connections):
            connection.request("GET", f"/upstream/api/{i}")
        self.assertEqual([connection.getresponse().status for connection in connections],
                         [200] * 6)
        self.assertEqual(len(self.server.asked), 6)

    def test_request_that_would_wait_too_long_is_refused_at_once(self):
        self.serve({"limit_key": "up:w", "max_wait": "1h"},
                   "[w]\nmatch = up:w\ncapacity = 1\nrecharge = 1h\nqueue = 10s\n")
        self.assertEqual(self.get("/x").status, 200)
        self.assertEqual(self.code("/y"), (429, "limited"))
        self.assertEqual(len(self.server.asked), 1)

    def test_client_that_waits_and_goes_gives_its_turn_back(self):
        self.serve({"limit_key": "up:w", "max_wait": "1h"},
                   "[w]\nmatch = up:w\ncapacity = 1\nrecharge = 1h\nqueue = 2h\n")
        self.assertEqual(self.get("/x").status, 200)
        client = self.raw(("127.0.0.1", self.http_port))
        client.send(b"GET /upstream/api/y HTTP/1.1\r\nHost: x\r\n\r\n")
        level = lambda: harness.fields(self.gate.ask("peek up:w"))["retry"]
        wait_until(lambda: float(level()) > 3600, "the turn")
        client.vanish()
        wait_until(lambda: float(level()) <= 3600, "the turn to be given back")

    def test_limit_in_redis_lets_pass_what_it_refused_before(self):
        redis = self.redis()
        self.serve({"limit_key": "up:w", "max_wait": "0", "cache": "off"},
                   "[w]\nmatch = up:w\ncapacity = 1\nrecharge = 1s\n",
                   store={"type": "redis"}, redis={**PATIENT["redis"], "port": redis.port})
        wait_until(lambda: self.get("/x").status == 429, "the limit")
        wait_until(lambda: self.get("/x").status == 200, "room")

    def test_monitor_shows_what_is_charged(self):
        self.serve({"limit_key": "up:w"}, "[w]\nmatch = up:w\ncapacity = 100\nrecharge = 1s\n")
        with self.gate.connect() as client:
            self.assertEqual(client.ask("MONITOR"), "OK")

            def is_shown():
                self.get("/x")
                return select.select([client.socket], [], [], 0.1)[0]

            wait_until(is_shown, "a decision")
            self.assertIn(" limit=w ", client.line())

    def test_daemons_share_the_limit_in_redis(self):
        redis = self.redis()
        server = self.upstream()
        store = {"store": {"type": "redis"},
                 "redis": {**PATIENT["redis"], "port": redis.port}}
        statuses = []
        for _ in range(2):
            self.serve({"limit_key": "up:few", "max_wait": "0"}, server=server, **store)
            statuses += [self.get("/x").status for _ in range(3)]
        self.assertEqual(statuses, [200] * 3 + [429] * 3)
        self.assertEqual(len(server.asked), 3)

    def test_so_many_are_out_at_a_time(self):
        self.serve({"max_connections": "2"})
        connections = [self.connection(self.http_port) for _ in range(6)]
        for i, connection in enumerate(connections):
            connection.request("GET", f"/upstream/api/{i}/hang")
        wait_until(lambda: len(self.server.asked) == 2, "two requests")
        self.server.released.set()
        for i, connection in enumerate(connections):
            self.assertEqual(connection.getresponse().read(), b"/%d/hang" % i)
        self.assertEqual(len(self.server.asked), 6)

    def test_who_waits_too_long_for_a_connection_is_told(self):
        self.serve({"max_connections": "1", "max_wait": "100ms"})
        first = self.connection(self.http_port)
        first.request("GET", "/upstream/api/hang")
        wait_until(lambda: len(self.server.asked) == 1, "a request")
        self.assertEqual(self.code("/x"), (503, "busy"))
        self.server.released.set()
        self.assertEqual(first.getresponse().status, 200)


class LifeTest(UpstreamCase):
    def test_client_that_is_gone_ends_its_request(self):
        self.serve({"max_connections": "1"})
        client = self.raw(("127.0.0.1", self.http_port))
        client.send(b"GET /upstream/api/endless HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: self.server.sent > 0, "the response to begin")
        client.close()
        self.assertTrue(self.server.ended.wait(harness.PATIENCE))
        self.assertEqual(self.get("/x").status, 200)

    def test_reload_changes_adds_and_removes_upstreams(self):
        self.serve()
        other = self.upstream()
        self.assertEqual(self.get("/x").status, 200)
        held = self.connection(self.http_port)
        held.request("GET", "/upstream/api/hang")
        wait_until(lambda: len(self.server.asked) == 2, "a request")
        del self.gate.settings["upstream:api"]
        self.gate.settings["upstream:new"] = {"url": f"http://127.0.0.1:{other.port}"}
        self.gate.write_config()
        self.gate.reload()
        ask = self.connection(self.http_port)
        wait_until(lambda: self.ask(ask, "/upstream/api/x").status == 404, "its end")
        self.assertEqual(self.ask(ask, "/upstream/new/x").content, b"/x")
        # What was on its way ends well.
        self.server.released.set()
        self.assertEqual(held.getresponse().read(), b"/hang")

    def test_drain_waits_for_the_response(self):
        self.serve()
        held = self.connection(self.http_port)
        held.request("GET", "/upstream/api/hang")
        wait_until(lambda: self.server.asked, "a request")
        self.gate.send(signal.SIGTERM)
        wait_until(lambda: "draining" in self.gate.log(), "the drain")
        self.server.released.set()
        self.assertEqual(held.getresponse().read(), b"/hang")
        self.assertEqual(self.gate.wait(), 0)

    def test_end_does_not_wait_for_what_never_ends(self):
        self.serve()
        held = self.connection(self.http_port)
        held.request("GET", "/upstream/api/hang")
        wait_until(lambda: self.server.asked, "a request")
        self.gate.send(signal.SIGTERM)
        wait_until(lambda: "draining" in self.gate.log(), "the drain")
        self.gate.send(signal.SIGTERM)
        self.assertEqual(self.gate.wait(), 0)


if __name__ == "__main__":
    unittest.main()
