"""WAIT, which is answered when the drops have room."""

import http.client
import json
import os
import selectors
import struct
import subprocess
import time
import unittest

import harness
from fake_redis import array, bulk
from harness import fields

LIMITS = """
[line]
match = line:*
capacity = 1
recharge = 250ms
queue = 1d

[far]
match = far:*
capacity = 1
recharge = 1d
queue = 3d
deny_cache = no

[deep]
match = deep:*
capacity = 1
recharge = 1h
queue = 3000d

[fast]
match = fast:*
capacity = 1
rate = 100/s
queue = 1m

[look]
match = look:*
capacity = 1
recharge = 1d
queue = 3d
shadow = yes

[plain]
match = plain:*
capacity = 1
recharge = 1d

[day]
match = day:*
algorithm = fixed_window
capacity = 1
window = 366d

[block]
match = block:*
capacity = 1
recharge = 1d
block = 1h
queue = 3d
"""


class EitherStore(harness.Asks):
    """What holds wherever buckets are."""

    LIMITS = LIMITS

    def waiting(self, count, gate=None):
        harness.wait_until(lambda: (gate or self.gate).stats()["waits"] == count,
                           f"{count} that wait")

    def goes(self, line, gate=None):
        """A client that says this, and whose request waits."""
        gate = gate or self.gate
        count = gate.stats()["waits"]
        client = gate.connect()
        self.addCleanup(client.close)
        client.send(line + "\n")
        self.waiting(count + 1, gate)
        return client

    def has_line(self, key, days):
        """Whoever went away has given the turn back, and a new one has to wait so long."""
        harness.wait_until(lambda: float(fields(self.client.ask(f"PEEK {key} 1"))["retry"])
                           <= days * 86400, f"a line of {days} days")

    def test_who_waits_goes_ahead_when_there_is_room(self):
        start = time.monotonic()
        # At once: else there may be room when the next one comes.
        for said in map(fields, self.client.ask(*["WAIT line:1"] * 4)):
            self.assertEqual([said[name] for name in ("verdict", "level", "capacity", "retry")],
                             ["ALLOW", "1", "1", "0"])
        self.assertGreaterEqual(time.monotonic() - start, 0.75)
        stats = self.gate.stats()
        self.assertEqual((stats["waits"], stats["waits_allowed"]), (0, 3))

    def test_who_would_wait_too_long_is_denied_at_once(self):
        self.ask("WAIT far:1", "ALLOW")
        said = self.ask("WAIT far:1 1 3600.5", "DENY", level="1")
        retry = float(said["retry"])
        self.assertTrue(86400 - 3600.5 - 100 < retry <= 86400 - 3600.5, retry)
        self.goes("WAIT far:1")
        self.goes("WAIT far:1 1 172800s")
        self.ask("WAIT far:1 1 2d", "DENY")
        self.ask("WAIT far:1 2", "DENY", retry="never")
        retry = float(self.ask("CONSUME far:1", "DENY")["retry"])
        self.assertTrue(3 * 86400 - 100 < retry <= 3 * 86400, retry)
        self.assertEqual(self.gate.stats()["waits_denied"], 3)

    def test_without_a_queue_it_is_consume(self):
        for key in "plain:1", "day:1", "none:1":
            self.ask(f"WAIT {key}", "ALLOW")
        self.ask("WAIT plain:1 1 5", "DENY")
        self.ask("WAIT day:1 1 5", "DENY")
        self.ask("WAIT look:1", "ALLOW", shadow=None)
        self.ask("WAIT look:1", "ALLOW", shadow="deny")

    def test_a_block_denies_who_waits_and_is_not_started_by_one(self):
        self.ask("WAIT block:1", "ALLOW")
        self.ask("WAIT block:1 1 1", "DENY", blocked="0")
        waits = self.goes("WAIT block:1")
        self.ask("CONSUME block:1", "DENY", blocked="3600.000000")
        self.ask("WAIT block:1", "DENY")
        waits.close()
        self.waiting(0)

    def test_who_goes_away_last_in_line_gives_the_turn_back(self):
        self.ask("CONSUME far:1", "ALLOW")
        first, second = self.goes("WAIT far:1"), self.goes("WAIT far:1")
        self.ask("WAIT far:1 1 2d", "DENY")
        second.close()
        self.has_line("far:1", 2)
        third = self.goes("WAIT far:1 1 2d")
        # Now there is one behind it.
        first.close()
        self.waiting(1)
        self.ask("WAIT far:1 1 2d", "DENY")
        third.close()
        self.has_line("far:1", 2)
        self.assertEqual(self.gate.stats()["waits_ended"], 3)
        retry = float(self.ask("CONSUME far:1", "DENY")["retry"])
        self.assertTrue(86400 < retry <= 2 * 86400, retry)

    def test_who_is_not_read_and_goes_away_waits_no_more(self):
        self.ask("CONSUME far:1", "ALLOW")
        for unix in True, False:
            client = self.gate.connect(unix)
            client.send("WAIT far:1 1 2d\n" * 1000)
            self.waiting(2)
            client.vanish()
            self.waiting(0)

    def test_who_ends_its_side_is_denied(self):
        self.ask("CONSUME far:1", "ALLOW")
        client = self.goes("WAIT far:1\nPING")
        client.finish()
        said = client.rest().decode().split("\n")
        self.assertEqual(fields(said[0])["verdict"], "DENY")
        self.assertEqual(said[1:], ["PONG", ""])

    def test_drain_denies_who_waits(self):
        self.ask("CONSUME far:1", "ALLOW")
        clients = [self.goes("WAIT far:1") for _ in range(2)]
        clients.append(self.goes("PING\nWAIT far:1\nPING"))
        self.assertEqual(clients[2].line(), "PONG")
        self.gate.send(15)
        for client in clients:
            said = fields(client.line())
            self.assertEqual(said["verdict"], "DENY")
            self.assertGreater(float(said["retry"]), 0)
        self.assertEqual(clients[2].line(), "PONG")
        self.client.close()
        for client in clients:
            client.close()
        self.assertEqual(self.gate.wait(), 0)

    def test_wrong_requests_have_their_codes(self):
        for line, code in [("WAIT", "nokey"), ("WAIT a b", "badamount"), ("WAIT a -1", "badamount"),
                           ("WAIT a 1 b", "badseconds"), ("WAIT a 1 -1", "badseconds"),
                           ("WAIT a 1 1e3", "badseconds"), ("WAIT a 1 4503599628", "badseconds"),
                           ("WAIT a 1 0.0000001", "badseconds"), ("WAIT a 1 1 1", "surplus")]:
            self.assertEqual(self.client.ask(line).split()[:2], ["ERR", code], line)

    def test_redis_clients_wait_too(self):
        with harness.RedisClient(self.gate.path) as client:
            # At once: else there may be room when the second one comes.
            client.socket.sendall(
                array(bulk("WAIT"), bulk("line:1")) +
                array(bulk("WAIT"), bulk("line:1"), bulk(1), bulk("0.01")))
            self.assertEqual(client.read()[:3], [1, 1, 1])
            self.assertEqual(client.read()[0], 0)
            client.ask("MULTI")
            client.ask("WAIT", "line:1", 1, "5s", "MAP")
            client.ask("PING")
            flat, pong = client.ask("EXEC")
            said = dict(zip(*[iter(flat)] * 2))
            self.assertEqual((said[b"allowed"], said[b"retry"], pong), (1, 0, "PONG"))

    def http(self, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.gate.port)
        self.addCleanup(connection.close)
        connection.request("POST" if body else "GET", path, body,
                           {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    def test_http_waits(self):
        self.assertEqual(self.http("/consume?key=line:1")[0], 200)
        status, said = self.http("/consume?key=line:1&wait=20s")
        self.assertEqual((status, said["allowed"], said["level"]), (200, True, 1))
        body = json.dumps({"key": "line:1", "wait": 20.5})
        self.assertEqual(self.http("/consume", body)[0], 200)
        self.ask("CONSUME far:1", "ALLOW")
        self.assertEqual(self.http("/consume?key=far:1&wait=2s")[0], 429)
        for path, code in [("/peek?key=a&wait=1", "badwait"),
                           ("/check/a?wait=1", "badquery"), ("/consume?key=a&wait=x", "badwait")]:
            said = self.http(path)
            if not path.startswith("/check"):
                self.assertEqual((said[0], said[1]["code"]), (400, code), path)

    def test_the_tool_waits(self):
        def run(*words):
            return subprocess.run([harness.DRIPGATE, "consume", "--socket", self.gate.path, *words],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)

        for _ in range(3):
            done = run("--wait", "50s", "line:1")
            self.assertEqual((done.returncode, done.stdout[:5]), (0, b"ALLOW"), done.stdout)
        self.assertEqual(run("far:1").returncode, 0)
        self.assertEqual(run("--wait", "1s", "far:1", "1").returncode, 1)

    def test_limits_shows_the_queue(self):
        said = "\n".join(self.client.ask_many("LIMITS"))
        self.assertRegex(said, "far .* queue=259200.000000")
        self.assertEqual(said.count(" queue="), 6, said)

    def test_waiting_costs_memory_only(self):
        count, each = 100, 60
        clients = [self.gate.connect() for _ in range(count)]
        for client in clients:
            self.addCleanup(client.close)
            client.ask("PEEK many:1")
        self.ask("CONSUME deep:1", "ALLOW")
        before = self.gate.memory()
        for client in clients:
            client.send("WAIT deep:1\n" * each)
        self.waiting(count * each)
        taken = (self.gate.memory() - before) / (count * each)
        harness.note(f"{taken:.0f} bytes for each of {count * each} that wait")
        self.assertLess(taken, 2000)


class InMemory(EitherStore, harness.InMemory, harness.Case):
    def test_what_waits_is_counted_for_prometheus(self):
        port = harness.free_port()
        gate = self.daemon(LIMITS, {"admin": {"listen": f"127.0.0.1:{port}"}})
        with gate.connect() as client:
            client.ask("WAIT line:1", "WAIT line:1")
        self.goes("WAIT far:2\nWAIT far:2", gate)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        self.addCleanup(connection.close)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        self.assertIn("\ndripgate_waits 1\n", text)
        self.assertIn("\ndripgate_waits_allowed_total 1\n", text)
        self.assertIn("\ndripgate_wait_duration_seconds_count 1\n", text)


class InRedis(EitherStore, harness.InRedis, harness.Case):
    def fleet_member(self):
        return self.redis_daemon(self.server, LIMITS, self.SETTINGS)

    def now(self):
        seconds, micros = self.look.ask("TIME")
        return int(seconds) * 1000000 + int(micros)

    def test_a_fleet_serves_first_who_came_first_and_nobody_early(self):
        """Places in one line, over four daemons: 100 a second."""
        gates = [self.gate] + [self.fleet_member() for _ in range(3)]
        self.look = self.server.connect()
        self.addCleanup(self.look.close)
        clients = [gates[i % 4].connect() for i in range(200)]
        for client in clients:
            self.addCleanup(client.close)
            client.ask("PEEK fast:0")
        start, went = self.now(), []
        with self.halted(gates, len(clients) // 4 * len("WAIT fast:1\n")):
            for client in clients:
                client.send("WAIT fast:1\n")
        with selectors.DefaultSelector() as selector:
            for client in clients:
                selector.register(client.socket, selectors.EVENT_READ, client)
            while selector.get_map():
                for entry, _ in selector.select(harness.PATIENCE):
                    self.assertEqual(fields(entry.data.line())["verdict"], "ALLOW")
                    selector.unregister(entry.fileobj)
                    went.append(self.now())
        # However busy the machine is, none may be early; on a quiet one, none is late.
        for place, at in enumerate(went):
            self.assertGreaterEqual(at, start + place * 10000, f"place {place}")
        late = sorted(at - place * 10000 for place, at in enumerate(went))
        harness.note(f"{(late[100] - late[0]) / 1000:.3f} ms later than the most punctual one at the median")
        self.assertEqual(sum(gate.stats()["waits_allowed"] for gate in gates), 199)

    def test_places_are_in_the_order_of_arrival_over_the_fleet(self):
        other = self.fleet_member()
        self.ask("CONSUME far:1", "ALLOW")
        retries = []
        for gate in self.gate, other, self.gate:
            self.goes("WAIT far:1", gate)
            retries.append(float(self.ask("CONSUME far:1", "DENY")["retry"]))
        for days, retry in enumerate(retries, 2):
            self.assertTrue(days * 86400 - 100 < retry <= days * 86400, retries)

    def test_who_waits_is_not_held_by_the_loss_of_redis_and_others_do_not_wait(self):
        self.ask("CONSUME line:1", "ALLOW")
        self.ask("WAIT line:1", "ALLOW", **{"from": "redis"})
        far = self.goes("WAIT far:3\nWAIT far:3")
        self.assertEqual(fields(far.line())["verdict"], "ALLOW")
        self.server.kill()
        harness.wait_until(lambda: fields(self.client.ask("CONSUME plain:9"))["from"] == "fallback",
                           "the fallback")
        self.ask("WAIT plain:8", "ALLOW", **{"from": "fallback"})
        self.ask("WAIT far:3", "ALLOW", **{"from": "fallback"})
        self.ask("WAIT far:3", "DENY", **{"from": "fallback"})
        far.finish()
        self.assertEqual(fields(far.line())["verdict"], "DENY")


@unittest.skipIf("-address" in os.environ["DRIPGATED"], "nothing goes before ASan")
class ClockThatJumps(harness.Case):
    """Redis's clock is set while one waits for a day."""

    def setUp(self):
        super().setUp()
        self.clock = os.path.join(self.folder, "clock")
        self.set_clock(0)
        server = self.redis(env={"LD_PRELOAD": os.environ["SET_CLOCK_SO"],
                                 "SET_CLOCK": self.clock})
        self.gate = self.redis_daemon(server, LIMITS, harness.PATIENT)
        self.client = self.gate.connect()
        self.addCleanup(self.client.close)
        harness.wait_until(lambda: self.client.ask("READY") == "READY redis", "Redis")
        self.assertIn("ALLOW", self.client.ask("CONSUME far:1"))
        self.waits = self.gate.connect()
        self.addCleanup(self.waits.close)
        self.waits.send("WAIT far:1\n")
        harness.wait_until(lambda: self.gate.stats()["waits"] == 1, "the wait")

    def set_clock(self, seconds):
        with open(self.clock, "r+b" if os.path.exists(self.clock) else "wb") as file:
            file.write(struct.pack("=q", seconds * 1000000))

    def ask(self, line):
        said = fields(self.client.ask(line))
        self.assertEqual(said["from"], "redis", said)
        return said

    def test_forward_others_go_ahead_of_who_waits(self):
        self.set_clock(2 * 86400)
        self.assertEqual(self.ask("CONSUME far:1")["verdict"], "ALLOW")
        self.assertEqual(self.gate.stats()["waits"], 1)
        # What it put in has leaked by that clock, and another is behind it.
        self.waits.finish()
        self.assertEqual(fields(self.waits.line())["verdict"], "DENY")
        self.assertEqual(self.ask("PEEK far:1")["level"], "1")

    def test_back_others_wait_for_that_much_longer(self):
        self.set_clock(-86400 // 2)
        said = self.ask("CONSUME far:1")
        self.assertEqual(said["verdict"], "DENY")
        self.assertGreater(float(said["retry"]), 2 * 86400)
        self.assertEqual(self.gate.stats()["waits"], 1)
        self.waits.finish()
        told = fields(self.waits.line())
        self.assertEqual(told["verdict"], "DENY")


if __name__ == "__main__":
    harness.main()
