"""With key_secrets, nothing in Redis shows a key; a rotation of the secrets loses no
bucket, in whatever order daemons take it over."""

import base64
import hashlib
import hmac
import os
import signal
import subprocess
import threading

import harness
from harness import PATIENT, wait_until

OLD, NEW = "o" * 32, "n" * 40

LIMITS = """
[lease]
match = job:*
algorithm = concurrent
capacity = 5
lease = 1h

[window]
match = window:*
algorithm = fixed_window
capacity = 5
window = 1d

[exact]
match = *
capacity = 1000
recharge = 100h
on_error = deny
"""


def name(secret, limit, key):
    """A field, as the manual says."""
    digest = hmac.new(secret.encode(), f"{limit}\0{key}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=")


class HiddenTest(harness.Case):
    def write(self, file, *secrets):
        path = os.path.join(self.folder, file)
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(secret + "\n" for secret in secrets)
        return path

    HIDE_LIMITS = "no"

    def gate(self, server, file, *secrets, **redis):
        return self.redis_daemon(server, LIMITS, {
            "store": {"key_secrets": self.write(file, *secrets),
                      "hide_limits": self.HIDE_LIMITS},
            "redis": {**PATIENT["redis"], **redis}})

    def hash_of(self, secret, limit="exact"):
        """Where a limit has its buckets, as the manual says."""
        hidden = self.HIDE_LIMITS == "yes"
        return "drip:" + (name(secret, limit, "").decode() if hidden else limit)

    def rotate(self, gate, file, *secrets):
        self.write(file, *secrets)
        done = gate.log().count("reloaded")
        gate.send(signal.SIGHUP)
        wait_until(lambda: gate.log().count("reloaded") > done, "the reload")
        # What it asked by the secrets of before may be on its way: this comes behind.
        self.assertIn("from=redis", gate.ask("peek y:1"))

    def levels(self, gate):
        return harness.fields(gate.ask("peek x:1"))["level"]

    def test_nothing_in_redis_shows_a_key(self):
        server = self.redis()
        monitor = server.connect()
        self.addCleanup(monitor.close)
        monitor.ask("MONITOR")
        gate = self.gate(server, "a", OLD, NEW)
        for request in ("consume secretkey:1", "peek secretkey:1", "consume secretkey:1 3",
                        "explain secretkey:1", "wait secretkey:1", "charge secretkey:1 2",
                        "consume secretkey:1 2 id=secretkey:2",
                        "mconsume secretkey:1 1 window:secretkey 2 id=secretkey:3",
                        "hold job:secretkey secretkey:me", "hold job:secretkey secretkey:you",
                        "peek job:secretkey", "release job:secretkey secretkey:me",
                        "reset secretkey:1", "consume secretkey:1 2"):
            gate.ask(request)
        end = "what no script says"  # their texts are there, too
        server.ask("ECHO", end)
        told = ""
        while end not in told:
            told += monitor.read() + "\n"
        self.assertGreater(told.count('] "EVALSHA"'), 10)
        self.assertIn(name(OLD, "exact", "secretkey:1").decode(), told)
        self.assertNotIn("secretkey", told)
        self.check_nothing_tells(told)
        self.assertEqual(server.ask("HKEYS", self.hash_of(OLD)),
                         [name(OLD, "exact", "secretkey:1")])

    def check_nothing_tells(self, told):
        self.assertIn("drip:exact", told)

    def test_keys_are_found_by_their_names(self):
        server = self.redis()
        gate = self.gate(server, "a", OLD)
        gate.ask("consume x:1 7")
        with gate.connect() as client:
            explained = client.ask_many("explain x:1")
        self.assertIn(f"field {name(OLD, 'exact', 'x:1').decode()} of hash {self.hash_of(OLD)}",
                      str(explained))
        self.assertEqual(self.levels(gate), "7")
        gate.ask("reset x:1")
        self.assertEqual(server.ask("EXISTS", self.hash_of(OLD)), 0)

    def test_rotation_under_load_loses_no_bucket(self):
        server = self.redis()
        gates = [self.gate(server, file, OLD) for file in "ab"]
        allowed, rotated = [], threading.Event()

        def ask(gate):
            with gate.connect() as client:
                replies = []
                while not rotated.is_set() or len(replies) < 900:
                    replies.append(client.ask("consume x:1"))
            self.assertEqual([r for r in replies if "fallback" in r], [])
            allowed.append(sum(r.startswith("ALLOW") for r in replies))

        threads = [threading.Thread(target=ask, args=[gate]) for gate in gates]
        for thread in threads:
            thread.start()
        for secrets in (OLD, NEW), (NEW, OLD), (OLD, NEW), (NEW, OLD):
            for gate, file in zip(gates, "ab"):
                self.rotate(gate, file, *secrets)
        rotated.set()
        for thread in threads:
            thread.join()
        self.assertEqual(sum(allowed), 1000)
        gates[0].ask("consume x:1")
        self.assertEqual(server.ask("HKEYS", self.hash_of(NEW)), [name(NEW, "exact", "x:1")])
        for gate, file in zip(gates, "ab"):
            self.rotate(gate, file, NEW)
            self.assertEqual(self.levels(gate), "1000")

    def test_each_request_moves_what_is_under_an_older_name(self):
        server = self.redis()
        gate = self.gate(server, "a", OLD)
        keys = [f"x:{i}" for i in range(20)] + [f"window:{i}" for i in range(20)]
        gate.ask(*(f"consume {key} {i % 3 + 1}" for i, key in enumerate(keys)))
        before = gate.ask(*(f"peek {key}" for key in keys))
        self.rotate(gate, "a", NEW, OLD)
        requests = ["peek", "consume", "reset", "consume"]
        gate.ask(*(f"{requests[i % 4]} {key}" for i, key in enumerate(keys)))
        after = gate.ask(*(f"peek {key}" for key in keys))
        for i, key in enumerate(keys):
            level = int(harness.fields(before[i])["level"])
            self.assertEqual(int(harness.fields(after[i])["level"]),
                             [level, level + 1, 0, level + 1][i % 4], key)
        for limit, suffix, some in ("exact", "", keys[:20]), ("window", ":w", keys[20:]):
            fields = set(server.ask("HKEYS", self.hash_of(NEW, limit) + suffix))
            self.assertEqual(fields, {name(NEW, limit, key) for i, key in enumerate(some)
                                      if i % 4 != 2})

    def test_function_does_the_same(self):
        server = self.redis()
        gate = self.gate(server, "a", OLD, script="function")
        gate.ask("consume x:1 7")
        self.rotate(gate, "a", NEW, OLD)
        self.assertEqual(self.levels(gate), "7")
        self.assertEqual(server.ask("HKEYS", self.hash_of(NEW)), [name(NEW, "exact", "x:1")])

    def test_each_host_has_its_keys_under_their_names(self):
        servers = [self.redis(), self.redis()]
        gate = self.daemon(LIMITS, {
            "store": {"type": "redis", "key_secrets": self.write("a", OLD),
                      "hide_limits": self.HIDE_LIMITS},
            "redis": {**PATIENT["redis"], "topology": "sharded", "partitions": 64,
                      "hosts": " ".join(f"127.0.0.1:{s.port}" for s in servers)}})
        keys = [f"x:{i}" for i in range(40)]
        gate.ask(*(f"consume {key} 3" for key in keys))
        self.rotate(gate, "a", NEW, OLD)
        levels = [harness.fields(line)["level"]
                  for line in gate.ask(*(f"consume {key}" for key in keys))]
        self.assertEqual(levels, ["4"] * len(keys))
        found = [[field for hash in server.ask("KEYS", "drip:{*}:*")
                  if server.ask("TYPE", hash) == "hash"
                  for field in server.ask("HKEYS", hash)] for server in servers]
        self.assertTrue(all(found))
        self.assertEqual(sorted(found[0] + found[1]),
                         sorted(name(NEW, "exact", key) for key in keys))

    def check_refused(self, gate, line, reason):
        done = subprocess.run([harness.DRIPGATED, "-c", gate.config_path, "--check"],
                              check=False, text=True, capture_output=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"/a{line}: {reason}", done.stderr)

    def test_wrong_file_is_refused_and_the_secrets_stay(self):
        server = self.redis()
        gate = self.gate(server, "a", OLD)
        gate.ask("consume x:1 7")
        for secrets, line, reason in (
                ((NEW, "short"), ":2", "a secret has at least 32 bytes"),
                ((NEW, "", OLD), ":2", "a secret has at least 32 bytes"),
                ((NEW, OLD, NEW), ":3", "this secret is there twice"),
                (("x" * 1025,), ":1", "a secret has at most 1024 bytes"),
                ((), ":1", "has no secret"),
                ([str(i) * 32 for i in range(9)], ":9", "there are at most 8 secrets")):
            with self.subTest(reason):
                self.write("a", *secrets)
                self.check_refused(gate, line, reason)
        gate.send(signal.SIGHUP)
        wait_until(lambda: "there are at most 8 secrets" in gate.log(), "the refusal")
        self.assertEqual(self.levels(gate), "7")
        os.remove(os.path.join(self.folder, "a"))
        self.check_refused(gate, "", "No such file")


