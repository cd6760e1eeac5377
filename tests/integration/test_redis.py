"""Buckets in Redis: the same decisions as from memory, and what is there."""

import random
import time

import harness
from harness import PATIENT, fields, wait_until

LIMITS = harness.ALL_KINDS

HOUR_MS = 3600 * 1000

LARGEST = 2**53 - 1


def patient(settings=None):
    merged = {section: dict(values) for section, values in PATIENT.items()}
    for section, values in (settings or {}).items():
        merged.setdefault(section, {}).update(values)
    return merged


def random_requests(rng, count):
    """Requests on a few keys of the limits that know no calendar."""
    lines = []
    for _ in range(count):
        key = rng.choice(["login", "guess", "look"]) + f":{rng.randrange(3)}"
        amount = rng.choice([1, 1, 1, 2, 3, 5, 6, 0, -1, -2, -1000000000])
        lines.append(rng.choice([
            f"consume {key}", f"consume {key} {amount}", f"peek {key} {amount}",
            f"reset {key}" if rng.random() < 0.2 else f"consume {key} 2"]))
    return lines


class SameAsMemory(harness.Case):
    """What is asked in one go is decided at one time, in either store: so even
    the times must agree."""

    def setUp(self):
        super().setUp()
        self.server = self.redis()
        self.stores = [self.redis_daemon(self.server, LIMITS, patient()),
                       self.daemon(LIMITS)]

    def ask_both(self, lines):
        ours, theirs = (store.ask(*lines) for store in self.stores)
        for line, reply in zip(lines, ours):
            self.assertTrue(is_from_redis(line, reply), f"{line}: {reply}")
        # On a busy machine a denial may come while what follows is still unread.
        return ([reply.replace("from=denycache", "from=redis") for reply in ours],
                [reply.replace("from=memory", "from=redis") for reply in theirs])

    def check_equal(self, line, our, their, elapsed):
        """But for times, which may differ by the time between."""
        if our == their:
            return
        our, their = fields(our), fields(their)
        self.assertIn(our.pop("from"), ("redis", "denycache"))
        self.assertIn(their.pop("from"), ("memory", "redis"))
        self.assertEqual(list(our), list(their))
        for name, value in our.items():
            if name in ("next", "retry", "blocked") and \
                    "never" not in (value, their[name]):
                self.assertAlmostEqual(float(value), float(their[name]),
                                       delta=elapsed, msg=line)
            else:
                self.assertEqual(value, their[name], line)

    def test_sequences_asked_in_one_go_get_equal_answers(self):
        # So few that they are decided within one client's quantum.
        equal = 0
        for seed in range(150):
            # Each has its keys to itself: what a former one left has aged by
            # not quite the same time in both.
            self.server.ask("FLUSHALL")
            lines = [line.replace(":", f":{seed}.")
                     for line in random_requests(random.Random(seed), 20)]
            start = time.monotonic()
            ours, theirs = self.ask_both(lines)
            elapsed = time.monotonic() - start
            for line, our, their in zip(lines, ours, theirs):
                self.check_equal(f"seed {seed}: {line}", our, their, elapsed)
            equal += ours == theirs
        # A busy machine may cut what was sent in one go.
        self.assertGreater(equal, 75)

    def test_sequences_asked_one_by_one_get_equal_figures(self):
        rng = random.Random(7)
        lines = random_requests(rng, 300)
        start = time.monotonic()
        replies = []
        for store in self.stores:
            with store.connect() as client:
                replies.append([client.ask(line) for line in lines])
        elapsed = time.monotonic() - start
        for line, our, their in zip(lines, *replies):
            self.check_equal(line, our, their, elapsed)

    def test_fixed_windows_get_equal_figures(self):
        lines = []
        rng = random.Random(3)
        for _ in range(200):
            key = f"mail:{rng.randrange(4)}"
            amount = rng.choice([1, 1, 2, 3, 11, 0, -1, -20])
            lines.append(f"{rng.choice(['consume', 'consume', 'peek'])} {key} {amount}"
                         if rng.random() < 0.95 else f"reset {key}")
        ours, theirs = self.ask_both(lines)
        for line, our, their in zip(lines, ours, theirs):
            our, their = fields(our), fields(their)
            for name, value in our.items():
                if name in ("next", "retry") and value not in ("0", "never"):
                    self.assertAlmostEqual(
                        float(value), float(their[name]), delta=5)
                else:
                    self.assertEqual(value, their[name], line)


