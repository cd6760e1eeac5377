"""Leases: a semaphore over daemons that die, and what HOLD and RELEASE say.

When a lease ends is known to the test by the clock of Redis, which is this machine's:
a HOLD that was allowed began at its response at the latest, so its lease counts for
certain until LEASE after its sending.  A holder that believes so for longer is a
broken one.
"""

import os
import random
import subprocess
import threading
import time
import unittest

import harness
from harness import PATIENT, Client, fields
from test_resp import Resp

CAPACITY = 5
LEASE = 2.0
LONG = os.environ.get("LONG")
CLIENTS, DAEMONS, SECONDS = (1000, 4, 60) if LONG else (40, 2, 8)

SEMAPHORE = f"""
[job]
match = job:*
algorithm = concurrent
capacity = {CAPACITY}
lease = {LEASE}s
on_error = deny
"""

# What a test holds here, it holds to its end.
LIMITS = """
[job]
match = job:*
algorithm = concurrent
capacity = 5
lease = 10m
on_error = deny

[brief]
match = brief:*
algorithm = concurrent
capacity = 2
lease = 50ms
on_error = deny

[window]
match = window:*
algorithm = sliding_window
capacity = 3
window = 300ms
on_error = deny

[login]
match = login:*
capacity = 5
recharge = 60s

[with]
match = with:*
algorithm = concurrent
capacity = 5
lease = 1m
also = job:also
"""

NOTHELD = "ERR notheld nothing is held under this id: its lease ended, or never began"


class Semaphore:
    """Who certainly holds the lease now, as the clients know."""

    def __init__(self):
        self.lock = threading.Lock()
        self.holders = {}  # id: until when
        self.most = 0
        self.held = 0
        self.lost = 0

    def hold(self, name, sent):
        with self.lock:
            now = time.time()  # here: it may have waited for the others
            if sent + LEASE > now:
                self.holders[name] = sent + LEASE
            self.held += 1
            self.most = max(self.most, sum(end > now for end in self.holders.values()))

    def drop(self, name):
        with self.lock:
            self.holders.pop(name, None)


def work(number, paths, semaphore, end):
    """Hold, work, renew, release; some holders die with what they hold.  A daemon that
    dies loses what it was asked, no more."""
    rng = random.Random(number)
    client = None
    while time.monotonic() < end:
        name = f"{number}-{rng.random()}"
        try:
            client = client or Client(rng.choice(paths))
            for _ in range(rng.choice([1, 1, 2])):
                sent = time.time()
                if client.ask(f"hold job:1 {name}").startswith("ALLOW"):
                    semaphore.hold(name, sent)
                    time.sleep(rng.random() / 50)
            if rng.random() < 0.02:
                semaphore.lost += 1
                continue
            semaphore.drop(name)  # before it is sent: it may be obeyed
            client.ask(f"release job:1 {name}")
        except (OSError, EOFError, AssertionError):
            client = None
            time.sleep(0.05)


class SemaphoreTest(harness.Case):
    def test_never_more_holders_than_the_capacity_though_daemons_are_killed(self):
        redis = self.redis()
        gates = [self.redis_daemon(redis, SEMAPHORE, PATIENT) for _ in range(DAEMONS)]
        paths = [gate.path for gate in gates]
        semaphore = Semaphore()
        end = time.monotonic() + SECONDS
        threads = [threading.Thread(target=work, args=(i, paths, semaphore, end))
                   for i in range(CLIENTS)]
        for thread in threads:
            thread.start()
        while time.monotonic() < end:
            time.sleep(1)
            i = random.randrange(len(gates))
            gates[i].kill()
            gates[i] = self.redis_daemon(redis, SEMAPHORE, PATIENT)
            paths[i] = gates[i].path
        for thread in threads:
            thread.join()
        self.assertLessEqual(semaphore.most, CAPACITY)
        self.assertGreater(semaphore.held, 3 * CAPACITY)
        self.assertGreater(semaphore.lost, 0)


