"""Four daemons, one Redis, and an upstream that counts."""

import time
import unittest

import harness
from harness import PATIENT
from test_upstream import Handler, Server, UpstreamCase

# A drop each 20 ms: what comes at once to several daemons goes out one by one.
RECHARGE = 0.02
LIMITS = f"[w]\nmatch = up:w\ncapacity = 1\nrecharge = {int(RECHARGE * 1000)}ms\nqueue = 1h\n"
CLIENTS = 400


class CountingHandler(Handler):
    def do_echo(self):
        with self.server.lock:
            self.server.times.append(time.monotonic())
        self.plain(200, b"fine")


class CountingServer(Server):
    def __init__(self):
        super().__init__()
        self.RequestHandlerClass = CountingHandler
        self.times = []


class FleetTest(UpstreamCase):
    def upstream(self):
        server = CountingServer()
        self.addCleanup(server.close)
        return server

    def test_fleet_never_sends_too_much_and_all_it_may(self):
        redis, server = self.redis(), self.upstream()
        store = {"store": {"type": "redis"},
                 "redis": {**PATIENT["redis"], "port": redis.port}}
        connections = []
        for _ in range(4):
            self.serve({"limit_key": "up:w", "max_wait": "1h"}, LIMITS, server, **store)
            connections += [self.connection(self.http_port) for _ in range(CLIENTS // 4)]
        start = time.monotonic()
        for i, connection in enumerate(connections):
            connection.request("GET", f"/upstream/api/{i}")
        self.assertEqual([connection.getresponse().status for connection in connections],
                         [200] * CLIENTS)
        self.assertEqual(len(server.times), CLIENTS)
        # The clocks of Redis and of this machine are one.
        for i, at in enumerate(sorted(server.times)):
            self.assertLessEqual(i, (at - start) / RECHARGE + 1)
        harness.note(f"{CLIENTS} requests in {server.times[-1] - start:.2f} s, "
                     f"{(CLIENTS - 1) * RECHARGE:.2f} s at best")


if __name__ == "__main__":
    unittest.main()