def is_from_redis(line, reply):
    return reply == "OK" if line.startswith("reset") else \
        "from=redis" in reply or "from=denycache" in reply


class State(harness.Case):
    def setUp(self):
        super().setUp()
        self.server = self.redis()

    def start(self, settings=None):
        return self.redis_daemon(self.server, LIMITS, patient(settings))

    def redis_now(self):
        seconds, micros = self.server.ask("TIME")
        return int(seconds) * 1000000 + int(micros)

    def empty_at(self, key):
        """A minute, the recharge, is 43kjw microseconds in base 62."""
        text = self.server.ask("HGET", "drip:login", key)
        self.assertRegex(text, rb"^[0-9]+/43kjw$")
        return int(text.split(b"/")[0])

    def test_a_bucket_is_the_time_at_which_it_is_empty(self):
        daemon = self.start()
        before = self.redis_now()
        self.assertEqual(
            daemon.ask("consume login:42"),
            "ALLOW limit=login level=1 capacity=5 next=60.000000 retry=0 "
            "blocked=0 from=redis")
        after = self.redis_now()
        empty_at = self.empty_at("login:42")
        self.assertLessEqual(before + 60000000, empty_at)
        self.assertLessEqual(empty_at, after + 60000000)
        daemon.ask("consume login:42 2")
        self.assertEqual(self.empty_at("login:42"), empty_at + 120000000)
        self.assertEqual(self.server.ask("HLEN", "drip:login"), 1)

    def test_a_blocked_bucket_has_the_end_of_its_block_beside_it(self):
        daemon = self.start()
        daemon.ask("consume guess:1 4")
        self.assertEqual(daemon.ask("consume guess:1")[:4], "DENY")
        empty_at, blocked_until = map(int, self.server.ask(
            "HGET", "drip:guess", "guess:1").split(b"/")[0].split())
        now = self.redis_now()
        self.assertLess(empty_at, now + 120000000)
        self.assertLess(now + 290000000, blocked_until)
        self.assertLess(blocked_until, now + 300000000)

    def test_a_fixed_window_is_its_end_and_a_count(self):
        daemon = self.start()
        reply = fields(daemon.ask("consume mail:1 3", "consume mail:1 4")[1])
        self.assertEqual((reply["level"], reply["from"]), ("7", "redis"))
        year = 365 * 86400
        end = (self.redis_now() // 1000000 // year + 1) * year
        self.assertEqual(self.server.ask("HGET", "drip:mail:w", "mail:1"),
                         b"%ds7" % end)
        self.assertEqual(self.server.ask("EXISTS", "drip:mail"), 0)

    def test_what_leaves_a_bucket_empty_removes_its_field(self):
        daemon = self.start()
        for end in ("reset login:1", "consume login:1 -3",
                    "consume login:1 -1000000000"):
            daemon.ask("consume login:1 3")
            self.assertEqual(self.server.ask("HEXISTS", "drip:login", "login:1"), 1)
            daemon.ask(end)
            self.assertEqual(self.server.ask("HEXISTS", "drip:login", "login:1"), 0)
        daemon.ask("consume guess:1 4", "consume guess:1", "reset guess:1")
        self.assertEqual(self.server.ask("EXISTS", "drip:guess"), 0)
        daemon.ask("consume mail:1 3", "consume mail:1 -3")
        self.assertEqual(self.server.ask("EXISTS", "drip:mail:w"), 0)

    def test_a_give_back_to_zero_keeps_the_block(self):
        daemon = self.start()
        daemon.ask("consume guess:1 4", "consume guess:1", "consume guess:1 -4")
        empty_at, blocked_until = map(int, self.server.ask(
            "HGET", "drip:guess", "guess:1").split(b"/")[0].split())
        self.assertEqual(empty_at, 0)
        self.assertGreater(blocked_until, self.redis_now())

    def test_what_only_looks_leaves_nothing_behind(self):
        daemon = self.start()
        daemon.ask("peek login:1", "peek login:1 6", "consume login:1 0",
                   "consume login:1 6", "consume login:1 -1", "reset login:1",
                   "peek mail:1", "consume mail:1 0", "consume mail:1 11")
        with daemon.connect() as client:
            client.ask_many("explain login:1")
        self.assertEqual(
            [key for key in self.server.ask("KEYS", "*")
             if not key.endswith((b":sweep", b":topology"))], [])

    def test_a_hash_outlives_its_buckets_by_an_hour(self):
        daemon = self.start()
        for key, name, life_ms in (
                ("login:1", "drip:login", 5 * 60000),
                ("guess:1", "drip:guess", 4 * 30000 + 300000),
                ("mail:1", "drip:mail:w", 365 * 24 * HOUR_MS)):
            daemon.ask(f"consume {key}")
            left = self.server.ask("PTTL", name)
            self.assertLessEqual(left, life_ms + HOUR_MS, name)
            self.assertGreater(left, life_ms + HOUR_MS - 30000, name)
            # Each change puts it off again.
            self.server.ask("PEXPIRE", name, 5000000)
            daemon.ask(f"consume {key}")
            self.assertGreater(
                self.server.ask("PTTL", name), life_ms + HOUR_MS - 30000, name)

    def test_the_prefix_is_as_set(self):
        daemon = self.start({"store": {"prefix": "acme/"}})
        daemon.ask("consume login:1", "consume mail:1")
        self.assertEqual(self.server.ask("HLEN", "acme/login"), 1)
        self.assertEqual(self.server.ask("HLEN", "acme/mail:w"), 1)
        self.assertEqual(self.server.ask("KEYS", "drip:*"), [])

    def test_the_prefix_may_be_empty_or_long(self):
        for prefix in ("", "p" * 64):
            daemon = self.start({"store": {"prefix": prefix}})
            daemon.ask("consume login:1")
            self.assertEqual(self.server.ask("HLEN", f"{prefix}login"), 1)

    def test_the_database_is_as_set(self):
        daemon = self.start({"redis": {"db": 3}})
        self.assertIn("from=redis", daemon.ask("consume login:1"))
        self.assertEqual(self.server.ask("EXISTS", "drip:login"), 0)
        with self.server.connect() as link:
            link.ask("SELECT", 3)
            self.assertEqual(link.ask("HLEN", "drip:login"), 1)

    def test_odd_keys_are_kept_as_they_are(self):
        daemon = self.start()
        keys = ["login:" + "k" * 249, "login:käse", "login:%s", 'login:"\\',
                "login:{a}", "login:" + "\U0001F4A7" * 62]
        for reply in daemon.ask(*(f"consume {key}" for key in keys)):
            self.assertIn("from=redis", reply)
        self.assertEqual(
            sorted(self.server.ask("HKEYS", "drip:login")),
            sorted(key.encode() for key in keys))

    def test_two_daemons_share_a_bucket(self):
        one, two = self.start(), self.start()
        levels = [fields(d.ask("consume login:1"))["level"]
                  for d in (one, two, one, two, one)]
        self.assertEqual(levels, ["1", "2", "3", "4", "5"])
        self.assertEqual(fields(two.ask("consume login:1"))["verdict"], "DENY")

    def test_explain_names_the_hash_and_the_field(self):
        daemon = self.start({"store": {"prefix": "acme:"}})
        with daemon.connect() as client:
            client.ask("consume login:7")
            text = "\n".join(client.ask_many("explain login:7"))
        self.assertIn("store redis (replies), field login:7 of hash acme:login",
                      text)
        self.assertIn("bucket level=1 ", text)


class Ways(harness.Case):
    """To the server, and into it."""

    def tcp(self, server, **settings):
        return self.daemon(LIMITS, patient({
            "store": {"type": "redis"},
            "redis": {"port": server.port, **settings}}))

    def ask_of(self, daemon):
        return daemon.ask("consume login:1")

    def test_over_tcp_by_address(self):
        daemon = self.tcp(self.redis(), host="127.0.0.1")
        self.assertIn("from=redis", self.ask_of(daemon))

    def test_over_tcp_by_name(self):
        daemon = self.tcp(self.redis(), host="localhost")
        self.assertIn("from=redis", self.ask_of(daemon))

    def test_a_name_that_does_not_exist_is_no_answer(self):
        daemon = self.tcp(self.redis(), host="no-such-host.invalid",
                          connect_timeout="100ms")
        self.assertIn("from=fallback", self.ask_of(daemon))

    def test_over_a_unix_socket(self):
        daemon = self.redis_daemon(self.redis(), LIMITS, patient())
        self.assertIn("from=redis", self.ask_of(daemon))

    def test_with_a_password(self):
        server = self.redis("--requirepass", "open sesame")
        daemon = self.tcp(server, password="open sesame")
        self.assertIn("from=redis", self.ask_of(daemon))
        self.assertNotIn("sesame", daemon.log())

    def test_with_a_wrong_password_nothing_is_decided_there(self):
        server = self.redis("--requirepass", "right")
        daemon = self.tcp(server, password="guessed")
        self.assertIn("from=fallback", self.ask_of(daemon))
        self.assertIn("WRONGPASS", daemon.log())
        self.assertNotIn("guessed", daemon.log())

    def test_without_the_password_that_is_needed(self):
        daemon = self.tcp(self.redis("--requirepass", "right"))
        self.assertIn("from=fallback", self.ask_of(daemon))
        self.assertIn("NOAUTH", daemon.log())

    def test_a_database_that_is_not_there(self):
        daemon = self.tcp(self.redis(), db=16)
        self.assertIn("from=fallback", self.ask_of(daemon))
        self.assertIn("out of range", daemon.log())

    def test_a_server_that_evicts_is_warned_of(self):
        server = self.redis("--maxmemory-policy", "allkeys-lru")
        daemon = self.tcp(server)
        wait_until(lambda: "maxmemory-policy is not noeviction" in daemon.log(),
                   "the warning")

    def test_a_server_that_does_not_evict_is_not(self):
        server = self.redis()
        with server.connect() as monitor:
            monitor.ask("MONITOR")
            daemon = self.tcp(server)
            while '"INFO"' not in monitor.read():
                pass
        self.ask_of(daemon)
        self.assertNotIn("warning", daemon.log())


class Foreign(harness.Case):
    """Values that are not buckets: left alone, decided by on_error, counted."""

    LIMITS = """
[open]
match = open:*
capacity = 5
recharge = 60s
on_error = allow

[shut]
match = shut:*
capacity = 5
recharge = 60s
on_error = deny

[own]
match = own:*
capacity = 2
recharge = 60s

[tally]
match = tally:*
algorithm = fixed_window
capacity = 5
window = 365d
on_error = deny
"""

    def setUp(self):
        super().setUp()
        self.server = self.redis()
        self.gate = self.redis_daemon(self.server, self.LIMITS, patient())

    def test_fields_that_are_no_buckets_are_left_alone(self):
        values = [b"", b" ", b"hello", b"-5", b"+5", b"1.5", b"1e3", b"0x10",
                  b"nan", b"inf", b"1 2 3", b"1 ", b" 1", b"1  2", b"1\t2",
                  b"1\n", b"1\x00", b"%d" % (LARGEST + 1), b"9" * 40,
                  b"1 %d" % (LARGEST + 1), b"\xff\xfe\r\n$5\r\n", b"1,2",
                  "１".encode()]
        for i, value in enumerate(values):
            self.server.ask("HSET", "drip:shut", f"shut:{i}", value)
        asked = [line for i in range(len(values)) for line in (
            f"consume shut:{i}", f"peek shut:{i}", f"consume shut:{i} -1")]
        for line, reply in zip(asked, self.gate.ask(*asked)):
            self.assertEqual(
                reply, "DENY limit=shut level=0 capacity=5 next=0 "
                "retry=1.000000 blocked=0 from=fallback", line)
        for i, value in enumerate(values):
            self.assertEqual(self.gate.ask(f"reset shut:{i}"),
                             "ERR unavailable the bucket could not be reset now")
            self.assertEqual(
                self.server.ask("HGET", "drip:shut", f"shut:{i}"), value)
        self.assertIn("left alone what is not a bucket", self.gate.log())

    def test_fixed_windows_that_are_none_are_left_alone(self):
        values = [b"", b"5", b"5 ", b"5 -1", b"a b", b"1 2 3",
                  b"1 %d" % (LARGEST + 1)]
        for i, value in enumerate(values):
            self.server.ask("HSET", "drip:tally:w", f"tally:{i}", value)
            reply = self.gate.ask(f"consume tally:{i}")
            self.assertIn("DENY limit=tally", reply)
            self.assertIn("from=fallback", reply)
            self.assertEqual(
                self.server.ask("HGET", "drip:tally:w", f"tally:{i}"), value)

    def test_each_is_counted_and_what_stands_beside_it_is_decided(self):
        self.server.ask("HSET", "drip:open", "open:x", "hello")
        before = self.gate.stats()
        replies = self.gate.ask("consume open:1", "consume open:x",
                                "consume shut:1", "consume open:2 2")
        self.assertEqual([fields(r)["from"] for r in replies],
                         ["redis", "fallback", "redis", "redis"])
        self.assertEqual(
            replies[1], "ALLOW limit=open level=0 capacity=5 next=0 retry=0 "
            "blocked=0 from=fallback")
        self.assertEqual(self.server.ask("HGET", "drip:open", "open:x"), b"hello")
        after = self.gate.stats()
        self.assertEqual(after["foreign_values"] - before["foreign_values"], 1)
        self.assertEqual(after["fallback"] - before["fallback"], 1)
        self.assertEqual(after["redis_ready"], 1)

    def test_memory_stands_in_where_the_limit_says_so(self):
        self.server.ask("HSET", "drip:own", "own:x", "hello")
        replies = [fields(self.gate.ask("consume own:x")) for _ in range(3)]
        self.assertEqual([(r["verdict"], r["level"], r["from"]) for r in replies],
                         [("ALLOW", "1", "fallback"), ("ALLOW", "2", "fallback"),
                          ("DENY", "2", "fallback")])

    def test_a_name_held_by_something_else_is_left_alone(self):
        self.server.ask("SET", "drip:shut", "a string")
        self.server.ask("RPUSH", "drip:tally:w", "a", "list")
        replies = self.gate.ask("consume shut:1", "consume open:1", "consume shut:2",
                                "consume tally:1", "reset shut:1")
        self.assertEqual([r.split()[0] for r in replies],
                         ["DENY", "ALLOW", "DENY", "DENY", "ERR"])
        self.assertEqual([fields(r)["from"] for r in replies[:4]],
                         ["fallback", "redis", "fallback", "fallback"])
        self.assertEqual(self.server.ask("GET", "drip:shut"), b"a string")
        self.assertEqual(self.server.ask("LLEN", "drip:tally:w"), 2)
        self.assertIn("WRONGTYPE", self.gate.log())
        self.assertGreaterEqual(self.gate.stats()["foreign_values"], 3)

    def test_a_huge_value_harms_nobody_else(self):
        """A reply has a bound, beyond which the link is closed: no single value
        may make it that long."""
        value = b"7" * (3 << 20)
        self.server.ask("HSET", "drip:shut", "shut:x", value)
        for _ in range(3):
            replies = self.gate.ask("consume open:1", "consume shut:x",
                                    "consume shut:1")
            self.assertEqual([fields(r)["from"] for r in replies],
                             ["redis", "fallback", "redis"])
        self.assertEqual(self.gate.stats()["redis_ready"], 1)
        self.assertEqual(self.server.ask("HGET", "drip:shut", "shut:x"), value)
        self.assertEqual(fields(self.gate.ask("peek shut:1"))["level"], "3")

    def test_many_large_values_harm_nobody_else(self):
        for i in range(250):
            self.server.ask("HSET", "drip:shut", f"shut:{i}", b"x" * 8000)
        replies = self.gate.ask(
            *(f"consume shut:{i}" for i in range(250)), "consume open:1")
        self.assertEqual(fields(replies[-1])["from"], "redis")
        self.assertEqual(self.gate.stats()["redis_ready"], 1)

    def test_the_log_does_not_storm_and_shows_no_raw_bytes(self):
        self.server.ask("HSET", "drip:open", "open:x", b"\x1b[2J\xff\nerror: forged")
        lines = len(self.gate.log().splitlines())
        self.gate.ask(*["consume open:x"] * 200)
        for _ in range(50):
            self.gate.ask("consume open:x")
        log = self.gate.log()
        self.assertLessEqual(len(log.splitlines()) - lines, 2)
        self.assertNotIn("\x1b", log)
        self.assertNotIn("\nerror: forged", log)
        self.assertIn("\\x1b[2J\\xff\\x0aerror: forged", log)


if __name__ == "__main__":
    harness.main()
