"""Redis Sentinel: three real sentinels, a master and its replicas, which fail."""

import os
import signal
import subprocess
import threading
import unittest

import harness
from harness import REDIS_SERVER, Client, Process, Redis, fields, free_port, wait_until

LONG = os.environ.get("LONG")

# Without elections, none is to come while the test is kept from the next line.
DOWN_AFTER = 1000 if LONG else 600_000

LIMITS = """
[login]
match = login:*
capacity = 100000
recharge = 1h
"""


class Sentinel(Redis):
    """One that watches the master at a port."""

    def __init__(self, folder, port, *lines):
        Redis.count += 1
        name = f"sentinel-{Redis.count}"
        self.port = free_port()
        self.path = os.path.join(folder, name + ".sock")
        path = os.path.join(folder, name + ".conf")  # it writes to it
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join([
                f"port {self.port}", f"unixsocket {self.path}", f"dir {folder}",
                f"sentinel monitor mymaster 127.0.0.1 {port} 2",
                f"sentinel down-after-milliseconds mymaster {DOWN_AFTER}",
                "sentinel failover-timeout mymaster 5000", *lines, ""]))
        Process.__init__(self, folder, name, [REDIS_SERVER, path, "--sentinel"])
        wait_until(self.answers, name)


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.master = self.redis("--repl-diskless-sync-delay", "0")
        self.replica = self.redis("--replicaof", f"127.0.0.1 {self.master.port}")
        wait_until(lambda: "master_link_status:up" in
                   self.replica.ask("INFO", "replication").decode(), "replication")
        self.sentinels = [self.started(Sentinel(self.folder, self.master.port))
                          for _ in range(3)]
        for sentinel in self.sentinels if LONG else ():
            wait_until(lambda s=sentinel: self.knows_all(s), "the sentinels")

    @staticmethod
    def knows_all(sentinel):
        told = sentinel.ask("SENTINEL", "MASTER", "mymaster")
        about = dict(zip(told[::2], told[1::2]))
        return (about[b"num-other-sentinels"], about[b"num-slaves"],
                about[b"flags"]) == (b"2", b"1", b"master")

    @property
    def hosts(self):
        return " ".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)

    def gate(self, limits=None, **settings):
        return self.daemon(LIMITS, {
            "store": {"type": "redis"}, "limits": limits or {},
            "redis": {"topology": "sentinel", "hosts": self.hosts, "connect_timeout": "2s",
                      "socket_timeout": "500ms", **settings}})

    def promote(self):
        """What an election comes to: on a busy machine it may take minutes, since
        sentinels do nothing for half of one after each halt."""
        self.replica.ask("REPLICAOF", "NO", "ONE")
        for sentinel in self.sentinels:
            sentinel.ask("SENTINEL", "REMOVE", "mymaster")
            sentinel.ask("SENTINEL", "MONITOR", "mymaster", "127.0.0.1", self.replica.port, 2)

    def wait_for_promotion(self):
        """Until all sentinels name the replica, and it is a master."""
        port = str(self.replica.port).encode()
        if not LONG:
            self.promote()
        for sentinel in self.sentinels:
            wait_until(lambda s=sentinel: s.ask(
                "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")[1] == port, "the failover",
                patience=120)
        wait_until(lambda: self.is_master(self.replica), "the new master")

    @staticmethod
    def is_master(server):
        """It closes all connections when it changes its role."""
        try:
            return server.ask("ROLE")[0] == b"master"
        except OSError:
            return None


# Elections take their time: what needs them is for make check-long.
for_long = unittest.skipUnless(LONG, "make check-long runs it")