class Either:
    """What holds in both stores."""

    LIMITS = LIMITS

    def test_hold_again_renews_and_release_gives_back(self):
        with self.gate.connect() as client:
            first = [fields(line) for line in client.ask(
                "hold job:1 a", "hold job:1 b 3", "hold job:1 a", "HOLD job:1 c",
                "hold job:1 d", "hold job:1 b 4", "hold job:1 d 9", "hold job:1 b 0")]
            self.assertEqual([f["verdict"] for f in first],
                             ["ALLOW"] * 4 + ["DENY"] * 3 + ["ALLOW"])
            self.assertEqual([f["level"] for f in first], list("14455555"))
            self.assertEqual(first[6]["retry"], "never")
            self.assertLessEqual(float(first[4]["retry"]), 600)
            self.assertEqual(
                [fields(line)["level"] for line in client.ask(
                    "release job:1 b", "hold job:1 d", "consume job:1", "peek job:1")],
                list("2344"))
            self.assertEqual(client.ask("release job:1 b", "release job:1 z"), [NOTHELD] * 2)
            self.assertEqual(client.ask("reset job:1", "release job:1 a"), ["OK", NOTHELD])

    def test_lease_that_ended_is_not_held(self):
        with self.gate.connect() as client:
            self.assertTrue(client.ask("hold brief:1 a 2").startswith("ALLOW"))
            harness.wait_until(lambda: client.ask("hold brief:1 b").startswith("ALLOW"),
                               "the end of the lease")
            self.assertEqual(client.ask("release brief:1 a"), NOTHELD)

    def tool(self, *words):
        done = subprocess.run(
            [harness.DRIPGATE, "-c", self.gate.config_path, *words],
            capture_output=True, text=True, check=False, timeout=harness.PATIENCE)
        return done.returncode, (done.stdout or done.stderr).split(" next=")[0]

    def test_the_tool_holds_and_releases(self):
        for words, code, said in [
                (("hold", "job:1", "build-7", "2"), 0, "ALLOW limit=job level=2 capacity=5"),
                (("hold", "job:1", "K\u00f6ln", "4"), 1, "DENY limit=job level=2 capacity=5"),
                (("release", "job:1", "build-7"), 0, "ALLOW limit=job level=0 capacity=5")]:
            self.assertEqual(self.tool(*words), (code, said))
        for words, reason in [(("hold", "job:1", "a b"), "an id is 1 to 64 bytes"),
                              (("hold", "job:1", "a", "x"), "x: an amount is a whole number"),
                              (("release", "job:1", ""), "an id is 1 to 64 bytes")]:
            code, said = self.tool(*words)
            self.assertEqual(code, 2)
            self.assertIn(reason, said)

    def test_wrong_requests(self):
        with self.gate.connect() as client:
            for line, code in [
                    ("hold", "nokey"), ("hold job:1", "noid"), ("release job:1", "noid"),
                    ("hold job:1 " + 65 * "x", "badid"), ("hold job:1 \x01", "badid"),
                    ("hold job:1 a -1", "badamount"), ("hold job:1 a 1 1", "surplus"),
                    ("release job:1 a 1", "surplus"), ("hold login:1 a", "nolease"),
                    ("release login:1 a", "nolease"), ("hold with:1 a", "takealso"),
                    ("release with:1 a", "takealso")]:
                self.assertRegex(client.ask(line), rf"^ERR {code} ", line)
            self.assertTrue(client.ask("hold job:1 " + 32 * "\u00e9").startswith("ALLOW"))
            self.assertTrue(client.ask("consume with:1").startswith("ALLOW"))
            self.assertEqual(client.ask("hold other:1 a", "release other:1 a"), 2 * [
                "ALLOW limit=- level=0 capacity=0 next=0 retry=0 blocked=0 from=none"])

    def test_resp_and_http(self):
        with Resp(self.gate.path) as client:
            self.assertEqual(client.ask("HOLD", "job:2", "a", "2")[:3], [1, 2, 5])
            self.assertIn("level", client.ask("HOLD", "job:2", "a", "2", "MAP"))
            self.assertIn("notheld", str(client.ask("RELEASE", "job:2", "b")))
            self.assertEqual(client.ask("RELEASE", "job:2", "a")[:3], [1, 0, 5])
        for target, status in [("/hold?key=job:3&id=a&amount=5", 200),
                               ("/hold?key=job:3&id=b", 429), ("/hold?key=job:3", 400),
                               ("/release?key=job:3&id=b", 409), ("/consume?key=job:3&id=a", 400),
                               ("/release?key=job:3&id=a", 200), ("/hold?key=login:1&id=a", 400)]:
            with self.gate.connect() as client:
                client.send(f"POST {target} HTTP/1.1\r\nHost: localhost\r\n"
                            "Connection: close\r\nContent-Length: 0\r\n\r\n")
                self.assertEqual(int(client.rest().split()[1]), status, target)
        with self.gate.connect() as client:
            client.send("POST /hold?key=job:3&id=a HTTP/1.1\r\nHost: localhost\r\n"
                        "Origin: http://evil.example\r\nContent-Length: 0\r\n\r\n")
            client.finish()
            self.assertEqual(client.rest().split()[1], b"403")

    def test_windows_slide(self):
        """Each response lies between the sending and the receiving of its request."""
        admitted = []
        with self.gate.connect() as client:
            end = time.monotonic() + 1.5
            while time.monotonic() < end or len(admitted) < 4:
                sent = time.monotonic()
                if client.ask("consume window:1").startswith("ALLOW"):
                    admitted.append((sent, time.monotonic()))
                time.sleep(0.005)
        for i, (sent, _) in enumerate(admitted[3:]):
            self.assertGreater(admitted[i + 3][1] - admitted[i][0], 0.3)

    def test_joint_and_explain(self):
        with self.gate.connect() as client:
            self.assertTrue(client.ask("mconsume window:2 2 job:4 5").startswith("ALLOW"))
            self.assertTrue(client.ask("mconsume window:3 1 job:4 1").startswith("DENY"))
            self.assertEqual(fields(client.ask("peek window:3"))["level"], "0")
            self.assertIn("bucket level=5 capacity=5",
                          "\n".join(client.ask_many("EXPLAIN job:4")))
            self.assertTrue(any("algorithm=concurrent capacity=5 lease=600.000000" in line
                                for line in client.ask_many("LIMITS")))


class InRedis(Either, harness.InRedis, harness.Case):
    def test_release_that_finds_no_redis_says_so(self):
        gate = self.redis_daemon(self.server, LIMITS)
        self.redis_level(gate)
        self.assertTrue(gate.ask("hold job:1 a").startswith("ALLOW"))
        self.server.kill()
        harness.wait_until(lambda: gate.ask("release job:1 a").startswith(
            "ERR unavailable the lease could not be released now"), "the fallback")
        self.assertTrue(gate.ask("hold job:1 a").startswith("DENY"))


class InMemory(Either, harness.InMemory, harness.Case):
    pass


if __name__ == "__main__":
    unittest.main()
