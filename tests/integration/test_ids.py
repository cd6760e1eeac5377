"""A request with an id is charged once, however often and wherever it comes."""

import contextlib
import http.client
import itertools
import json
import os
import signal
import subprocess
import threading

import harness
from harness import PATIENT, fields, wait_until

LIMITS = """
[plain]
match = plain:*
capacity = 10
recharge = 1h
retry_jitter = 0%

[quick]
match = quick:*
capacity = 1
recharge = 200ms

[short]
match = short:*
capacity = 9
recharge = 1d
id_memory = 1s

[day]
match = day:*
algorithm = fixed_window
capacity = 5
debt = 2
window = 366d

[block]
match = block:*
capacity = 1
recharge = 1d
block = 1h

[look]
match = look:*
capacity = 1
recharge = 1d
shadow = yes

[both]
match = both:*
capacity = 9
recharge = 1d
also = plain:$1 day:$1

[slide]
match = slide:*
algorithm = sliding_window
capacity = 9
window = 1d

[free]
match = free:*
action = allow

[never]
match = never:*
action = deny

[same]
match = same:*
capacity = 9
recharge = 1d
normalize = lower
"""


class EitherStore:
    """What holds wherever buckets are."""

    LIMITS = LIMITS

    def level(self, key):
        return int(fields(self.client.ask(f"PEEK {key} 0"))["level"])

    def twice(self, line):
        """What it is told, the same both times."""
        said = self.client.ask(line)
        self.assertEqual(self.client.ask(line), said, line)
        return fields(said)

    def check_refused(self, line, code):
        self.assertEqual(self.client.ask(line).split()[:2], ["ERR", code], line)

    def test_an_id_is_charged_once_and_gets_its_response_again(self):
        self.assertEqual(self.twice("CONSUME plain:1 3 id=a")["level"], "3")
        self.assertEqual(self.client.ask("CONSUME plain:1 2 id=b").split()[2], "level=5")
        self.assertEqual(self.twice("CONSUME plain:1 3 id=a")["level"], "3")
        self.assertEqual(self.level("plain:1"), 5)
        self.assertEqual(self.twice("CONSUME plain:1 id=c")["level"], "6")
        self.assertEqual(self.twice("CONSUME plain:1 -4 id=d")["level"], "2")
        self.assertEqual(self.level("plain:1"), 2)
        self.assertEqual(self.gate.stats()["repeated"], 5)

    def test_an_id_is_of_one_key(self):
        for key in "plain:1", "plain:2":
            self.assertEqual(self.twice(f"CONSUME {key} id=a")["level"], "1")
        self.assertEqual(self.twice("CONSUME same:A id=a")["level"], "1")
        self.assertEqual(self.twice("CONSUME same:a id=a")["level"], "1")

    def test_a_response_is_that_of_a_request_without_an_id(self):
        plain = fields(self.client.ask("CONSUME plain:1 2"))
        self.assertEqual(list(fields(self.client.ask("CONSUME plain:2 2 id=a"))), list(plain))

    def test_another_amount_under_an_id_is_refused(self):
        self.twice("CONSUME day:1 1 id=a")
        for line in "CONSUME day:1 2 id=a", "CHARGE day:1 1 id=a", "TAKE day:1 1 id=a", \
                "MCONSUME day:1 1 plain:1 1 id=a":
            self.check_refused(line, "otherid")
        self.assertEqual([self.level("day:1"), self.level("plain:1")], [1, 0])

    def test_ids_have_1_to_64_printable_bytes(self):
        self.assertEqual(self.twice(f"CONSUME plain:1 1 id={64 * '~'}")["level"], "1")
        self.assertEqual(self.twice(f"CONSUME plain:1 1 ID={63 * '!'}=")["level"], "2")
        for odd in "", 65 * "x", "\x85", "\x7f", "\x01":
            self.check_refused(f"CONSUME plain:1 1 id={odd}", "badid")
        self.check_refused("PEEK plain:1 1 id=a", "surplus")
        self.check_refused("RESET plain:1 id=a", "surplus")

    def test_a_denial_is_repeated_as_long_as_the_drops_do_not_fit(self):
        self.client.ask("CONSUME plain:1 10")
        said = self.twice("CONSUME plain:1 2 id=a")
        self.assertEqual(said["verdict"], "DENY")
        self.client.ask("CONSUME plain:1 -1")
        self.assertEqual(self.twice("CONSUME plain:1 2 id=a")["retry"], said["retry"])
        self.client.ask("CONSUME plain:1 -1")
        self.assertEqual(self.twice("CONSUME plain:1 2 id=a")["verdict"], "ALLOW")
        self.assertEqual(self.level("plain:1"), 10)
        self.assertEqual(self.twice("CONSUME plain:1 11 id=b")["retry"], "never")

    def test_who_comes_back_after_the_retry_is_decided_again(self):
        self.client.ask("CONSUME quick:1")
        wait_until(lambda: self.client.ask("CONSUME quick:1 id=a")[:6] == "ALLOW ", "room")

    def test_a_repeated_denial_starts_no_block(self):
        self.client.ask("CONSUME block:1")
        self.assertEqual(self.twice("CONSUME block:1 id=a")["blocked"], "3600.000000")
        self.assertEqual(self.client.ask("RESET block:1"), "OK")
        self.client.ask("CONSUME block:1 1")
        self.assertEqual(self.twice("CONSUME block:1 id=a")["blocked"], "3600.000000")
        self.assertEqual(fields(self.client.ask("PEEK block:1"))["blocked"], "0")

    def test_a_reset_forgets_no_id(self):
        self.twice("CONSUME plain:1 3 id=a")
        self.assertEqual(self.client.ask("RESET plain:1"), "OK")
        self.assertEqual(self.twice("CONSUME plain:1 3 id=a")["level"], "3")
        self.assertEqual(self.level("plain:1"), 0)

    def test_an_id_is_forgotten_after_id_memory(self):
        # At once: it is remembered for a second.
        first, again = self.client.ask(*["CONSUME short:1 2 id=a"] * 2)
        self.assertEqual((fields(first)["level"], again), ("2", first))
        wait_until(lambda: self.client.ask("CONSUME short:1 2 id=a").split()[2] == "level=4", "it")
        self.twice("CONSUME plain:1 2 id=a")

    def test_what_is_charged_or_taken_has_an_id(self):
        self.assertEqual(self.twice("TAKE day:1 4 id=a")["taken"], "4")
        self.assertEqual(self.twice("TAKE day:1 4 id=b")["taken"], "1")
        self.assertEqual(self.twice("TAKE day:1 4 id=c")["verdict"], "DENY")
        self.assertEqual(self.twice("CHARGE day:1 2 id=d")["level"], "7")
        self.assertEqual(self.twice("CHARGE day:1 1 id=e")["verdict"], "DENY")
        self.assertEqual(self.twice("TAKE day:1 0 id=f")["verdict"], "ALLOW")
        self.assertEqual(self.level("day:1"), 7)

    def test_several_keys_have_one_id(self):
        for _ in range(2):
            said = self.twice("MCONSUME plain:1 9 day:1 4 id=a")
            self.assertEqual((said["key"], said["level"]), ("plain:1", "9"))
        said = self.twice("MCONSUME plain:1 1 day:1 2 id=b")
        self.assertEqual((said["verdict"], said["key"]), ("DENY", "day:1"))
        self.assertEqual([self.level("plain:1"), self.level("day:1")], [9, 4])
        self.assertEqual(self.twice("CONSUME both:2 id=a")["key"], "day:2")
        self.assertEqual([self.level(f"{key}:2") for key in ("both", "plain", "day")], [1, 1, 1])
        self.check_refused("TAKE both:2 1 id=b", "takealso")
        keys = " ".join(f"plain:{i} 1" for i in range(20, 36))
        self.twice(f"MCONSUME {keys} id={64 * 'x'}")
        self.assertEqual([self.level(f"plain:{i}") for i in range(20, 36)], 16 * [1])

    def test_limits_without_buckets_need_no_id_and_those_with_a_log_take_none(self):
        self.assertEqual(self.twice("CONSUME free:1 2 id=a")["verdict"], "ALLOW")
        self.assertEqual(self.twice("CONSUME never:1 2 id=a")["verdict"], "DENY")
        for _ in range(2):
            self.assertEqual(self.client.ask("MCONSUME free:1 1 plain:1 2 id=a")[:6], "ALLOW ")
            self.assertEqual(self.client.ask("MCONSUME never:1 1 plain:1 2 id=b")[:5], "DENY ")
        self.check_refused("CONSUME slide:1 2 id=a", "noids")
        self.check_refused("MCONSUME plain:1 1 slide:1 2 id=c", "noids")
        self.assertEqual([self.level("plain:1"), self.level("slide:1")], [2, 0])

    def test_a_limit_in_shadow_repeats_what_it_told(self):
        self.twice("CONSUME look:1 id=a")
        self.assertEqual(self.twice("CONSUME look:1 id=b")["shadow"], "deny")
        self.assertEqual(self.twice("MCONSUME look:1 1 plain:1 1 id=c")["shadow"], "deny")
        self.assertEqual(self.level("plain:1"), 1)

    def test_what_comes_at_once_is_one(self):
        lines = "CONSUME plain:1 1 id=a\nCONSUME plain:1 1\nCONSUME plain:1 1 id=a\n" \
                "MCONSUME plain:1 1 day:1 1 id=b\nMCONSUME plain:1 1 day:1 1 id=b\n"
        self.client.send(lines)
        levels = [fields(self.client.line())["level"] for _ in range(5)]
        self.assertEqual(levels, ["1", "2", "1", "1", "1"])
        self.assertEqual([self.level("plain:1"), self.level("day:1")], [3, 1])

    def test_many_who_ask_with_one_id_are_one(self):
        def run(said):
            with self.gate.connect() as client:
                said.extend(client.ask(f"CONSUME plain:{i % 9} 1 id={i}") for i in range(90))

        runs = [[] for _ in range(6)]
        threads = [threading.Thread(target=run, args=[said]) for said in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for said in zip(*runs):
            self.assertEqual(len(set(said)), 1, said)
        self.assertEqual([self.level(f"plain:{i}") for i in range(9)], 9 * [10])

    def test_a_limit_that_changes_keeps_the_verdict(self):
        self.twice("CONSUME plain:1 8 id=a")
        self.twice("TAKE plain:2 9 id=a")
        self.client.ask("CONSUME plain:3 9")
        self.assertEqual(self.twice("CONSUME plain:3 2 id=a")["verdict"], "DENY")
        self.gate.write_limits(LIMITS.replace("capacity = 10\nrecharge = 1h", "capacity = 5\nrecharge = 1h"))
        self.gate.reload()
        said = self.twice("CONSUME plain:1 8 id=a")
        self.assertEqual([said[name] for name in ("verdict", "capacity", "retry")], ["ALLOW", "5", "0"])
        said = self.twice("TAKE plain:2 9 id=a")
        self.assertEqual([said[name] for name in ("verdict", "taken")], ["ALLOW", "9"])
        self.assertEqual(self.twice("CONSUME plain:3 2 id=a")["verdict"], "DENY")
        self.gate.write_limits(LIMITS.replace(
            "capacity = 10\nrecharge = 1h", "algorithm = fixed_window\ncapacity = 5\nwindow = 1h"))
        self.gate.reload()
        self.assertEqual(self.twice("CONSUME plain:1 8 id=a")["verdict"], "ALLOW")
        self.assertEqual(self.level("plain:1"), 0)

    def http(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.gate.port)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            said = json.loads(response.read())
            return response.status, said.get("level", said.get("code"))

    def test_http_has_ids_too(self):
        for _ in range(2):
            self.assertEqual(self.http("POST", "/consume?key=plain:1&amount=2&id=a%2Fb"), (200, 2))
            self.assertEqual(self.http("POST", "/consume", '{"key": "plain:2", "id": "a"}'), (200, 1))
            self.assertEqual(self.http("POST", "/consume", json.dumps(
                {"all": [{"key": "plain:3", "amount": 2}, {"key": "day:3"}], "id": "a"})), (200, 1))
            self.assertEqual(self.http("POST", "/consume?id=b&key=plain:4&key=day:4"), (200, 1))
            self.assertEqual(self.http("POST", "/take?key=plain:5&amount=2&id=a"), (200, 2))
        for path, body in ("/consume?key=plain:1&id=a%20b", None), ("/consume?key=plain:1&id=", None), \
                (f"/consume?key=plain:1&id={65 * 'x'}", None), ("/consume", '{"key": "plain:1", "id": ""}'):
            self.assertEqual(self.http("POST", path, body), (400, "badid"))
        for path, body in ("/peek?key=plain:1&id=a", None), ("/consume?key=plain:1&id=a&id=b", None), \
                ("/consume", '{"key": "plain:1", "id": 7}'), \
                ("/consume", '{"id": "a", "each": [{"key": "plain:1"}]}'), \
                ("/consume", '{"each": [{"key": "plain:1", "id": "a"}]}'):
            self.assertEqual(self.http("POST", path, body)[0], 400, (path, body))
        self.assertEqual(self.http("POST", "/consume?key=plain:1&amount=3&id=a%2Fb"), (422, "otherid"))
        self.assertEqual([self.level(f"plain:{i}") for i in range(1, 6)], [2, 1, 2, 1, 2])

    def test_resp_has_ids_too(self):
        with harness.RedisClient(self.gate.path) as client:
            for _ in range(2):
                self.assertEqual(client.ask("CONSUME", "plain:1", 2, "id=a")[1], 2)
                self.assertEqual(client.ask("CONSUME", "plain:2", "ID=a", "MAP")[3], 1)
                self.assertEqual(client.ask("MCONSUME", "plain:3", 1, "day:1", 1, "id=a")[1], 1)
                client.ask("MULTI")
                client.ask("CONSUME", "a b\0", 2, "id=a")
                client.ask("CONSUME", "plain:1", 2, "id=a")
                self.assertEqual(client.ask("EXEC")[1][1], 2)
            with self.assertRaisesRegex(harness.RedisError, "^ERR badid "):
                client.ask("CONSUME", "plain:1", 2, "id=a b")

    def test_the_tool_passes_an_id_on(self):
        for _ in range(2):
            said = self.tool("consume", "plain:1", "2", "--id", "a")
            self.assertEqual((said.returncode, fields(said.stdout.strip())["level"]), (0, "2"))
            said = self.tool("mconsume", "plain:2", "2", "day:1", "1", "--id", "a")
            self.assertEqual((said.returncode, fields(said.stdout.strip())["level"]), (0, "1"))
        said = self.tool("consume", "plain:1", "3", "--id", "a")
        self.assertEqual((said.returncode, "otherid" in said.stderr), (2, True), said)

    def tool(self, *words):
        return subprocess.run([harness.DRIPGATE, *words, "-s", self.gate.path],
                              capture_output=True, text=True, check=False)


class InMemory(EitherStore, harness.InMemory, harness.Case):
    def test_ids_are_bounded_and_the_oldest_are_forgotten(self):
        before = self.gate.memory()
        for first in range(0, 200_000, 1000):
            self.client.send("".join(f"CONSUME day:{i} 1 id={i}\n" for i in range(first, first + 1000)))
            for _ in range(1000):
                self.client.line()
        self.assertLess(self.gate.memory() - before, 64 << 20)
        self.assertEqual(self.twice("CONSUME day:199999 1 id=199999")["level"], "1")
        self.assertEqual(self.twice("CONSUME day:0 1 id=0")["level"], "2")


class InRedis(EitherStore, harness.InRedis, harness.Case):
    def other(self, **settings):
        gate = self.redis_daemon(self.server, LIMITS, {**PATIENT, **settings})
        wait_until(lambda: gate.ask("READY") == "READY redis", "Redis")
        return gate

    def test_it_is_one_whichever_daemon_it_reaches(self):
        other = self.other()
        for line in "CONSUME plain:1 3 id=a", "TAKE day:1 9 id=a", "MCONSUME plain:2 1 day:2 1 id=b", \
                "CONSUME plain:1 20 id=c":
            self.assertEqual(self.client.ask(line), other.ask(line))
        self.assertEqual([self.level("plain:1"), self.level("day:1"), self.level("plain:2")], [3, 5, 1])

    def test_a_daemon_that_dies_before_it_responds_has_charged_once(self):
        other = self.other()
        other.ask("CONSUME plain:9 1 id=a")  # it has the script
        self.server.send(signal.SIGSTOP)
        sent = other.stats()["batches"]
        with other.connect() as client:
            client.send("CONSUME plain:1 3 id=a\n")
            wait_until(lambda: other.stats()["batches"] > sent, "the call")
            other.kill()
        self.server.send(signal.SIGCONT)
        wait_until(lambda: self.level("plain:1") == 3, "the charge")
        self.assertEqual(self.twice("CONSUME plain:1 3 id=a")["level"], "3")
        self.assertEqual(self.level("plain:1"), 3)

    def test_a_retry_while_the_first_is_under_way_is_one(self):
        other = self.other()
        self.server.send(signal.SIGSTOP)
        with self.gate.connect() as first, self.gate.connect() as second, other.connect() as third:
            clients = first, second, third
            for client in clients:
                client.send("CONSUME plain:1 3 id=a\nPING\n")
            self.server.send(signal.SIGCONT)
            said = [[client.line(), client.line()] for client in clients]
        self.assertEqual(said, 3 * said[:1])
        self.assertEqual(self.level("plain:1"), 3)

    def test_the_deny_cache_denies_no_id_that_was_allowed(self):
        self.twice("CONSUME plain:1 8 id=a")
        self.assertRegex(self.client.ask("CONSUME plain:1 8"), "^DENY .* from=redis$")
        wait_until(lambda: " from=denycache" in self.client.ask("CONSUME plain:1 8"),
                   "the deny cache")
        self.assertEqual(self.twice("CONSUME plain:1 8 id=a")["verdict"], "ALLOW")
        self.assertEqual(self.twice("CONSUME plain:1 8 id=b")["from"], "redis")
        self.client.ask("CONSUME plain:1 -8 id=c")
        self.assertEqual(fields(self.client.ask("CONSUME plain:1 8"))["verdict"], "ALLOW")

    def test_the_deny_cache_learns_nothing_from_a_denial_that_is_repeated(self):
        self.client.ask("CONSUME plain:1 10")
        for line in "CONSUME plain:1 2 id=a", "MCONSUME plain:1 2 free:1 1 id=b":
            self.assertEqual(self.twice(line)["verdict"], "DENY")
            self.client.ask("CONSUME plain:1 -1")
            self.assertEqual(self.twice(line)["verdict"], "DENY")
            self.assertEqual(fields(self.client.ask("CONSUME plain:1 1"))["verdict"], "ALLOW")

    def test_without_redis_nothing_is_remembered(self):
        self.twice("CONSUME plain:1 3 id=a")
        self.server.kill()
        wait_until(lambda: fields(self.client.ask("PEEK day:9"))["from"] == "fallback", "fallback")
        levels = [fields(self.client.ask("CONSUME plain:1 3 id=a"))["level"] for _ in range(2)]
        self.assertEqual(levels, ["3", "6"])

    def test_a_redis_that_lost_its_data_has_lost_the_ids(self):
        self.twice("CONSUME plain:1 3 id=a")
        self.server.ask("FLUSHALL")
        self.assertEqual(self.twice("CONSUME plain:1 3 id=a")["level"], "3")
        self.assertEqual(self.level("plain:1"), 3)

    def test_what_is_under_its_name_and_no_memo_is_left_alone(self):
        for i, value in enumerate(["", "x", "1\n", "1\nx 1\n1 ", "1\n1700000000000000 1\n", 3000 * "x",
                                   "1\n1700000000000000 1\nx", "1\n1700000000000000 1\n1"]):
            self.server.ask("SET", f"drip:id:plain:1 {i}", value)
            said = fields(self.client.ask(f"CONSUME plain:1 1 id={i}"))
            self.assertEqual(said["from"], "fallback", (value, said))
            self.assertEqual(self.server.ask("GET", f"drip:id:plain:1 {i}"), value.encode())
        self.server.ask("HSET", "drip:id:plain:1 h", "a", "b")
        said = fields(self.client.ask("CONSUME plain:1 1 id=h"))
        self.assertEqual(said["from"], "fallback")
        self.assertEqual(fields(self.client.ask("PEEK plain:1 0"))["level"], "0")
        self.server.ask("HSET", "drip:plain", "plain:2", "x")
        self.assertEqual(fields(self.client.ask("CONSUME plain:2 1 id=a"))["from"], "fallback")
        self.assertIsNone(self.server.ask("GET", "drip:id:plain:2 a"))

    def test_a_memo_lives_for_id_memory(self):
        self.client.ask("CONSUME plain:1 3 id=a")
        left = self.server.ask("PTTL", "drip:id:plain:1 a")
        self.assertTrue(30_000 < left <= 60_000, left)
        self.assertRegex(self.server.ask("GET", "drip:id:plain:1 a"), rb"\A3\n\d{16} 1\n1 \Z")

    def test_many_ids_are_several_calls(self):
        lines = [f"CONSUME day:{i} 1 id={i}" for i in range(700)]
        for _ in range(2):
            self.client.send("".join(line + "\n" for line in lines))
            self.assertEqual({fields(self.client.line())["level"] for _ in lines}, {"1"})


class Secrets(harness.Case):
    """With key_secrets, no name shows a key, and no rotation loses an id."""

    OLD, NEW = "o" * 32, "n" * 40

    def gate(self, server, *secrets):
        path = os.path.join(self.folder, f"secrets-{len(self.processes)}")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(secret + "\n" for secret in secrets)
        gate = self.redis_daemon(server, LIMITS, {**PATIENT, "store": {"key_secrets": path}})
        wait_until(lambda: gate.ask("READY") == "READY redis", "Redis")
        return gate

    def test_names_show_no_key_and_are_found_by_older_secrets(self):
        server = self.redis()
        gates = [self.gate(server, self.OLD), self.gate(server, self.NEW, self.OLD)]
        said = [gate.ask("CONSUME plain:1 3 id=secret") for gate in gates]
        self.assertEqual(said[0], said[1])
        self.assertEqual(fields(gates[1].ask("PEEK plain:1 0"))["level"], "3")
        line = "MCONSUME plain:2 1 day:2 1 id=secret"
        self.assertEqual(gates[1].ask(line), gates[1].ask(line))
        names = server.ask("KEYS", "*")
        self.assertEqual(sum(name.startswith(b"drip:id:") for name in names), 2)
        for name in names:
            self.assertNotIn(b"plain:1", name)
            self.assertNotIn(b"secret", name)


class Sharded(harness.Case):
    def test_keys_of_an_id_are_on_one_server(self):
        servers = [self.redis() for _ in range(2)]
        gate = self.daemon(LIMITS, {**PATIENT, "store": {"type": "redis"}, "redis": {
            **PATIENT["redis"], "topology": "sharded", "partitions": 64,
            "hosts": " ".join(f"127.0.0.1:{server.port}" for server in servers)}})
        wait_until(lambda: gate.ask("READY") == "READY redis", "Redis")
        # Where they are depends on the ports; of 24 partitions not all are on one server.
        said = {gate.ask(f"MCONSUME plain:{i} 1 plain:x 1 id=a").split()[1]
                for i in range(0, 30 * 97, 97)}
        self.assertEqual(said & {"spreadid"}, {"spreadid"})
        for i, line in enumerate(itertools.chain(*[[f"MCONSUME plain:{{{i}}}1 1 plain:{{{i}}}2 1 id=a"] * 2
                                                  for i in range(10)])):
            self.assertEqual(fields(gate.ask(line))["level"], "1", (i, line))


if __name__ == "__main__":
    harness.main()
