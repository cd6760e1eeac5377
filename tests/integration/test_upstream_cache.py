"""What is stored of upstreams' responses, for whom, and how long."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import unittest

import harness
from harness import wait_until
from test_upstream import Handler, Server, UpstreamCase


class CacheHandler(Handler):
    """A server whose responses say how long they may be stored."""

    def count(self, status=200, body=b"", **headers):
        self.plain(status, body or b"%d" % self.number, **headers)

    def do_fresh(self):
        self.count(Cache_Control="max-age=1000", Set_Cookie_2="x")

    def do_missing(self):
        self.count(404, Cache_Control="max-age=1000")

    def do_short(self):
        self.count(Cache_Control="max-age=0, stale-while-revalidate=1000")

    def do_changing(self):
        if len(self.server.asked) == 1:
            self.do_short()
        else:
            self.server.released.wait(harness.PATIENCE)
            self.raw(self.server.changed)
            self.close_connection = True

    def do_error(self):
        if self.server.fails:
            self.count(500)
        else:
            self.count(Cache_Control="max-age=0, stale-if-error=1000")

    def do_slow_error(self):
        if self.server.fails:
            self.server.released.wait(harness.PATIENCE)
        self.do_error()

    def do_echo_long(self):
        self.count(200, b"secretbody " * 500, Cache_Control="max-age=1000",
                   Content_Location=self.path)

    def do_never(self):
        self.count(Cache_Control="no-store")

    def do_slow_never(self):
        self.server.released.wait(harness.PATIENCE)
        self.do_never()

    def do_slow_wrong(self):
        self.server.released.wait(harness.PATIENCE)
        self.count(self.server.status, Cache_Control="no-store",
                   **({"Retry_After": "1000"} if self.path.endswith("later") else {}))

    def do_slow_fresh(self):
        if self.command == "GET":
            self.server.released.wait(harness.PATIENCE)
        self.do_fresh()

    def do_tagged(self):
        if self.headers.get("If-None-Match") == '"t"':
            self.send_response(304)
            self.send_header("ETag", '"t"')
            self.send_header("Cache-Control", "max-age=1000")
            self.end_headers()
        else:
            self.count(ETag='"t"', Cache_Control="max-age=0")

    def do_vary(self):
        self.count(Vary="Accept-Language", Cache_Control="max-age=1000")

    def do_long(self):
        self.raw(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=1000\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(150):
            self.raw(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
            self.server.sent += 0x4000
        self.raw(b"0\r\n\r\n")

    def do_noise(self):
        self.count(200, os.urandom(20_000), Cache_Control="max-age=1000")

    def do_large(self):
        self.count(200, b"x" * 1_000_000, Cache_Control="max-age=1000")

    def do_broken(self):
        self.raw(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=1000\r\n"
                 b"Content-Length: 100\r\n\r\nonly this")
        self.close_connection = True


class CacheServer(Server):
    def __init__(self):
        super().__init__()
        self.RequestHandlerClass = CacheHandler
        self.fails = False


class CacheCase(UpstreamCase):
    def upstream(self):
        server = CacheServer()
        self.addCleanup(server.close)
        return server


class CacheTest(CacheCase):
    def cached(self, path, method=None, **headers):
        """(X-Cache, body)"""
        response = self.get(path, method, **headers)
        self.assertLess(response.status, 300)
        return response.headers["X-Cache"], response.content

    def test_what_is_fresh_is_asked_for_once(self):
        self.serve()
        self.assertEqual(self.cached("/fresh?a"), ("miss", b"1"))
        for target in "/fresh?a", "/./fresh?%61":
            response = self.get(target)
            self.assertEqual((response.headers["X-Cache"], response.content), ("hit", b"1"))
            self.assertRegex(response.headers["Age"], r"^\d+$")
            self.assertEqual(response.headers["Content-Length"], "1")
        self.assertEqual(self.cached("/fresh?b"), ("miss", b"2"))
        self.assertEqual(len(self.server.asked), 2)

    def test_head_is_answered_by_what_is_stored(self):
        self.serve()
        self.get("/fresh")
        response = self.get("/fresh", "HEAD")
        self.assertEqual((response.headers["X-Cache"], response.headers["Content-Length"],
                          response.content), ("hit", "1", b""))

    def test_client_that_has_it_gets_304(self):
        self.serve({"cache_ttl": "1h"})
        self.get("/tagged")
        self.get("/tagged")
        response = self.get("/tagged", If_None_Match='"t"')
        self.assertEqual((response.status, response.content), (304, b""))

    def test_what_must_not_be_stored_is_not(self):
        self.serve()
        for number in 1, 2:
            self.assertEqual(self.cached("/never"), ("miss", b"%d" % number))

    def test_without_a_cache_nothing_is_stored(self):
        self.serve({"cache": "off"})
        for number in 1, 2:
            self.assertEqual(self.cached("/fresh"), ("bypass", b"%d" % number))

    def test_request_for_a_part_passes_by(self):
        self.serve()
        self.get("/fresh")
        self.assertEqual(self.cached("/fresh", Range="bytes=0-1")[0], "bypass")

    def test_client_may_want_only_what_is_stored(self):
        self.serve()
        self.assertEqual(self.code("/fresh", Cache_Control="only-if-cached"),
                         (504, "notcached"))
        self.get("/fresh")
        self.assertEqual(self.cached("/fresh", Cache_Control="only-if-cached"), ("hit", b"1"))

    def test_variants_are_stored_side_by_side(self):
        self.serve()
        self.assertEqual(self.cached("/vary", Accept_Language="de"), ("miss", b"1"))
        self.assertEqual(self.cached("/vary", Accept_Language="en"), ("miss", b"2"))
        self.assertEqual(self.cached("/vary", Accept_Language="de"), ("hit", b"1"))
        self.assertEqual(self.cached("/vary", Accept_Language="en"), ("hit", b"2"))

    def test_what_is_stale_is_compared(self):
        self.serve()
        self.assertEqual(self.cached("/tagged"), ("miss", b"1"))
        self.assertEqual(self.cached("/tagged"), ("hit", b"1"))
        self.assertEqual(self.server.asked[1][2]["If-None-Match"], '"t"')
        # Now it is fresh.
        self.assertEqual(self.cached("/tagged"), ("hit", b"1"))
        self.assertEqual(len(self.server.asked), 2)

    def test_what_is_stale_may_serve_while_it_is_fetched(self):
        self.serve()
        self.assertEqual(self.cached("/short"), ("miss", b"1"))
        self.assertEqual(self.cached("/short"), ("stale", b"1"))
        wait_until(lambda: self.cached("/short")[1] != b"1", "the fresh one")

    def ride_on_refresh(self, changed):
        """The connection of a client that wants nothing stale, meanwhile."""
        self.serve({"failures": "0"})
        self.server.changed = changed
        self.assertEqual(self.cached("/changing"), ("miss", b"1"))
        self.assertEqual(self.cached("/changing"), ("stale", b"1"))
        wait_until(lambda: len(self.server.asked) == 2, "the refresh")
        connection = self.connection(self.http_port)
        connection.request("GET", "/upstream/api/changing", headers={"Cache-Control": "no-cache"})
        with self.gate.connect() as client:
            wait_until(lambda: " requests=2 " in "".join(client.ask_many("status")),
                       "it to ride along")
        self.server.released.set()
        return connection

    def test_who_rides_on_a_refresh_gets_what_is_not_stored(self):
        connection = self.ride_on_refresh(
            b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 1\r\n\r\n2")
        self.assertEqual(connection.getresponse().read(), b"2")
        self.assertEqual(len(self.server.asked), 2)
        # It is over, and what comes behind it on the connection is next.
        connection.request("GET", "/upstream/api/fresh")
        self.assertEqual(connection.getresponse().read(), b"3")

    def test_who_rides_on_a_refresh_is_told_that_it_broke_off(self):
        connection = self.ride_on_refresh(
            b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 9\r\n\r\n2")
        with contextlib.suppress(http.client.IncompleteRead):
            # Or it broke off before anything was sent.
            self.assertEqual(json.loads(connection.getresponse().read())["code"], "badgateway")

    def test_what_is_stale_may_serve_in_place_of_an_error(self):
        self.serve({"failures": "2", "pause": "1h", "retries": "0"})
        self.assertEqual(self.cached("/error"), ("miss", b"1"))
        self.server.fails = True
        for _ in range(3):
            self.assertEqual(self.cached("/error"), ("stale", b"1"))
        # The third was not sent.
        self.assertEqual(len(self.server.asked), 3)

    def test_what_is_longer_than_can_be_stored_passes_as_a_whole(self):
        self.serve()
        for _ in range(2):
            cache, body = self.cached("/long")
            self.assertEqual((cache, body), ("miss", b"x" * 0x4000 * 150))

    def test_responses_that_wait_for_their_turn_have_little_held(self):
        self.serve({"max_connections": "300"})
        before = self.gate.memory()
        text = (b"GET /upstream/api/hang HTTP/1.1\r\nHost: x\r\n\r\n"
                b"GET /upstream/api/long?%d HTTP/1.1\r\nHost: x\r\n\r\n"
                b"GET /upstream/api/long?-%d HTTP/1.1\r\nHost: x\r\n\r\n")
        clients = [self.raw(("127.0.0.1", self.http_port)) for _ in range(80)]
        for i, client in enumerate(clients, 1):
            client.send(text % (i, i))

        def rests():
            sent = self.server.sent
            return (not self.server.ended.wait(0.3) and self.server.sent == sent and
                    len({path for _, path, _, _ in self.server.asked}) == 161)
        wait_until(rests, "the upstream to wait")
        if before:
            # Each of the 160 could be gathered up to 1 MiB.
            self.assertLess(self.gate.memory() - before, 110 << 20)

    def test_clients_that_read_nothing_have_little_stored_for_them(self):
        """Of what has gone from the cache, too."""
        self.serve({"max_connections": "300"})
        for i in range(250):
            # Of a Unix socket the kernel holds little.
            client = self.gate.connect()
            self.addCleanup(client.close)
            client.send(b"GET /upstream/api/large?%d HTTP/1.1\r\nHost: x\r\n\r\n" % i)
            # One by one, so that few are gathered at a time.
            wait_until(lambda i=i: len(self.server.asked) == i + 1, "the request")

        def stored():
            with self.gate.connect() as client:
                return int(re.search(r" stored=(\d+)", client.ask_many("cache")[0])[1])

        def rests():
            before = stored()
            return not self.server.ended.wait(0.3) and stored() == before
        wait_until(rests, "the upstream to wait")
        # 64 MiB in the cache, and as many that only clients have; less what those had that
        # were closed for it, after ten seconds.
        count = stored()
        closed = 250 - (self.gate.stats()["clients"] - 1)
        self.assertLess(count - closed, 170)

    def test_what_changes_something_counts_for_what_is_under_way(self):
        self.serve({"methods": "GET POST"})
        [connection] = self.ask_at_once("/slow-fresh", 1)
        self.assertEqual(self.get("/slow-fresh", body=b"x").status, 200)
        self.server.released.set()
        self.assertEqual(connection.getresponse().status, 200)
        self.assertEqual(self.cached("/slow-fresh")[0], "miss")

    def test_what_breaks_off_is_not_stored(self):
        self.serve({"failures": "0"})
        for _ in range(2):
            self.assertEqual(self.code("/broken"), (502, "badgateway"))
        self.assertEqual(len(self.server.asked), 2)

    def ask_at_once(self, path, count):
        """Have ${count} clients ask, and return their connections."""
        connections = [self.connection(self.http_port) for _ in range(count)]
        for connection in connections:
            connection.request("GET", f"/upstream/api{path}")
        wait_until(lambda: self.server.asked, "a request")
        return connections

    def test_many_clients_cause_one_request(self):
        self.serve({"limit_key": "up:few"})
        connections = self.ask_at_once("/slow-fresh", 1000)
        self.server.released.set()
        for connection in connections:
            response = connection.getresponse()
            self.assertEqual((response.status, response.read()), (200, b"1"))
        self.assertEqual(len(self.server.asked), 1)

    def test_what_is_for_one_client_is_not_shared(self):
        self.serve()
        connections = self.ask_at_once("/slow-never", 20)
        self.server.released.set()
        bodies = {connection.getresponse().read() for connection in connections}
        self.assertEqual(len(bodies), 20)
        self.assertEqual(len(self.server.asked), 20)

    def check_stale_where_some_refuse_it(self, *headers):
        """Have a client for each of ${headers} ride on a request that fails, and
        return what they get."""
        self.serve({"failures": "0"})
        self.assertEqual(self.cached("/slow-error"), ("miss", b"1"))
        self.server.fails = True
        connections = [self.connection(self.http_port) for _ in headers]
        with self.gate.connect() as client:
            for i, connection in enumerate(connections):
                connection.request("GET", "/upstream/api/slow-error", headers=headers[i])
                wait_until(lambda i=i: f" requests={i + 2} " in "".join(client.ask_many("status")),
                           "it to ride along")
        self.server.released.set()
        responses = [connection.getresponse() for connection in connections]
        self.assertEqual(len(self.server.asked), 2)
        return [(response.status, response.headers["X-Cache"]) for response in responses]

    def test_what_is_stale_serves_those_who_take_it(self):
        self.assertEqual(
            self.check_stale_where_some_refuse_it({"Cache-Control": "no-cache"}, {}),
            [(500, "miss"), (200, "stale")])

    def test_what_is_stale_does_not_serve_those_who_refuse_it(self):
        self.assertEqual(
            self.check_stale_where_some_refuse_it({}, {"Cache-Control": "no-cache"}),
            [(200, "stale"), (503, None)])

    def check_failure_of_many(self, status, others, query=""):
        self.serve({"failures": "0"})
        self.server.status = status
        connections = self.ask_at_once("/slow-wrong" + query, 20)
        with self.gate.connect() as client:
            wait_until(lambda: " requests=20 " in "".join(client.ask_many("status")),
                       "all on one request")
        self.server.released.set()
        responses = [connection.getresponse() for connection in connections]
        self.assertEqual(responses.pop(0).read(), b"1")
        self.assertEqual({(response.status, json.loads(response.read())["code"])
                          for response in responses}, {others})
        self.assertEqual({response.headers["Retry-After"] is not None for response in responses},
                         {query != ""})
        self.assertEqual(len(self.server.asked), 1)

    def test_failure_is_that_of_all_who_wait_for_it(self):
        self.check_failure_of_many(500, (503, "failing"))

    def test_429_is_that_of_all_who_wait_for_it(self):
        self.check_failure_of_many(429, (429, "blocked"))

    def test_when_to_come_back_is_told_to_all_who_wait(self):
        self.check_failure_of_many(429, (429, "blocked"), "?later")

    def test_first_client_may_go_while_others_wait(self):
        self.serve()
        connections = self.ask_at_once("/slow-fresh", 5)
        connections[0].sock.close()
        self.server.released.set()
        for connection in connections[1:]:
            self.assertEqual(connection.getresponse().read(), b"1")
        self.assertEqual(len(self.server.asked), 1)

    def test_what_changes_something_forgets_what_is_stored(self):
        self.serve({"methods": "GET POST"})
        self.assertEqual(self.cached("/fresh"), ("miss", b"1"))
        self.get("/fresh", body=b"x")
        self.assertEqual(self.cached("/fresh"), ("miss", b"3"))

    def test_reload_keeps_what_is_stored_unless_the_upstream_changed(self):
        self.serve()
        self.get("/fresh")
        self.gate.reload()
        self.assertEqual(self.cached("/fresh"), ("hit", b"1"))
        self.gate.settings["upstream:api"]["timeout"] = "11s"
        self.gate.write_config()
        self.gate.reload()
        wait_until(lambda: self.cached("/fresh") != ("hit", b"1"), "another cache")

    def test_hit_costs_nothing_of_the_limit(self):
        self.serve({"limit_key": "up:few", "max_wait": "0"})
        for _ in range(10):
            self.assertEqual(self.get("/fresh").status, 200)
        self.assertEqual([self.get(f"/fresh?{i}").status for i in range(3)], [200, 200, 429])


class SeeingTest(CacheCase):
    def test_status_and_metrics_know_upstreams(self):
        self.serve({"failures": "1", "pause": "1h", "retries": "0"})
        self.get("/fresh")
        self.get("/fresh")
        admin = self.connection(self.admin_port)
        text = self.ask(admin, "/metrics").content.decode()
        for line in ('dripgate_upstream_requests_total{upstream="api",event="sent"} 1',
                     'dripgate_upstream_requests_total{upstream="api",event="failed"} 0',
                     'dripgate_upstream_cache_total{upstream="api",event="hits"} 1',
                     'dripgate_upstream_up{upstream="api"} 1'):
            self.assertIn(line + "\n", text)
        status = self.ask(admin, "/status").content.decode()
        self.assertRegex(status, "upstream state=ready requests=1 sent=1 failed=0 refused=0 "
                                 r"hits=1 stale=0 entries=1 bytes=\d+ name=api\n")
        said = subprocess.run([harness.DRIPGATE, "-s", self.gate.path, "status", "--json"],
                              capture_output=True, check=False)
        self.assertEqual(json.loads(said.stdout)["upstreams"][0]["name"], "api")
        self.server.fails = True
        self.get("/error")
        wait_until(lambda: 'dripgate_upstream_up{upstream="api"} 0\n' in
                   self.ask(admin, "/metrics").content.decode(), "the failure")
        self.assertIn("upstream state=failing", self.ask(admin, "/status").content.decode())


if __name__ == "__main__":
    unittest.main()
