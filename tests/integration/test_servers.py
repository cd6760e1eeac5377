"""Servers that are not quite what dripgate needs, or lie behind something: either
they will do, or the log says in one sentence what they are.
"""

import os
import re
import subprocess
import time

import harness
from fake_redis import FakeRedis, array, bulk
from harness import PATIENT, RedisClient, RedisError, fields, free_port, wait_until

LIMITS = """
[login]
match = login:*
capacity = 1000
recharge = 60s

[mail]
match = mail:*
algorithm = fixed_window
capacity = 1000
window = 1d
"""


def encode(reply):
    """As it came from the server."""
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, str):
        return b"+%s\r\n" % reply.encode()
    if isinstance(reply, bytes):
        return bulk(reply)
    return array(*map(encode, reply))


class Twemproxy(FakeRedis):
    """What twemproxy does: it passes on what it knows, and closes the connection
    at what it does not."""

    KNOWN = (b"PING", b"AUTH", b"EVAL", b"EVALSHA", b"GET", b"SET")

    def __init__(self, folder, server):
        self.server = server
        self.links = {}
        self.closed_at = []
        super().__init__(folder)

    def answer(self, peer, words):
        name = words[0].upper()
        if name not in self.KNOWN:
            self.closed_at.append(name)
            return None
        if peer not in self.links:
            self.links[peer] = RedisClient(self.server.path)
        try:
            return encode(self.links[peer].ask(*words))
        except RedisError as error:
            return b"-%s\r\n" % str(error).encode()

    def close(self):
        super().close()
        for link in self.links.values():
            link.close()


class Sentinel(harness.Process):
    def __init__(self, folder, master):
        self.port = free_port()
        path = os.path.join(folder, "sentinel.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"port {self.port}\nbind 127.0.0.1\n"
                       f"sentinel monitor main 127.0.0.1 {master.port} 1\n")
        super().__init__(folder, "sentinel", ["redis-server", path, "--sentinel"])
        wait_until(self.answers, "the sentinel")

    def answers(self):
        try:
            with RedisClient(("127.0.0.1", self.port)) as link:
                return link.ask("PING")
        except OSError:
            return False


class ServersCase(harness.Case):
    def over_tcp(self, port, **settings):
        return self.daemon(LIMITS, {
            "store": {"type": "redis"},
            "redis": {**PATIENT["redis"], "port": port, **settings}})

    def user(self, server, name, *rights):
        server.ask("ACL", "SETUSER", name, "on", "resetchannels", *rights)

    def as_user(self, server, name, password=None, limits=LIMITS):
        redis = {"username": name, **PATIENT["redis"]}
        if password is not None:
            redis["password"] = password
        return self.redis_daemon(server, limits, {"redis": redis})

    def said(self, gate):
        """The warnings, without what is before their text."""
        lines = [line.partition(" warning: redis ") for line in gate.log().splitlines()]
        return [rest.partition(": ")[2] for _, middle, rest in lines if middle]

    def wait_for_warning(self, gate, text, patience=harness.PATIENCE):
        wait_until(lambda: any(text in line for line in self.said(gate)),
                   f"{text}; {self.said(gate)}", patience)

    def check_fallback(self, gate, text):
        """It does not decide there, and the log says so in no more than a line."""
        self.assertIn("from=fallback", gate.ask("consume login:1"))
        self.wait_for_warning(gate, text)
        log = gate.log()
        self.assertNotIn("#!lua", log)
        self.assertNotIn("local ", log)
        self.assertLess(max(map(len, log.splitlines())), 400)


