"""Where the servers are: by URL, and spread over several."""

import re
import signal
import subprocess

import harness
from harness import PATIENT, converse, fields, wait_until

LIMITS = """
[login]
match = login:*
capacity = 1000
recharge = 60s

[mail]
match = mail:*
algorithm = fixed_window
capacity = 1000
window = 30d

[short]
match = short:*
capacity = 1
recharge = 100ms
"""

PASSWORD = "a@b/c?d#e%f:g h"
ESCAPED = "a%40b%2Fc%3Fd%23e%25f%3Ag h"


class UrlTest(harness.Case):
    """The server as a URL, in the file or in the environment."""

    def gate(self, url=None, variable=None, **redis):
        settings = {"store": {"type": "redis"}, "redis": {**PATIENT["redis"], **redis}}
        if url:
            settings["redis"]["url"] = url
        return self.daemon(settings=settings,
                           env={"DRIPGATE_REDIS_URL": variable} if variable else None)

    def check_decides(self, gate, server, database):
        self.assertIn(" from=redis", gate.ask("consume login:1"))
        with server.connect() as link:
            link.ask("AUTH", PASSWORD)
            link.ask("SELECT", database)
            self.assertEqual(link.ask("KEYS", "drip:login"), [b"drip:login"])

    def test_a_server_by_url(self):
        server = self.redis("--requirepass", PASSWORD)
        url = f"redis://:{ESCAPED}@127.0.0.1:{server.port}"
        gate = self.gate(url + "/3")
        self.check_decides(gate, server, 3)
        self.check_decides(self.gate(variable=url + "/4"), server, 4)
        self.check_decides(
            self.gate("redis://192.0.2.1", url, db=5), server, 5)
        self.check_decides(self.gate(
            f"unix://default:{ESCAPED}@{server.path}?db=6"), server, 6)
        self.assertNotIn(ESCAPED, gate.log())
        self.assertNotIn(PASSWORD, gate.log())

    def test_what_the_url_says_cannot_change_without_a_restart(self):
        server = self.redis("--requirepass", PASSWORD)
        gate = self.gate(f"redis://:{ESCAPED}@127.0.0.1:{server.port}/3")
        gate.settings["redis"]["url"] = f"redis://:other@127.0.0.1:{server.port}/4"
        gate.write_config()
        log = gate.reload()
        self.assertIn("[redis] db changed: takes effect at the next", log)
        self.assertIn("[redis] password changed: takes effect at the next", log)
        self.assertNotIn("other", log)
        self.check_decides(gate, server, 3)
        gate.settings["redis"]["url"] = "redis://:se@same@h"
        gate.write_config()
        log = gate.reload()
        self.assertIn("[redis] url: in its user or password @ is written %40", log)
        self.assertNotIn("same", log)
        self.check_decides(gate, server, 3)


