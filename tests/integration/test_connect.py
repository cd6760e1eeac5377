"""dripgated --check --connect: each thing that is wrong with a server is a sentence
in a line of its own; where nothing is, a line says what was found."""

import os
import re
import socket
import struct
import subprocess
import tempfile
import threading
import time

import harness
from certificates import Authority
from fake_redis import FakeRedis, array, bulk
from harness import PATIENT, free_port, redis_users, wait_until

HOUR = 3600 * 1000000

SOURCE = "source = redis\n"


class SlowWay:
    """To a server's Unix socket; each reply takes a while."""

    def __init__(self, folder, server, seconds):
        self.path = os.path.join(folder, "slow.sock")
        self.server, self.seconds = server, seconds
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(8)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.server)
            for ends in (client, server, 0), (server, client, self.seconds):
                threading.Thread(target=self.pass_on, args=ends, daemon=True).start()

    @staticmethod
    def pass_on(source, target, seconds):
        try:
            while data := source.recv(65536):
                time.sleep(seconds)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()


class OtherServer(FakeRedis):
    """A server that replies otherwise to some commands: {name: bytes; None: it closes
    the connection}."""

    def __init__(self, folder, replies):
        self.said = replies
        super().__init__(folder)

    def answer(self, peer, words):
        name = words[0].upper().decode()
        if name in self.said:
            return self.said[name]
        if name == "TIME":
            return self.clock(0)
        if name == "EVAL":
            return b":1\r\n"
        return super().answer(peer, words)

    @staticmethod
    def clock(ahead):
        now = time.time_ns() // 1000
        return array(bulk(now // 1000000 + ahead), bulk(now % 1000000))


class Case(harness.Case):
    def run_check(self, limits="", **redis):
        """For buckets in Redis, with limits from a file, unless others are given."""
        path = os.path.join(self.folder, "check.ini")
        limits_path = os.path.join(self.folder, "check-limits.ini")
        with open(limits_path, "w", encoding="utf-8") as file:
            file.write(harness.LIMITS)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[limits]\nfile = {limits_path}\n{limits}"
                       "[store]\ntype = redis\n[redis]\n")
            file.writelines(f"{name} = {value}\n"
                            for name, value in {**PATIENT["redis"], **redis}.items())
        return subprocess.run(
            [harness.DRIPGATED, "-c", path, "--check", "--connect"], check=False, text=True,
            capture_output=True)

    def check_fine(self, **settings):
        """Nothing is wrong.  Return its standard output, and the lines of its other."""
        done = self.run_check(**settings)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout, done.stderr.splitlines()

    def check_wrong(self, *texts, **settings):
        """These texts are wrong, a line each, and nothing else."""
        done = self.run_check(**settings)
        lines = done.stderr.splitlines()
        self.assertEqual(done.returncode, 1, lines)
        for text in texts:
            self.assertEqual(len([line for line in lines if text in line]), 1, (text, lines))
        self.assertEqual(len(lines), len(texts), lines)


class FineTest(Case):
    def test_what_was_found_is_a_line(self):
        server = self.redis()
        said, lines = self.check_fine(unix_socket_path=server.path)
        self.assertEqual(lines, [])
        self.assertRegex(said.splitlines()[-1], re.escape(f"redis {server.path}: ") +
                         r"a call takes \d+\.\d ms, clocks differ by 0\.\d+ s, \d+ rights, "
                         r"(Redis|Valkey) [\d.]+, noeviction$")

    def test_each_server_has_a_line(self):
        servers = [self.redis() for _ in range(2)]
        said, _ = self.check_fine(topology="sharded", partitions=4, hosts=" ".join(
            f"127.0.0.1:{server.port}" for server in servers))
        for server in servers:
            self.assertIn(f"redis 127.0.0.1:{server.port}: a call takes", said)

    def test_another_topology_that_stands_there_is_no_mistake(self):
        server = self.redis()
        server.ask("SET", "drip:topology", "partitions=4")
        _, lines = self.check_fine(unix_socket_path=server.path)
        self.assertEqual(len(lines), 1)
        self.assertIn("counts: partitions=4, not partitions=1 as in the settings", lines[0])
        _, lines = self.check_fine(unix_socket_path=server.path, partitions=4)
        self.assertEqual(lines, [])

    def test_it_connects_only_with_check(self):
        done = subprocess.run([harness.DRIPGATED, "--connect"], check=False, text=True,
                              capture_output=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("usage:", done.stderr)

    def test_it_writes_nothing(self):
        server = self.redis()
        self.check_fine(unix_socket_path=server.path, limits=SOURCE)
        self.assertEqual(server.ask("KEYS", "*"), [])

    def test_without_a_server_there_is_nothing_to_try_out(self):
        path = os.path.join(self.folder, "memory.ini")
        limits = os.path.join(self.folder, "memory-limits.ini")
        with open(limits, "w", encoding="utf-8") as file:
            file.write(harness.LIMITS)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[limits]\nfile = {limits}\n")
        said = subprocess.run([harness.DRIPGATED, "-c", path, "--check", "--connect"],
                              check=True, text=True, capture_output=True).stdout
        self.assertIn("no server is used", said)

    def test_over_tls(self):
        authority = Authority(self.folder)
        certificate, key = authority.issue("IP:127.0.0.1")
        port = free_port()
        self.redis("--tls-port", str(port), "--tls-cert-file", certificate, "--tls-key-file",
                   key, "--tls-ca-cert-file", authority.path, "--tls-auth-clients", "no")
        tls = {"host": "127.0.0.1", "port": port, "tls": "yes"}
        said, _ = self.check_fine(**tls, ca_file=authority.path)
        self.assertRegex(said, r", TLS\n$")
        self.check_wrong("TLS: ", **tls)


class WrongTest(Case):
    def test_nothing_listens(self):
        self.check_wrong("Connection refused", host="127.0.0.1", port=free_port())

    def test_the_password_is_wrong(self):
        path = self.redis("--requirepass", "secret").path
        self.check_wrong("wants a password", unix_socket_path=path)
        self.check_wrong("takes another", unix_socket_path=path, password="other")
        self.check_fine(unix_socket_path=path, password="secret")

    def test_all_that_is_wrong_is_said_at_once(self):
        server = self.redis("--maxmemory-policy", "allkeys-lru")
        way = SlowWay(self.folder, server.path, 0.02)
        self.addCleanup(way.close)
        self.check_wrong(
            "its maxmemory-policy is allkeys-lru, which may evict buckets: set noeviction",
            "too much for socket_timeout = 50ms: set ",
            unix_socket_path=way.path, socket_timeout="50ms")

    def test_a_clock_that_is_not_ours(self):
        clock = os.path.join(self.folder, "clock")
        with open(clock, "wb") as file:
            file.write(struct.pack("q", -HOUR))
        server = self.redis(env={
            "LD_PRELOAD": os.environ["SET_CLOCK_SO"], "SET_CLOCK": clock})
        done = self.run_check(unix_socket_path=server.path)
        self.assertEqual(done.returncode, 1)
        # The server may have been slow to look at it.
        self.assertRegex(done.stderr, r"^[^\n]*its clock is 3(600|5\d\d)\.\d s behind that of this "
                                      r"machine[^\n]*\n$")

    def test_a_replica(self):
        server = self.redis("--replicaof", "127.0.0.1 1")
        self.check_wrong("is a replica", unix_socket_path=server.path)

    def test_a_node_of_a_cluster(self):
        server = self.redis("--cluster-enabled", "yes", "--cluster-config-file",
                            os.path.join(self.folder, "nodes.conf"))
        self.check_wrong("is a node of a cluster", unix_socket_path=server.path)

    def test_what_it_is_is_known_without_hello(self):
        renamed = "--rename-command", "HELLO", ""
        replica = self.redis(*renamed, "--replicaof", "127.0.0.1 1")
        self.check_wrong("is a replica: set its master", unix_socket_path=replica.path)
        node = self.redis(*renamed, "--cluster-enabled", "yes", "--cluster-config-file",
                          os.path.join(self.folder, "nodes.conf"))
        self.check_wrong("is a node of a cluster", unix_socket_path=node.path)

    def test_a_sentinel(self):
        path = os.path.join(self.folder, "sentinel.conf")
        port = free_port()
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"port {port}\ndir {self.folder}\n")
        self.started(harness.Process(self.folder, "sentinel",
                                     [harness.REDIS_SERVER, path, "--sentinel"]))
        wait_until(lambda: self.listens(port), "the sentinel")
        self.check_wrong("is a sentinel: set topology = sentinel", host="127.0.0.1", port=port)

    @staticmethod
    def listens(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0


class RightsTest(Case):
    """Of a user as dripgate acl prints it."""

    def rights(self, settings="[store]\ntype = redis\n"):
        return redis_users(self.folder, settings)[0][2]

    def allow(self, server, rights):
        """Return the settings to log in with."""
        server.ask("ACL", "SETUSER", "dripgate", "reset", "on", ">secret", "resetchannels",
                   *rights)
        return {"unix_socket_path": server.path, "username": "dripgate",
                "password": "secret"}

    def test_all_that_acl_prints_is_enough(self):
        server = self.redis()
        login = self.allow(server, self.rights(
            "[store]\ntype = redis\n[limits]\nsource = redis\n"))
        for limits in "", SOURCE:
            said, lines = self.check_fine(limits=limits, **login)
            self.assertEqual(lines, [])
            self.assertRegex(said, r" \d+ rights, ")

    def test_each_right_that_is_missing_is_named(self):
        server = self.redis()
        rights = self.rights("[store]\ntype = redis\n[limits]\nsource = redis\n")
        missing = {"+hset": "HSET of drip:check", "+evalsha": "EVALSHA", "+time": "TIME",
                   "+publish": "PUBLISH of errors", "+pexpire": "PEXPIRE of drip:check",
                   "&control": "SUBSCRIBE of control", "%W~errors": "SADD of errors"}
        for right, name in missing.items():
            self.assertIn(right, rights)
            login = self.allow(server, [other for other in rights if other != right])
            done = self.run_check(limits=SOURCE, **login)
            self.assertEqual(done.returncode, 1)
            for line in done.stderr.splitlines():
                self.assertIn("does not let this user call ", line)
            self.assertIn(f"call {name};", done.stderr, right)

    def test_all_rights_that_are_missing_are_named_at_once(self):
        server = self.redis()
        login = self.allow(server, [right for right in self.rights()
                                    if right not in ("+hdel", "+hmget")])
        self.check_wrong("HDEL of drip:check", "HMGET of drip:check", **login)

    def test_without_eval_no_right_is_known(self):
        server = self.redis()
        login = self.allow(server, [right for right in self.rights() if right != "+eval"])
        self.check_wrong("does not let this user call EVAL, so that its other rights", **login)

    def test_info_may_be_refused(self):
        server = self.redis()
        login = self.allow(server, [right for right in self.rights() if right != "+info"])
        _, lines = self.check_fine(**login)
        self.assertEqual(len(lines), 1)
        self.assertIn("its version and maxmemory-policy are not known", lines[0])


class OtherServersTest(Case):
    """Servers as others build, run and hide them."""

    def like(self, **replies):
        folder = tempfile.mkdtemp(dir=self.folder)
        server = OtherServer(folder, replies)
        self.addCleanup(server.close)
        return {"unix_socket_path": server.path}

    def test_valkey_goes_by_its_own_version(self):
        said, lines = self.check_fine(**self.like(INFO=bulk(
            "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.0\r\n"
            "maxmemory_policy:noeviction\r\n")))
        self.assertEqual(lines, [])
        self.assertIn(" rights, Valkey 8.1.0, noeviction\n", said)

    def test_a_node_of_a_cluster_of_valkey(self):
        self.check_wrong("is a node of a cluster: set topology = cluster", **self.like(INFO=bulk(
            "redis_version:7.2.4\r\nserver_mode:cluster\r\nmaxmemory_policy:noeviction\r\n")))

    def test_a_version_that_is_too_old(self):
        self.check_wrong(
            "cannot say which rights this user has",
            "is version 6.2.7: version 7 or later is needed", **self.like(
                EVAL=b"-ERR user_script:1: attempt to call field 'acl_check_cmd'"
                     b" (a nil value)\r\n",
                INFO=bulk("redis_version:6.2.7\r\nmaxmemory_policy:noeviction\r\n")))

    def test_a_policy_that_is_hidden_is_no_mistake(self):
        said, lines = self.check_fine(**self.like(INFO=bulk("redis_version:7.4.0\r\n")))
        self.assertEqual(lines, [])
        self.assertIn(" rights, Redis 7.4.0\n", said)

    def test_what_is_no_text_tells_no_version(self):
        _, lines = self.check_fine(**self.like(INFO=b":1\r\n"))
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("are not known: a strange reply to INFO", lines[0])

    def test_a_script_that_fails_is_said_once(self):
        """It is asked for each right."""
        self.check_wrong("out of luck", **self.like(EVAL=b"-ERR out of luck\r\n"))

    def test_a_command_that_is_not_known_is_named(self):
        done = self.run_check(**self.like(EVAL=b"-ERR Invalid command passed\r\n"))
        self.assertEqual(done.returncode, 1, done.stderr)
        for name in "EVALSHA", "HMGET":
            self.assertRegex(done.stderr, f"does not know {name}.*: it is renamed there")

    def test_a_right_is_had_if_the_reply_says_so(self):
        done = self.run_check(**self.like(EVAL=b":0\r\n"))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("does not let this user call ", done.stderr)
        other = self.run_check(**self.like(EVAL=b"+yes\r\n"))
        self.assertEqual([line.partition("does not")[2] for line in done.stderr.splitlines()],
                         [line.partition("does not")[2] for line in other.stderr.splitlines()])

    def test_a_clock_that_is_ahead_or_behind(self):
        self.check_wrong(" s ahead of that of this machine",
                         **self.like(TIME=OtherServer.clock(100)))
        self.check_wrong(" s behind that of this machine",
                         **self.like(TIME=OtherServer.clock(-100)))

    def test_what_is_no_time_is_not_compared(self):
        for time_ in b"+OK\r\n", array(bulk(1)), array(bulk("x"), bulk("y")):
            said, lines = self.check_fine(**self.like(TIME=time_))
            self.assertEqual(lines, [])
            self.assertNotIn("clocks", said)

    def test_a_server_that_leaves_meanwhile_is_not_fine(self):
        for name in "PING", "TIME", "EVAL", "INFO":
            done = self.run_check(**self.like(**{name: None}))
            self.assertEqual(done.returncode, 1, (name, done.stdout, done.stderr))
            self.assertTrue(done.stderr, name)


if __name__ == "__main__":
    harness.main()
