"""Clusters that are not as they should be, or not where one looks: what cannot be decided
in Redis falls back, a sentence in the log says why, and it goes on once that is over."""

import socket

import harness
from fake_redis import NIL, FakeRedis, array, bulk, empty_buckets
from harness import fields, wait_until

LIMITS = """
[login]
match = login:*
capacity = 100000
recharge = 1h
"""

SLOTS = 16384
PARTITIONS = 8
KEYS = [f"login:{i}" for i in range(40)]


class Case(harness.Case):
    def node(self, *arguments):
        return self.redis("--cluster-enabled", "yes", "--cluster-config-file",
                          f"node-{harness.Redis.count}.conf", *arguments)

    def gate(self, *hosts, **redis):
        return self.daemon(LIMITS, {"log": {"level": "debug"}, "store": {"type": "redis"}, "redis": {
            "topology": "cluster", "partitions": PARTITIONS, "hosts": " ".join(hosts),
            "connect_timeout": "2s", "socket_timeout": "2s", **redis}})

    def sources(self, gate):
        """{key: from}"""
        return {key: fields(line)["from"] for key, line in
                zip(KEYS, gate.ask(*(f"consume {key}" for key in KEYS)))}

    def check_all_come_back(self, gate):
        wait_until(lambda: set(self.sources(gate).values()) == {"redis"}, "Redis")

    def check_decides(self, node, host="127.0.0.1", name="127.0.0.1"):
        node.ask("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
        gate = self.gate(f"{host}:{node.port}")
        self.check_all_come_back(gate)
        self.assertIn(f"redis {name}:{node.port}: ", gate.log())


class RealTest(Case):
    def check_connect(self, gate):
        """As patient as need be; a daemon's start takes that long where slots are missing."""
        gate.settings["redis"].update(harness.PATIENT["redis"])
        gate.write_config()
        return super().check_connect(gate)

    def check_half(self, *arguments):
        """Half of the slots are nobody's, then all somebody's."""
        node = self.node(*arguments)
        node.ask("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS // 2 - 1)
        gate = self.gate(f"127.0.0.1:{node.port}", connect_timeout="500ms")
        return node, gate

    def check_whole_again(self, node, gate):
        node.ask("CLUSTER", "ADDSLOTSRANGE", SLOTS // 2, SLOTS - 1)
        self.check_all_come_back(gate)

    def test_slots_that_no_master_has_fall_back_alone(self):
        node, gate = self.check_half("--cluster-require-full-coverage", "no")
        for key in KEYS:
            slot = node.ask("CLUSTER", "KEYSLOT", key)
            if slot < SLOTS // 2:
                self.redis_level(gate, key)
            else:
                self.assertEqual(fields(gate.ask(f"consume {key}"))["from"], "fallback")
        wait_until(lambda: "no node of the cluster knows the master of a slot" in gate.log(),
                   "the log")
        self.assertIn("see redis-cli --cluster check", gate.log())
        done = self.check_connect(gate)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"redis 127.0.0.1:{node.port}: 4 of 8 partitions have no master", done.stderr)
        self.check_whole_again(node, gate)
        self.assertEqual(self.check_connect(gate).returncode, 0)

    def test_a_cluster_that_refuses_all_for_them_is_down(self):
        node, gate = self.check_half()
        wait_until(lambda: "CLUSTERDOWN" in gate.log(), "the log")
        self.assertEqual(set(self.sources(gate).values()), {"fallback"})
        self.check_whole_again(node, gate)

    def test_addresses_of_ipv6(self):
        if not socket.has_ipv6:
            self.skipTest("no IPv6")
        node = self.node("--bind", "::1", "127.0.0.1", "--cluster-announce-ip", "::1")
        self.check_decides(node, "[::1]", "[::1]")

    def test_nodes_that_are_known_by_a_name(self):
        node = self.node("--cluster-announce-hostname", "localhost",
                         "--cluster-preferred-endpoint-type", "hostname")
        self.check_decides(node, name="localhost")

    def test_nodes_that_do_not_say_where_they_are(self):
        self.check_decides(self.node("--cluster-preferred-endpoint-type", "unknown-endpoint"))


class FakeNode(FakeRedis):
    """The master of all slots, as it says."""

    def __init__(self, folder):
        super().__init__(folder)
        self.names = ("127.0.0.1", self.port)
        self.greeting = self.greet
        self.says = empty_buckets

    def listen(self, folder):
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        return listener

    def greet(self, _, words):
        name = words[0].upper()
        if name == b"HELLO":
            return array(*map(bulk, ("mode", "cluster", "role", "master")))
        if name == b"CLUSTER":
            host, port = self.names
            master = array(bulk("endpoint"), bulk(host), bulk("port"), b":%d\r\n" % port,
                           bulk("role"), bulk("master"), bulk("health"), bulk("online"))
            return array(array(bulk("slots"), array(b":0\r\n", b":16383\r\n"),
                               bulk("nodes"), array(master)))
        return NIL if name in (b"GET", b"SET") else b"+OK\r\n"

    def answer(self, peer, words):
        if words[0].upper() in (b"EVALSHA", b"EVAL") and not words[4].endswith(b":sweep"):
            self.calls.append(words)
            return self.says(words)
        return super().answer(peer, words)


class FakeTest(Case):
    def fake(self):
        fake = FakeNode(self.folder)
        self.addCleanup(fake.close)
        return fake

    def check_redirected(self, fake, error):
        """For ever; then no longer."""
        gate = self.gate(f"127.0.0.1:{fake.port}", partitions=1,
                         connect_timeout="200ms", socket_timeout="200ms")
        self.redis_level(gate, KEYS[0])
        fake.says = lambda words: error
        for _ in range(5):
            self.assertEqual(set(self.sources(gate).values()), {"fallback"})
        fake.says = empty_buckets
        self.check_all_come_back(gate)
        return gate

    def test_a_node_that_sends_all_to_itself(self):
        fake = self.fake()
        gate = self.check_redirected(fake, b"-MOVED 1 127.0.0.1:%d\r\n" % fake.port)
        self.assertIn("has not this slot now (MOVED", gate.log())

    def test_a_node_that_sends_all_to_nowhere(self):
        gate = self.check_redirected(self.fake(), b"-MOVED 1 127.0.0.1:1\r\n")
        self.assertIn("redis 127.0.0.1:1: ", gate.log())

    def test_a_node_that_has_all_asked_for_at_nowhere(self):
        self.check_redirected(self.fake(), b"-ASK 1 127.0.0.1:1\r\n")

    def test_a_node_that_has_all_asked_for_at_itself(self):
        fake = self.fake()
        self.check_redirected(fake, b"-ASK 1 127.0.0.1:%d\r\n" % fake.port)

    def test_a_node_that_names_a_server_that_is_not_there(self):
        fake = self.fake()
        fake.names = ("127.0.0.1", 1)
        gate = self.gate(f"127.0.0.1:{fake.port}", connect_timeout="200ms")
        self.assertEqual(set(self.sources(gate).values()), {"fallback"})
        wait_until(lambda: "redis 127.0.0.1:1: " in gate.log(), "the log")
        fake.names = ("127.0.0.1", fake.port)
        self.check_all_come_back(gate)


if __name__ == "__main__":
    harness.main()
