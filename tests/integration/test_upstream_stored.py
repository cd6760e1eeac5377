"""What is stored of upstreams: in Redis for all daemons, forgotten on request, and
read over RESP."""

import itertools
import re
import signal
import subprocess

import harness
from harness import PATIENT, RedisClient, redis_users, wait_until
from test_upstream import LIMITS, UpstreamCase
from test_upstream_cache import CacheServer


class StoredCase(UpstreamCase):
    def upstream(self):
        server = CacheServer()
        self.addCleanup(server.close)
        return server

    def lines(self, gate, request):
        with gate.connect() as client:
            return client.ask_many(request)


class StoredTest(StoredCase):
    def tool(self, *words):
        return subprocess.run([harness.DRIPGATE, "-s", self.gate.path, *words],
                              capture_output=True, text=True, check=False)

    def test_cache_says_what_is_stored(self):
        self.serve()
        self.assertIn("api entries=0 bytes=0 hits=0 misses=0", self.lines(self.gate, "cache")[0])
        self.get("/fresh")
        self.get("/fresh")
        [line] = self.lines(self.gate, "cache")
        self.assertIn(" entries=1 ", line)
        self.assertIn(" hits=1 misses=1 ", line)
        self.assertRegex(self.tool("cache", "stats").stdout, r"api +1 +\d+ +1 +1 ")
        self.assertIn('"upstream":"api"', self.tool("cache", "stats", "--json").stdout)

    def test_purge_forgets_what_matches(self):
        self.serve()
        for path in "/a/fresh", "/b/fresh", "/b/fresh?x":
            self.get(path)
        self.assertEqual(self.lines(self.gate, "forget api:/b/*"), ["api purged=2"])
        self.assertEqual(self.get("/a/fresh").headers["X-Cache"], "hit")
        self.assertEqual(self.get("/b/fresh").headers["X-Cache"], "miss")
        self.assertEqual(self.lines(self.gate, "forget other:*"), [])
        done = self.tool("cache", "purge", "a*")
        self.assertEqual((done.stdout, done.stderr), ("api: 2 responses forgotten\n", ""))
        self.assertEqual(self.tool("cache", "purge", "other").returncode, 1)
        self.assertEqual(self.get("/a/fresh").headers["X-Cache"], "miss")

    def test_purge_counts_for_what_is_under_way(self):
        self.serve()
        connection = self.connection(self.http_port)
        connection.request("GET", "/upstream/api/slow-fresh")
        wait_until(lambda: self.server.asked, "the request")
        self.assertEqual(self.lines(self.gate, "forget api:/slow*"), ["api purged=0"])
        self.server.released.set()
        self.assertEqual(connection.getresponse().read(), b"1")
        self.assertEqual(self.get("/slow-fresh").headers["X-Cache"], "miss")

    def test_get_over_resp_has_the_body(self):
        self.serve()
        with RedisClient(self.gate.path) as client:
            self.assertIsNone(client.ask("GET", "api:/fresh"))
            self.get("/fresh")
            self.get("/never")
            self.get("/missing")
            self.assertEqual(client.ask("GET", "api:/fresh"), b"1")
            self.assertEqual(client.ask("GET", "api:/./fresh"), b"1")
            for key in ("api:/never", "api:/missing", "api:/other", "other:/fresh", "api",
                        "api:/../x"):
                self.assertIsNone(client.ask("GET", key), key)
            client.send("HELLO", "3")
            client.send("GET", "api:/no")
            self.assertIn(b"_\r\n", iter(client.file.readline, b""))
        self.assertEqual(len(self.server.asked), 3)


