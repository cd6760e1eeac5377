"""WAIT for several keys: all of them have room, or none is charged."""

import http.client
import json
import selectors
import time

import harness
from fake_redis import array, bulk
from harness import fields

LIMITS = """
[pair]
match = pair:*
capacity = 100
rate = 1000/s
queue = 3d
also = far:$1 near:$1

[soon]
match = soon:*
capacity = 100
recharge = 1d
also = line:$1 slow:$1

[fast]
match = fast:*
capacity = 1
rate = 100/s
queue = 1m

[slower]
match = slower:*
capacity = 1
rate = 25/s
queue = 1m
also = fast:$1

[line]
match = line:*
capacity = 1
recharge = 100ms
queue = 1d

[slow]
match = slow:*
capacity = 1
recharge = 250ms
queue = 1d

[far]
match = far:*
capacity = 1
recharge = 1d
queue = 3d
deny_cache = no

[near]
match = near:*
capacity = 1
recharge = 1h
queue = 3d
deny_cache = no

[plain]
match = plain:*
capacity = 1
recharge = 1d

[look]
match = look:*
capacity = 1
recharge = 1d
queue = 3d
shadow = yes

[open]
match = open:*
action = allow
"""

DAY = 86400


class EitherStore(harness.Asks):
    """What holds wherever buckets are."""

    LIMITS = LIMITS

    def level(self, key):
        return int(fields(self.client.ask(f"PEEK {key}"))["level"])

    def retry(self, line):
        return float(self.ask(line, "DENY")["retry"])

    def waiting(self, count):
        harness.wait_until(lambda: self.gate.stats()["waits"] == count, f"{count} that wait")

    def goes(self, line):
        """A client that says this, and whose request waits."""
        count = self.gate.stats()["waits"]
        client = self.gate.connect()
        self.addCleanup(client.close)
        client.send(line + "\n")
        self.waiting(count + 1)
        return client

    def http(self, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.gate.port)
        self.addCleanup(connection.close)
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None,
                           {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    def test_it_goes_ahead_when_the_last_of_them_has_room(self):
        start = time.monotonic()
        # At once: else there may be room when the next one comes.
        for said in map(fields, self.client.ask(*["WAIT soon:1"] * 4)):
            self.assertEqual((said["verdict"], said["retry"]), ("ALLOW", "0"))
        self.assertGreaterEqual(time.monotonic() - start, 0.75)
        self.assertIn(said["key"], ("line:1", "slow:1"))
        stats = self.gate.stats()
        self.assertEqual((stats["waits"], stats["waits_allowed"], stats["allowed"]), (0, 3, 4))

    def test_with_one_that_has_no_room_in_time_none_is_charged(self):
        self.ask("CONSUME far:1", "ALLOW")
        retry = float(self.ask("WAIT pair:1 1 3600.5", "DENY", limit="far", key="far:1")["retry"])
        self.assertTrue(DAY - 3600.5 - 100 < retry <= DAY - 3600.5, retry)
        self.assertEqual((self.level("near:1"), self.level("far:1")), (0, 1))
        self.ask("CONSUME near:1", "ALLOW")
        # The one that could wait is not what denies.
        self.ask("WAIT pair:1 1 7200", "DENY", key="far:1")
        self.assertTrue(DAY - 100 < self.retry("CONSUME far:1") <= DAY)
        self.assertEqual(self.gate.stats()["waits_denied"], 2)

    def test_one_without_a_queue_has_room_at_once_or_denies(self):
        status, said = self.http("/consume?key=plain:1&key=slow:1&wait=20s")
        self.assertEqual((status, said["allowed"]), (200, True))
        status, said = self.http("/consume?key=plain:1&key=slow:1&wait=20s")
        self.assertEqual((status, said["limit"], said["key"]), (429, "plain", "plain:1"))
        status, _ = self.http("/consume?key=plain:2&key=slow:1&wait=20s")
        self.assertEqual(status, 200)
        self.assertEqual(self.gate.stats()["waits"], 0)

    def test_a_client_that_goes_away_gives_back_each_turn_that_is_last(self):
        self.ask("CONSUME far:1", "ALLOW")
        client = self.goes("WAIT pair:1 1 2d")
        self.assertEqual(self.level("near:1"), 1)
        self.assertGreater(self.retry("CONSUME far:1"), DAY)
        client.close()
        self.waiting(0)
        harness.wait_until(lambda: self.level("near:1") == 0, "what was taken at once")
        self.assertTrue(DAY - 100 < self.retry("CONSUME far:1") <= DAY)
        self.assertEqual(self.gate.stats()["waits_ended"], 1)

    def test_a_turn_that_another_is_behind_is_lost_and_only_that(self):
        self.ask("CONSUME far:1", "ALLOW")
        client, behind = self.goes("WAIT pair:1 1 2d"), self.goes("WAIT far:1")
        client.close()
        self.waiting(1)
        harness.wait_until(lambda: self.level("near:1") == 0, "the other turn")
        retry = self.retry("CONSUME far:1")
        self.assertTrue(3 * DAY - 100 < retry <= 3 * DAY, retry)
        behind.close()

    def test_what_a_client_that_went_away_left_is_no_part_of_the_next_check(self):
        self.ask("CONSUME far:1", "ALLOW")
        for _ in range(4):
            self.goes("WAIT pair:1 1 2d").close()
            self.waiting(0)
            harness.wait_until(lambda: self.level("near:1") == 0, "what was taken at once")
        # Its memory is used again: each is denied by one, and the others get theirs back.
        for line in ["WAIT pair:1 1 1h", "CONSUME pair:1"] * 4:
            self.ask(line, "DENY", key="far:1")
            harness.wait_until(lambda: self.level("near:1") == 0, line)
            self.assertTrue(DAY - 100 < self.retry("CONSUME far:1") <= DAY)

    def test_who_ends_its_side_is_denied_by_the_one_that_is_last(self):
        for key in "far:1", "near:1":
            self.ask(f"CONSUME {key}", "ALLOW")
        client = self.goes("WAIT pair:1\nPING")
        client.finish()
        said = client.rest().decode().split("\n")
        told = fields(said[0])
        self.assertEqual((told["verdict"], told["key"]), ("DENY", "far:1"))
        self.assertTrue(DAY - 100 < float(told["retry"]) <= DAY, told)
        self.assertEqual(said[1:], ["PONG", ""])

    def test_drain_denies_it(self):
        self.ask("CONSUME far:1", "ALLOW")
        client = self.goes("PING\nWAIT pair:1")
        self.assertEqual(client.line(), "PONG")
        self.gate.send(15)
        self.assertEqual(fields(client.line())["verdict"], "DENY")
        self.client.close()
        client.close()
        self.assertEqual(self.gate.wait(), 0)

    def test_shadows_and_actions_keep_none_waiting(self):
        self.ask("CONSUME look:1", "ALLOW")
        status, said = self.http("/consume?key=look:1&key=open:1&key=line:1&wait=20s")
        self.assertEqual((status, said["allowed"]), (200, True))
        self.assertEqual(self.gate.stats()["waits"], 0)

    def test_http_and_redis_clients_wait_too(self):
        body = {"all": [{"key": "line:1"}, {"key": "slow:1", "amount": 1}], "wait": 20.5}
        start = time.monotonic()
        for _ in range(3):
            self.assertEqual(self.http("/consume", body)[0], 200)
        self.assertGreaterEqual(time.monotonic() - start, 0.5)
        with harness.RedisClient(self.gate.path) as client:
            # At once: else there may be room when the second one comes.
            client.socket.sendall(
                array(bulk("WAIT"), bulk("soon:1")) +
                array(bulk("WAIT"), bulk("soon:1"), bulk(1), bulk("0.01")))
            self.assertEqual([client.read()[0] for _ in range(2)], [1, 0])
        for path, code in [("/consume?key=a&key=b&amount=-1&wait=1", "badamount"),
                           ("/peek?key=a&key=b&wait=1", "badwait"),
                           ("/consume?key=a&key=b&id=x&wait=1", "badwait")]:
            status, said = self.http(path)
            self.assertEqual((status, said["code"]), (400, code), path)


class InMemory(EitherStore, harness.InMemory, harness.Case):
    pass


class InRedis(EitherStore, harness.InRedis, harness.Case):
    def test_a_fleet_serves_first_who_came_first_and_nobody_early(self):
        """Over four daemons: 100 a second of one key, of which each second asks for
        another one as well, 25 a second."""
        gates = [self.gate] + [self.redis_daemon(self.server, self.LIMITS, self.SETTINGS)
                               for _ in range(3)]
        look = self.server.connect()
        self.addCleanup(look.close)
        def now():
            seconds, micros = look.ask("TIME")
            return int(seconds) * 1000000 + int(micros)
        clients = [gates[i % 4].connect() for i in range(80)]
        for client in clients:
            self.addCleanup(client.close)
            client.ask("PEEK fast:0")
        start, went = now(), {"WAIT fast:1": [], "WAIT slower:1": []}
        with selectors.DefaultSelector() as selector:
            with self.halted(gates, len(clients) // 4 * len("WAIT fast:1\n")):
                for i, client in enumerate(clients):
                    line = list(went)[i % 2]
                    selector.register(client.socket, selectors.EVENT_READ, (client, line))
                    client.send(line + "\n")
            while selector.get_map():
                for entry, _ in selector.select(harness.PATIENCE):
                    client, line = entry.data
                    self.assertEqual(fields(client.line())["verdict"], "ALLOW")
                    selector.unregister(entry.fileobj)
                    went[line].append(now())
        # Of those of one key no more than had a place, of the others no more than had
        # both, at any time.
        for place, at in enumerate(went["WAIT slower:1"]):
            self.assertGreaterEqual(at, start + place * 40000, f"place {place}")
        for place, at in enumerate(sorted(sum(went.values(), []))):
            self.assertGreaterEqual(at, start + place * 10000, f"place {place}")
        self.assertEqual(sum(gate.stats()["waits_allowed"] for gate in gates), 79)

    def test_what_on_error_decides_waits_for_nothing(self):
        self.ask("WAIT pair:1", "ALLOW", **{"from": "redis"})
        self.server.kill()
        harness.wait_until(lambda: fields(self.client.ask("CONSUME plain:9"))["from"] == "fallback",
                           "the fallback")
        self.ask("WAIT pair:2", "ALLOW", **{"from": "fallback"})
        self.ask("WAIT pair:2", "DENY", **{"from": "fallback"})


class InPartitions(InRedis):
    """Keys in several places."""

    SETTINGS = {**harness.PATIENT, "redis": {**harness.PATIENT["redis"], "partitions": 64}}


if __name__ == "__main__":
    harness.main()
