"""Redis Cluster: three real masters, each with a replica, which fail and move slots."""

import os
import re
import signal
import subprocess
import time
import unittest

import harness
from bus import Bus
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
        self.nodes = [self.node(i) for i in range(6)]
        subprocess.run(
            ["redis-cli", "--cluster", "create", *map(self.seat, range(6)),
             "--cluster-replicas", "1", "--cluster-yes"],
            check=True, stdout=subprocess.DEVNULL, timeout=120)
        wait_until(lambda: all(map(self.is_complete, self.nodes)), "the cluster")
        wait_until(self.all_know_all, "the nodes to know each other")

    def all_know_all(self):
        """Whether each node knows all, and shakes hands with none.  redis-cli waits only
        until they agree about the slots: for seconds after that a replica may be known
        to its master alone, and what it says to the others is ignored."""
        known = [{line.split()[0] for line in node.ask("CLUSTER", "NODES").splitlines()}
                 for node in self.nodes]
        return all(ids == known[0] for ids in known)

    def node(self, i, bus=(), **where):
        return self.redis(
            "--cluster-enabled", "yes", "--cluster-config-file", f"node-{i}.conf",
            "--cluster-node-timeout", NODE_TIMEOUT, "--repl-diskless-sync-delay", "0",
            "--cluster-replica-validity-factor", "0",
            "--cluster-require-full-coverage", "no", "--cluster-allow-replica-migration", "no",
            *bus, **where)

    def restart(self, i):
        """A node that was killed, as it was but for its data."""
        self.nodes[i] = self.node(i, port=self.nodes[i].port, path=self.nodes[i].path)

    def seat(self, i):
        """Where the others meet it."""
        return self.address(self.nodes[i])

    @staticmethod
    def address(node):
        return f"127.0.0.1:{node.port}"

    @staticmethod
    def is_complete(node):
        if b"cluster_state:ok" not in node.ask("CLUSTER", "INFO"):
            return False
        role = node.ask("ROLE")
        return role[2] if role[0] == b"master" else role[3] == b"connected"

    @staticmethod
    def has_replica(node):
        """Whether it is a master, with one."""
        role = node.ask("ROLE")
        return role[0] == b"master" and role[2]

    def gate(self, hosts=None, **redis):
        return self.daemon(LIMITS, {"store": {"type": "redis"}, "redis": {
            "topology": "cluster", "partitions": PARTITIONS,
            "hosts": hosts or " ".join(map(self.address, self.nodes)),
            **harness.PATIENT["redis"], **redis}})

    def node_of(self, slot, asked=None):
        """The master that has a slot now, and its id, as a node says."""
        for shard in (asked or self.alive()).ask("CLUSTER", "SLOTS"):
            if shard[0] <= slot <= shard[1]:
                port, name = shard[2][1], shard[2][2].decode()
                return next(n for n in self.nodes if n.port == port), name
        raise AssertionError(f"slot {slot} is not served")

    def alive(self):
        return next(node for node in self.nodes if node.is_running())

    def replica_of(self, master):
        """A replica that has all that the master has.  Redis 7.0 sends it nothing for
        up to a second after it says that it is connected."""
        _, written, replicas = master.ask("ROLE")
        replica = next(n for n in self.nodes if n.port == int(replicas[0][1]))
        wait_until(lambda: replica.ask("ROLE")[4] >= written, "the replica's copy")
        return replica

    def masters_but(self, *others):
        return [n for n in self.nodes if n not in others and n.ask("ROLE")[0] == b"master"]

    def start_moving(self, slot, new):
        """To another master.  Return the one that has the slot."""
        old, old_id = self.node_of(slot)
        new.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", old_id)
        old.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", new.ask("CLUSTER", "MYID"))
        return old

    def end_moving(self, slot, old, new):
        """Once all of it is there."""
        for node in (new, old, *self.masters_but(new, old)):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", new.ask("CLUSTER", "MYID"))
        wait_until(lambda: all(self.node_of(slot, n)[0] is new
                               for n in self.nodes if n.is_running()), "the slot's new node")

    @staticmethod
    def migrate(old, new, *names):
        old.ask("MIGRATE", "127.0.0.1", new.port, "", 0, 20000, "KEYS", *names)

    def move(self, slot, new):
        """A slot, with all that is in it."""
        old = self.start_moving(slot, new)
        names = old.ask("CLUSTER", "GETKEYSINSLOT", slot, 1000)
        if names:
            self.migrate(old, new, *names)
        self.end_moving(slot, old, new)

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
    def test_each_master_is_tried_out(self):
        gate = self.gate()
        done = self.check_connect(gate)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = [line.split(": ")[0] for line in done.stdout.splitlines()
                 if line.startswith("redis ")]
        first = self.node_of(self.alive().ask("CLUSTER", "KEYSLOT", "drip:topology"))[0]
        self.assertEqual(sorted(lines), sorted(
            "redis cluster" if node is first else f"redis {self.address(node)}"
            for node in self.masters_but()))

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


    def test_replicas_of_all_masters_are_waited_for(self):
        gate = self.gate(wait_replicas=1)
        keys = [f"login:{i}" for i in range(20)]
        for key in keys:
            self.assertEqual(self.redis_level(gate, key), 1)
        for node in self.masters_but():
            found = re.search(r"cmdstat_wait:calls=(\d+)",
                              node.ask("INFO", "commandstats").decode())
            self.assertGreater(int(found[1]), 0)


