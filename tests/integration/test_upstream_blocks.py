"""Upstreams that say when they want to be asked again."""

import collections
import json
import subprocess
import threading
import unittest

import harness
from harness import wait_until
from test_upstream import Handler, Server, UpstreamCase

LIMIT = "capacity = 5\nrecharge = 1s\n"


class BlockCase(UpstreamCase):
    def upstream(self):
        class BlockHandler(Handler):
            def do_late(self):
                self.plain(429, b"wait", Retry_After="1000")

            def do_down(self):
                self.plain(503, b"wait", Retry_After="Sun, 06 Nov 2044 08:49:37 GMT")

            def do_last(self):
                self.plain(200, b"last", X_RateLimit_Remaining="0", X_RateLimit_Reset="500")

            def do_hang(self):
                # The path says what it is told, once it is released.
                seconds = self.path.split("/")[1]
                with self.server.lock:  # or two of them make one each
                    released = self.server.releases[seconds]
                released.wait(harness.PATIENCE)
                self.plain(429, b"wait", Retry_After=seconds)

        server = Server()
        server.RequestHandlerClass = BlockHandler
        server.releases = collections.defaultdict(threading.Event)
        self.addCleanup(server.close)
        return server

    def daemon_of(self, redis, server, words):
        """A connection to a new daemon of the fleet."""
        self.serve({"max_wait": "1h", "cache": "off", "timeout": "1m"},
                   f"[up]\nmatch = up:*\n{words}",
                   server, store={"type": "redis"},
                   redis={**harness.PATIENT["redis"], "port": redis.port})
        return self.connection(self.http_port)

    def hang(self, connection, server, seconds):
        """Have a request be out, whose response is to block for so long."""
        count = len(server.asked)
        connection.request("GET", f"/upstream/api/{seconds}/hang")
        wait_until(lambda: len(server.asked) > count, "the request")

    def release(self, connection, server, seconds):
        with server.lock:
            server.releases[str(seconds)].set()
        response = connection.getresponse()
        response.read()
        self.assertEqual(response.status, 429)

    def block(self, redis):
        """What the fleet knows: the text of a bucket."""
        return redis.ask("HGET", "drip:CL.THROTTLE", "blocked:up:a")

    def check_blocked(self, response, least, most):
        self.assertEqual((response.status, json.loads(response.content)["code"]),
                         (429, "blocked"))
        self.assertGreater(int(response.headers["Retry-After"]), least)
        self.assertLessEqual(int(response.headers["Retry-After"]), most)


class BlockTest(BlockCase):
    def check(self, path, status, least, most):
        self.serve()
        self.assertEqual(self.get(path).status, status)
        for _ in range(3):
            self.check_blocked(self.get("/x"), least, most)
        self.assertEqual(len(self.server.asked), 1)

    def test_429_stops_the_fleet_whatever_the_limit_is(self):
        for words in ("capacity = 5\nrecharge = 1s\n",
                      "capacity = 5\nrecharge = 1s\nqueue = 10s\n",
                      "algorithm = fixed_window\ncapacity = 5\nwindow = 1s\n",
                      "algorithm = sliding_window\ncapacity = 5\nwindow = 1s\n",
                      "algorithm = concurrent\ncapacity = 5\nlease = 1m\n"):
            with self.subTest(words):
                redis, server = self.redis(), self.upstream()
                one = self.daemon_of(redis, server, words)
                other = self.daemon_of(redis, server, words)
                self.assertEqual(self.ask(other, "/upstream/api/x").status, 200)
                self.assertEqual(self.ask(one, "/upstream/api/late").status, 429)
                wait_until(lambda: self.block(redis), "the block")
                self.check_blocked(self.ask(other, "/upstream/api/y"), 900, 1001)
                self.assertEqual(len(server.asked), 2)

    def test_longest_block_counts(self):
        for first, second in (1000, 5000), (5000, 1000):
            with self.subTest(first):
                redis, server = self.redis(), self.upstream()
                one = self.daemon_of(redis, server, LIMIT)
                self.hang(one, server, first)
                two = self.daemon_of(redis, server, LIMIT)
                self.hang(two, server, second)
                self.release(one, server, first)
                wait_until(lambda: self.block(redis), "the block")
                before = self.gate.stats()
                self.release(two, server, second)

                def marked():
                    stats = self.gate.stats()
                    return any(stats[name] > before[name] for name in ("allowed", "denied"))
                wait_until(marked, "the other block")
                new = self.daemon_of(redis, server, LIMIT)
                self.check_blocked(self.ask(new, "/upstream/api/y"), 4900, 5001)

    def test_request_that_waits_is_stopped_too(self):
        redis, server = self.redis(), self.upstream()
        words = "capacity = 1\nrecharge = 5s\nqueue = 1h\n"
        one = self.daemon_of(redis, server, words)
        self.hang(one, server, 5000)
        self.daemon_of(redis, server, words)
        clients = [self.connection(self.http_port) for _ in range(3)]
        for i, client in enumerate(clients):
            client.request("GET", f"/upstream/api/{i}")
        wait_until(lambda: self.gate.stats()["waits"] >= 2, "two that wait")
        self.release(one, server, 5000)
        wait_until(lambda: self.block(redis), "the block")
        sent = len(server.asked)
        response = clients[-1].getresponse()
        response.content = response.read()
        self.check_blocked(response, 4900, 5001)
        self.assertLessEqual(len(server.asked), sent + 1)

    def test_429_stops_the_fleet_where_the_limit_has_debt(self):
        redis, server = self.redis(), self.upstream()
        store = {"store": {"type": "redis"},
                 "redis": {**harness.PATIENT["redis"], "port": redis.port}}
        limits = "[up]\nmatch = up:*\ncapacity = 5\nrecharge = 1s\ndebt = 10000\n"
        self.serve({"max_wait": "0"}, limits, server, **store)
        gate = self.gate
        self.assertEqual(self.get("/late").status, 429)
        wait_until(lambda: float(harness.fields(gate.ask("peek up:a"))["retry"]) > 900,
                   "the debt")
        self.serve({"max_wait": "0"}, limits, server, **store)
        response = self.get("/x")
        self.assertEqual((response.status, json.loads(response.content)["code"]),
                         (429, "blocked"))
        self.assertGreater(int(response.headers["Retry-After"]), 900)
        self.assertLessEqual(int(response.headers["Retry-After"]), 1000)
        self.assertEqual(len(server.asked), 1)

    def test_429_stops_all(self):
        self.check("/late", 429, 900, 1001)

    def test_503_with_a_date_stops_all_for_a_day_at_most(self):
        self.check("/down", 503, 86000, 86400)

    def test_what_is_used_up_stops_all_before_a_429(self):
        self.check("/last", 200, 400, 500)