class FailoverTest(Case):
    def test_the_master_is_killed(self):
        gate = self.gate()
        self.redis_level(gate)
        self.master.kill()
        self.assertIn("from=fallback", gate.ask("consume login:1"))
        self.wait_for_promotion()
        self.redis_level(gate, "login:2")
        self.assertEqual(self.replica.ask("HEXISTS", "drip:login", "login:2"), 1)

    @for_long
    def test_the_master_hangs_and_wakes_up(self):
        """What hung is a replica by then, and never written to."""
        gate = self.gate()
        self.redis_level(gate)
        self.master.send(signal.SIGSTOP)
        self.wait_for_promotion()
        self.redis_level(gate, "login:2")
        self.master.send(signal.SIGCONT)
        wait_until(lambda: self.is_master(self.master) is False, "its demotion")
        for i in range(3, 50):
            self.redis_level(gate, f"login:{i}")
        self.assertEqual(self.replica.ask("HLEN", "drip:login"), 49)

    @for_long
    def test_failovers_under_load(self):
        """Each request has its response, and both take turns as the master."""
        gate = self.gate()
        self.redis_level(gate)
        ended = threading.Event()
        counts = {"redis": 0, "fallback": 0, "denycache": 0}

        def ask():
            with Client(gate.path) as client:
                while not ended.is_set():
                    for line in client.ask(*["consume login:1"] * 20):
                        counts[fields(line)["from"]] += 1

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            for _ in range(2):
                old = next(server for server in (self.master, self.replica)
                           if self.is_master(server))
                wait_until(lambda: self.try_failover(), "a failover")
                wait_until(lambda o=old: self.is_master(o) is False, "its end")
                before = counts["redis"]
                wait_until(lambda b=before: counts["redis"] > b + 100, "decisions by Redis")
        finally:
            ended.set()
            thread.join()
        self.assertGreater(counts["redis"], 0)

    def try_failover(self):
        """The sentinels must have seen the replica that is to be promoted."""
        try:
            return self.sentinels[0].ask("SENTINEL", "FAILOVER", "mymaster") == "OK"
        except harness.RedisError:
            return False

    def test_a_move_is_seen_while_the_old_master_still_replies(self):
        """By polling the sentinels: nothing else says so to a link that is fine."""
        gate = self.gate()
        self.redis_level(gate)
        self.promote()
        wait_until(lambda: self.redis_level(gate, "login:9") and
                   self.replica.ask("HEXISTS", "drip:login", "login:9") == 1,
                   "the new master")
        wait_until(lambda: f"the master is now 127.0.0.1:{self.replica.port}" in gate.log(),
                   "the log")

    def test_limits_follow(self):
        gate = self.gate(limits={"source": "redis", "allow_empty": "yes"})
        self.tool(gate, "limits", "load", gate.limits_path, "--immediate")
        wait_until(lambda: "limit=login" in gate.ask("peek login:1"), "the limits")
        wait_until(lambda: self.replica.ask("ZCARD", "limits") == 1, "replication")
        self.master.kill()
        self.wait_for_promotion()
        gate.write_limits(LIMITS.replace("login", "other"))
        self.tool(gate, "limits", "load", gate.limits_path, "--immediate", "--yes")
        wait_until(lambda: "limit=other" in gate.ask("peek other:1"), "the limits")

    def tool(self, gate, *words, status=0):
        done = subprocess.run([harness.DRIPGATE, "-c", gate.config_path, *words],
                              check=False, capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr


class SentinelTest(Case):
    def test_sentinels_that_will_not_do(self):
        with self.subTest("a master that they do not know"):
            gate = self.gate(master_name="other")
            wait_until(lambda: "redis other: no sentinel knows the master" in gate.log(),
                       "the log")
            self.assertIn("does not know this master_name", gate.log())
            said = subprocess.run([harness.DRIPGATE, "-c", gate.config_path, "fleet"],
                                  check=False, capture_output=True, text=True)
            self.assertIn("knows no master other (master_name)", said.stderr)
            self.assertEqual(said.returncode, 2)

        with self.subTest("a server that is none"):
            gate = self.gate(hosts=f"127.0.0.1:{self.replica.port} {self.hosts}")
            self.redis_level(gate)
            self.assertIn("is no sentinel", gate.log())

        with self.subTest("one that is behind: it names what is a replica"):
            stale = self.started(Sentinel(self.folder, self.replica.port))
            gate = self.gate(hosts=f"127.0.0.1:{stale.port} {self.hosts}")
            self.redis_level(gate)

        with self.subTest("one that is behind: it names what is gone"):
            stale = self.started(Sentinel(self.folder, harness.free_port()))
            gate = self.gate(hosts=f"127.0.0.1:{stale.port} {self.hosts}")
            self.redis_level(gate)

        with self.subTest("those that are gone"):
            for sentinel in self.sentinels[:2]:
                sentinel.kill()
            self.redis_level(self.gate())

    @staticmethod
    def is_listened_to(sentinel):
        return b" sub=1 " in sentinel.ask("CLIENT", "LIST")

    def test_a_sentinel_is_listened_to_and_the_next_one_when_it_is_gone(self):
        self.redis_level(self.gate())
        for sentinel in self.sentinels:
            wait_until(lambda s=sentinel: self.is_listened_to(s), "the subscription")
            sentinel.kill()

    def test_a_password_of_their_own(self):
        for sentinel in self.sentinels:
            sentinel.ask("ACL", "SETUSER", "watcher", "on", ">of their own", "+ping", "+hello",
                         "+sentinel|get-master-addr-by-name", "+subscribe", "&+switch-master")
            sentinel.ask("ACL", "SETUSER", "default", "off")
        gate = self.gate(sentinel_username="watcher", sentinel_password='"of their own"')
        self.redis_level(gate)
        for sentinel in self.sentinels:
            sentinel.kill()
        self.redis_level(gate)  # the master is there all the same
        self.master.ask("CLIENT", "KILL", "TYPE", "normal")
        wait_until(lambda: "no sentinel replies" in gate.log(), "the log")
        self.assertIn("from=fallback", gate.ask("consume login:1"))
        self.assertNotIn("NOPERM", gate.log())


class TwoMastersTest(Case):
    """A sentinel that hears no other one names the old master, which is alive and
    says that it is a master; the others name the new one."""

    def setUp(self):
        super().setUp()
        # Without the channel it neither speaks to the others nor hears them; nor may
        # it make the new master a replica again, as it would.
        for server in self.master, self.replica:
            server.ask("ACL", "SETUSER", "deaf", "on", ">x", "~*", "+@all", "resetchannels",
                       "-replicaof", "-slaveof")
        self.stale = self.started(Sentinel(
            self.folder, self.master.port, "sentinel auth-user mymaster deaf",
            "sentinel auth-pass mymaster x"))
        self.promote()
        self.assertEqual([self.named_by(one) for one in (self.stale, *self.sentinels)],
                         [self.master.port] + 3 * [self.replica.port])
        self.gate = self.gate(hosts=f"127.0.0.1:{self.stale.port} {self.hosts}")
        self.redis_level(self.gate, "login:old")
        self.assertEqual(self.has(self.master, "login:old"), 1)

    @staticmethod
    def named_by(sentinel):
        return int(sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")[1])

    @staticmethod
    def has(server, *keys):
        with server.connect() as link:
            return sum(link.ask("HEXISTS", "drip:login", key) for key in keys)

    def check_all_goes_to_the_new_one(self):
        """From the first decision of Redis on, and whatever the stale sentinel says."""
        keys = [f"login:{i}" for i in range(50)]
        for key in keys:
            self.redis_level(self.gate, key)
        self.assertEqual(self.has(self.replica, *keys), len(keys))
        self.assertEqual(self.named_by(self.stale), self.master.port)

    def test_the_old_one_is_left_when_it_becomes_a_replica(self):
        self.master.ask("REPLICAOF", "127.0.0.1", self.replica.port)
        self.check_all_goes_to_the_new_one()

    def test_the_old_one_is_left_when_it_takes_no_writes_without_replicas(self):
        """What min-replicas-to-write is for: nothing else tells it that it was replaced."""
        self.master.ask("CONFIG", "SET", "min-replicas-to-write", "1")
        self.check_all_goes_to_the_new_one()
        self.assertEqual(self.has(self.master, *(f"login:{i}" for i in range(50))), 0)
        self.assertEqual(self.master.ask("ROLE")[0], b"master")


class UrlTest(Case):
    """The sentinels, the master and its login in one line."""

    PASSWORD, ESCAPED = "a,b@c/d%e", "a%2Cb%40c%2Fd%25e"

    def setUp(self):
        super().setUp()
        for server in (self.master, self.replica):
            server.ask("ACL", "SETUSER", "gate", "on", ">" + self.PASSWORD, "~*", "&*", "+@all")

    def url(self, rest):
        hosts = self.hosts.replace(" ", ",")
        return f"redis+sentinel://gate:{self.ESCAPED}@{hosts}/{rest}"

    def by_url(self, url=None, variable=None, **redis):
        settings = {"connect_timeout": "2s", "socket_timeout": "500ms", **redis}
        if url:
            settings["url"] = url
        return self.daemon(LIMITS, {"store": {"type": "redis"}, "redis": settings},
                           env={"DRIPGATE_REDIS_URL": variable} if variable else None)

    def fields_in(self, server, database):
        with server.connect() as link:
            link.ask("SELECT", database)
            return link.ask("HKEYS", "drip:login")

    def test_the_master_is_found_and_followed(self):
        gate = self.by_url(self.url("mymaster/3"))
        self.redis_level(gate)
        self.assertEqual(self.fields_in(self.master, 3), [b"login:1"])
        self.assertIn("user=gate", self.master.ask("CLIENT", "LIST").decode())
        self.master.kill()
        self.wait_for_promotion()
        self.redis_level(gate, "login:2")
        self.assertIn(b"login:2", self.fields_in(self.replica, 3))
        self.assertNotIn(self.PASSWORD, gate.log())
        self.assertNotIn(self.ESCAPED, gate.log())

    def test_the_environment_and_a_name_that_stands_beside_it(self):
        self.redis_level(self.by_url(variable=self.url("mymaster"), topology="sharded",
                                     hosts="192.0.2.1:1", db=2))
        self.assertEqual(len(self.fields_in(self.master, 2)), 1)
        self.redis_level(self.by_url(self.url("?db=4"), master_name="mymaster"))
        self.assertEqual(len(self.fields_in(self.master, 4)), 1)
        gate = self.by_url(self.url("other"))
        wait_until(lambda: "redis other: no sentinel knows the master" in gate.log(), "the log")


class CheckTest(harness.Case):
    def check_refused(self, reason, *lines):
        path = os.path.join(self.folder, "check.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(["[redis]", *lines, ""]))
        done = subprocess.run([harness.DRIPGATED, "--check", "-c", path], check=False,
                              capture_output=True, text=True)
        self.assertIn(reason, done.stderr)
        self.assertEqual(done.returncode, 1)

    def test_what_cannot_work_is_refused(self):
        self.check_refused("check.ini:2: [redis] topology: needs hosts",
                           "topology = sentinel")
        self.check_refused("check.ini:2: [redis] hosts: needs topology = sentinel, sharded or cluster",
                           "hosts = a:1")
        self.check_refused("check.ini:3: [redis] hosts: a is not HOST:PORT",
                           "topology = sentinel", "hosts = a b:1")
        self.check_refused("[redis] hosts: :1 is not HOST:PORT", "hosts = :1")
        self.check_refused("check.ini:4: [redis] sentinel_tls: needs tls = yes",
                           "topology = sentinel", "hosts = a:1", "sentinel_tls = yes")
        self.check_refused("check.ini:4: [redis] unix_socket_path: and hosts exclude each other",
                           "topology = sentinel", "hosts = a:1", "unix_socket_path = /x")
        self.check_refused("check.ini:4: [redis] host: and hosts exclude each other",
                           "topology = sentinel", "hosts = a:1", "host = b")
        self.check_refused("check.ini:2: [redis] url: for sentinels write redis+sentinel://",
                           "url = redis-sentinel://a:1/0?sentinelMasterId=main")
        self.check_refused("check.ini:2: [redis] url: it names no master before its database",
                           "url = redis+sentinel://a:1//0")
        self.check_refused("check.ini:3: [redis] hosts: url says it, too",
                           "url = redis+sentinel://a:1/main", "hosts = a:1")


if __name__ == "__main__":
    harness.main()
