"""TLS where there is more than one server: sentinels, a cluster, a tunnel in between."""

import os
import shutil
import subprocess
import unittest

import harness
from certificates import Authority
from harness import PATIENT, REDIS_SERVER, Process, Redis, fields, free_port, wait_until

LIMITS = """
[login]
match = login:*
capacity = 100000
recharge = 1h
"""

KEYS = [f"login:{i}" for i in range(20)]


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.pair = self.authority.issue("IP:127.0.0.1")

    def words(self, port, pair=None):
        """What has a server speak TLS, to others like it as well, and to those alone who
        have a certificate."""
        certificate, key = pair or self.pair
        return {"tls-port": port, "tls-cert-file": certificate, "tls-key-file": key,
                "tls-ca-cert-file": self.authority.path, "tls-auth-clients": "yes",
                "tls-replication": "yes"}

    def server(self, *arguments, **more):
        """Its port for TLS is its tls_port; the one without TLS is for nobody."""
        port = free_port()
        words = {**self.words(port), **more}
        server = self.redis(*(part for name, value in words.items()
                              for part in ("--" + name, str(value))), *arguments)
        server.tls_port = port
        return server

    def gate(self, **settings):
        certificate, key = self.pair
        return self.daemon(LIMITS, {"store": {"type": "redis"}, "redis": {
            **PATIENT["redis"], "ca_file": self.authority.path,
            "cert_file": certificate, "key_file": key, **settings}})

    def check_fine(self, gate):
        done = self.check_connect(gate)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Sentinel(Redis):
    """One that speaks nothing but TLS, and lets those in who have its password."""

    PASSWORD = "of their own"

    def __init__(self, folder, master, words):
        Redis.count += 1
        name = f"sentinel-{Redis.count}"
        self.port = words["tls-port"]
        self.path = os.path.join(folder, name + ".sock")
        path = os.path.join(folder, name + ".conf")  # it writes to it
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join([
                "port 0", f"unixsocket {self.path}", f"dir {folder}",
                *(f"{name} {value}" for name, value in words.items()),
                f'requirepass "{self.PASSWORD}"', f'sentinel sentinel-pass "{self.PASSWORD}"',
                f"sentinel monitor mymaster 127.0.0.1 {master} 2", ""]))
        Process.__init__(self, folder, name, [REDIS_SERVER, path, "--sentinel"])
        wait_until(self.answers, name)


class SentinelTest(Case):
    def sentinels(self, master):
        return [self.started(Sentinel(self.folder, master, self.words(free_port())))
                for _ in range(3)]

    def test_sentinels_and_master_are_asked_over_it(self):
        master = self.server()
        hosts = [f"127.0.0.1:{one.port}" for one in self.sentinels(master.tls_port)]
        password = Sentinel.PASSWORD
        gate = self.gate(topology="sentinel", hosts=" ".join(hosts), tls="yes", sentinel_tls="yes",
                         sentinel_password=f'"{password}"')
        self.assertEqual(self.redis_level(gate, KEYS[0]), 1)
        gate = self.gate(url=f"rediss+sentinel://{','.join(hosts)}/mymaster",
                         sentinel_password=f'"{password}"')
        self.assertEqual(self.redis_level(gate, KEYS[0]), 2)
        self.check_fine(gate)


class ClusterTest(Case):
    def redis_cli(self, *words):
        certificate, key = self.pair
        subprocess.run(["redis-cli", "--tls", "--cacert", self.authority.path, "--cert",
                        certificate, "--key", key, "--cluster", *words, "--cluster-yes"],
                       check=True, stdout=subprocess.DEVNULL, timeout=harness.PATIENCE * 4)

    @staticmethod
    def address(node):
        return f"127.0.0.1:{node.tls_port}"

    def check_levels(self, gate, level):
        """At once, by Redis."""
        said = gate.ask(*(f"consume {key}" for key in KEYS))
        self.assertEqual([(fields(line)["from"], fields(line)["level"]) for line in said],
                         [("redis", str(level))] * len(KEYS), gate.log())

    def test_slots_are_found_and_followed_over_it(self):
        nodes = [self.server("--cluster-enabled", "yes", "--cluster-config-file",
                             f"node-{i}.conf", **{"tls-cluster": "yes"}) for i in range(3)]
        self.redis_cli("create", *map(self.address, nodes))
        wait_until(lambda: all(b"cluster_state:ok" in node.ask("CLUSTER", "INFO")
                               for node in nodes), "the cluster")
        gate = self.gate(topology="cluster", partitions=6, tls="yes",
                         hosts=self.address(nodes[0]))
        for key in KEYS:
            self.assertEqual(self.redis_level(gate, key), 1)
        self.check_levels(gate, 2)
        self.assertTrue(all(node.ask("KEYS", "drip:*:login") for node in nodes))
        self.redis_cli("reshard", self.address(nodes[0]), "--cluster-slots", "5461",
                       "--cluster-from", nodes[0].ask("CLUSTER", "MYID").decode(),
                       "--cluster-to", nodes[1].ask("CLUSTER", "MYID").decode())
        self.assertFalse(nodes[0].ask("KEYS", "drip:*:login"))
        self.check_levels(gate, 3)
        self.check_fine(gate)


@unittest.skipUnless(shutil.which("stunnel"), "needs stunnel4")
class TunnelTest(Case):
    def tunnel(self, *lines):
        """Its port."""
        port = free_port()
        path = os.path.join(self.folder, "tunnel.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(["foreground = yes", "pid =", "[redis]",
                                  f"accept = 127.0.0.1:{port}", *lines, ""]))
        self.started(Process(self.folder, "stunnel", ["stunnel", path]))
        return port

    def check_works(self, gate):
        text = "".join(f"consume login:{i}\n" for i in range(2000)).encode()
        said = harness.converse(gate.path, text)[0].decode().splitlines()
        self.assertEqual({fields(line)["from"] for line in said}, {"redis"}, gate.log())
        self.check_fine(gate)

    def test_it_speaks_tls_for_a_server_that_does_not(self):
        certificate, key = self.pair
        port = self.tunnel(f"connect = 127.0.0.1:{self.redis().port}", f"cert = {certificate}",
                           f"key = {key}", f"CAfile = {self.authority.path}",
                           "verifyChain = yes")
        gate = self.gate(port=port, tls="yes")
        wait_until(lambda: fields(gate.ask("peek login:0"))["from"] == "redis", "Redis")
        self.check_works(gate)

    def test_it_speaks_tls_for_us(self):
        certificate, key = self.pair
        port = self.tunnel("client = yes", f"connect = 127.0.0.1:{self.server().tls_port}",
                           f"cert = {certificate}", f"key = {key}",
                           f"CAfile = {self.authority.path}", "verifyChain = yes")
        gate = self.daemon(LIMITS, {"store": {"type": "redis"}, "redis": {
            **PATIENT["redis"], "port": port}})
        wait_until(lambda: fields(gate.ask("peek login:0"))["from"] == "redis", "Redis")
        self.check_works(gate)


if __name__ == "__main__":
    harness.main()
