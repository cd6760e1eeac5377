"""The deny cache: what Redis refused is refused without asking it again, and
never for longer than Redis would refuse it.
"""

import re
import time
from itertools import product

import harness
from harness import PATIENT, fields, wait_until

LIMITS = """
[fast]
match = fast:*
capacity = 3
recharge = 40ms

[slow]
match = slow:*
capacity = 2
recharge = 1h

[block]
match = block:*
capacity = 2
recharge = 1h
block = 1m

[window]
match = window:*
algorithm = fixed_window
capacity = 3
window = 100ms

[slide]
match = slide:*
algorithm = sliding_window
capacity = 3
window = 100ms

[slow-slide]
match = slow-slide:*
algorithm = sliding_window
capacity = 2
window = 1h

[job]
match = job:*
algorithm = concurrent
capacity = 2
lease = 1h

[look]
match = look:*
capacity = 2
recharge = 1h
shadow = yes

[asks]
match = asks:*
capacity = 2
recharge = 1h
deny_cache = no
"""

ROUNDS = 60


def is_cached(reply):
    return "from=denycache" in reply


class DenyCache(harness.Case):
    def setUp(self):
        super().setUp()
        self.server = self.redis()

    def start(self, limits=LIMITS, workers=1):
        return self.redis_daemon(self.server, limits, {
            "workers": {"count": workers}, **PATIENT})

    def redis_now(self, redis):
        seconds, micros = redis.ask("TIME")
        return int(seconds) * 1000000 + int(micros)

    def refuse(self, client, key):
        """Have a key refused by the cache, whatever time that takes."""
        for _ in range(1000):
            reply = client.ask(f"consume {key}")
            if is_cached(reply):
                return reply
        raise AssertionError(f"{key} was never refused by the cache")

    def hammer(self, key, opens_at):
        """Ask as fast as one can, and Redis itself for the time before each: what
        is asked once the bucket has room must pass.  Return how many requests were
        refused by the cache."""
        cached = opened = 0
        with self.start().connect() as client, self.server.connect() as redis:
            # On a slow machine, few are asked before it opens again.
            while opened < ROUNDS or cached <= ROUNDS and opened < 20 * ROUNDS:
                before = self.redis_now(redis)
                reply = client.ask(f"consume {key}")
                if reply.startswith("ALLOW"):
                    text = redis.ask("HGET", *opens_at.hash, key)
                    # If it has drained, it may have been swept, and has room.
                    opens = opens_at(text.decode("latin-1")) if text else 0
                    opened += 1
                    continue
                self.assertLess(before, opens, reply)
                cached += is_cached(reply)
        return cached

    def test_no_drop_is_refused_longer_than_by_redis(self):
        def opens_at(text):
            return int(text.split("/")[0]) - 2 * 40000

        opens_at.hash = ["drip:fast"]
        self.assertGreater(self.hammer("fast:1", opens_at), ROUNDS)

    def test_no_window_is_longer_than_that_of_redis(self):
        def opens_at(text):
            end, unit, count = re.fullmatch(r"(\d+)([su])(\d+)", text).groups()
            end = int(end) * (1000000 if unit == "s" else 1)
            return end if int(count) >= 3 else end - 100000

        opens_at.hash = ["drip:window:w"]
        self.assertGreater(self.hammer("window:1", opens_at), ROUNDS)

    def test_no_log_is_full_longer_than_that_of_redis(self):
        def number(text):
            return int.from_bytes(text.encode("latin-1"), "big")

        def opens_at(text):
            width, base = int(text[3]), number(text[4:11])
            ends = [base - (base - number(text[i:i + width])) % 256 ** width
                    for i in range(11, len(text), width + 1)
                    for _ in range(number(text[i + width]))]
            return ends[-3] if len(ends) >= 3 else 0

        opens_at.hash = ["drip:slide:s"]
        self.assertGreater(self.hammer("slide:1", opens_at), ROUNDS)

    def test_who_waits_for_the_retry_passes(self):
        with self.start().connect() as client:
            for key in ["fast:2", "window:2", "slide:2"] * (ROUNDS // 3):
                reply = self.refuse(client, key)
                time.sleep(float(fields(reply)["retry"]))
                reply = client.ask(f"consume {key}")
                self.assertTrue(reply.startswith("ALLOW"), reply)

    def test_the_figures_count_what_was_asked_before(self):
        with self.start().connect() as client:
            for i in range(ROUNDS):
                key = f"slow:{i}"
                client.ask(f"consume {key}", f"consume {key} 2")
                reply = client.ask(f"consume {key}", f"consume {key} 2")[1]
                self.assertEqual(fields(reply)["level"], "2", reply)

    def test_the_figures_are_those_of_redis(self):
        daemon = self.start()
        with daemon.connect() as client:
            for key, amount in [("slow:3", 1), ("block:3", 1), ("slow:3", 3),
                                ("slow-slide:3", 1), ("slow-slide:3", 2),
                                ("slow-slide:3", 3)]:
                self.refuse(client, key)
                cached, asked = map(fields, client.ask(f"consume {key} {amount}",
                                                       f"peek {key} {amount}"))
                for name in ("verdict", "limit", "level", "capacity"):
                    self.assertEqual(cached[name], asked[name])
                for name in ("next", "retry", "blocked"):
                    if asked[name] == "never":
                        self.assertEqual(cached[name], "never")
                    else:
                        self.assertAlmostEqual(float(cached[name]),
                                               float(asked[name]), delta=5)

    def test_a_reset_or_give_back_is_seen_at_once_by_all_workers(self):
        daemon = self.start(workers=3)
        clients = [daemon.connect() for _ in range(6)]
        for i, (line, name) in enumerate(product(
                ("reset", "consume", "reset") * 7, ("slow", "slow-slide"))):
            for client in clients:
                self.refuse(client, f"{name}:4")
            clients[i % 6].ask(f"{line} {name}:4" + (" -2" if line == "consume" else ""))
            self.assertIn(f"ALLOW limit={name} level=1",
                          clients[(i + 1) % 6].ask(f"consume {name}:4"))
        for client in clients:
            client.close()

    def test_a_reset_that_is_not_yet_answered_is_seen(self):
        with self.start().connect() as client:
            for _ in range(50):
                self.refuse(client, "slow:5")
                _, reply = client.ask("reset slow:5", "consume slow:5 2")
                self.assertTrue(reply.startswith("ALLOW"), reply)

    def test_what_another_daemon_resets_is_seen_within_a_second(self):
        seen = 0
        with self.start().connect() as client, self.start().connect() as other:
            while seen < 3:
                self.refuse(client, "slow:6")
                other.ask("reset slow:6")
                reset_at = time.monotonic()
                while True:
                    asked_at = time.monotonic()
                    reply = client.ask("consume slow:6")
                    if reply.startswith("ALLOW"):
                        break
                    self.assertLess(asked_at, reset_at + 1, reply)
                    seen += 1

    def test_new_limits_count_at_once(self):
        daemon = self.start()
        with daemon.connect() as client:
            self.refuse(client, "slow:7")
            daemon.write_limits(LIMITS.replace("capacity = 2", "capacity = 4"))
            daemon.reload()
            wait_until(lambda: daemon.stats()["reloads"] == 1, "the worker")
            self.assertIn("ALLOW limit=slow level=4 ",
                          client.ask("consume slow:7 2"))

    def test_a_limit_in_shadow_lets_pass(self):
        with self.start().connect() as client:
            reply = self.refuse(client, "look:8")
            self.assertTrue(reply.startswith("ALLOW limit=look level=2"), reply)
            self.assertTrue(reply.endswith("from=denycache shadow=deny"), reply)

    def test_what_it_answers_is_counted_and_not_asked(self):
        daemon = self.start()
        for key in "slow:9", "slow-slide:9":
            cached = 0
            with daemon.connect() as client:
                # What it knows is too old after a second.
                while cached == 0:
                    self.refuse(client, key)
                    before = daemon.stats()
                    replies = client.ask(*[f"consume {key}"] * 500)
                    after = daemon.stats()
                    cached = sum(map(is_cached, replies))
            self.assertEqual(after["denycache"] - before["denycache"], cached)
            self.assertEqual(after["denied"] - before["denied"], 500)
            self.assertLessEqual(after["batch_buckets"] - before["batch_buckets"],
                                 500 - cached)

    def test_what_is_held_is_asked_of_redis(self):
        with self.start().connect() as client, self.start().connect() as other:
            for i in range(ROUNDS):
                self.assertIn("ALLOW", client.ask(f"hold job:1 {i} 2"))
                for line in "consume job:1", "hold job:1 other":
                    self.assertRegex(client.ask(line), "DENY .*from=redis")
                self.assertIn("ALLOW", other.ask(f"release job:1 {i}"))

    def test_a_limit_may_do_without(self):
        daemon = self.start()
        with daemon.connect() as client:
            for _ in range(100):
                self.assertIn("from=redis", client.ask("consume asks:10"))
            lines = [line for line in client.ask_many("LIMITS")
                     if "deny_cache=no" in line]
            self.assertEqual([line.split()[0] for line in lines], ["asks"])
            self.assertIn("no deny cache", "\n".join(client.ask_many("EXPLAIN asks:10")))
            self.assertNotIn("no deny cache",
                             "\n".join(client.ask_many("EXPLAIN slow:10")))
        self.assertEqual(daemon.stats()["denycache"], 0)

    def test_the_memory_store_has_none(self):
        daemon = self.daemon(LIMITS)
        with daemon.connect() as client:
            for _ in range(100):
                self.assertIn("from=memory", client.ask("consume slow:11"))
        self.assertEqual(daemon.stats()["denycache"], 0)


if __name__ == "__main__":
    harness.main()