class ShardedTest(harness.Case):
    """Several servers, which know nothing of each other, share the keys."""

    # With 16, one of three servers would have none of them once in 200 times: where they
    # are depends on the ports.
    PARTITIONS = 64

    def servers(self, count):
        return [self.redis() for _ in range(count)]

    def gate(self, servers, settings=None, **redis):
        return self.daemon(LIMITS, {
            "store": {"type": "redis"}, **(settings or {}),
            "redis": {**PATIENT["redis"], "topology": "sharded",
                      "partitions": self.PARTITIONS, "hosts": self.hosts(servers), **redis}})

    @staticmethod
    def hosts(servers):
        return " ".join(f"127.0.0.1:{server.port}" for server in servers)

    @staticmethod
    def hashes(server, limit="login"):
        """{hash: its keys} of a limit on a server."""
        return {name.decode(): {key.decode() for key in server.ask("HKEYS", name)}
                for name in server.ask("KEYS", f"drip:*:{limit}")}

    @staticmethod
    def set_topology(gate, *words):
        subprocess.run([harness.DRIPGATE, "-c", gate.config_path, "topology", "set", *words],
                       check=True, stdout=subprocess.DEVNULL)

    def consume(self, gate, keys, amount=1):
        """{key: fields of its response}, all asked for at once."""
        text = "".join(f"consume {key} {amount}\n" for key in keys).encode()
        lines = converse(gate.path, text)[0].decode().splitlines()
        return {key: fields(line) for key, line in zip(keys, lines, strict=True)}

    def test_each_key_is_on_one_server_in_the_hash_of_its_partition(self):
        servers = self.servers(3)
        gate, other = self.gate(servers), self.gate(servers, {"workers": {"count": 2}})
        keys = [f"login:{i}" for i in range(3000)] + [f"mail:{i}" for i in range(300)]
        for level, daemon in enumerate((gate, other, gate), 1):
            for key, said in self.consume(daemon, keys).items():
                self.assertEqual((said["from"], said["level"]), ("redis", str(level)), key)
        names, found, used = set(), [], 0
        for server in servers:
            mine = {name: held for limit in ("login", "mail:w")
                    for name, held in self.hashes(server, limit).items()}
            self.assertFalse(names & set(mine), "a partition is on two servers")
            names |= set(mine)
            found += [key for held in mine.values() for key in held]
            used += bool(mine)
        self.assertEqual(sorted(found), sorted(keys))
        # Where a partition is depends on the ports: one server may have none.
        self.assertGreater(used, 1)
        self.assertEqual(len([name for name in names if name.endswith(":login")]),
                         self.PARTITIONS)
        tags = {re.fullmatch(r"drip:({\d+}):.*", name)[1] for name in names}
        self.assertEqual(len(tags), self.PARTITIONS)
        explained = "\n".join(self.explain(gate, "login:7"))
        name = next(name for server in servers for name, held in self.hashes(server).items()
                    if "login:7" in held)
        self.assertIn(f"field login:7 of hash {name}", explained)

    def explain(self, gate, key):
        with gate.connect() as client:
            return client.ask_many(f"EXPLAIN {key}")

    def test_keys_with_one_tag_are_together(self):
        servers = self.servers(2)
        self.consume(self.gate(servers), [f"login:{i}:{{tag}}" for i in range(100)])
        held = [keys for server in servers for keys in self.hashes(server).values()]
        self.assertEqual([len(keys) for keys in held], [100])

    def placed(self, servers):
        """{key: index of its server}"""
        return {key: index for index, server in enumerate(servers)
                for keys in self.hashes(server).values() for key in keys}

    def test_trouble_on_one_server_touches_no_key_of_the_others(self):
        servers = self.servers(3)
        gate = self.gate(servers, socket_timeout="2s")
        keys = [f"login:{i}" for i in range(300)]
        self.consume(gate, keys)
        where = self.placed(servers)
        self.assertEqual(set(where.values()), {0, 1, 2})
        with gate.connect() as client:
            self.assertEqual(client.ask("READY"), "READY redis")
        servers[1].send(signal.SIGSTOP)
        mine = [key for key in keys if where[key] == 1][0]
        wait_until(lambda: " from=fallback" in gate.ask(f"consume {mine}"), "the fallback")
        self.check_only_fallback(gate, keys, where)
        servers[1].send(signal.SIGCONT)
        wait_until(lambda: " from=redis" in gate.ask(f"consume {mine}"), "its return")
        servers[1].kill()
        wait_until(lambda: " from=fallback" in gate.ask(f"consume {mine}"), "the fallback")
        self.check_only_fallback(gate, keys, where)
        self.started(harness.Redis(self.folder, port=servers[1].port))
        wait_until(lambda: " from=redis" in gate.ask(f"consume {mine}"), "its return")
        self.assertEqual({said["from"] for said in self.consume(gate, keys).values()},
                         {"redis"})

    def check_only_fallback(self, gate, keys, where):
        for _ in range(5):
            for key, said in self.consume(gate, keys).items():
                self.assertEqual(said["from"], "fallback" if where[key] == 1 else "redis", key)
        self.assertEqual(gate.stats()["redis_ready"], 0)
        with gate.connect() as client:
            self.assertEqual(client.ask("READY"), "READY fallback")

    def test_a_server_that_is_missing_at_the_start(self):
        servers = self.servers(2)
        servers[1].kill()
        gate = self.gate(servers)
        sources = {said["from"] for said in
                   self.consume(gate, [f"login:{i}" for i in range(100)]).values()}
        self.assertEqual(sources, {"redis", "fallback"})

    def test_a_server_that_is_added_takes_its_share(self):
        servers = self.servers(3)
        keys = [f"login:{i}" for i in range(1000)]
        gate = self.gate(servers[:2])
        self.consume(gate, keys)
        before = self.placed(servers)
        self.set_topology(gate, "hosts=" + self.hosts(servers).replace(" ", ","))
        said = self.consume(self.gate(servers), keys)
        new = {key for held in self.hashes(servers[2]).values() for key in held}
        self.assertTrue(new)
        for key in keys:
            self.assertEqual(said[key]["level"], "1" if key in new else "2")
        after = self.placed(servers)
        self.assertEqual({key for key in keys if before[key] != after[key]}, new)

    def test_drained_buckets_are_removed_from_each_server(self):
        servers = self.servers(2)
        gate = self.gate(servers, partitions=16)  # each hash has a pass of its own
        self.consume(gate, [f"short:{i}" for i in range(500)])
        self.consume(gate, [f"login:{i}" for i in range(100)])
        wait_until(lambda: not any(self.hashes(server, "short") for server in servers),
                   "the sweep")
        wait_until(lambda: gate.stats()["swept_buckets"] >= 500, "what the sweep counts")
        self.assertEqual(len(self.placed(servers)), 100)

    def test_limits_come_from_the_first_server(self):
        servers = self.servers(2)
        servers[0].ask("ZADD", "limits", 1, "api match=api:* capacity=3 recharge=60s")
        gate = self.gate(servers, {"limits": {"source": "redis"}})
        wait_until(lambda: " limit=api " in gate.ask("consume api:1"), "the limits")

    def test_partitions_of_a_single_server(self):
        server = self.redis()
        gate = self.redis_daemon(server, LIMITS, {
            "redis": {"partitions": 4, **PATIENT["redis"]}})
        self.consume(gate, [f"login:{i}" for i in range(100)])
        self.assertEqual(len(self.hashes(server)), 4)


if __name__ == "__main__":
    harness.main()