class RedisTest(StoredCase):
    """Two daemons, one Redis, one upstream."""

    def setUp(self):
        super().setUp()
        self.store = self.redis()
        self.server = self.upstream()
        self.gates = [self.open_gate() for _ in range(2)]

    def open_gate(self, redis=None, **settings):
        upstream = {"url": f"http://127.0.0.1:{self.server.port}", "cache": "redis",
                    "limit_key": "up:a", **settings}
        port = harness.free_port()
        gate = self.redis_daemon(self.store, LIMITS, {
            "redis": {**PATIENT["redis"], **(redis or {})}, "upstream:api": upstream, "http": {"listen": f"127.0.0.1:{port}"}})
        gate.http_port = port
        self.redis_level(gate, "up:x")
        return gate

    def seen(self, gate, path, **headers):
        """(X-Cache, body) of a daemon."""
        response = self.ask(self.connection(gate.http_port), f"/upstream/api{path}",
                            **headers)
        return response.headers["X-Cache"], response.content

    def wait_until_stored(self, count=1):
        with self.store.connect() as client:
            wait_until(lambda: len(client.ask("KEYS", "*cache:api:/*")) == count, "Redis")

    def test_one_daemon_uses_what_another_stored(self):
        self.assertEqual(self.seen(self.gates[0], "/fresh"), ("miss", b"1"))
        self.wait_until_stored()
        self.assertEqual(self.seen(self.gates[1], "/fresh"), ("hit", b"1"))
        self.assertEqual(len(self.server.asked), 1)
        [line] = self.lines(self.gates[1], "cache")
        self.assertIn(" redis_hits=1", line)
        # Now it is in its memory.
        self.assertEqual(self.seen(self.gates[1], "/fresh"), ("hit", b"1"))
        self.assertIn(" hits=1 ", self.lines(self.gates[1], "cache")[0])

    def test_client_that_wants_it_anew_gets_nothing_stored(self):
        self.seen(self.gates[0], "/fresh")
        self.wait_until_stored()
        connections = [self.connection(self.gates[1].http_port) for _ in range(2)]
        self.store.send(signal.SIGSTOP)
        self.addCleanup(self.store.send, signal.SIGCONT)
        with self.gates[1].connect() as client:
            for i, headers in enumerate(({}, {"Cache-Control": "no-cache"})):
                connections[i].request("GET", "/upstream/api/fresh", headers=headers)
                wait_until(lambda i=i: f" requests={i + 1} " in "".join(client.ask_many("status")),
                           "the request to look in Redis")
        self.store.send(signal.SIGCONT)
        responses = [connection.getresponse() for connection in connections]
        self.assertEqual([(response.headers["X-Cache"], response.read()) for response in responses],
                         [("hit", b"1"), ("miss", b"2")])

    def test_get_over_resp_finds_what_another_stored(self):
        self.seen(self.gates[0], "/fresh")
        self.seen(self.gates[0], "/short")
        self.seen(self.gates[0], "/missing")
        self.wait_until_stored(3)
        with RedisClient(self.gates[1].path) as client:
            # Many at once, and each in its turn.
            for _ in range(50):
                client.send("GET", "api:/fresh")
                client.send("GET", "api:/no")
            self.assertEqual([client.read() for _ in range(100)], [b"1", None] * 50)
            self.assertIsNone(client.ask("GET", "api:/short"))
            self.assertIsNone(client.ask("GET", "api:/missing"))
            self.assertEqual(client.ask("GET", "api:/fresh"), b"1")
            # In Redis there is nothing to be found any more, and no waiting for it.
            self.store.kill()
            self.assertEqual(client.ask("GET", "api:/fresh"), b"1")
            self.assertIsNone(client.ask("GET", "api:/other"))
        self.assertEqual(len(self.server.asked), 3)

    def test_client_that_wants_only_what_is_stored_gets_it_from_redis(self):
        self.seen(self.gates[0], "/fresh")
        self.seen(self.gates[0], "/tagged")
        self.wait_until_stored(2)
        only = {"Cache_Control": "only-if-cached"}
        self.assertEqual(self.seen(self.gates[1], "/fresh", **only), ("hit", b"1"))
        for path in "/tagged", "/other":
            response = self.ask(self.connection(self.gates[1].http_port),
                                f"/upstream/api{path}", **only)
            self.assertEqual(response.status, 504)
        self.assertEqual(len(self.server.asked), 2)

    def test_get_over_resp_ends_with_its_client(self):
        with self.store.connect() as client:
            client.ask("CLIENT", "PAUSE", "300")
            for _ in range(20):
                one = RedisClient(self.gates[1].path)
                one.send("GET", "api:/fresh")
                one.close()
        self.assertEqual(self.seen(self.gates[1], "/fresh")[0], "miss")

    def test_what_is_stale_in_redis_is_compared(self):
        self.assertEqual(self.seen(self.gates[0], "/tagged"), ("miss", b"1"))
        self.wait_until_stored()
        self.assertEqual(self.seen(self.gates[1], "/tagged"), ("hit", b"1"))
        self.assertEqual(self.server.asked[1][2]["If-None-Match"], '"t"')

    def test_variants_are_found(self):
        for language in "de", "en":
            self.seen(self.gates[0], "/vary", Accept_Language=language)
        self.wait_until_stored()
        with self.store.connect() as client:
            [key] = client.ask("KEYS", "*cache:api:/*")
            wait_until(lambda: client.ask("HLEN", key) == 3, "both variants")
        for language, body in ("de", b"1"), ("en", b"2"):
            self.assertEqual(self.seen(self.gates[1], "/vary", Accept_Language=language),
                             ("hit", body))
        self.assertEqual(self.seen(self.gates[1], "/vary")[0], "miss")

    def test_purge_reaches_redis_and_all_daemons(self):
        self.seen(self.gates[0], "/fresh")
        self.wait_until_stored()
        self.seen(self.gates[1], "/fresh")
        self.lines(self.gates[0], "forget api:/fresh")
        wait_until(lambda: " entries=0 " in self.lines(self.gates[1], "cache")[0],
                   "the other to forget it")
        self.wait_until_stored(0)
        self.assertEqual(self.seen(self.gates[1], "/fresh"), ("miss", b"2"))

    def test_purge_counts_for_what_another_has_under_way(self):
        self.seen(self.gates[0], "/fresh")
        connection = self.connection(self.gates[0].http_port)
        connection.request("GET", "/upstream/api/slow-fresh")
        wait_until(lambda: len(self.server.asked) == 2, "the request")
        self.lines(self.gates[1], "forget api")
        wait_until(lambda: " entries=0 " in self.lines(self.gates[0], "cache")[0],
                   "the other to hear of it")
        self.server.released.set()
        self.assertEqual(connection.getresponse().read(), b"2")
        self.assertEqual(self.seen(self.gates[0], "/slow-fresh"), ("miss", b"3"))

    def test_foreign_values_are_misses(self):
        self.seen(self.gates[0], "/fresh")
        self.wait_until_stored()
        with self.store.connect() as client:
            [key] = client.ask("KEYS", "*cache:api:/*")
            client.ask("HSET", key, "", "rubbish")
            self.assertEqual(self.seen(self.gates[1], "/fresh"), ("miss", b"2"))
            wait_until(lambda: client.ask("HGET", key, "") != b"rubbish", "it to be replaced")
            client.ask("SET", key.replace(b"/fresh", b"/a/fresh"), "x")
        self.assertEqual(self.seen(self.gates[1], "/a/fresh"), ("miss", b"3"))

    def test_full_redis_is_no_error(self):
        with self.store.connect() as client:
            client.ask("CONFIG", "SET", "maxmemory", "1")
            self.assertEqual(self.seen(self.gates[0], "/fresh")[0], "miss")
            self.assertEqual(self.seen(self.gates[0], "/fresh")[0], "hit")
            wait_until(lambda: b"errorstat_OOM" in client.ask("INFO", "errorstats"),
                       "Redis to refuse it")
            self.assertEqual(client.ask("KEYS", "*cache:api:/*"), [])

    def test_limits_are_decided_though_responses_fill_redis(self):
        gate, numbers = self.gates[0], itertools.count()
        connection = self.connection(gate.http_port)

        def decide(count):
            """How many of so many decisions are from Redis, a new response before each."""
            found = 0
            for i in itertools.islice(numbers, count):
                self.ask(connection, f"/upstream/api/noise?{i}")
                found += "from=redis" in gate.ask(f"consume up:{i}")
            return found

        decide(40)
        with self.store.connect() as client:
            used = int(re.search(rb"used_memory:(\d+)", client.ask("INFO", "memory"))[1])
            client.ask("CONFIG", "SET", "maxmemory", used - 300_000)
            self.assertGreater(decide(60), 30)
            client.ask("CONFIG", "SET", "maxmemory", "0")

    def test_dead_redis_is_no_error(self):
        self.store.kill()
        wait_until(lambda: self.seen(self.gates[0], "/fresh")[0] in ("miss", "hit"),
                   "a response without Redis")

    def test_rights_that_the_tool_prints_suffice(self):
        settings = (f"[store]\ntype = redis\n[redis]\nunix_socket_path = {self.store.path}\n"
                    "[upstream:api]\nurl = http://127.0.0.1:1\ncache = redis\n")
        [(_, _, rights)] = redis_users(self.folder, settings)
        with self.store.connect() as client:
            client.ask("ACL", "SETUSER", "gate", "reset", "on", ">secret", "resetchannels",
                       *rights)
            gate = self.open_gate(redis={"username": "gate", "password": "secret"})
            self.seen(gate, "/fresh")
            self.wait_until_stored()
            self.seen(self.gates[0], "/fresh")
            self.lines(gate, "forget api")
            wait_until(lambda: " entries=0 " in self.lines(self.gates[0], "cache")[0],
                       "the other to forget it")
            self.assertEqual(client.ask("ACL", "LOG"), [])

    def test_targets_in_redis_are_bounded(self):
        gate = self.open_gate(cache_entries="5")
        for i in range(20):
            self.seen(gate, f"/fresh?{i}")
        with self.store.connect() as client:
            # It comes after its response, as the last one.
            [last] = wait_until(lambda: client.ask("KEYS", "*cache:api:/fresh?19"), "it")
            self.assertEqual(client.ask("HEXISTS", last, ""), 1)
            self.assertEqual(len(client.ask("KEYS", "*cache:api:/*")), 5)


if __name__ == "__main__":
    harness.main()