class HiddenLimitsTest(HiddenTest):
    """The same, with limits' names hidden too."""

    HIDE_LIMITS = "yes"

    def check_nothing_tells(self, told):
        for limit in "exact", "window":
            self.assertNotIn(f":{limit}", told)
            self.assertNotIn(f'"{limit}', told)

    def test_hash_of_an_older_name_is_emptied(self):
        server = self.redis()
        gate = self.gate(server, "a", OLD)
        gate.ask("consume x:1 7", "consume x:2", "mconsume x:3 2 window:3 2")
        self.rotate(gate, "a", NEW, OLD)
        said = gate.ask("reset x:2", "mconsume x:3 2 window:3 2", "consume x:1")
        self.assertEqual([harness.fields(line).get("level") for line in said[1:]], ["4", "8"])
        self.assertEqual(sorted(key.decode() for key in server.ask("KEYS", "drip:*")
                                if server.ask("TYPE", key) == "hash"),
                         sorted([self.hash_of(NEW), self.hash_of(NEW, "window") + ":w"]))

    def test_drained_buckets_are_swept(self):
        server = self.redis()
        gate = self.redis_daemon(
            server, "[short]\nmatch = *\ncapacity = 1\nrecharge = 100ms\n",
            {"store": {"key_secrets": self.write("a", OLD), "hide_limits": "yes"}, **PATIENT})
        gate.ask(*(f"consume x:{i}" for i in range(100)))
        wait_until(lambda: not server.ask("EXISTS", self.hash_of(OLD, "short")), "the sweep")
        wait_until(lambda: gate.stats()["swept_buckets"] >= 100, "what the sweep counts")

    def test_needs_secrets(self):
        server = self.redis()
        gate = self.gate(server, "a", OLD)
        gate.settings["store"]["key_secrets"] = ""
        gate.write_config()
        done = subprocess.run([harness.DRIPGATED, "-c", gate.config_path, "--check"],
                              check=False, text=True, capture_output=True)
        self.assertIn("[store] hide_limits: needs key_secrets, which hide the names", done.stderr)


if __name__ == "__main__":
    harness.main()
