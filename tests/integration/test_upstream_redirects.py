"""Redirects of an upstream: followed where they stay within it, and nowhere else."""

import json
import socket

import harness
from cache_cases import FRESH
from test_cache_rules import RulesServer, dated
from test_upstream import UpstreamCase


class Elsewhere:
    """A port that must not be connected to."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(0)
        self.port = self.socket.getsockname()[1]

    def was_asked(self):
        try:
            self.socket.accept()[0].close()
            return True
        except BlockingIOError:
            return False


class RedirectCase(UpstreamCase):
    BASE = "/v1"

    def start_upstream(self, **settings):
        server = RulesServer()
        self.addCleanup(server.close)
        self.origin = f"http://127.0.0.1:{server.port}"
        self.serve({"url": self.origin + self.BASE, "redirects": "3", "failures": "0",
                    "retries": "0", **settings}, server=server)

    def plan(self, path, *responses):
        self.server.plans[self.BASE + path] = [dated(text) for text in responses]

    def paths(self):
        """All that the server was asked for."""
        return [path[len(self.BASE):] for path, asked in self.server.asked.items()
                for _ in asked]

    def seen(self, path, **options):
        response = self.get(path, **options)
        return response.status, response.headers["X-Cache"], response.content


class FollowTest(RedirectCase):
    def test_redirects_within_the_upstream_are_followed(self):
        self.start_upstream(cache="off")
        self.plan("/dir/b", FRESH)
        for status in 301, 302, 303, 307, 308:
            for location in (self.origin + "/v1/dir/b", "/v1/dir/b", "/v1/./dir/%62#x", "b",
                             "./b"):
                with self.subTest(status, location=location):
                    self.plan("/dir/a", f"{status} | Location: {location}")
                    self.server.asked.clear()
                    self.assertEqual(self.seen("/dir/a"), (200, "bypass", b"1"))
                    self.assertEqual(self.paths(), ["/dir/a", "/dir/b"])
                    self.assertEqual(self.seen("/dir/a", method="HEAD"), (200, "bypass", b""))
                    self.assertEqual([method for method, _ in self.server.asked["/v1/dir/b"]],
                                     ["GET", "HEAD"])

    def test_other_redirects_are_passed_on_as_they_came(self):
        self.start_upstream(cache="off")
        elsewhere = Elsewhere()
        self.addCleanup(elsewhere.socket.close)
        port, other = self.server.port, elsewhere.port
        for location in (
                f"http://127.0.0.1:{other}/v1/x", f"//127.0.0.1:{other}/v1/x",
                f"//127.0.0.1:{port}/v1/x", f"https://127.0.0.1:{port}/v1/x",
                f"http://localhost:{port}/v1/x", f"http://127.0.0.1:{port}@127.0.0.1:{other}/",
                f"http://u:p@127.0.0.1:{port}/v1/x", f"http://127.0.0.1:{port}{other}/v1/x",
                f"http://127.0.0.1:{port}\\@127.0.0.1:{other}/v1/x",
                f"\\\\127.0.0.1:{other}/v1/x", f"/\\127.0.0.1:{other}/v1/x",
                f"/v1/\\\\127.0.0.1:{other}/x", "file:///etc/passwd", "/", "/v2/x", "/v1x",
                "../v2", "/v1/../x", "/v1/%2e%2e/x", "/v1/..;/x", "/v1/%2fx", "/v1/x y", "",
                "http:/v1/x", f"http:127.0.0.1:{other}/v1/x"):
            with self.subTest(location):
                self.plan("/a", f"302 | Location: {location}")
                self.server.asked.clear()
                response = self.get("/a")
                self.assertEqual((response.status, response.headers["Location"]),
                                 (302, location))
                self.assertEqual(self.paths(), ["/a"])
        self.assertFalse(elsewhere.was_asked())

    def test_what_is_no_redirect_is_not_followed(self):
        self.start_upstream(cache="off", methods="GET POST")
        self.plan("/b", FRESH)
        for status in 200, 201, 300, 305, 404:
            self.plan("/a", f"{status} | Location: /v1/b")
            self.assertEqual(self.seen("/a")[0], status)
        self.plan("/a", "307")
        self.assertEqual(self.seen("/a")[0], 307)
        self.plan("/a", "307 | Location: /v1/b")
        self.assertEqual(self.seen("/a", body=b"x")[0], 307)
        self.assertNotIn("/b", self.paths())

    def test_as_many_are_followed_as_the_setting_says(self):
        for count in 0, 2:
            self.start_upstream(redirects=str(count))
            for i in range(5):
                self.plan(f"/{i}", f"302 | Location: /v1/{i + 1}")
            response = self.get("/0")
            self.assertEqual((response.status, response.headers["Location"]),
                             (302, f"/v1/{count + 1}"))
            self.assertEqual(self.paths(), [f"/{i}" for i in range(count + 1)])
        self.plan("/loop", "302 | Location: /v1/loop")
        self.assertEqual(self.seen("/loop")[0], 302)
        self.assertEqual(self.paths().count("/loop"), 3)

    def test_each_is_charged(self):
        self.start_upstream(limit_key="up:few", max_wait="0")
        self.plan("/a", "302 | Location: /v1/b")
        self.plan("/b", FRESH)
        self.assertEqual(self.seen("/a")[0], 200)
        response = self.get("/a")
        self.assertEqual((response.status, json.loads(response.content)["code"]),
                         (429, "limited"))
        # The third of three was the redirect.
        self.assertEqual(self.paths(), ["/a", "/a", "/b"])

    def test_what_fails_on_the_way_is_an_error(self):
        self.start_upstream(timeout="2s")
        self.plan("/a", "302 | Location: /v1/b")
        self.server.plans["/v1/b"] = [lambda handler: handler.lose()]
        self.assertEqual(self.code("/a"), (502, "badgateway"))
        self.server.plans["/v1/b"] = [
            lambda handler: self.server.released.wait(harness.PATIENCE)]
        self.assertEqual(self.code("/a"), (504, "timeout"))

    def test_long_body_of_a_redirect_is_not_waited_for(self):
        def endless(handler):
            handler.raw(b"HTTP/1.1 302 X\r\nLocation: /v1/b\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n")
            try:
                while True:
                    handler.raw(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
            except OSError:
                self.server.ended.set()
                handler.close_connection = True
        self.start_upstream()
        self.server.plans["/v1/a"] = [endless]
        self.plan("/b", FRESH)
        self.assertEqual(self.seen("/a")[0], 200)
        self.assertTrue(self.server.ended.wait(harness.PATIENCE))

    def test_secret_goes_along_within_the_upstream_only(self):
        self.start_upstream(**{"header.Authorization": "Bearer s3cret"})
        self.plan("/a", "302 | Location: /v1/b")
        self.plan("/b", "302 | Location: http://127.0.0.1:1/c")
        self.assertEqual(self.get("/a").headers["Location"], "http://127.0.0.1:1/c")
        for path in "/v1/a", "/v1/b":
            self.assertEqual(self.server.asked[path][0][1]["Authorization"], "Bearer s3cret")


class StoredTest(RedirectCase):
    """What is stored under the target that was asked for."""

    def both(self, redirect, response):
        """What a second client sees, and what the server was asked for."""
        self.plan("/a", f"{redirect} | Location: /v1/b")
        self.plan("/b", response)
        self.server.asked.clear()
        self.get("/a")
        got = self.seen("/a")
        paths = self.paths()
        self.gate.ask("forget api")
        return got[1], len(paths)

    def test_response_is_stored_if_each_redirect_may_be(self):
        self.start_upstream()
        for redirect, response, wanted in (
                (f"302 | {FRESH}", FRESH, ("hit", 2)),
                ("308 | Last-Modified: <-9999> | Date: <0>", FRESH, ("hit", 2)),
                ("302", FRESH, ("miss", 4)),
                ("302 | Cache-Control: no-store", FRESH, ("miss", 4)),
                ("301 | Cache-Control: private", FRESH, ("miss", 4)),
                (f"302 | {FRESH} | Set-Cookie: a=b", FRESH, ("miss", 4)),
                (f"302 | {FRESH} | Vary: Accept", FRESH, ("miss", 4)),
                ("302 | Cache-Control: max-age=9 | Age: 10", FRESH, ("miss", 4)),
                (f"302 | {FRESH}", "Cache-Control: no-store", ("miss", 4)),
                (f"302 | {FRESH}", "Cache-Control: max-age=9 | Age: 10", ("miss", 4)),
                (f"302 | {FRESH}", 'Cache-Control: max-age=9 | Age: 10 | ETag: "a"',
                 ("miss", 4))):
            with self.subTest(redirect, response=response):
                self.assertEqual(self.both(redirect, response), wanted)

    def test_what_came_by_a_redirect_is_not_compared(self):
        self.start_upstream()
        self.plan("/a", f"302 | {FRESH} | Location: /v1/b",
                  'Cache-Control: max-age=0 | ETag: "t"')
        self.plan("/b", 'Cache-Control: max-age=3600 | ETag: "t"')
        self.assertEqual(self.seen("/a"), (200, "miss", b"1"))
        self.assertEqual(self.seen("/a", Cache_Control="no-cache"), (200, "miss", b"2"))
        self.assertIsNone(self.server.asked["/v1/a"][1][1]["If-None-Match"])
        # That was compared, and led elsewhere, where the same tag is another's.
        self.plan("/a", f"302 | {FRESH} | Location: /v1/b")
        self.get("/a", Cache_Control="no-cache")
        self.assertEqual(self.server.asked["/v1/a"][2][1]["If-None-Match"], '"t"')
        self.assertIsNone(self.server.asked["/v1/b"][1][1]["If-None-Match"])

    def test_what_is_for_one_client_is_not_shared(self):
        self.start_upstream()
        self.server.plans["/v1/a"] = [lambda handler: (
            self.server.released.wait(harness.PATIENCE),
            handler.respond("302 | Location: /v1/b", b""))]
        self.plan("/b", FRESH)
        connections = [self.connection(self.http_port) for _ in range(5)]
        for connection in connections:
            connection.request("GET", "/upstream/api/a")
        harness.wait_until(lambda: self.server.asked, "a request")
        self.server.released.set()
        bodies = {connection.getresponse().read() for connection in connections}
        self.assertEqual(bodies, {b"%d" % number for number in range(1, 6)})


if __name__ == "__main__":
    harness.main()
