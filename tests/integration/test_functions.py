"""Scripts as functions: a server keeps them, and is given them again if it does not
have them.  No bucket is lost for it, and no request falls back."""

import subprocess
import threading

import harness
from harness import PATIENT, redis_users, wait_until

FUNCTIONS = {"redis": {**PATIENT["redis"], "script": "function"}}

LIMITS = """
[exact]
match = *
capacity = 1000
recharge = 100h
on_error = deny
"""


def libraries(server):
    return {library[1] for library in server.ask("FUNCTION", "LIST")}


class Load(threading.Thread):
    """Asks for one drop at a time, 1500 times, and until told that it is enough."""

    def __init__(self, gate):
        super().__init__()
        self.gate = gate
        self.replies = []
        self.is_enough = False
        self.start()

    def run(self):
        with self.gate.connect() as client:
            while not self.is_enough or len(self.replies) < 1500:
                self.replies.append(client.ask("consume x:1"))

    def count(self):
        return sum(reply.startswith("ALLOW") for reply in self.replies)


class FunctionTest(harness.Case):
    def gate(self, server, **redis):
        return self.redis_daemon(
            server, LIMITS, {"redis": {**FUNCTIONS["redis"], **redis}})

    def calls(self, server):
        """How often each command was called."""
        lines = server.ask("INFO", "commandstats").decode().splitlines()
        return {line.split(":")[0].removeprefix("cmdstat_"): int(
            line.split("calls=")[1].split(",")[0]) for line in lines if "calls=" in line}

    def test_no_bucket_is_lost_while_libraries_are(self):
        server = self.redis()
        gates = [self.gate(server) for _ in range(2)]
        load = Load(gates[0])
        for _ in range(20):
            server.ask("FUNCTION", "FLUSH")
            wait_until(lambda: libraries(server), "the library")
        load.is_enough = True
        load.join()
        self.assertEqual(load.count(), 1000)
        self.assertIn("DENY", gates[1].ask("consume x:1"))
        self.assertEqual([r for r in load.replies if "from=fallback" in r], [])
        calls = self.calls(server)
        self.assertGreater(calls["fcall"], 1000)
        self.assertGreaterEqual(calls["function|load"], 20)
        for command in "eval", "evalsha", "script|load":
            self.assertNotIn(command, calls)

    def test_libraries_of_others_are_left_alone(self):
        server = self.redis()
        old = ("#!lua name=dripgate_0123456789abcdef\nredis.register_function("
               "'dripgate_0123456789abcdef', function() return 1 end)")
        server.ask("FUNCTION", "LOAD", old)
        self.assertIn("from=redis", self.gate(server).ask("consume x:1"))
        self.assertIn(b"dripgate_0123456789abcdef", libraries(server))
        self.assertGreater(len(libraries(server)), 1)
        self.assertEqual(server.ask("FCALL", "dripgate_0123456789abcdef", 0), 1)

    def test_server_that_restarts_empty_gets_them_again(self):
        server = self.redis()
        gate = self.gate(server)
        self.assertIn("from=redis", gate.ask("consume x:1"))
        server.kill()
        again = self.redis(path=server.path)
        wait_until(lambda: "from=redis" in gate.ask("consume x:1"), "the new server")
        self.assertTrue(libraries(again))
        self.assertNotIn("unction", gate.log())

    def test_replica_that_takes_over_has_them(self):
        master = self.redis()
        gate = self.gate(master)
        gate.ask("consume x:1 7")
        replica = self.redis("--replicaof", "127.0.0.1", str(master.port))
        wait_until(lambda: libraries(replica) == libraries(master) and
                   replica.ask("EXISTS", "drip:exact"), "the replica")
        replica.ask("REPLICAOF", "NO", "ONE")
        other = self.gate(replica)
        self.assertIn(" level=8 ", other.ask("consume x:1") + " ")
        self.assertNotIn("function|load", self.calls(replica))

    def acl(self, server, left_out=()):
        (user, _, rights), *_ = redis_users(
            self.folder, "[store]\ntype = redis\n[redis]\nscript = function\n")
        self.assertNotIn("+evalsha", rights)
        server.ask("ACL", "SETUSER", user, "reset", "on", ">secret", "resetchannels",
                   *(right for right in rights if right not in left_out))
        return {"username": user, "password": "secret"}

    def check_connect(self, gate):
        return subprocess.run(
            [harness.DRIPGATED, "-c", gate.config_path, "--check", "--connect"],
            check=False, text=True, capture_output=True)

    def test_rights_that_acl_prints_are_enough(self):
        server = self.redis()
        gate = self.gate(server, **self.acl(server))
        self.assertIn("from=redis", gate.ask("consume x:1"))
        server.ask("FUNCTION", "FLUSH")
        self.assertIn("from=redis", gate.ask("consume x:1"))
        self.assertNotIn("NOPERM", gate.log())
        done = self.check_connect(gate)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"\d+ rights")

    def test_missing_right_is_named(self):
        for right, what in ("+fcall", "FCALL"), ("+function|load", "cannot load a library"):
            with self.subTest(right):
                server = self.redis()
                gate = self.gate(server, **self.acl(server, [right]))
                self.assertIn("from=fallback", gate.ask("consume x:1"))
                wait_until(lambda: what in gate.log() or "NOPERM" in gate.log(), what)
                done = self.check_connect(gate)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(right[1:].upper().replace("|", " "), done.stderr)

    def test_server_that_does_not_know_fcall_is_called_by_evalsha(self):
        server = self.redis("--rename-command", "FCALL", "")
        gate = self.gate(server)
        self.assertIn("from=redis", gate.ask("consume x:1"))
        self.assertIn("from=redis", gate.ask("consume x:1"))
        self.assertEqual(self.calls(server)["evalsha"], 1)  # the first one has the text
        self.assertEqual(gate.log().count("does not know FCALL"), 1)
        done = self.check_connect(gate)
        self.assertEqual(done.returncode, 1)
        self.assertIn("does not know FCALL", done.stderr)

    def test_limits_are_read_by_a_function_too(self):
        server = self.redis()
        server.ask("ZADD", "limits", 1, "seen match=* capacity=5 recharge=1h")
        gate = self.redis_daemon(server, settings={**FUNCTIONS, "limits": {"source": "redis"}})
        wait_until(lambda: " limit=seen " in gate.ask("consume x:1"), "the limits")
        calls = self.calls(server)
        self.assertGreater(calls["fcall_ro"], 0)
        self.assertNotIn("evalsha_ro", calls)


if __name__ == "__main__":
    harness.main()
