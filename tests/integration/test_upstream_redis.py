"""What is stored of upstreams in Redis: hidden by key_secrets, and in all topologies."""

import os
import signal

import harness
import test_cluster
from harness import PATIENT, RedisClient, wait_until
from test_upstream import LIMITS
from test_upstream_cache import CacheServer
from test_upstream_stored import StoredCase

OLD, NEW = "o" * 32, "n" * 40


class SeveralCase(StoredCase):
    """Two daemons, which share what they store."""

    def start_daemons(self, settings):
        self.server = CacheServer()
        self.addCleanup(self.server.close)
        self.gates = [self.start_daemon(settings) for _ in range(2)]

    def start_daemon(self, settings):
        port = harness.free_port()
        gate = self.daemon(LIMITS, {
            "upstream:api": {"url": f"http://127.0.0.1:{self.server.port}", "cache": "redis",
                             "methods": "GET POST"},
            "http": {"listen": f"127.0.0.1:{port}"}, **settings})
        gate.http_port = port
        return gate

    def seen(self, gate, path, **headers):
        response = self.ask(self.connection(gate.http_port), f"/upstream/api{path}", **headers)
        return response.headers["X-Cache"], response.content

    def wait_for(self, gate, path, **headers):
        """Until another daemon finds what this one stored."""
        _, body = self.seen(self.gates[0], path, **headers)
        self.wait_until_found(gate, path, body, **headers)
        return body

    def wait_until_found(self, gate, path, body, **headers):
        """Its connection to Redis may not be there yet: that is a miss."""
        headers["Cache_Control"] = "only-if-cached"
        wait_until(lambda: self.seen(gate, path, **headers) == ("hit", body),
                   f"{path} in Redis")

    def entries(self, gate):
        [line] = self.lines(gate, "cache")
        return int(line.split(" entries=")[1].split(" ")[0])

    def check_sharing(self):
        """Store, find, change and purge, with targets in all partitions."""
        one, other = self.gates
        for i in range(40):
            self.wait_for(other, f"/fresh?{i}")
        for language in "de", "en":
            self.wait_for(other, "/vary", Accept_Language=language)
        self.assertEqual(len(self.server.asked), 42)
        with RedisClient(self.start_daemon(self.settings).path) as client:
            wait_until(lambda: client.ask("GET", "api:/fresh?7") == b"8", "the same by GET")
        # One changes it, and another one that has it only in Redis has it no more.
        self.ask(self.connection(one.http_port), "/upstream/api/fresh?3", b"x")
        third = self.start_daemon(self.settings)
        for i in set(range(40)) - {3}:
            self.wait_until_found(third, f"/fresh?{i}", b"%d" % (i + 1))
        self.assertEqual(self.seen(third, "/fresh?3")[0], "miss")
        self.lines(one, "forget api:/fresh?1*")
        wait_until(lambda: self.entries(other) == 31, "the other to forget it")
        self.assertEqual(self.seen(other, "/fresh?2"), ("hit", b"3"))
        fourth = self.start_daemon(self.settings)
        for i in range(20, 40):
            self.wait_until_found(fourth, f"/fresh?{i}", b"%d" % (i + 1))
        for i in range(10, 20):
            self.assertEqual(self.seen(fourth, f"/fresh?{i}")[0], "miss")


