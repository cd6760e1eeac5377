"""Other parsers of HTTP read what ours reads: the same requests, with the same ends.

Each input goes to dripgated, and to nginx and HAProxy in front of a server that
records what they forward.  We may refuse what they take; what we take, they read in
the same way, or refuse.  Behind each input comes one more request, the last: if two
parsers do not agree on where an input ends, they do not agree on that.
"""

import collections
import http.client
import os
import re
import socket
import socketserver
import threading
import unittest

import harness
from test_proxies import PROGRAMS, end

LOST = object()

LIMITS = """
[any]
match = *
capacity = 1000
recharge = 1d

[route:any]
keys = $method:$path
"""

METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")

LAST = b"GET /check/last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def request(line=b"GET /check/x HTTP/1.1", *fields, body=b"", host=b"Host: a"):
    return b"\r\n".join([line, *([host] if host else []), *fields, b"", body])


def post(*fields, body=b""):
    return request(b"POST /check/x HTTP/1.1", *fields, body=body)


CHUNKED = b"Transfer-Encoding: chunked"

# What everyone takes.
GOOD = {
    "plain": request(),
    "two": request() * 2,
    "sixteen": request() * 16,
    "no body": post(b"Content-Length: 0"),
    "body": post(b"Content-Length: 5", body=b"hello"),
    "body like a request": post(b"Content-Length: %d" % len(request()), body=request()),
    "body, then another": post(b"Content-Length: 2", body=b"\r\n") + request(),
    "chunks": post(CHUNKED, body=b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"),
    "chunks like a request": post(CHUNKED, body=b"%x\r\n%s\r\n0\r\n\r\n" % (
        len(request()), request())),
    "chunk in capitals": post(CHUNKED, body=b"A\r\n0123456789\r\n0\r\n\r\n"),
    "no chunks": post(CHUNKED, body=b"0\r\n\r\n"),
    "coding in capitals": post(b"transfer-encoding: CHUNKED", body=b"0\r\n\r\n"),
    "length with zeros": post(b"Content-Length: 0003", body=b"abc"),
    "no blank behind the colon": request(b"GET /check/x HTTP/1.1", b"X:y"),
    "blanks around a value": request(b"GET /check/x HTTP/1.1", b"X: \t y \t"),
    "empty value": request(b"GET /check/x HTTP/1.1", b"X:"),
    "name of signs": request(b"GET /check/x HTTP/1.1", b"!#$%&'*+-.^_`|~9: y"),
    "bytes above ASCII": request(b"GET /check/x HTTP/1.1", b"X: \xff\xc3\xa9"),
    "cookies": request(b"GET /check/x HTTP/1.1", b"Cookie: a=b", b"Cookie: c=d"),
    "query": request(b"GET /check/x?a=b&c=%20&d=//../ HTTP/1.1"),
    "codes": request(b"GET /check/%41%2f%2e%2e/x HTTP/1.1"),
    "signs in the path": request(b"GET /check/!$&'()*+,;=:@~-._ HTTP/1.1"),
    "put": request(b"PUT /check/x HTTP/1.1", b"Content-Length: 1", body=b"x"),
    "delete": request(b"DELETE /check/x HTTP/1.1"),
    "options": request(b"OPTIONS /check/x HTTP/1.1"),
    "patch": request(b"PATCH /check/x HTTP/1.1", b"Content-Length: 1", body=b"x"),
    "get with a body": request(b"GET /check/x HTTP/1.1", b"Content-Length: 3", body=b"abc"),
    "host with a port": request(host=b"Host: a.example:8080"),
    "host in brackets": request(host=b"Host: [::1]:80"),
    "many headers": request(b"GET /check/x HTTP/1.1", *(b"X-%d: y" % i for i in range(80))),
    "long value": request(b"GET /check/x HTTP/1.1", b"X: " + b"y" * 3000),
    "long path": request(b"GET /check/%s HTTP/1.1" % (b"y" * 150)),
}

# What we refuse, whoever else takes it.
BAD = {
    "both lengths": post(b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"),
    "both lengths, turned": post(CHUNKED, b"Content-Length: 5", body=b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 5", b"Content-Length: 6", body=b"helloo"),
    "the same length twice": post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    "list of lengths": post(b"Content-Length: 5, 5", body=b"hello"),
    "length with a sign": post(b"Content-Length: +5", body=b"hello"),
    "negative length": post(b"Content-Length: -1"),
    "length in hex": post(b"Content-Length: 0x5", body=b"hello"),
    "length with a blank": post(b"Content-Length: 5 5", body=b"hello"),
    "empty length": post(b"Content-Length:", body=b"hello"),
    "huge length": post(b"Content-Length: 99999999999999999999", body=b"hello"),
    "coding twice": post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"),
    "coding not last": post(b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"),
    "unknown coding": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "coding with a tab inside": post(b"Transfer-Encoding: chu\tnked", body=b"0\r\n\r\n"),
    "coding with a vertical tab": post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "identity": post(b"Transfer-Encoding: identity", b"Content-Length: 5", body=b"hello"),
    "coding of HTTP/1.0": request(b"POST /check/x HTTP/1.0", CHUNKED, body=b"0\r\n\r\n"),
    "blank before the colon": post(b"Content-Length : 5", body=b"hello"),
    "blank before the coding's colon": post(b"Transfer-Encoding : chunked",
                                            body=b"0\r\n\r\n"),
    "folded": request(b"GET /check/x HTTP/1.1", b"X: y", b" z: w"),
    "folded first": request(b"GET /check/x HTTP/1.1", b" X: y", host=None),
    "bare CR": request(b"GET /check/x HTTP/1.1", b"X: y\rZ: w"),
    "bare LF": request().replace(b"\r\n", b"\n"),
    "bare LF in a header": request(b"GET /check/x HTTP/1.1", b"X: y\nZ: w"),
    "NUL in a value": request(b"GET /check/x HTTP/1.1", b"X: a\0b"),
    "NUL in a name": request(b"GET /check/x HTTP/1.1", b"X\0Y: b"),
    "no colon": request(b"GET /check/x HTTP/1.1", b"nothing"),
    "empty name": request(b"GET /check/x HTTP/1.1", b": y"),
    "blank in a name": request(b"GET /check/x HTTP/1.1", b"X Y: z"),
    "brackets in a name": request(b"GET /check/x HTTP/1.1", b"X[a]: z"),
    "no host": request(host=None),
    "two hosts": request(b"GET /check/x HTTP/1.1", b"Host: b"),
    "host with a path": request(host=b"Host: a/b"),
    "host with a name before": request(host=b"Host: x@a"),
    "version 2": request(b"GET /check/x HTTP/2.0"),
    "version 1.1 in small letters": request(b"GET /check/x http/1.1"),
    "version with more": request(b"GET /check/x HTTP/1.1x"),
    "no version": b"GET /check/x\r\n\r\n",
    "two blanks": request(b"GET  /check/x HTTP/1.1"),
    "tab": request(b"GET\t/check/x\tHTTP/1.1"),
    "blank at the end": request(b"GET /check/x HTTP/1.1 "),
    "blank in the path": request(b"GET /check/x y HTTP/1.1"),
    "control in the path": request(b"GET /check/\x01 HTTP/1.1"),
    "fragment": request(b"GET /check/x#y HTTP/1.1"),
    "no slash": request(b"GET check/x HTTP/1.1"),
    "chunk without a size": post(CHUNKED, body=b"\r\nhello\r\n0\r\n\r\n"),
    "chunk with a sign": post(CHUNKED, body=b"+5\r\nhello\r\n0\r\n\r\n"),
    "chunk with 0x": post(CHUNKED, body=b"0x5\r\nhello\r\n0\r\n\r\n"),
    "chunk with a blank before": post(CHUNKED, body=b" 5\r\nhello\r\n0\r\n\r\n"),
    "chunk, bare LF": post(CHUNKED, body=b"5\nhello\r\n0\r\n\r\n"),
    "chunk, bare LF behind": post(CHUNKED, body=b"5\r\nhello\n0\r\n\r\n"),
    "chunk, bare CR": post(CHUNKED, body=b"5\rhello\r\n0\r\n\r\n"),
    "chunk, huge": post(CHUNKED, body=b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    "chunk longer than said": post(CHUNKED, body=b"5\r\nhelloo\r\n0\r\n\r\n"),
    "chunk, bare LF in an extension": post(CHUNKED, body=b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    "trailer without a colon": post(CHUNKED, body=b"0\r\nGET /check/y HTTP/1.1\r\n\r\n"),
}

# Where the others may not agree with each other: if we take it, they must agree
# with us, or refuse it.
UNCLEAR = {
    "absolute": request(b"GET http://a/check/x HTTP/1.1"),
    "absolute, of another host": request(b"GET http://b/check/x HTTP/1.1"),
    "HTTP/1.0": request(b"GET /check/x HTTP/1.0", b"Connection: keep-alive"),
    "version 1.9": request(b"GET /check/x HTTP/1.9"),
    "blank lines before": b"\r\n\r\n" + request(),
    "blank lines between": request() + b"\r\n" + request(),
    "expect": post(b"Expect: 100-continue", b"Content-Length: 2", body=b"ab"),
    "extension": post(CHUNKED, body=b"5;a=b\r\nhello\r\n0\r\n\r\n"),
    "extension in quotes": post(CHUNKED, body=b"5;a=\"b;c\"\r\nhello\r\n0;x\r\n\r\n"),
    "blank before an extension": post(CHUNKED, body=b"5 ;a\r\nhello\r\n0\r\n\r\n"),
    "trailer": post(CHUNKED, body=b"0\r\nX: y\r\n\r\n"),
    "trailer with a length": post(CHUNKED, body=b"0\r\nContent-Length: 9\r\n\r\n"),
    "chunk with zeros": post(CHUNKED, body=b"0000005\r\nhello\r\n000\r\n\r\n"),
    "connection names the length": post(b"Connection: content-length", b"Content-Length: 2",
                                        body=b"ab"),
    "upgrade": request(b"GET /check/x HTTP/1.1", b"Connection: upgrade",
                       b"Upgrade: websocket"),
    "upgrade to h2c": request(b"GET /check/x HTTP/1.1", b"Connection: upgrade",
                              b"Upgrade: h2c"),
    "TE": request(b"GET /check/x HTTP/1.1", b"TE: trailers, chunked"),
    "method in small letters": request(b"get /check/x HTTP/1.1"),
    "unknown method": request(b"PURGE /check/x HTTP/1.1"),
    "trace": request(b"TRACE /check/x HTTP/1.1"),
    "star": request(b"OPTIONS * HTTP/1.1"),
    "empty host": request(host=b"Host:"),
    "code of NUL": request(b"GET /check/%00 HTTP/1.1"),
    "half a code": request(b"GET /check/%4 HTTP/1.1"),
    "quote in the path": request(b"GET /check/\"<>^`{|}\\ HTTP/1.1"),
    "bytes above ASCII in the path": request(b"GET /check/\xc3\xa9 HTTP/1.1"),
    "underscore": post(b"Content_Length: 5", b"Transfer_Encoding: chunked",
                       b"Content-Length: 0"),
    "coding in quotes": post(b"Transfer-Encoding: \"chunked\"", b"Content-Length: 5",
                             body=b"hello"),
    "empty coding": post(b"Transfer-Encoding:", b"Content-Length: 5", body=b"hello"),
    "coding in a list": post(b"Transfer-Encoding: , chunked", body=b"0\r\n\r\n"),
}


class Recorder(socketserver.ThreadingTCPServer):
    """Behind a proxy: notes each request, and says 200."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Recording)
        self.seen = []

    def handle_error(self, *_):
        """A proxy closes when it likes."""


class Recording(socketserver.StreamRequestHandler):
    def body(self, headers):
        if "chunked" not in (headers["Transfer-Encoding"] or ""):
            return self.rfile.read(int(headers["Content-Length"] or 0))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def handle(self):
        while line := self.rfile.readline():
            seen = self.server.seen  # of the input that it is in, however late it ends
            method, target, _ = line.decode("latin-1").split(" ")
            body = self.body(http.client.parse_headers(self.rfile))
            seen.append((method, target, body))
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


class Socket:
    """What http.client reads responses from, one after another."""

    def __init__(self, file):
        self.file = file

    def makefile(self, _):
        return self

    def readline(self, *arguments):
        return self.file.readline(*arguments)

    def read(self, *arguments):
        return self.file.read(*arguments)

    def readinto(self, room):
        return self.file.readinto(room)

    def flush(self):
        pass

    def close(self):
        pass


class ParserTest(harness.Case):
    def statuses(self, port, data):
        """Of the responses to some bytes, until the connection is closed."""
        found = []
        with socket.create_connection(("127.0.0.1", port), harness.PATIENCE) as client:
            client.sendall(data)
            with client.makefile("rb") as file:
                while file.peek(1):
                    response = http.client.HTTPResponse(Socket(file))
                    response.begin()
                    response.read()
                    found.append(response.status)
        return found

    def start_proxy(self, name, argv, port):
        self.proxy = self.started(harness.Process(self.folder, name, argv))
        self.addCleanup(end, self.proxy)

        def responds():
            if not self.proxy.is_running():
                raise AssertionError(self.proxy.log())
            try:
                return self.statuses(port, LAST) == [200]
            except (ConnectionError, http.client.HTTPException):
                return False
        harness.wait_until(responds, name)

    def readings(self, port, data):
        """The requests that a proxy forwards of the input, the last one aside; None: it
        refuses some of it; LOST: it takes the last one for a body, or closes before."""
        self.recorder.seen = []
        try:
            statuses = self.statuses(port, data + LAST)
        except (ConnectionError, http.client.HTTPException):
            return None
        if not statuses or any(status != 200 for status in statuses):
            return None
        seen = list(self.recorder.seen)
        return seen[:-1] if seen[-1][:2] == ("GET", "/check/last") else LOST

    def compare(self, name, port):
        """Hold a proxy's reading against ours; return how often both took it."""
        both = 0
        for what, inputs in ("good", GOOD), ("bad", BAD), ("unclear", UNCLEAR):
            for title, data in inputs.items():
                with self.subTest(title, proxy=name):
                    for method in METHODS:
                        self.gate.ask(f"reset {method}:/x")
                    try:
                        ours = self.statuses(self.http_port, data + LAST)
                    except ConnectionError:
                        ours = []
                    taken = bool(ours) and all(status == 200 for status in ours)
                    theirs = self.readings(port, data)
                    if what == "good":
                        self.assertTrue(taken, ours)
                        self.assertIsNotNone(theirs)
                    if what == "bad":
                        self.assertFalse(taken, ours)
                        self.assertGreaterEqual(ours[0] if ours else 400, 400)
                    if taken:
                        self.assertIsNot(theirs, LOST)
                    if taken and theirs is not None:
                        both += 1
                        self.assertEqual(len(theirs), len(ours) - 1)
                        self.check_same(theirs)
        return both

    def check_same(self, theirs):
        """By the keys of our route: their requests are those that we have read."""
        requests = collections.Counter(
            (method, path[len("/check"):]) for method, path, _ in theirs
            if re.fullmatch(r"/check/[a-z]{1,9}", path))
        for (method, path), count in requests.items():
            key = f"{method}:{path}"
            level = int(re.search(r" level=(\d+)", self.gate.ask(f"peek {key}"))[1])
            self.assertEqual(level, count, key)

    def setUp(self):
        super().setUp()
        self.recorder = Recorder()
        threading.Thread(target=self.recorder.serve_forever, daemon=True).start()
        self.addCleanup(self.recorder.server_close)
        self.addCleanup(self.recorder.shutdown)
        self.http_port = harness.free_port()
        self.gate = self.daemon(LIMITS, {"http": {"listen": f"127.0.0.1:{self.http_port}"}})

    @unittest.skipUnless(PROGRAMS["nginx"], "needs nginx")
    def test_nginx(self):
        port, path = harness.free_port(), os.path.join(self.folder, "nginx.conf")
        temporary = "".join(f"{name}_temp_path {self.folder}/{name};\n" for name in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;" if os.geteuid() == 0 else ""
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"daemon off; {user} pid {self.folder}/pid; error_log stderr;\n"
                       f"events {{ }}\nhttp {{ access_log off; {temporary}\n"
                       f"ignore_invalid_headers off; merge_slashes off; server {{\n"
                       f"listen 127.0.0.1:{port}; location / {{\n"
                       f"proxy_pass http://127.0.0.1:{self.recorder.server_address[1]};\n"
                       "proxy_http_version 1.1; proxy_set_header Connection close;\n"
                       "} } }\n")
        self.start_proxy("nginx", [PROGRAMS["nginx"], "-c", path, "-p", self.folder], port)
        self.assertGreater(self.compare("nginx", port), len(GOOD) - 1)

    @unittest.skipUnless(PROGRAMS["haproxy"], "needs haproxy")
    def test_haproxy(self):
        port, path = harness.free_port(), os.path.join(self.folder, "haproxy.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write("defaults\n mode http\n timeout connect 9s\n timeout client 30s\n"
                       " timeout server 30s\nfrontend f\n"
                       f" bind 127.0.0.1:{port}\n default_backend b\nbackend b\n"
                       f" server s 127.0.0.1:{self.recorder.server_address[1]}\n")
        self.start_proxy("haproxy", [PROGRAMS["haproxy"], "-db", "-f", path], port)
        self.assertGreater(self.compare("haproxy", port), len(GOOD) - 1)


if __name__ == "__main__":
    harness.main()
