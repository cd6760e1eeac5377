"""Redis Cluster: three real masters, each with a replica, which fail and move slots."""

import os
import subprocess

import harness
from harness import converse, fields, wait_until

LONG = os.environ.get("LONG")
TIMES = 20 if LONG else 1

LIMITS = """
[login]
match = login:*
capacity = 100000
recharge = 1h

[other]
match = other:*
capacity = 100000
recharge = 1h
"""

# Partitions of the cluster that redis-cli makes: two for each master.
PARTITIONS = 6

# No node counts another as dead only because the machine is busy.
NODE_TIMEOUT = "1000" if LONG else "60000"


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.nodes = [self.redis(
            "--cluster-enabled", "yes", "--cluster-config-file", f"node-{i}.conf",
            "--cluster-node-timeout", NODE_TIMEOUT, "--repl-diskless-sync-delay", "0",
            "--cluster-replica-validity-factor", "0",
            "--cluster-require-full-coverage", "no") for i in range(6)]
        subprocess.run(
            ["redis-cli", "--cluster", "create", *map(self.address, self.nodes),
             "--cluster-replicas", "1", "--cluster-yes"],
            check=True, stdout=subprocess.DEVNULL, timeout=120)
        wait_until(lambda: all(map(self.is_complete, self.nodes)), "the cluster")

    @staticmethod
    def address(node):
        return f"127.0.0.1:{node.port}"

    @staticmethod
    def is_complete(node):
        if b"cluster_state:ok" not in node.ask("CLUSTER", "INFO"):
            return False
        role = node.ask("ROLE")
        return role[2] if role[0] == b"master" else role[3] == b"connected"

    def gate(self, hosts=None, **redis):
        return self.daemon(LIMITS, {"store": {"type": "redis"}, "redis": {
            "topology": "cluster", "partitions": PARTITIONS,
            "hosts": hosts or " ".join(map(self.address, self.nodes)),
            "connect_timeout": "2s", "socket_timeout": "2s", **redis}})

    def node_of(self, slot):
        """The master that has a slot now, and its id."""
        for shard in self.alive().ask("CLUSTER", "SLOTS"):
            if shard[0] <= slot <= shard[1]:
                port, name = shard[2][1], shard[2][2].decode()
                return next(n for n in self.nodes if n.port == port), name
        raise AssertionError(f"slot {slot} is not served")

    def alive(self):
        return next(node for node in self.nodes if node.is_running())

    def replica_of(self, master):
        """A replica that has all that the master has."""
        replicas = master.ask("ROLE")[2]
        return next(n for n in self.nodes if n.port == int(replicas[0][1]))

    @staticmethod
    def peek(replica, name, key):
        with replica.connect() as link:
            link.ask("READONLY")
            return link.ask("HGET", name, key)

    @staticmethod
    def promote(replica):
        """Without a vote, which on a busy machine may take long."""
        replica.ask("CLUSTER", "FAILOVER", "TAKEOVER")
        wait_until(lambda: replica.ask("ROLE")[0] == b"master", "the new master")

    def hash_of(self, key, limit="login"):
        """The name of the hash that has a key, and its slot."""
        for node in self.nodes:
            if node.ask("ROLE")[0] != b"master":
                continue
            for name in node.ask("KEYS", f"drip:*:{limit}"):
                if node.ask("HEXISTS", name, key):
                    return name, node.ask("CLUSTER", "KEYSLOT", name)
        raise AssertionError(f"no bucket of {key}")


class DecisionsTest(Case):
    def test_keys_of_all_partitions_are_exact(self):
        other = self.redis()
        gate = self.gate(f"{self.address(other)} {self.address(self.nodes[1])}")
        keys = [f"{limit}:{i}" for i in range(20) for limit in ("login", "other")]
        for key in keys:
            self.assertEqual(self.redis_level(gate, key), 1)
        self.assertIn("is no node of a cluster", gate.log())
        for times in range(2, 5):
            said = converse(gate.path, "".join(
                f"consume {key}\n" for key in keys).encode())[0].decode().splitlines()
            self.assertEqual([(fields(line)["from"], fields(line)["level"]) for line in said],
                             [("redis", str(times))] * len(keys))
        single = self.daemon(LIMITS, {
            "store": {"type": "redis"},
            "redis": {"port": self.nodes[0].port, "host": "127.0.0.1"}})
        wait_until(lambda: "set topology = cluster, and hosts" in single.log(), "the log")


class ChangesTest(Case):
    def decide(self, gate, key, level):
        """At once, by Redis."""
        said = fields(gate.ask(f"consume {key}"))
        self.assertEqual((said["from"], said["level"]), ("redis", str(level)), gate.log())

    def test_a_slot_that_moves_is_followed_without_a_fallback(self):
        gate = self.gate()
        self.assertEqual(self.redis_level(gate, "login:1"), 1)
        name, slot = self.hash_of("login:1")
        level = 1
        for _ in range(TIMES):
            old, old_id = self.node_of(slot)
            new, new_id = next(
                (n, n.ask("CLUSTER", "MYID").decode()) for n in self.nodes
                if n is not old and n.ask("ROLE")[0] == b"master")
            new.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", old_id)
            old.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", new_id)
            self.decide(gate, "login:1", level + 1)
            old.ask("MIGRATE", "127.0.0.1", new.port, name, 0, 20000)
            self.decide(gate, "login:1", level + 2)  # ASK
            self.decide(gate, "login:1", level + 3)
            for node in (new, old):
                node.ask("CLUSTER", "SETSLOT", slot, "NODE", new_id)
            self.decide(gate, "login:1", level + 4)  # MOVED
            level += 4

    def test_a_master_that_gives_up_its_role_is_followed(self):
        gate = self.gate()
        self.assertEqual(self.redis_level(gate, "login:1"), 1)
        name, slot = self.hash_of("login:1")
        for i in range(TIMES):
            master = self.node_of(slot)[0]
            replica = self.replica_of(master)
            bucket = master.ask("HGET", name, "login:1")
            wait_until(lambda r=replica, b=bucket: self.peek(r, name, "login:1") == b,
                       "the bucket at the replica")
            self.promote(replica)
            wait_until(lambda m=master: m.ask("ROLE")[0] == b"slave", "the new replica")
            wait_until(lambda r=replica: r.ask("ROLE")[2], "the replica's link")
            self.assertEqual(self.redis_level(gate, "login:1"), 2 + i)

    def test_only_the_partitions_of_a_dead_master_fall_back(self):
        gate = self.gate()
        keys = [f"login:{i}" for i in range(20)]
        for key in keys:
            self.assertEqual(self.redis_level(gate, key), 1)
        slot = self.hash_of(keys[0])[1]
        dead = self.node_of(slot)[0]
        replica = self.replica_of(dead)
        lost = {key for key in keys if self.node_of(self.hash_of(key)[1])[0] is dead}
        dead.kill()
        wait_until(lambda: fields(gate.ask(f"peek {keys[0]}"))["from"] == "fallback",
                   "the fallback")
        for key in set(keys) - lost:
            said = fields(gate.ask(f"consume {key}"))
            self.assertEqual((said["from"], said["level"]), ("redis", "2"), gate.log())
        self.promote(replica)
        for key in lost:
            self.redis_level(gate, key)  # Redis decides again


if __name__ == "__main__":
    harness.main()
