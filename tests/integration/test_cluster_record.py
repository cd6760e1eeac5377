"""What stands in a cluster about the topology counts for every daemon, at every time."""

import signal
import subprocess

import harness
import test_cluster
from harness import converse, fields, wait_until
from test_cluster import PARTITIONS, TIMES


class RecordTest(test_cluster.Case):
    """All daemons have the partitions that stand in Redis: a key has one bucket."""

    KEYS = [f"login:{i}" for i in range(40)]

    def ask(self, gate, amount=1):
        """{key: (from, level)}, all asked for at once."""
        said = converse(gate.path, "".join(
            f"consume {key} {amount}\n" for key in self.KEYS).encode())[0].decode().splitlines()
        return {key: (one["from"], int(one["level"]))
                for key, one in zip(self.KEYS, map(fields, said), strict=True)}

    def check_all(self, gate, level, amount=1):
        self.assertEqual(self.ask(gate, amount), dict.fromkeys(self.KEYS, ("redis", level)),
                         gate.log())

    def record_slot(self):
        return self.alive().ask("CLUSTER", "KEYSLOT", "drip:topology")

    def set_partitions(self, gate, count):
        done = subprocess.run([harness.DRIPGATE, "-c", gate.config_path, "topology", "set",
                               f"partitions={count}"], capture_output=True, text=True,
                              check=False, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_it_wins_over_the_settings_from_the_first_request_on(self):
        self.check_all(self.gate(), 1)
        for level, partitions in enumerate((3, 12, PARTITIONS), 2):
            self.check_all(self.gate(partitions=partitions), level)

    def test_a_daemon_that_was_away_uses_what_stands_there_when_it_is_back(self):
        here, away = self.gate(), self.gate()
        self.check_all(here, 5, 5)
        self.check_all(away, 6)
        for partitions in (12, 5, PARTITIONS) * TIMES:
            away.send(signal.SIGSTOP)
            for node in self.masters_but():
                node.ask("CLIENT", "KILL", "TYPE", "normal")
            line = f"topology: partitions={partitions} stands in redis"
            before = here.log().count(line)
            self.set_partitions(here, partitions)
            wait_until(lambda text=line, b=before: here.log().count(text) > b, "the change")
            wait_until(lambda: {f for f, _ in self.ask(here).values()} == {"redis"}, "Redis")
            level = {key: level for key, (_, level) in self.ask(here).items()}
            away.send(signal.SIGCONT)
            self.check_back(away, level)

    def check_back(self, away, level):
        """It never decides by a bucket of its own."""
        seen = set()

        def is_back():
            said = self.ask(away)
            for key, (source, found) in said.items():
                if source == "redis":
                    seen.add(key)
                    level[key] += 1
                    self.assertEqual(found, level[key], (key, away.log()))
            return len(seen) == len(self.KEYS)

        wait_until(is_back, "its decisions")

    def test_a_daemon_that_cannot_know_it_does_not_decide_by_its_settings(self):
        """The master that has the record is dead when the daemon starts."""
        self.check_all(self.gate(), 1)
        dead = self.node_of(self.record_slot())[0]
        replica = self.replica_of(dead)
        dead.kill()
        gate = self.gate(partitions=12, connect_timeout="250ms")
        self.assertEqual({source for source, _ in self.ask(gate).values()}, {"fallback"})
        wait_until(lambda: "not used until it is known which topology" in gate.log(), "the log")
        self.promote(replica)
        self.check_back(gate, self.levels_in_redis())
        wait_until(lambda: f"topology: partitions={PARTITIONS} stands in redis" in gate.log(),
                   "the log")

    def levels_in_redis(self):
        """{key: 1}, or 0 where the replica had not got it yet."""
        found = dict.fromkeys(self.KEYS, 0)
        for node in (n for n in self.nodes if n.is_running()):
            if node.ask("ROLE")[0] != b"master":
                continue
            for name in node.ask("KEYS", "drip:*:login"):
                found.update(dict.fromkeys((k.decode() for k in node.ask("HKEYS", name)), 1))
        return found

    def test_a_record_that_is_on_its_way_to_another_node_is_waited_for(self):
        self.check_all(self.gate(), 1)
        slot = self.record_slot()
        new = self.masters_but(self.node_of(slot)[0])[0]
        old = self.start_moving(slot, new)
        self.migrate(old, new, "drip:topology")
        gate = self.gate(partitions=12, connect_timeout="250ms")
        self.assertEqual({source for source, _ in self.ask(gate).values()}, {"fallback"})
        rest = old.ask("CLUSTER", "GETKEYSINSLOT", slot, 1000)
        if rest:
            self.migrate(old, new, *rest)
        self.end_moving(slot, old, new)
        self.check_back(gate, dict.fromkeys(self.KEYS, 1))


if __name__ == "__main__":
    harness.main()