class ControlTest(Case):
    def test_limits_in_a_cluster_are_loaded_and_followed(self):
        gate = self.daemon(settings={
            "store": {"type": "redis"}, "limits": {"source": "redis"},
            "control": {"limits_key": "{dripgate}limits", "errors_key": "{dripgate}errors",
                        "poll": "1h"},
            "redis": {"topology": "cluster", "partitions": PARTITIONS,
                      "hosts": " ".join(map(self.address, self.nodes)),
                      **harness.PATIENT["redis"]}})
        limits = os.path.join(self.folder, "limits.ini")
        for capacity in (7, 8):
            with open(limits, "w", encoding="utf-8") as file:
                file.write(f"[all]\nmatch = *\ncapacity = {capacity}\nrecharge = 1h\n")
            said = self.tool(gate, "limits", "load", limits)
            wait_until(lambda c=capacity: fields(gate.ask("peek x")).get("capacity") == str(c),
                       f"capacity {capacity}; {said}; {gate.log()}")
        self.assertEqual(self.redis_level(gate, "x"), 1)
        wait_until(lambda: "  current\n" in self.tool(gate, "fleet"), "the report")
        slot = self.alive().ask("CLUSTER", "KEYSLOT", "{dripgate}limits")
        self.promote(self.replica_of(self.node_of(slot)[0]))
        with open(limits, "w", encoding="utf-8") as file:
            file.write("[all]\nmatch = *\ncapacity = 9\nrecharge = 1h\n")

        def loaded():
            self.tool(gate, "limits", "load", limits)
            return fields(gate.ask("peek x"))["capacity"] == "9"

        wait_until(loaded, f"capacity 9; {gate.log()}")

    def test_a_change_of_topology_is_written_once(self):
        gate = self.gate()
        gate.kill()  # it writes, too
        for node in self.nodes:
            node.ask("CONFIG", "RESETSTAT")
        self.assertIn("to   partitions=4\n", self.tool(gate, "topology", "set", "partitions=4"))
        calls = [re.findall(r"cmdstat_set:calls=(\d+)", node.ask("INFO", "commandstats").decode())
                 for node in self.masters_but()]
        self.assertEqual(sum(calls, []), ["1"])

    @staticmethod
    def tool(gate, *arguments):
        result = subprocess.run([harness.DRIPGATE, "-c", gate.config_path, *arguments],
                                capture_output=True, text=True, check=False,
                                timeout=harness.PATIENCE)
        return result.stdout + result.stderr


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
            new = self.masters_but(self.node_of(slot)[0])[0]
            old = self.start_moving(slot, new)
            self.decide(gate, "login:1", level + 1)
            self.migrate(old, new, name)
            self.decide(gate, "login:1", level + 2)  # ASK
            self.decide(gate, "login:1", level + 3)
            self.end_moving(slot, old, new)
            self.decide(gate, "login:1", level + 4)  # MOVED
            level += 4

    def test_a_slot_that_is_half_moved_falls_back_alone_and_changes_nothing(self):
        gate = self.gate()
        both = "mconsume login:{t} 1 other:{t} 1"
        keys = [f"login:{i}" for i in range(12)]
        for key in ("login:{t}", *keys):
            self.redis_level(gate, key)
        self.assertEqual(fields(gate.ask(both))["from"], "redis")
        name, slot = self.hash_of("login:{t}")
        rest = {key for key in keys if self.hash_of(key)[1] != slot}
        level = 2
        for _ in range(TIMES):
            new = self.masters_but(self.node_of(slot)[0])[0]
            old = self.start_moving(slot, new)
            self.migrate(old, new, name)
            for _ in range(3):
                self.assertEqual(fields(gate.ask(both))["from"], "fallback")  # TRYAGAIN
                for key in rest:
                    self.assertEqual(fields(gate.ask(f"consume {key}"))["from"], "redis")
            self.decide(gate, "login:{t}", level + 1)  # ASK
            self.migrate(old, new, *old.ask("CLUSTER", "GETKEYSINSLOT", slot, 1000))
            said = fields(gate.ask(both))
            self.assertEqual((said["from"], said["level"]), ("redis", str(level + 2)))
            self.end_moving(slot, old, new)
            self.decide(gate, "login:{t}", level + 3)
            level += 3

    def test_a_master_that_gives_up_its_role_is_followed(self):
        gate = self.gate()
        self.assertEqual(self.redis_level(gate, "login:1"), 1)
        _, slot = self.hash_of("login:1")
        for i in range(TIMES):
            wait_until(lambda: self.has_replica(self.node_of(slot)[0]), "the master's replica")
            master = self.node_of(slot)[0]
            replica = self.replica_of(master)
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
        done = self.check_connect(gate)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"redis {self.address(dead)}: connect: Connection refused", done.stderr)
        self.promote(replica)
        for key in lost:
            self.redis_level(gate, key)  # Redis decides again

    def test_the_rights_that_acl_prints_are_enough_for_a_failover(self):
        hosts = " ".join(map(self.address, self.nodes))
        (_, _, rights), *_ = harness.redis_users(
            self.folder, "[store]\ntype = redis\n[redis]\ntopology = cluster\n"
            f"partitions = {PARTITIONS}\nhosts = {hosts}\n")
        for node in self.nodes:
            node.ask("ACL", "SETUSER", "gate", "reset", "on", ">secret", "resetchannels", *rights)
        gate = self.gate(username="gate", password="secret")
        keys = [f"login:{i}" for i in range(20)]
        for key in keys:
            self.assertEqual(self.redis_level(gate, key), 1)
        dead = self.node_of(self.hash_of(keys[0])[1])[0]
        replica = self.replica_of(dead)
        dead.kill()
        self.promote(replica)
        for key in keys:
            self.redis_level(gate, key)
        self.assertNotIn("NOPERM", gate.log())

    def test_nodes_that_the_seed_named_are_asked_when_it_is_dead(self):
        seed = next(n for n in self.nodes if n.ask("ROLE")[0] == b"slave")
        gate = self.gate(self.address(seed))
        keys = [f"login:{i}" for i in range(20)]
        for key in keys:
            self.assertEqual(self.redis_level(gate, key), 1)
        replicated = seed.ask("ROLE")[2]
        seed.kill()
        master = next(n for n in self.nodes if n is not seed and n.port != replicated
                      and n.ask("ROLE")[0] == b"master")
        self.promote(self.replica_of(master))
        master.kill()
        for key in keys:
            self.redis_level(gate, key)


