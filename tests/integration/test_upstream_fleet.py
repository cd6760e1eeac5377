"""Four daemons, one Redis, and an upstream that counts."""

import threading
import time
import unittest

import harness
from harness import PATIENT
from test_upstream import Handler, Server, UpstreamCase

# A drop each 50 ms: what comes at once to several daemons goes out one by one.
RECHARGE = 0.05
LIMITS = f"[w]\nmatch = up:w\ncapacity = 1\nrecharge = {int(RECHARGE * 1000)}ms\nqueue = 5s\n"
REQUESTS = 80


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

    def ask_for(self, port, name, statuses):
        connection = self.connection(port)
        for i in range(REQUESTS // 16):
            # A 429 is what a client gets that would wait for too long.
            status = self.ask(connection, f"/upstream/api/{name}/{i}").status
            statuses.append(status)

    def test_fleet_never_sends_too_much_and_all_it_may(self):
        redis, server = self.redis(), self.upstream()
        store = {"store": {"type": "redis"},
                 "redis": {**PATIENT["redis"], "port": redis.port}}
        ports = []
        for _ in range(4):
            self.serve({"limit_key": "up:w", "max_wait": "20s", "timeout": "30s"}, LIMITS, server,
                       **store)
            ports.append(self.http_port)
        statuses, start = [], time.monotonic()
        threads = [threading.Thread(target=self.ask_for, args=(port, f"{port}-{k}", statuses))
                   for port in ports for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(harness.PATIENCE)
        self.assertEqual(statuses, [200] * REQUESTS)
        self.assertEqual(len(server.times), REQUESTS)
        # The clocks of Redis and of this machine are one.
        for i, at in enumerate(sorted(server.times)):
            self.assertLessEqual(i, (at - start) / RECHARGE + 1)
        harness.note(f"{REQUESTS} requests in {server.times[-1] - start:.2f} s, "
                     f"{(REQUESTS - 1) * RECHARGE:.2f} s at best")


if __name__ == "__main__":
    unittest.main()