class SeeingTest(BlockCase):
    def lines(self, key="up:a"):
        with self.gate.connect() as client:
            return [line for line in client.ask_many(f"explain {key}")
                    if line.startswith("upstream ")]

    def why(self, *options):
        done = subprocess.run([harness.DRIPGATE, "-s", self.gate.path, "why", "up:a", *options],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_explain_says_how_many_requests_wait_and_are_out(self):
        self.serve({"limit_key": "up:a up:b", "max_connections": "1", "max_wait": "1h"})
        ready = "upstream state=ready again=0 waits={} out={} name=api"
        self.assertEqual(self.lines("up:b"), [ready.format(0, 0)])
        self.assertEqual(self.lines("up:c"), [])
        first, second = self.connection(self.http_port), self.connection(self.http_port)
        self.hang(first, self.server, 0)
        second.request("GET", "/upstream/api/x")
        wait_until(lambda: self.lines() == [ready.format(1, 1)], "the second")
        self.release(first, self.server, 0)
        self.assertEqual(second.getresponse().status, 200)
        wait_until(lambda: self.lines() == [ready.format(0, 0)], "the end")

    def test_explain_and_why_say_that_it_is_blocked(self):
        self.serve()
        self.assertNotIn("but upstream", self.why())
        self.assertEqual(self.get("/late").status, 429)
        [line] = self.lines()
        fields = harness.fields(line)
        self.assertEqual((fields["state"], fields["waits"]), ("blocked", "0"))
        self.assertGreater(float(fields["again"]), 900)
        self.assertRegex(self.why(), r"up:a is allowed .*; but upstream api is blocked until ")
        said = json.loads(self.why("--json"))["upstream"]
        self.assertEqual((said["state"], said["name"]), ("blocked", "api"))

    def test_explain_says_that_it_fails(self):
        self.serve({"failures": "1", "pause": "1h"})
        self.assertEqual(self.get("/wrong").status, 500)
        [line] = self.lines()
        self.assertEqual(harness.fields(line)["state"], "failing")
        self.assertGreater(float(harness.fields(line)["again"]), 3500)
        self.assertIn("but upstream api is failing until", self.why())

    def test_waits_of_requests_count_as_waits(self):
        self.serve({"limit_key": "up:w", "max_wait": "1h"},
                   "[w]\nmatch = up:w\ncapacity = 1\nrecharge = 10s\nqueue = 1h\n")
        admin = self.connection(self.admin_port)

        def metric(name):
            text = self.ask(admin, "/metrics").content.decode()
            return int(text.partition(f"\ndripgate_{name} ")[2].partition("\n")[0])

        self.assertEqual(self.get("/x").status, 200)
        self.assertEqual((metric("waits"), metric("wait_duration_seconds_count")), (0, 0))
        waits = self.connection(self.http_port)
        waits.request("GET", "/upstream/api/y")
        wait_until(lambda: metric("waits") == 1, "the wait")
        self.assertEqual(self.gate.stats()["waits"], 1)
        self.assertEqual(waits.getresponse().status, 200)
        self.assertEqual((metric("waits"), metric("wait_duration_seconds_count")), (0, 1))


if __name__ == "__main__":
    unittest.main()