class OtherServers(ServersCase):
    def test_a_sentinel(self):
        sentinel = self.started(Sentinel(self.folder, self.redis()))
        gate = self.over_tcp(sentinel.port)
        self.check_fallback(gate, "is a sentinel: set topology = sentinel, and hosts")

    def test_a_node_of_a_cluster(self):
        node = self.redis("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
        node.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        gate = self.over_tcp(node.port)
        self.check_fallback(gate, "is a node of a cluster: set topology = cluster, and hosts")

    def test_a_replica(self):
        master = self.redis()
        replica = self.redis("--replicaof", "127.0.0.1", str(master.port))
        gate = self.over_tcp(replica.port)
        self.check_fallback(gate, "is a replica: buckets need its master")
        replica.ask("REPLICAOF", "NO", "ONE")
        wait_until(lambda: "from=redis" in gate.ask("consume login:1"), "its promotion")

    def test_a_port_for_tls(self):
        key, certificate = (os.path.join(self.folder, name) for name in ("key", "cert"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
                        "/CN=test", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True)
        port = free_port()
        self.redis("--tls-port", str(port), "--tls-cert-file", certificate,
                   "--tls-key-file", key, "--tls-ca-cert-file", certificate)
        gate = self.over_tcp(port)
        said = "closed the connection without a word, as ports for TLS do"
        self.check_fallback(gate, said)
        tool = subprocess.run([harness.DRIPGATE, "-c", gate.config_path, "fleet"],
                              check=False, capture_output=True, text=True)
        self.assertEqual(tool.returncode, 2)
        self.assertTrue(tool.stderr.startswith(
            f"dripgate: Redis at 127.0.0.1:{port}: {said}"), tool.stderr)

    def test_a_server_without_script_and_hello(self):
        """The names of commands that are not needed."""
        server = self.redis(*(word for name in ("SCRIPT", "HELLO", "INFO", "SELECT")
                              for word in ("--rename-command", name, "")))
        gate = self.over_tcp(server.port)
        self.assertIn("from=redis", gate.ask("consume login:1"))
        self.assertIn("from=redis", gate.ask("consume mail:1"))
        self.wait_for_warning(gate, "its version and maxmemory-policy are not known: does "
                              "not know INFO: it is renamed there")
        self.assertEqual(len(self.said(gate)), 1)

    def test_a_server_without_eval(self):
        server = self.redis("--rename-command", "EVAL", "")
        gate = self.over_tcp(server.port)
        self.check_fallback(gate, "does not know EVAL: it is renamed there, or this is no "
                            "Redis of version 7 or later")

    def test_a_server_without_a_command_of_the_scripts(self):
        server = self.redis("--rename-command", "HSET", "")
        gate = self.over_tcp(server.port)
        self.check_fallback(gate, "does not know HSET, which a script calls")

    def test_a_proxy_that_closes_at_what_it_does_not_know(self):
        server = self.redis()
        proxy = Twemproxy(self.folder, server)
        self.addCleanup(proxy.close)
        gate = self.redis_daemon(proxy, LIMITS, {**PATIENT, "workers": {"count": 2}})
        wait_until(lambda: all("from=redis" in gate.ask("peek login:1") for _ in range(8)),
                   "the proxy")
        wait_until(lambda: b"INFO" in proxy.closed_at, "INFO")
        for line in ("consume login:2", "consume mail:1", "peek login:1") * 5:
            self.assertIn("from=redis", gate.ask(line))
        self.assertNotIn(b"SELECT", proxy.closed_at)
        # Each of four links has found out that HELLO is not known; and one, INFO.
        self.assertLessEqual(proxy.closed_at.count(b"HELLO"), 5)
        self.assertEqual(proxy.closed_at.count(b"INFO"), 1)

    def test_its_links_have_names_there(self):
        server = self.redis()
        server.ask("ZADD", "limits", 1, "all match=* capacity=5 recharge=1h")
        gate = self.daemon(settings={
            "store": {"type": "redis"}, "limits": {"source": "redis"}, "workers": {"count": 2},
            "control": {"node_name": "web 7"}, "redis": {"unix_socket_path": server.path}})
        self.redis_level(gate, "x")

        def names():
            return set(re.findall(rb" name=(\S+)", server.ask("CLIENT", "LIST")))

        roles = "control", "sweep", "topology", "worker-1", "worker-2"
        wait_until(lambda: names() == {b"dripgate-web_7-" + role.encode() for role in roles},
                   "the names")

    def test_database_0_needs_no_select(self):
        server = self.redis()
        self.user(server, "gate", ">x", "~drip:*", "+@all", "-select")
        gate = self.as_user(server, "gate", "x")
        self.assertIn("from=redis", gate.ask("consume login:1"))


class Users(ServersCase):
    def test_a_user_without_a_password(self):
        server = self.redis("--requirepass", "other")
        with server.connect() as link:
            link.ask("AUTH", "other")
            link.ask("ACL", "SETUSER", "gate", "on", "nopass", "~drip:*", "+@all")
        gate = self.as_user(server, "gate")
        self.assertIn("from=redis", gate.ask("consume login:1"))
        with server.connect() as link:
            link.ask("AUTH", "other")
            self.assertIn(b" user=gate ", link.ask("CLIENT", "LIST"))

    def test_a_secret_of_4_kib_with_every_printable_byte(self):
        printable = "".join(map(chr, range(0x20, 0x7f)))
        secret = (printable * 50)[:4096]
        server = self.redis()
        server.ask("CONFIG", "SET", "requirepass", secret)
        quoted = secret.replace('"', '""')
        gate = self.redis_daemon(server, LIMITS, {
            "redis": {"password": f'"{quoted}"', **PATIENT["redis"]}})
        self.assertIn("from=redis", gate.ask("consume login:1"))
        folder = os.path.join(self.folder, "credentials")
        os.mkdir(folder)
        with open(os.path.join(folder, "dripgate.redis-password"), "w",
                  encoding="ascii") as file:
            file.write(secret + "\n")
        gate = self.redis_daemon(server, LIMITS, PATIENT,
                                 env={"CREDENTIALS_DIRECTORY": folder})
        self.assertIn("from=redis", gate.ask("consume login:1"))
        for extra in [], ["--password-file", os.path.join(folder, "dripgate.redis-password")]:
            tool = subprocess.run(
                [harness.DRIPGATE, "-c", gate.config_path, *extra, "reload"], check=False,
                capture_output=True, text=True, env={"CREDENTIALS_DIRECTORY": folder})
            self.assertEqual((tool.returncode, tool.stderr), (0, ""))
            self.assertIn("reload on control", tool.stdout)

    def test_a_secret_that_is_too_long_is_refused_by_its_file(self):
        folder = os.path.join(self.folder, "credentials")
        os.mkdir(folder)
        path = os.path.join(folder, "dripgate.redis-password")
        with open(path, "w", encoding="ascii") as file:
            file.write("x" * 4097)
        gate = self.redis_daemon(self.redis(), LIMITS, PATIENT, wait=False,
                                 env={"CREDENTIALS_DIRECTORY": folder})
        self.assertEqual(gate.wait(), 1)
        self.assertIn(f"{path}: ", gate.log())
        self.assertNotIn("xxxx", gate.log())

    def test_the_tool_is_a_user_without_a_password(self):
        server = self.redis("--requirepass", "other")
        with server.connect() as link:
            link.ask("AUTH", "other")
            link.ask("ACL", "SETUSER", "ops", "on", "nopass", "&*", "+@all")
        path = os.path.join(self.folder, "ops.ini")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"[redis]\nunix_socket_path = {server.path}\nusername = ops\n")
        tool = subprocess.run([harness.DRIPGATE, "-c", path, "reload"], check=False,
                              capture_output=True, text=True)
        self.assertEqual((tool.returncode, tool.stderr), (0, ""))

    def test_the_right_that_is_missing_is_named(self):
        server = self.redis()
        for name in ("HMGET", "HSET", "PEXPIRE", "TIME"):
            self.user(server, name, ">x", "~drip:*", "+@all", f"-{name}")
            gate = self.as_user(server, name, "x")
            self.check_fallback(gate, f"does not let this user call {name} from a script; "
                                "dripgate acl prints the rights")
        for name in ("evalsha", "eval"):
            server.ask("SCRIPT", "FLUSH")
            self.user(server, name, ">x", "~drip:*", "+@all", f"-{name}")
            gate = self.as_user(server, name, "x")
            self.check_fallback(gate, "does not let this user do that; dripgate acl prints "
                                "the rights that are needed")
            self.assertIn(f"'{name}'", gate.log())

    def test_a_key_that_is_missing(self):
        server = self.redis()
        self.user(server, "gate", ">x", "~other:*", "+@all")
        gate = self.as_user(server, "gate", "x")
        self.check_fallback(gate, "does not let this user do that; dripgate acl")

    def test_a_sweep_that_may_not_is_told_once(self):
        """A pass comes within 15 s, and again in 15."""
        limits = LIMITS.replace("60s", "1ms").replace("[mail]", "[other]\nmatch = other:*\n"
                                                      "capacity = 1\nrecharge = 1ms\n[mail]")
        server = self.redis()
        self.user(server, "gate", ">x", "~drip:*", "+@all", "-hscan")
        gate = self.as_user(server, "gate", "x", limits)
        self.assertIn("from=redis", gate.ask("consume login:1"))
        wait_until(lambda: gate.stats()["sweep_errors"] >= 3, "the sweep", 60)
        self.assertEqual([line for line in self.said(gate) if "drained" in line], [
            "drained buckets stay there: does not let this user call HSCAN from a script; "
            "dripgate acl prints the rights that are needed"])
        self.assertEqual(gate.stats()["swept_buckets"], 0)


class Idle(ServersCase):
    """Redis closes connections that are idle for its timeout."""

    DAEMONS = 8
    ROUNDS = 5

    def test_a_close_while_idle_costs_no_request_and_no_line(self):
        server = self.redis("--timeout", "1")
        gates = [self.redis_daemon(server, LIMITS, PATIENT) for _ in range(self.DAEMONS)]
        clients = [gate.connect() for gate in gates]
        for client in clients:
            self.addCleanup(client.close)
        lines = [len(gate.log().splitlines()) for gate in gates]
        before = self.connections(server)
        rounds, missed = 0, []
        # More of them while a busy Redis is late to close.
        while rounds < self.ROUNDS or rounds < 4 * self.ROUNDS and \
                self.connections(server) - before <= self.DAEMONS * 2:
            # The close comes within a tenth of a second: now and then meet it.
            time.sleep(1.05 + 0.025 * (rounds % self.ROUNDS))
            # A Redis that halts closes a connection with a request in it, unread; or with
            # one of the sweep's.
            missed += [reply for reply in (client.ask("consume login:1") for client in clients)
                       if fields(reply)["from"] != "redis"]
            rounds += 1
        self.assertLess(len(missed), rounds)  # of eight times as many
        wait_until(lambda: "from=redis" in clients[0].ask("peek login:1"), "Redis")
        self.assertEqual(fields(clients[0].ask("peek login:1"))["level"],
                         str(self.DAEMONS * rounds - len(missed)))
        self.assertGreater(self.connections(server) - before, self.DAEMONS * 2)
        said = [gate.log().splitlines()[had:] for gate, had in zip(gates, lines)]
        self.assertGreater(said.count([]), self.DAEMONS / 2, said)

    @staticmethod
    def connections(server):
        info = server.ask("INFO", "stats").decode()
        return int(info.split("total_connections_received:")[1].split("\r")[0])


if __name__ == "__main__":
    harness.main()
