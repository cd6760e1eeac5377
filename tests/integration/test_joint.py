"""Several keys in one decision: all are charged, or none is."""

import contextlib
import http.client
import json
import random
import re
import signal
import threading

import harness
from harness import fields

# What is charged together by other limits.
PARTS = """
[burst]
match = burst:*
capacity = 3
recharge = 1d

[day]
match = day:*
algorithm = fixed_window
capacity = 5
window = 366d

[block]
match = block:*
capacity = 1
recharge = 2d
block = 1h

[look]
match = look:*
capacity = 1
recharge = 1d
shadow = yes
"""
LIMITS = PARTS + """
[user]
match = user:*
capacity = 9
recharge = 1d
also = day:$1 burst:all

[pair]
match = ~^pair:(\\w+)-(\\w+)$
capacity = 9
recharge = 1d
also = burst:$1,burst:$2 $$:$0

[open]
match = open:*
capacity = 1
recharge = 1d
on_error = allow

[shut]
match = shut:*
capacity = 1
recharge = 1d
on_error = deny
"""


class OneStore:
    """What holds wherever buckets are; see start()."""

    def level(self, key):
        return int(fields(self.client.ask(f"PEEK {key}"))["level"])

    def ask(self, line, **expected):
        said = fields(self.client.ask(line))
        for name, value in expected.items():
            self.assertEqual(said.get(name), value, f"{line}: {said}")
        return said

    def test_all_are_charged_or_none_is(self):
        for count in range(1, 4):
            self.ask("MCONSUME burst:1 1 day:1 1", verdict="ALLOW", level=str(count),
                     key="burst:1", limit="burst", capacity="3")
        self.ask("MCONSUME day:1 1 burst:1 1", verdict="DENY", key="burst:1", level="3")
        self.ask("MCONSUME day:1 1 day:2 1", verdict="ALLOW", key="day:1", level="4")
        self.assertEqual([self.level(key) for key in ["burst:1", "day:1", "day:2"]], [3, 4, 1])

    def test_the_one_that_denies_for_longest_is_told(self):
        self.ask("MCONSUME burst:1 3 block:1 1", verdict="ALLOW", key="burst:1")
        self.ask("MPEEK burst:1 1 block:1 1", verdict="DENY", limit="block", blocked="0")
        self.ask("MPEEK burst:2 4 block:1 1", verdict="DENY", limit="burst", retry="never")

    def test_the_same_key_twice_counts_with_the_sum(self):
        self.ask("MCONSUME burst:1 2 burst:1 2", verdict="DENY", retry="never")
        self.ask("MCONSUME burst:1 2 day:1 1 burst:1 1", verdict="ALLOW", level="3")
        self.ask("MCONSUME burst:1 -2 burst:1 -1", verdict="ALLOW", level="0")
        self.ask("MCONSUME " + "day:2 1000000000 " * 16, verdict="DENY", retry="never")
        self.ask("MCONSUME " + "day:2 -1000000000 " * 16, verdict="ALLOW", level="0")

    def test_a_key_that_denies_starts_its_block_and_no_other_is_charged(self):
        self.ask("MCONSUME burst:1 1 block:1 1", verdict="ALLOW")
        self.ask("MCONSUME burst:1 1 block:1 1", verdict="DENY", limit="block", blocked="3600.000000")
        self.assertEqual(self.level("burst:1"), 1)
        self.ask("PEEK block:1", verdict="DENY")
        self.assertGreater(float(self.ask("PEEK block:1")["blocked"]), 3000)

    def test_a_block_starts_though_another_key_denies_too(self):
        self.ask("MCONSUME block:1 1", verdict="ALLOW")
        self.ask("MCONSUME burst:1 9 block:1 1", verdict="DENY", retry="never")
        self.assertGreater(float(self.ask("PEEK block:1")["blocked"]), 3000)

    def test_a_limit_in_shadow_denies_none_of_the_others(self):
        self.assertNotIn("shadow", self.ask("MCONSUME look:1 1 burst:1 1", verdict="ALLOW"))
        self.ask("MCONSUME look:1 1 burst:1 1", verdict="ALLOW", shadow="deny", limit="burst")
        self.ask("MCONSUME look:1 1 look:2 1", verdict="ALLOW", shadow="deny")
        self.ask("MCONSUME look:3 1 burst:1 2", verdict="DENY", limit="burst")
        self.assertEqual([self.level(key) for key in ["burst:1", "look:1", "look:2", "look:3"]],
                         [2, 1, 1, 0])

    def test_a_peek_changes_nothing(self):
        self.ask("MPEEK burst:1 3 day:1 5", verdict="ALLOW", level="0")
        self.ask("MPEEK burst:1 3 day:1 6", verdict="DENY", key="day:1")
        self.assertEqual([self.level("burst:1"), self.level("day:1")], [0, 0])

    def test_what_one_client_sends_at_once_is_decided_in_order(self):
        lines = ["CONSUME burst:1", "MCONSUME burst:1 1 day:1 1", "CONSUME day:1",
                 "PEEK burst:1", "MCONSUME burst:1 1 day:1 1", "MCONSUME burst:1 1 day:1 1",
                 "CONSUME day:1 -9", "RESET burst:1", "MPEEK burst:1 3 day:1 5",
                 "CONSUME burst:1 3", "MCONSUME day:1 1 burst:1 1", "PEEK day:1"]
        for _ in range(30):
            said = self.client.ask(*lines)
            self.assertEqual([line.split()[0] + line.partition("level=")[2][:1] for line in said],
                             ["ALLOW1", "ALLOW2", "ALLOW2", "ALLOW2", "ALLOW3", "DENY3",
                              "ALLOW0", "OK", "ALLOW0", "ALLOW3", "DENY3", "ALLOW0"])
            self.client.ask("RESET burst:1", "RESET day:1")

    def test_clients_at_once_exceed_no_limit_and_leave_no_key_behind(self):
        admitted = []

        def run(seed):
            pick = random.Random(seed)
            keys = [f"day:{i}" for i in range(6)] + [f"burst:{i}" for i in range(6)]
            with contextlib.closing(self.gate.connect()) as client:
                for _ in range(40):
                    chosen = pick.sample(keys, 3)
                    if client.ask("MCONSUME " + " ".join(f"{key} 1" for key in chosen))[0] == "A":
                        admitted.extend(chosen)

        threads = [threading.Thread(target=run, args=[seed]) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(6):
            for name, capacity in ("day", 5), ("burst", 3):
                key = f"{name}:{i}"
                self.assertLessEqual(admitted.count(key), capacity)
                self.assertEqual(self.level(key), admitted.count(key))
        self.assertEqual(max(admitted.count(f"burst:{i}") for i in range(6)), 3)

    def test_a_limit_charges_other_keys_too(self):
        for count in range(1, 4):
            self.ask("CONSUME user:7", verdict="ALLOW", key="burst:all", level=str(count))
        self.ask("CONSUME user:8", verdict="DENY", key="burst:all")
        self.ask("PEEK user:8", verdict="DENY", key="burst:all")
        self.assertEqual([self.level(key) for key in ["day:7", "day:8"]], [3, 0])
        self.assertEqual(self.client.ask("RESET burst:all"), "OK")
        self.ask("CONSUME user:8 3", verdict="ALLOW", key="burst:all", level="3")
        self.ask("CONSUME user:8 -3", verdict="ALLOW", level="0")
        self.assertEqual(self.client.ask("RESET user:7"), "OK")
        self.assertEqual(self.level("day:7"), 3)
        self.assertEqual([line.partition(" level=")[0] for line in self.client.ask_many("EXPLAIN user:7")[-2:]],
                         ["also day:7: limit day", "also burst:all: limit burst"])

    def test_groups_of_a_regular_expression_make_other_keys(self):
        self.ask("CONSUME pair:a-b 2", verdict="ALLOW", level="2")
        self.assertEqual([self.level("burst:a"), self.level("burst:b")], [2, 2])
        self.ask("CONSUME pair:a-a 1", verdict="DENY", key="burst:a")
        self.assertEqual(self.client.ask_many("EXPLAIN pair:a-b")[-1], "also $:pair:a-b: limit -")

    def test_keys_with_other_keys_are_bounded_together(self):
        self.ask("MCONSUME user:1 1 user:2 1 user:1 1", verdict="ALLOW", key="burst:all", level="3")
        self.assertEqual([self.level("day:1"), self.level("day:2")], [2, 1])
        self.assertEqual(self.client.ask("MCONSUME" + "".join(f" user:{i} 1" for i in range(6)))[:12],
                         "ERR toomany ")

    def http(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.gate.port)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            return response.status, json.loads(response.read()), response.headers

    def test_http_asks_for_several_keys(self):
        status, body, headers = self.http("GET", "/consume?key=burst:1&amount=3&key=day:1")
        self.assertEqual((status, body["key"], body["level"]), (200, "burst:1", 3))
        self.assertEqual(headers["RateLimit"].split(";")[:2], ['"burst"', "r=0"])
        status, body, _ = self.http("POST", "/consume", json.dumps(
            {"all": [{"key": "day:1", "amount": 2}, {"key": "burst:1"}], "deny": 403}))
        self.assertEqual((status, body["key"], body["limit"]), (403, "burst:1", "burst"))
        self.assertEqual(self.level("day:1"), 1)
        status, body, _ = self.http("GET", "/peek?key=day:1&amount=5&key=burst:2")
        self.assertEqual((status, body["key"]), (429, "day:1"))
        status, body, _ = self.http("GET", "/consume?key=user:7")
        self.assertEqual((status, body["key"]), (200, "burst:all"))

    def test_keys_of_a_transaction_have_other_keys_too(self):
        with harness.RedisClient(self.gate.path) as client:
            self.assertEqual(client.ask("CONSUME", "user:7", 2)[0], 1)
            reply = client.ask("MCONSUME", "user:7", 1, "day:9", 1)
            self.assertEqual(reply[:3] + reply[6:], [1, 3, 3, b"burst", reply[7], b"", b"burst:all"])
            client.ask("MULTI")
            client.ask("MCONSUME", "day:9", 1, "user:7", 1)
            client.ask("CONSUME", "user:7")
            self.assertEqual([reply[0] for reply in client.ask("EXEC")], [0, 0])
            self.assertEqual(dict(zip(*[iter(client.ask("MPEEK", "day:9", 1, "burst:b", 1, "MAP"))] * 2))[b"key"],
                             b"burst:b")
            self.assertEqual(client.ask("EXISTS", "user:7"), 1)

    def test_counters_count_the_request_once_and_each_limit(self):
        self.ask("MCONSUME burst:1 3 day:1 1 look:1 1")
        self.ask("MCONSUME burst:1 1 day:1 1 look:1 1")
        self.ask("MPEEK burst:1 1 day:1 1")
        stats = self.gate.stats()
        self.assertEqual([stats[name] for name in ["allowed", "denied", "peeks"]], [1, 1, 1])
        counted = {}
        for line in self.client.ask_many("LIMITS"):
            said = dict(re.findall(r"(\w+)=(\S+)", line))
            counted[line.split()[0]] = said["allowed"], said["denied"]
        counted = {name: counted[name] for name in ["burst", "day", "look"]}
        self.assertEqual(counted, {"burst": ("1", "1"), "day": ("1", "0"), "look": ("1", "0")})

    def test_a_key_without_a_limit_is_as_the_settings_say(self):
        self.ask("MCONSUME other 1 burst:1 3", verdict="ALLOW", key="burst:1", level="3")
        self.ask("MCONSUME other 1 another 1", verdict="ALLOW", limit="-")

    def test_a_key_without_a_limit_may_deny_the_others(self):
        with self.daemon(LIMITS, {"limits": {"unmatched": "deny"}}).connect() as client:
            for line in "MCONSUME other 1 burst:1 1", "MCONSUME burst:1 1 other 1":
                said = fields(client.ask(line))
                self.assertEqual((said["verdict"], said["limit"]), ("DENY", "-"))
            self.assertEqual(fields(client.ask("PEEK burst:1"))["level"], "0")

    def test_wrong_requests_have_their_codes(self):
        for line, code in [("MCONSUME", "nokey"), ("MCONSUME a", "noamount"),
                           ("MCONSUME a 1 b", "noamount"), ("MCONSUME a one", "badamount"),
                           ("MCONSUME a 1 \x01 1", "badkey"), ("MPEEK a 1 b 1000000001", "badamount"),
                           ("MCONSUME" + " day:1 1" * 17, "toomany"),
                           ("MPEEK" + " day:1 1" * 17, "toomany"),
                           ("MCONSUME" + " day:1 1" * 16 + " id=a b", "toomany")]:
            self.assertEqual(self.client.ask(line).split()[:2], ["ERR", code], line)
        with harness.RedisClient(self.gate.path) as client:
            for verb in "MCONSUME", "MPEEK":
                for count in 17, 20:
                    with self.assertRaisesRegex(harness.RedisError, "more than 16 keys"):
                        client.ask(verb, *["day:1", "1"] * count)
            self.assertEqual(client.ask("MPEEK", *["day:1", "0"] * 16)[0], 1)
        self.assertEqual(self.level("day:1"), 0)


class InMemory(OneStore, harness.Case):
    def setUp(self):
        super().setUp()
        self.gate = self.daemon(LIMITS, {"workers": {"count": 3}})
        self.client = self.gate.connect()
        self.addCleanup(self.client.close)

    def test_a_full_table_takes_none_of_the_keys(self):
        self.gate.kill()
        self.gate = self.daemon(LIMITS, {"store": {"max_buckets": 1000, "on_full": "deny"}})
        self.client = self.gate.connect()
        self.addCleanup(self.client.close)
        # The table has a little more room than that, and a limit no more than nine tenths.
        for i in range(3000):
            if self.client.ask(f"CONSUME day:{i}")[0] == "D":
                break
        else:
            self.fail("the table is never full")
        before = self.gate.stats()["memory_buckets"]
        for i in range(100):
            if self.client.ask(f"MCONSUME burst:{i} 1 day:new{i} 1")[0] == "A":
                continue
            self.assertEqual([self.level(f"burst:{i}"), self.level(f"day:new{i}")], [0, 0])
            # Each of those before has two, and this one none.
            self.assertEqual(self.gate.stats()["memory_buckets"], before + 2 * i)
            break
        else:
            self.fail("there is room for more")


class InRedis(OneStore, harness.Case):
    def setUp(self):
        super().setUp()
        self.server = self.redis()
        self.gate = self.redis_daemon(self.server, LIMITS, {"workers": {"count": 3}})
        self.client = self.gate.connect()
        self.addCleanup(self.client.close)
        harness.wait_until(lambda: self.client.ask("READY") == "READY redis", "Redis")

    def test_one_call_decides_all(self):
        self.ask("MCONSUME burst:1 1", verdict="ALLOW")
        before = self.gate.stats()["batches"]
        self.ask("MCONSUME burst:1 1 day:1 1 block:1 1 look:1 1", verdict="ALLOW", **{"from": "redis"})
        self.assertEqual(self.gate.stats()["batches"], before + 1)

    def test_the_deny_cache_denies_the_check_without_asking(self):
        self.ask("MCONSUME burst:1 3", verdict="ALLOW")
        self.ask("MCONSUME burst:1 1 day:1 1", verdict="DENY", **{"from": "redis"})

        def is_not_asked():
            # It knows for a second at most.
            before = self.gate.stats()["batches"]
            for _ in range(10):
                said = self.ask("MCONSUME day:1 1 burst:1 1", verdict="DENY", key="burst:1")
            return said["from"] == "denycache" and \
                self.gate.stats()["batches"] - before < 4  # one a worker, at the most

        harness.wait_until(is_not_asked, "the deny cache")
        self.client.ask("RESET burst:1")
        self.ask("MCONSUME day:1 1 burst:1 1", verdict="ALLOW")

    def test_of_what_the_deny_cache_denies_the_longest_is_told(self):
        def is_told(line):
            # It knows both for a second at most.
            self.client.ask("CONSUME burst:1 3", "CONSUME day:1 5", "CONSUME burst:1", "CONSUME day:1")
            said = self.ask(line)
            return (said["from"], said["verdict"], said["key"]) == ("denycache", "DENY", "day:1")

        for line in "MCONSUME burst:1 1 day:1 1", "MCONSUME day:1 1 burst:1 1":
            harness.wait_until(lambda line=line: is_told(line), "the longest")

    def test_without_redis_on_error_decides_each_and_all_together(self):
        self.ask("MCONSUME burst:1 1 day:1 1", verdict="ALLOW")
        self.server.kill()
        harness.wait_until(lambda: self.ask("CONSUME look:9")["from"] == "fallback", "fallback")
        self.ask("MCONSUME burst:1 3 day:1 1", verdict="ALLOW", **{"from": "fallback"})
        self.ask("MCONSUME burst:1 1 day:1 1", verdict="DENY", key="burst:1")
        self.ask("MCONSUME shut:1 1 day:1 1", verdict="DENY", key="shut:1")
        self.ask("MCONSUME open:1 1 day:1 1", verdict="ALLOW")
        self.assertEqual(self.level("day:1"), 2)

    def test_a_bucket_that_is_none_is_left_alone_and_no_other_is_charged(self):
        self.ask("MCONSUME burst:1 1 day:1 1", verdict="ALLOW")
        with self.server.connect() as redis:
            redis.ask("HSET", "drip:burst", "burst:1", "hello")
        self.ask("MCONSUME burst:1 1 day:1 1", **{"from": "fallback"})
        with self.server.connect() as redis:
            self.assertEqual(redis.ask("HGET", "drip:burst", "burst:1"), b"hello")
        self.assertEqual(self.level("day:1"), 1)


class OverServers(harness.Case):
    """Two servers, and keys that are on one or the other."""

    def setUp(self):
        super().setUp()
        self.servers = [self.lasting(harness.free_port()) for _ in range(2)]
        hosts = " ".join(f"127.0.0.1:{server.port}" for server in self.servers)
        self.gate = self.daemon(LIMITS, {
            "store": {"type": "redis"},
            "redis": {**harness.PATIENT["redis"], "topology": "sharded", "hosts": hosts,
                      "partitions": 16}})
        self.client = self.gate.connect()
        self.addCleanup(self.client.close)
        harness.wait_until(lambda: self.client.ask("READY") == "READY redis", "Redis")
        self.places = {}
        # Of all partitions: with numbers in a row the keys would be in half of them.
        for i in range(0, 40 * 97, 97):
            for key in f"burst:{i}", f"day:{i}":
                self.ask_redis(f"CONSUME {key}", " from=redis")
                self.places[key] = self.place_of(key)
                self.ask_redis(f"RESET {key}", "OK")

    def lasting(self, port):
        """A server that has its data again when it is started again."""
        return self.redis("--appendonly", "yes", "--appendfsync", "always",
                          "--appenddirname", f"aof-{port}", port=port)

    def ask_redis(self, line, end):
        """Until it replies in time: its time-out is short here."""
        harness.wait_until(lambda: self.client.ask(line).endswith(end), line)

    def place_of(self, key):
        for i, server in enumerate(self.servers):
            with server.connect() as redis:
                for name in redis.ask("KEYS", "drip:*"):
                    if redis.ask("TYPE", name) == "hash" and redis.ask("HEXISTS", name, key):
                        return i
        self.fail(f"{key} is nowhere")

    def key_at(self, place, name, taken=()):
        return next(key for key, at in self.places.items()
                    if at == place and key.startswith(name) and key not in taken)

    def level(self, key):
        return int(fields(self.client.ask(f"PEEK {key}"))["level"])

    def test_what_one_server_took_is_given_back_when_another_denies(self):
        for here in 0, 1:
            burst, day = self.key_at(here, "burst"), self.key_at(1 - here, "day")
            self.client.ask(f"CONSUME {burst} 2", f"CONSUME {day} 5")
            for _ in range(3):
                said = fields(self.client.ask(f"MCONSUME {burst} 1 {day} 1"))
                self.assertEqual((said["verdict"], said["key"]), ("DENY", day))
                self.assertEqual(self.level(burst), 2)
            self.client.ask(f"RESET {day}")
            said = fields(self.client.ask(f"MCONSUME {burst} 1 {day} 1"))
            self.assertEqual((said["verdict"], said["key"]), ("ALLOW", burst))
            self.assertEqual([self.level(burst), self.level(day)], [3, 1])
            said = fields(self.client.ask(f"MCONSUME {burst} 1 {day} 1"))
            self.assertEqual((said["verdict"], said["key"]), ("DENY", burst))
            self.assertEqual([self.level(burst), self.level(day)], [3, 1])

    def test_nothing_is_given_back_where_another_server_denies(self):
        for here in 0, 1:
            burst, day = self.key_at(here, "burst"), self.key_at(1 - here, "day")
            self.client.ask(f"CONSUME {burst} 2", f"CONSUME {day} 5")
            for _ in range(3):
                said = fields(self.client.ask(f"MCONSUME {burst} -1 {day} 1"))
                self.assertEqual((said["verdict"], said["key"]), ("DENY", day))
                self.assertEqual(self.level(burst), 2)
            self.client.ask(f"RESET {day}")
            said = fields(self.client.ask(f"MCONSUME {burst} -1 {day} 1"))
            self.assertEqual((said["verdict"], said["from"]), ("ALLOW", "redis"))
            self.assertEqual([self.level(burst), self.level(day)], [1, 1])
            said = fields(self.client.ask(f"MCONSUME {burst} -1 {day} -1"))
            self.assertEqual(said["verdict"], "ALLOW")
            self.assertEqual([self.level(burst), self.level(day)], [0, 0])

    def test_what_is_given_back_without_its_server_is_decided_by_on_error(self):
        burst, day = self.key_at(0, "burst"), self.key_at(1, "day")
        self.client.ask(f"CONSUME {burst} 2")
        self.servers[0].kill()
        said = fields(self.client.ask(f"MCONSUME {burst} -1 {day} 1"))
        self.assertEqual(said["verdict"], "ALLOW")
        self.assertEqual(self.level(day), 1)

    def test_explain_shows_the_parts_of_each_server(self):
        keys = [self.key_at(place, "burst") for place in (0, 1)]
        self.client.ask(f"CONSUME {keys[0]} 1", f"CONSUME {keys[1]} 2")
        numbers = [key.partition(":")[2] for key in keys]

        def figures():
            lines = self.client.ask_many(f"EXPLAIN pair:{numbers[0]}-{numbers[1]}")
            parts = [dict(re.findall(r" (\w+)=(\S+)", line)) for line in lines[-3:-1]]
            return [(part["level"], part["from"], part.get("decides")) for part in parts]

        self.assertEqual(figures(), [("1", "redis", None), ("2", "redis", "ALLOW")])
        self.servers[0].kill()
        self.assertEqual(figures()[1], ("2", "redis", "ALLOW"))
        self.assertEqual(figures()[0], ("0", "fallback", None))

    def test_the_next_request_comes_behind_what_is_given_back(self):
        burst, day = self.key_at(0, "burst"), self.key_at(1, "day")
        self.client.ask(f"CONSUME {day} 5")
        for _ in range(50):
            said = self.client.ask(f"MCONSUME {burst} 3 {day} 1", f"CONSUME {burst} 3", f"RESET {burst}")
            self.assertEqual([line.split()[0] for line in said], ["DENY", "ALLOW", "OK"])

    def test_a_server_that_is_killed_in_between_lets_none_too_many_in(self):
        """What it took is not given back then, nor later on: it is lost."""
        burst, day = self.key_at(0, "burst"), self.key_at(1, "day")
        self.client.ask(f"CONSUME {burst} 1", f"CONSUME {day} 5")
        self.servers[1].send(signal.SIGSTOP)
        self.client.send(f"MCONSUME {burst} 1 {day} 1\n")
        with self.gate.connect() as other:
            harness.wait_until(
                lambda: fields(other.ask(f"PEEK {burst}"))["level"] == "2", "what it takes")
        self.servers[0].kill()
        self.servers[1].send(signal.SIGCONT)
        said = fields(self.client.line())
        self.assertEqual((said["verdict"], said["key"]), ("DENY", day))
        self.servers[0] = self.lasting(self.servers[0].port)
        self.ask_redis(f"PEEK {burst}", " from=redis")
        verdicts = [line.split()[0] for line in self.client.ask(*2 * [f"CONSUME {burst} 1"])]
        self.assertEqual(verdicts, ["ALLOW", "DENY"])
        self.assertEqual(self.level(burst), 3)


if __name__ == "__main__":
    harness.main()