@unittest.skipUnless(LONG, "takes minutes: make check-long")
class LoadCase(Case):
    """One key a partition, asked about all the time, while something happens."""

    def setUp(self):
        super().setUp()
        # A partition of each master, with a time-out that is over before the election.
        self.one = self.gate(connect_timeout="500ms", socket_timeout="500ms")
        self.keys = [f"login:{i}" for i in range(12)]
        for key in self.keys:
            self.redis_level(self.one, key)

    def masters(self):
        return {key: self.node_of(self.hash_of(key)[1])[0] for key in self.keys}

    def ask_until(self, done, lost):
        """Ask about all keys until that; those that are not lost never fall back."""
        end = time.monotonic() + harness.PATIENCE
        while not done():
            self.assertLess(time.monotonic(), end, "no new master")
            for key in self.keys:
                said = fields(self.one.ask(f"consume {key}"))
                if key not in lost:
                    self.assertEqual(said["from"], "redis", self.one.log())

    def back(self, lost):
        """How long it takes until Redis decides about all keys again."""
        since = time.monotonic()
        for key in lost:
            self.redis_level(self.one, key)
        return time.monotonic() - since

    def fail_over(self, victim, by, undo):
        """Under load.  Return how long Redis was not back after it."""
        lost = {key for key, master in self.masters().items() if master is victim}
        replica = self.replica_of(victim)
        by(victim)
        self.ask_until(lambda: replica.ask("ROLE")[0] == b"master", lost)
        took = self.back(lost)
        undo(victim)
        wait_until(lambda: all(map(self.is_complete, self.nodes)), "the cluster")
        wait_until(self.all_agree, "the nodes to agree")
        return took

    def all_agree(self):
        """Whether all nodes say the same about the keys' slots."""
        try:
            return all(len({self.node_of(self.hash_of(key)[1], node)[1]
                            for node in self.nodes}) == 1 for key in self.keys)
        except AssertionError:
            return False  # one knows no owner of a slot

    def check_failing(self, by, undo=lambda victim: None):
        took = []
        for i in range(TIMES):
            masters = sorted(set(self.masters().values()), key=lambda n: n.port)
            took.append(self.fail_over(masters[i % len(masters)], by, undo))
        print(f"back after {sorted(took)[len(took) // 2]:.2f} s, at most {max(took):.2f} s")
        self.assertLess(sorted(took)[len(took) // 2], 1)


class LoadTest(LoadCase):
    """Masters fail, slots move, the whole cluster starts again."""

    def test_a_master_that_is_killed_touches_its_partitions_alone(self):
        self.check_failing(lambda victim: victim.kill(),
                           lambda victim: self.restart(self.nodes.index(victim)))

    def test_a_master_that_is_stopped_touches_its_partitions_alone(self):
        self.check_failing(lambda victim: victim.send(signal.SIGSTOP),
                           lambda victim: victim.send(signal.SIGCONT))

    def test_a_master_that_is_replaced_touches_its_partitions_alone(self):
        self.check_failing(lambda victim: self.promote(self.replica_of(victim)))

    def hand_over(self, victim):
        """With the master's consent.  It may run out of time, and is tried again.  If
        Redis 7.0 takes it back at once, the master answers nothing for 5 s."""
        replica = self.replica_of(victim)

        def is_master():
            return replica.ask("ROLE")[0] == b"master"

        for _ in range(5):
            replica.ask("CLUSTER", "FAILOVER")
            try:
                wait_until(is_master, "the new master", 6)
                return
            except AssertionError:
                pass
        raise AssertionError(replica.log() + victim.log())

    def test_a_master_that_hands_over_touches_its_partitions_alone(self):
        self.check_failing(self.hand_over)

    def test_a_node_that_is_added_and_removed_is_followed(self):
        slots = {self.hash_of(key)[1]: key for key in self.keys}
        new = self.node(len(self.nodes))
        self.nodes.append(new)
        for i in range(TIMES):
            self.redis_cli("add-node", self.address(new), self.address(self.nodes[0]))
            wait_until(lambda: all(n.ask("CLUSTER", "NODES").count(b"\n") == len(self.nodes)
                                   for n in self.nodes), "the new node")
            wait_until(lambda: b"cluster_state:ok" in new.ask("CLUSTER", "INFO"), "its view")
            slot, key = sorted(slots.items())[i % len(slots)]
            old = self.node_of(slot)[0]
            for to in new, old:
                self.move(slot, to)
                self.ask_all()
            self.redis_cli("del-node", self.address(self.nodes[0]),
                           new.ask("CLUSTER", "MYID").decode())
            self.ask_all()
            new.ask("CLUSTER", "RESET", "HARD")  # the others forget it for a minute

    @staticmethod
    def redis_cli(*words):
        subprocess.run(["redis-cli", "--cluster", *words], check=True,
                       stdout=subprocess.DEVNULL, timeout=harness.PATIENCE)

    def ask_all(self):
        """Redis decides about all keys, at once."""
        for key in self.keys:
            self.assertEqual(fields(self.one.ask(f"consume {key}"))["from"], "redis",
                             self.one.log())

    def test_a_cluster_that_starts_again_decides_again(self):
        for _ in range(TIMES):
            for node in self.nodes:
                node.kill()
            for i in range(len(self.nodes)):
                self.restart(i)
            wait_until(lambda: all(map(self.is_complete, self.nodes)), "the cluster")
            self.back(self.keys)


class PartedTest(LoadCase):
    """A master does not hear the others, nor they it; its clients reach all."""

    def setUp(self):
        self.bus = Bus()
        self.addCleanup(self.bus.close)
        super().setUp()

    def node(self, i, **where):
        return super().node(i, bus=self.bus.arguments(i), **where)

    def seat(self, i):
        return f"{super().seat(i)}@{self.bus.port(i)}"

    def test_a_master_that_is_cut_off_touches_its_partitions_alone(self):
        def cut_off(victim):
            self.bus.cut_off(self.nodes.index(victim))

        self.check_failing(cut_off, lambda victim: self.bus.cut_off(None))


if __name__ == "__main__":
    harness.main()