class HiddenTest(SeveralCase):
    def write_secrets(self, *secrets):
        self.path = os.path.join(self.folder, "secrets")
        with open(self.path, "w", encoding="utf-8") as file:
            file.writelines(secret + "\n" for secret in secrets)

    def hide(self, *secrets):
        self.store = self.redis()
        self.write_secrets(*secrets)
        self.settings = {"store": {"type": "redis", "key_secrets": self.path},
                         "redis": {**PATIENT["redis"], "unix_socket_path": self.store.path}}
        self.start_daemons(self.settings)

    def test_nothing_in_redis_shows_a_path_or_what_is_stored(self):
        self.hide(OLD, NEW)
        with self.store.connect() as monitor:
            monitor.ask("MONITOR")
            body = self.wait_for(self.gates[1], "/secretpath/echo-long?secretquery")
            self.wait_for(self.gates[1], "/secretpath/vary", Accept_Language="secretlanguage")
            self.lines(self.gates[0], "forget api:/*secretpath/vary*")
            wait_until(lambda: self.entries(self.gates[1]) == 1, "the purge")
            self.ask(self.connection(self.gates[0].http_port),
                     "/upstream/api/secretpath/echo-long?secretquery", b"x")
            self.store.ask("ECHO", "the end")
            told = ""
            while "the end" not in told:
                told += monitor.read() + "\n"
        self.assertIn(b"secretbody", body)
        self.assertIn("cache:api:", told)
        self.assertNotIn("secret", told)

    def test_purge_finds_what_it_means(self):
        self.hide(OLD)
        self.check_sharing()

    def test_rotation_of_secrets_costs_a_miss_at_most(self):
        self.hide(OLD)
        one, other = self.gates
        self.wait_for(other, "/fresh?1")
        self.write_secrets(NEW, OLD)
        for gate in self.gates:
            done = gate.log().count("reloaded")
            gate.send(signal.SIGHUP)
            wait_until(lambda gate=gate, done=done: gate.log().count("reloaded") > done,
                       "the reload")
        self.assertEqual(self.seen(one, "/fresh?1"), ("hit", b"1"))
        self.wait_for(other, "/fresh?2")
        # What the older one sealed is purged, too; and so is what no one can open.
        self.assertEqual(len(self.store.ask("ZRANGE", "drip:cache:api:", "0", "-1")), 2)
        self.store.ask("ZADD", "drip:cache:api:", "1", "rubbish")
        self.lines(one, "forget api:/fresh?1")
        wait_until(lambda: len(self.store.ask("ZRANGE", "drip:cache:api:", "0", "-1")) == 1,
                   "the purge")
        self.assertEqual(self.seen(other, "/fresh?2"), ("hit", b"2"))

    def test_what_was_changed_in_redis_is_a_miss(self):
        self.hide(OLD)
        first = self.wait_for(self.gates[1], "/fresh?1")
        self.wait_for(self.gates[1], "/fresh?2")
        hashes = self.store.ask("KEYS", "*cache:api:?*")
        self.assertEqual(len(hashes), 2)
        values = [self.store.ask("HGET", name, "") for name in hashes]
        for name, value in zip(hashes, reversed(values)):
            self.store.ask("HSET", name, "", value)
        third = self.start_daemon(self.settings)
        self.wait_for(third, "/fresh?3")
        self.assertEqual(self.seen(third, "/fresh?1")[0], "miss")
        self.assertEqual(first, b"1")

    def test_variant_in_the_place_of_another_one_is_a_miss(self):
        """What was stored for one client is not opened for another one."""
        self.hide(OLD)
        for language in "de", "en":
            self.wait_for(self.gates[1], "/vary", Accept_Language=language)
        [name] = self.store.ask("KEYS", "*cache:api:?*")
        fields = [field for field in self.store.ask("HKEYS", name) if field != b"vary"]
        values = [self.store.ask("HGET", name, field) for field in fields]
        self.assertEqual(len(values), 2)
        for field, value in zip(fields, reversed(values)):
            self.store.ask("HSET", name, field, value)
        third = self.start_daemon(self.settings)
        self.wait_for(third, "/fresh?3")
        for language in "de", "en":
            self.assertEqual(self.seen(third, "/vary", Accept_Language=language)[0], "miss")
        # Nor does it show to all as what does not vary.
        self.store.ask("HDEL", name, "vary")
        self.store.ask("HSET", name, "", values[0])
        fourth = self.start_daemon(self.settings)
        self.wait_for(fourth, "/fresh?4")
        self.assertEqual(self.seen(fourth, "/vary")[0], "miss")


class ShardedTest(SeveralCase):
    def test_all_share_what_is_stored(self):
        servers = [self.redis() for _ in range(3)]
        self.settings = {"store": {"type": "redis"}, "redis": {
            **PATIENT["redis"], "topology": "sharded", "partitions": "16",
            "hosts": " ".join(f"127.0.0.1:{server.port}" for server in servers)}}
        self.start_daemons(self.settings)
        self.check_sharing()
        self.assertGreater(sum(bool(server.ask("KEYS", "*cache:api:*"))
                               for server in servers), 1)


class ClusterTest(test_cluster.Case, SeveralCase):
    def start_in_cluster(self):
        self.settings = {"store": {"type": "redis"}, "redis": {
            "topology": "cluster", "partitions": test_cluster.PARTITIONS,
            "hosts": " ".join(map(self.address, self.nodes)),
            **PATIENT["redis"]}}
        self.start_daemons(self.settings)

    def test_all_share_what_is_stored(self):
        self.start_in_cluster()
        self.check_sharing()

    def slot_of(self, path):
        """The slot and the master that have what is stored of it."""
        [(name, node)] = [(name, node) for node in self.masters_but()
                          for name in node.ask("KEYS", f"*:{path}")]
        return node.ask("CLUSTER", "KEYSLOT", name), node

    def check_again(self, path):
        """What is stored is found, and can be purged."""
        third = self.start_daemon(self.settings)
        self.wait_until_found(third, path, b"1")
        paths = []

        def are_shared():
            # What a daemon hears that its server is the wrong one by is not stored.
            paths.append(f"{path}&{len(paths)}")
            self.seen(self.gates[0], paths[-1])
            return len(paths) > 20 and all(
                self.seen(self.gates[1], path, Cache_Control="only-if-cached")[0] == "hit"
                for path in paths[-20:-1])
        wait_until(are_shared, "what is new")
        self.lines(self.gates[0], "forget api")
        wait_until(lambda: not any(node.ask("KEYS", "drip:cache:api:*")
                                   for node in self.masters_but()), "the purge")

    def test_slot_that_moves_is_followed(self):
        self.start_in_cluster()
        self.wait_for(self.gates[1], "/fresh?1")
        slot, old = self.slot_of("/fresh?1")
        self.move(slot, self.masters_but(old)[0])
        self.check_again("/fresh?1")

    def test_master_that_is_replaced_is_followed(self):
        self.start_in_cluster()
        self.wait_for(self.gates[1], "/fresh?1")
        _, old = self.slot_of("/fresh?1")
        replica = self.replica_of(old)
        self.promote(replica)
        wait_until(lambda: old.ask("ROLE")[0] == b"slave", "the former master")
        self.check_again("/fresh?1")


if __name__ == "__main__":
    harness.main()
