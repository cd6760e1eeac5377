"""wait_replicas: what a client was told survives its server, at a real replica."""

import signal
import threading

import harness
from harness import fields, redis_users, wait_until

LIMITS = "[login]\nmatch = login:*\ncapacity = 1000000\nrate = 1/h\n"
KEYS = [f"login:{i}" for i in range(20)]


class ReplicasTest(harness.Case):
    def setUp(self):
        super().setUp()
        self.master = self.redis("--repl-diskless-sync-delay", "0")
        self.replica = self.redis("--replicaof", f"127.0.0.1 {self.master.port}")
        wait_until(self.is_in_step, "the replica")

    def is_in_step(self):
        """Redis 7.0 sends it nothing before its first acknowledgement."""
        self.master.ask("SET", "step", 1)
        with self.master.connect() as link:
            link.ask("SET", "step", 2)
            return link.ask("WAIT", 1, 1000) == 1

    def gate(self, server=None, **redis):
        return self.daemon(LIMITS, {"store": {"type": "redis"}, "redis": {
            "unix_socket_path": (server or self.master).path, "wait_replicas": 1,
            "connect_timeout": "2s", "socket_timeout": "2s", **redis}})

    def test_what_was_told_is_there_when_the_replica_has_taken_over(self):
        """The old master goes on for a while, and knows nothing of it."""
        gate = self.gate(socket_timeout="200ms")
        told, asked, ended = {}, [], threading.Event()

        def ask(key):
            while not ended.is_set():
                said = fields(gate.ask(f"consume {key}"))
                asked.append(said["from"])
                if said["from"] == "redis":
                    told[key] = int(said["level"])

        threads = [threading.Thread(target=ask, args=(key,)) for key in KEYS]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(told) == len(KEYS) and min(told.values()) > 20, "decisions")
        self.replica.ask("REPLICAOF", "NO", "ONE")
        count = len(asked)
        wait_until(lambda: len(asked) > count + 5 * len(KEYS), "requests after it")
        self.master.kill()
        ended.set()
        for thread in threads:
            thread.join()
        other = self.gate(self.replica, wait_replicas=0)
        for key, level in told.items():
            self.assertGreater(self.redis_level(other, key), level)

    def test_without_the_replica_on_error_decides_until_it_is_back(self):
        gate = self.gate()
        self.redis_level(gate, "login:1")
        self.replica.send(signal.SIGSTOP)
        wait_until(lambda: fields(gate.ask("consume login:1"))["from"] == "fallback", "it")
        wait_until(lambda: "0 of 1 replicas had the decisions in time" in gate.log(), "the log")
        self.replica.send(signal.SIGCONT)
        self.assertGreater(self.redis_level(gate, "login:1"), 1)
        self.assertNotIn("did not reply", gate.log())

    def test_the_right_is_printed_and_needed(self):
        settings = ("[store]\ntype = redis\n[redis]\nwait_replicas = 1\n"
                    f"unix_socket_path = {self.master.path}\n")
        (_, _, rights), *_ = redis_users(self.folder, settings)
        self.assertIn("+wait", rights)
        for user, allowed in ("all", rights), ("few", [r for r in rights if r != "+wait"]):
            self.master.ask("ACL", "SETUSER", user, "reset", "on", ">secret", "resetchannels",
                            *allowed)
        self.redis_level(self.gate(username="all", password="secret"), "login:1")
        few = self.gate(username="few", password="secret")
        self.assertEqual(fields(few.ask("consume login:1"))["from"], "fallback")
        wait_until(lambda: "wait" in few.log(), "the log")

    def test_a_server_without_replicas_is_found_beforehand(self):
        alone = self.redis()
        self.assertEqual(self.check_connect(self.gate()).returncode, 0)
        done = self.check_connect(self.gate(alone))
        self.assertEqual(done.returncode, 1)
        self.assertIn("has 0 replicas: wait_replicas is 1", done.stderr)

    def test_all_kinds_of_batches_wait(self):
        gate = self.gate(script="function")
        for line in ("mconsume login:1 1 login:2 1", "charge login:3 2", "take login:4 2",
                     "peek login:1", "consume login:5 1 id=x"):
            said = fields(gate.ask(line))
            self.assertEqual(said["from"], "redis", (line, said, gate.log()))


if __name__ == "__main__":
    harness.main()
