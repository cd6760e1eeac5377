"""What stands in Redis about the topology counts for every daemon."""

import os
import re
import subprocess

import harness
from harness import PATIENT, converse, fields, redis_users, wait_until

LIMITS = """
[login]
match = login:*
capacity = 100000
recharge = 1h

[mail]
match = mail:*
algorithm = fixed_window
capacity = 1000
window = 365d
"""

KEYS = [f"login:{i}" for i in range(400)]


class Case(harness.Case):
    def gate(self, servers, settings=None, **redis):
        if len(servers) > 1:
            redis = {"topology": "sharded", "partitions": 64,
                     "hosts": " ".join(self.names(servers)), **redis}
        else:
            redis = {"host": "127.0.0.1", "port": servers[0].port, **redis}
        return self.daemon(LIMITS, {
            "store": {"type": "redis"}, "redis": {**PATIENT["redis"], **redis},
            **(settings or {})})

    @staticmethod
    def names(servers):
        return [f"127.0.0.1:{server.port}" for server in servers]

    def hosts(self, servers):
        return "hosts=" + ",".join(sorted(self.names(servers)))

    def record(self, server):
        return (server.ask("GET", "drip:topology") or b"").decode()

    def consume(self, gate, keys=tuple(KEYS)):
        """{key: fields of its response}, all asked for at once."""
        text = "".join(f"consume {key}\n" for key in keys).encode()
        lines = converse(gate.path, text)[0].decode().splitlines()
        return {key: fields(line) for key, line in zip(keys, lines, strict=True)}

    def levels(self, gate, keys=tuple(KEYS)):
        """All are Redis's."""
        said = self.consume(gate, keys)
        self.assertEqual({one["from"] for one in said.values()}, {"redis"})
        return {key: int(one["level"]) for key, one in said.items()}

    def tool(self, gate, *words, status=0):
        done = subprocess.run([harness.DRIPGATE, "-c", gate.config_path, "topology", *words],
                              check=False, text=True, capture_output=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def wait_for(self, gate, record):
        """Until a daemon uses it, and its servers reply."""
        wait_until(lambda: f"topology: {record} stands in" in gate.log(), record)
        wait_until(lambda: {one["from"] for one in self.consume(
            gate, ["login:x", *KEYS[:50]]).values()} == {"redis"}, "the servers")

    def says(self, gate):
        return [line for line in gate.log().splitlines() if "topology" in line]


class RecordTest(Case):
    def test_the_first_daemon_writes_it(self):
        server = self.redis()
        gate = self.gate([server])
        self.assertEqual(self.record(server), "partitions=1")
        self.assertEqual(self.levels(gate), dict.fromkeys(KEYS, 1))
        self.assertEqual(self.says(gate), [])
        self.assertEqual(server.ask("HLEN", "drip:login"), len(KEYS))

    def test_it_wins_over_the_settings_of_another_daemon(self):
        """From its first request on."""
        server = self.redis()
        first = self.gate([server], partitions=4)
        self.assertEqual(self.levels(first), dict.fromkeys(KEYS, 1))
        for level, partitions in enumerate((1, 8, 4), 2):
            other = self.gate([server], partitions=partitions)
            self.assertEqual(self.levels(other), dict.fromkeys(KEYS, level))
            lines = self.says(other)
            self.assertEqual(len(lines), 0 if partitions == 4 else 1, lines)
            for line in lines:
                self.assertIn("topology: partitions=4 stands in redis 127.0.0.1:"
                              f"{server.port} and is used, instead of "
                              f"partitions={partitions} of the settings", line)
        with other.connect() as client:
            self.assertRegex("\n".join(client.ask_many("EXPLAIN login:1")),
                             r"hash drip:\{\d+\}:login")

    def test_hosts_win_as_well(self):
        servers = [self.redis() for _ in range(3)]
        first = self.gate(servers)
        for server in servers:
            wait_until(lambda s=server: self.record(s), "the record")
            self.assertEqual(self.record(server), "partitions=64 " + self.hosts(servers))
        self.levels(first)
        alone = self.gate(servers[1:2])
        self.assertEqual(self.levels(alone), dict.fromkeys(KEYS, 2))
        some = self.gate(servers[1:], partitions=32)
        self.assertEqual(self.levels(some), dict.fromkeys(KEYS, 3))

    def test_a_record_that_is_deleted_is_written_again(self):
        server = self.redis()
        gate = self.gate([server], partitions=4)
        self.levels(gate)
        server.ask("DEL", "drip:topology")
        wait_until(lambda: self.record(server) == "partitions=4", "the record")
        self.assertEqual(self.levels(gate), dict.fromkeys(KEYS, 2))

    def test_what_is_no_record_stops_no_one(self):
        server = self.redis()
        server.ask("SET", "drip:topology", "partitions=many")
        gate = self.gate([server])
        self.assertEqual(self.levels(gate), dict.fromkeys(KEYS, 1))
        self.assertIn("key 'drip:topology' is no topology, and ignored: its partitions are no "
                      "number", " ".join(self.says(gate)))
        with server.connect() as link:
            # At once: or the daemon may write its own in between.
            for words in (["MULTI"], ["DEL", "drip:topology"],
                          ["HSET", "drip:topology", "a", "b"], ["EXEC"]):
                link.ask(*words)
        other = self.gate([server])
        self.assertEqual(self.levels(other), dict.fromkeys(KEYS, 2))
        self.assertEqual(len(self.says(other)), 1, other.log())

    def test_a_user_who_may_not_read_it_decides(self):
        server = self.redis()
        rights = redis_users(self.folder, "[store]\ntype = redis\n")[0][2]
        server.ask("ACL", "SETUSER", "gate", "reset", "on", ">secret", "resetchannels",
                   "~drip:login*", "~drip:mail*", *(r for r in rights if r != "~drip:*"))
        gate = self.gate([server], username="gate", password="secret")
        self.assertEqual(self.levels(gate), dict.fromkeys(KEYS, 1))
        self.assertEqual(len(self.says(gate)), 1, gate.log())
        self.assertIn("the topology that stands there is not known", self.says(gate)[0])

    def test_a_daemon_that_starts_without_redis_uses_it_from_the_first_reply_on(self):
        server = self.redis()
        self.levels(self.gate([server], partitions=4))
        server.ask("SAVE")
        server.kill()
        gate = self.gate([server])
        self.assertEqual(fields(gate.ask("consume login:1"))["from"], "fallback")
        again = self.started(harness.Redis(self.folder, port=server.port))
        wait_until(lambda: " from=redis" in gate.ask("consume login:1"), "Redis")
        self.assertEqual(again.ask("HLEN", "drip:login"), 0)


class ChangeTest(Case):
    """plan says what set loses, and daemons follow without a restart."""

    def planned(self, gate, *words):
        """(lost, all) of each limit, and of all."""
        said = self.tool(gate, "plan", *words)
        table = {line.split()[0]: tuple(map(int, line.split()[:0:-1]))
                 for line in said.splitlines() if re.match(r"(login|mail) ", line)}
        lost, buckets = re.search(r"(\d+) of (\d+) buckets move", said).groups()
        return table, (int(lost), int(buckets))

    def test_partitions(self):
        server = self.redis()
        gates = [self.gate([server], partitions=4) for _ in range(2)]
        self.levels(gates[0])
        self.levels(gates[0], ("mail:1", "mail:2"))
        table, both = self.planned(gates[0], "partitions=8")
        self.assertEqual(table["login"][1], len(KEYS))
        self.assertEqual(table["mail"][1], 2)
        self.assertEqual(both, (table["login"][0] + table["mail"][0], len(KEYS) + 2))
        self.assertEqual(self.record(server), "partitions=4")
        said = self.tool(gates[0], "set", "partitions=8")
        self.assertEqual(said, "from partitions=4\nto   partitions=8\n")
        for gate in gates:
            self.wait_for(gate, "partitions=8")
        levels = self.levels(gates[1], KEYS[50:])
        lost = sum(level == 1 for level in levels.values())
        self.assertEqual({1, 2}, set(levels.values()))
        self.assertLessEqual(lost, table["login"][0])
        self.assertEqual(self.levels(gates[0], KEYS[50:]),
                         {key: level + 1 for key, level in levels.items()})
        self.assertEqual(self.tool(gates[0], "show"), "partitions=8\n")

    def test_the_plan_is_exact(self):
        server = self.redis()
        gate = self.gate([server], partitions=4)
        self.levels(gate)
        table, _ = self.planned(gate, "partitions=8")
        gate.stop()
        self.tool(gate, "set", "partitions=8")
        levels = self.levels(self.gate([server], partitions=8))
        self.assertEqual(table["login"][0], sum(level == 1 for level in levels.values()))
        self.assertEqual(self.planned(gate, "partitions=8")[1][0], 0)

    def test_the_plan_reads_on_where_one_scan_does_not_see_all(self):
        """Many hashes of others beside ours, and many buckets in each of ours."""
        server = self.redis()
        keys = tuple(f"login:{i}" for i in range(12_000))
        gate = self.gate([server], partitions=4)
        self.levels(gate, keys)
        server.ask("EVAL", "for i = 1, 5000 do redis.call('HSET', 'drip:' .. i, 'a', 'b') end",
                   "0")
        table, both = self.planned(gate, "partitions=8")
        self.assertEqual(both[1], len(keys))
        gate.stop()
        self.tool(gate, "set", "partitions=8")
        levels = self.levels(self.gate([server], partitions=8), keys)
        self.assertEqual(table["login"][0], sum(level == 1 for level in levels.values()))

    def test_the_plan_counts_what_is_ours_and_nothing_else(self):
        """A prefix is no pattern; a name that only begins as ours is none of ours."""
        server = self.redis()
        gate = self.gate([server], {"store": {"type": "redis", "prefix": "d*p[1]^:"}},
                         partitions=2)
        self.levels(gate)
        names = [name for name in server.ask("KEYS", "*")
                 if server.ask("TYPE", name) == "hash"]
        self.assertEqual(len(names), 2)
        for name in names:
            self.assertTrue(name.startswith(b"d*p[1]^:{") and name.endswith(b"}:login"), name)
            tagged = name[:-len(b"login")]
            for other in (tagged, tagged + b"{login", name + b"\0", tagged + b":login",
                          tagged.replace(b"{", b"{x") + b"login", b"d*p[1]^:login",
                          name.replace(b"d*p[1]^", b"drop1^")):
                server.ask("HSET", other, "login:1", "x", "login:2", "x")
        table, both = self.planned(gate, "partitions=4")
        self.assertEqual(set(table), {"login"})
        self.assertEqual((table["login"][1], both[1]), (len(KEYS), len(KEYS)))

    def test_to_partitions_and_back_everything_moves(self):
        """The hashes of a single partition have other names."""
        servers = [self.redis() for _ in range(2)]
        for server, count, wanted in (servers[0], 1, 4), (servers[1], 4, 1):
            gate = self.gate([server], partitions=count)
            self.levels(gate)
            self.assertEqual(self.planned(gate, f"partitions={wanted}")[1],
                             (len(KEYS), len(KEYS)))
            self.assertEqual(self.planned(gate, f"partitions={count}")[1], (0, len(KEYS)))

    def test_hidden_keys_count_as_lost(self):
        secrets = os.path.join(self.folder, "secrets")
        with open(secrets, "w", encoding="utf-8") as file:
            file.write(32 * "s" + "\n")
        gate = self.gate([self.redis()], {"store": {"type": "redis", "key_secrets": secrets}},
                         partitions=4)
        self.levels(gate)
        self.assertEqual(self.planned(gate, "partitions=8")[1], (len(KEYS), len(KEYS)))
        self.assertIn("keys are hidden", self.tool(gate, "plan", "partitions=8"))
        self.assertEqual(self.planned(gate, "partitions=4")[1], (0, len(KEYS)))

    def test_no_plan_without_all_servers(self):
        """A number that lacks one of them would be taken for all."""
        servers = [self.redis() for _ in range(3)]
        gate = self.gate(servers[:2])
        self.levels(gate)
        last = max(self.names(servers[:2]))
        for server in servers[:2]:
            if f"127.0.0.1:{server.port}" == last:
                server.kill()
        said = self.tool(gate, "plan", self.hosts(servers), status=2)
        self.assertIn(f"Redis at {last}: Connection refused", said)
        self.assertNotIn("buckets move", said)

    def test_hosts(self):
        servers = [self.redis() for _ in range(3)]
        gate = self.gate(servers[:2])
        self.levels(gate)
        _, (lost, buckets) = self.planned(gate, self.hosts(servers))
        self.assertEqual(buckets, len(KEYS))
        self.tool(gate, "set", self.hosts(servers))
        self.wait_for(gate, "partitions=64 " + self.hosts(servers))
        levels = self.levels(self.gate(servers[2:]), KEYS[50:])
        self.assertEqual(set(levels.values()), {1, 2})
        self.assertLessEqual(sum(level == 1 for level in levels.values()), lost)
        self.assertGreater(lost, 0)
        self.assertLess(lost, buckets)

    def test_hosts_that_are_dead_may_go(self):
        servers = sorted((self.redis() for _ in range(3)), key=lambda server: f"{server.port}")
        gate = self.gate(servers)
        self.levels(gate)
        for server in servers:
            wait_until(lambda s=server: self.record(s), "the record")
        while len(servers) > 1:
            servers.pop(0 if len(servers) == 3 else -1).kill()
            self.tool(gate, "set", self.hosts(servers))
            self.wait_for(gate, "partitions=64 " + self.hosts(servers))
            self.levels(gate)
        servers[0].kill()
        self.assertIn("Connection refused", self.tool(gate, "show", status=2))

    def test_a_host_that_was_left_out_while_dead_does_not_count_when_it_is_back(self):
        keeps = "--appendonly", "yes", "--appendfsync", "always"
        gone, rest = self.redis(*keeps), self.redis()
        gate = self.gate([gone, rest])
        wait_until(lambda: self.record(gone) and self.record(rest), "the records")
        gone.kill()
        self.tool(gate, "set", self.hosts([rest]))
        record = "partitions=64 " + self.hosts([rest])
        self.wait_for(gate, record)
        keys = KEYS[50:]  # wait_for() asks for the others
        self.assertEqual(set(self.levels(gate, keys).values()), {1})
        gone = self.redis(*keeps, port=gone.port, path=gone.path)
        wait_until(lambda: b"\nloading:0" in gone.ask("INFO", "persistence"), "its data")
        self.assertEqual(self.record(gone), "partitions=64 " + self.hosts([gone, rest]))
        for level in 2, 3:
            late = self.gate([gone, rest])
            self.wait_for(late, record)
            self.assertEqual(set(self.levels(late, keys).values()), {level})
            late.stop()
            gone.ask("FLUSHALL")
        self.assertEqual(self.tool(gate, "show"), record + "\n")

    def test_half_of_a_change_does_not_count(self):
        """It was written to the last of three servers, when the tool was ended."""
        servers = sorted((self.redis() for _ in range(3)), key=lambda server: server.port)
        gate = self.gate(servers)
        old = "partitions=64 " + self.hosts(servers)
        for server in servers:
            wait_until(lambda s=server: self.record(s) == old, "the records")
        servers[2].ask("SET", "drip:topology", "partitions=64 " + self.hosts(servers[1:]))
        self.assertEqual(self.tool(gate, "show"), old + "\n")

    def test_what_is_no_record_is_replaced(self):
        server = self.redis()
        server.ask("SET", "drip:topology", "partitions=4 hosts=a:1,a:1")
        gate = self.gate([server], partitions=4)
        self.assertIn("partitions=4 (of the settings", self.tool(gate, "show"))
        self.tool(gate, "set", "partitions=8")
        self.wait_for(gate, "partitions=8")

    def test_a_change_that_cannot_be_changes_nothing(self):
        server = self.redis()
        gate = self.gate([server], partitions=4)
        wait_until(lambda: self.record(server), "the record")
        for words, reason in (
                (["partitions=0"], "no number from 1 to 1024"),
                (["partitions=5000"], "no number from 1 to 1024"),
                (["partition=4"], "say partitions=N, hosts="),
                (["partitions=4", "partitions=5"], "say partitions=N, hosts="),
                (["hosts=a"], "its hosts are no list: a is not HOST:PORT"),
                (["hosts="], "its hosts are no list: there is none"),
                (["hosts=a:1,A:1"], "its hosts are no list: a:1 is there twice"),
                (["hosts=" + ",".join(f"h{i}:1" for i in range(1001))], "more than 1000 hosts"),
                (["partitions=1", "hosts=a:1,b:1"], "more hosts than partitions"),
                (["hosts=127.0.0.1:" + str(harness.free_port())], "Connection refused")):
            self.assertIn(reason, self.tool(gate, "set", *words, status=2))
        self.assertEqual(self.record(server), "partitions=4")
        self.levels(gate)
        self.assertEqual(self.says(gate), [])

    def test_in_memory_there_is_none(self):
        gate = self.daemon(LIMITS)
        self.assertIn("no buckets in Redis", self.tool(gate, "show", status=2))


if __name__ == "__main__":
    harness.main()
