"""Upstreams that take so many requests at a time."""

import json
import threading
import time
import unittest

import harness
from harness import PATIENT, wait_until
from proxy import Proxy
from test_upstream import Handler, Server, UpstreamCase

LIMITS = """
[two]
match = up:two
algorithm = concurrent
capacity = 2
lease = 1h

[one]
match = up:one
algorithm = concurrent
capacity = 1
lease = 1h

[short]
match = up:short
algorithm = concurrent
capacity = 1
lease = 3s

[few]
match = up:few
capacity = 1
recharge = 1d
"""


class CountingHandler(Handler):
    def do_brief(self):
        with self.server.lock:
            self.server.out += 1
            self.server.most = max(self.server.most, self.server.out)
        time.sleep(0.005)  # a server that takes its time
        with self.server.lock:
            self.server.out -= 1
        self.plain(200, b"brief")


class CountingServer(Server):
    def __init__(self):
        super().__init__()
        self.RequestHandlerClass = CountingHandler
        self.out, self.most = 0, 0


class ConcurrentCase(UpstreamCase):
    def upstream(self):
        server = CountingServer()
        self.addCleanup(server.close)
        return server

    def store(self):
        """Settings of where the buckets are."""
        return {}

    def hold(self, key="up:one", **settings):
        return self.serve({"limit_key": key, "max_wait": "1h", **settings}, LIMITS,
                          **self.store())

    def level(self, key="up:one"):
        return int(harness.fields(self.gate.ask(f"peek {key}"))["level"])

    def hang(self, requests=1):
        """A request that is out, and holds a lease, until it is released."""
        connection = self.connection(self.http_port)
        connection.request("GET", "/upstream/api/hang")
        wait_until(lambda: len(self.server.asked) == requests, "the request")
        return connection

    def metric(self, name):
        """A function that reads it, over a connection of its own."""
        admin = self.connection(self.admin_port)

        def read():
            text = self.ask(admin, "/metrics").content.decode()
            return int(text.partition(f"\n{name} ")[2].partition("\n")[0])
        return read

    def come(self, path):
        """Send a request, and wait until the daemon has it in its line."""
        came = self.metric('dripgate_upstream_requests_total{upstream="api",event="requests"}')
        before = came()
        client = self.raw(("127.0.0.1", self.http_port))
        client.send(f"GET /upstream/api/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        wait_until(lambda: came() == before + 1, "the request to have come")
        return client


class EitherStore:
    def test_who_comes_first_goes_first(self):
        self.hold()
        held = self.hang()
        clients = [self.come(i) for i in range(5)]
        self.server.released.set()
        self.assertEqual([client.response()[0] for client in clients], [200] * 5)
        self.assertEqual(held.getresponse().status, 200)
        self.assertEqual([asked[1] for asked in self.server.asked],
                         ["/hang"] + [f"/{i}" for i in range(5)])
        wait_until(lambda: self.level() == 0, "all leases to be given back")

    def test_who_finds_no_lease_in_time_is_told(self):
        for wait in "0", "100ms":
            with self.subTest(wait):
                self.hold(max_wait=wait)
                held = self.hang()
                response = self.get("/x")
                self.assertEqual((response.status, json.loads(response.content)["code"]),
                                 (429, "limited"))
                self.assertEqual(response.headers["Retry-After"], "1")
                self.server.released.set()
                self.assertEqual(held.getresponse().status, 200)
                wait_until(lambda: self.get("/x").status == 200, "the lease")
                self.assertEqual(len(self.server.asked), 2)
                self.gate.stop()

    def test_client_that_goes_gives_its_lease_back(self):
        self.hold()
        client = self.raw(("127.0.0.1", self.http_port))
        client.send(b"GET /upstream/api/endless HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: self.server.sent > 0, "the response to begin")
        self.assertEqual(self.level(), 1)
        waits = self.come("x")
        client.vanish()
        self.assertEqual(waits.response()[0], 200)
        wait_until(lambda: self.level() == 0, "the lease")

    def test_client_that_waits_and_goes_holds_up_no_one(self):
        self.hold()
        held = self.hang()
        first, second = self.come(1), self.come(2)
        clients = self.metric('dripgate_protocol_clients{protocol="http"}')
        before = clients()
        first.vanish()
        wait_until(lambda: clients() == before - 1, "the close")
        # What comes now is behind what the close had the upstream's thread be told.
        third = self.come(3)
        self.server.released.set()
        self.assertEqual([second.response()[0], third.response()[0]], [200, 200])
        self.assertEqual(held.getresponse().status, 200)
        wait_until(lambda: self.level() == 0, "all leases to be given back")
        self.assertEqual([asked[1] for asked in self.server.asked], ["/hang", "/2", "/3"])

    def test_response_that_ends_badly_gives_its_lease_back(self):
        self.hold(retries="2", timeout="2s", max_time="2s", failures="0")
        for path, status in ("/reset", 502), ("/no-http", 502), ("/flaky", 200):
            with self.subTest(path):
                self.assertEqual(self.get(path).status, status)
                wait_until(lambda: self.level() == 0, "the lease")
        client = self.raw(("127.0.0.1", self.http_port))
        client.send(b"GET /upstream/api/endless HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(self.server.ended.wait(harness.PATIENCE))
        wait_until(lambda: self.level() == 0, "the lease")

    def test_other_limits_are_charged_for_what_goes_out_only(self):
        self.hold("up:one up:few", max_wait="0")
        held = self.hang()
        self.assertEqual(self.code("/x"), (429, "limited"))
        self.server.released.set()
        self.assertEqual(held.getresponse().status, 200)
        wait_until(lambda: self.level() == 0, "the lease")
        # There is a lease now, but not what else it takes.
        response = self.get("/x")
        self.assertGreater(int(response.headers["Retry-After"]), 3600)
        wait_until(lambda: self.level() == 0, "the lease")
        self.assertEqual(len(self.server.asked), 1)

    def test_one_lease_of_two_is_not_kept(self):
        self.hold("up:two up:one", max_wait="0")
        held = self.hang()
        self.assertEqual(self.code("/x"), (429, "limited"))
        wait_until(lambda: self.level("up:two") == 1, "the lease")
        self.server.released.set()
        self.assertEqual(held.getresponse().status, 200)
        wait_until(lambda: self.level("up:two") == self.level() == 0, "both")

    def test_lease_is_renewed_while_the_response_goes_on(self):
        self.hold("up:short", max_wait="0")
        held = self.hang()
        # After four of them, each a third of the lease, it would be over.
        wait_until(lambda: self.gate.stats()["allowed"] >= 5, "four renewals")
        self.assertEqual(self.level("up:short"), 1)
        self.assertEqual(self.code("/x"), (429, "limited"))
        self.server.released.set()
        self.assertEqual(held.getresponse().status, 200)


class InMemory(EitherStore, ConcurrentCase):
    pass


class InRedis(EitherStore, ConcurrentCase):
    def setUp(self):
        super().setUp()
        self.redis_server = self.redis()

    def store(self):
        return {"store": {"type": "redis"},
                "redis": {**PATIENT["redis"], "port": self.redis_server.port}}

    def test_daemons_together_send_no_more_at_once(self):
        server, ports, statuses = self.upstream(), [], []
        for _ in range(2):
            self.serve({"limit_key": "up:two", "max_wait": "1h", "cache": "off"}, LIMITS,
                       server, **self.store())
            ports.append(self.http_port)

        def ask(port):
            connection = self.connection(port)
            for _ in range(20):
                statuses.append(self.ask(connection, "/upstream/api/brief").status)

        threads = [threading.Thread(target=ask, args=(port,)) for port in ports * 6]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(harness.PATIENCE)
        self.assertEqual(statuses, [200] * 240)
        self.assertEqual(server.most, 2)
        harness.note(f"240 requests of 5 ms, two at once, in {time.monotonic() - start:.2f} s")

    def test_daemon_with_a_long_line_leaves_something_to_others(self):
        self.hold(cache="off")
        stop, busy = threading.Event(), self.http_port

        def ask():
            connection = self.connection(busy)
            while not stop.is_set():
                self.ask(connection, "/upstream/api/brief")

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: len(self.server.asked) > 4, "the line")
            self.serve({"limit_key": "up:one", "max_wait": "1h"}, LIMITS, self.server,
                       **self.store())
            self.assertEqual(self.get("/x").status, 200)
        finally:
            stop.set()
            for thread in threads:
                thread.join(harness.PATIENCE)

    def test_leases_of_a_daemon_that_is_killed_end_by_time(self):
        killed = self.hold("up:short")
        self.hang()
        self.serve({"limit_key": "up:short", "max_wait": "1h"}, LIMITS, self.server,
                   **self.store())
        waits = self.come("x")
        self.assertEqual(self.level("up:short"), 1)
        killed.kill()
        self.assertEqual(waits.response()[0], 200)
        self.server.released.set()

    def test_lease_that_ends_while_redis_is_away_is_given_back_later(self):
        proxy = Proxy(self.folder, self.redis_server.path)
        self.addCleanup(proxy.close)
        self.store = lambda: {"store": {"type": "redis"}, "redis": {
            **PATIENT["redis"], "unix_socket_path": proxy.path}}
        self.hold()
        wait_until(lambda: self.gate.ask("READY") == "READY redis", "Redis")
        held = self.hang()
        self.assertIn("level=1 ", self.gate.ask("peek up:one"))
        target, proxy.target = proxy.target, proxy.path + ".none"
        proxy.cut()
        self.server.released.set()
        self.assertEqual(held.getresponse().status, 200)
        wait_until(lambda: self.gate.stats()["releases"] >= 1, "an attempt to give it back")
        proxy.target = target
        wait_until(lambda: "level=0 " in (reply := self.gate.ask("peek up:one")) and
                   reply.endswith("from=redis"), "the lease")


if __name__ == "__main__":
    unittest.main()
