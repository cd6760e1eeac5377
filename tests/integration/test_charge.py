"""CHARGE, which puts drops in although they do not fit, and TAKE, which takes what fits."""

import http.client
import json
import os
import random
import subprocess
import threading

import harness
from harness import fields

LIMITS = """
[plain]
match = plain:*
capacity = 3
recharge = 1d

[debt]
match = debt:*
capacity = 3
debt = 4
recharge = 1d

[day]
match = day:*
algorithm = fixed_window
capacity = 5
debt = 2
window = 366d

[block]
match = block:*
capacity = 1
debt = 1
recharge = 1d
block = 1h

[look]
match = look:*
capacity = 2
recharge = 1d
shadow = yes

[both]
match = both:*
capacity = 9
recharge = 1d
also = debt:$1 day:$1

[open]
match = open:*
capacity = 3
debt = 1
recharge = 1d
on_error = allow

[shut]
match = shut:*
capacity = 3
recharge = 1d
on_error = deny
"""


class EitherStore(harness.Asks):
    """What holds wherever buckets are."""

    LIMITS = LIMITS

    def test_a_charge_goes_in_up_to_the_debt_and_delays_later_ones(self):
        self.ask("CHARGE debt:1 2", "ALLOW", 2, retry="0", taken=None)
        self.ask("CHARGE debt:1 4", "ALLOW", 6, retry="0")
        self.ask("CHARGE debt:1 2", "DENY", 6)
        self.ask("CHARGE debt:1 1", "ALLOW", 7)
        self.ask("CHARGE debt:1 8", "DENY", 7, retry="never")
        # Five drops have to leak: three of those beyond, then one for this.
        retry = float(self.ask("CONSUME debt:1", "DENY", 7)["retry"])
        self.assertTrue(5 * 86400 - 100 < retry <= 5 * 86400, retry)
        self.ask("CONSUME debt:1 -5", "ALLOW", 2)
        self.ask("CONSUME debt:1", "ALLOW", 3)

    def test_without_a_debt_a_charge_is_a_consume(self):
        self.ask("CHARGE plain:1 3", "ALLOW", 3)
        self.ask("CHARGE plain:1 1", "DENY", 3)
        self.ask("CHARGE plain:2 4", "DENY", 0, retry="never")
        self.ask("CHARGE plain:2 0", "ALLOW", 0)

    def test_a_block_does_not_keep_out_a_charge_that_the_debt_allows(self):
        self.ask("CONSUME block:1", "ALLOW", 1)
        self.ask("CONSUME block:1", "DENY", 1, blocked="3600.000000")
        self.ask("CHARGE block:1 1", "ALLOW", 2)
        self.ask("CHARGE block:1 1", "DENY", 2)
        self.ask("CHARGE block:2 2", "ALLOW", 2, blocked="0")
        self.ask("CHARGE block:2 1", "DENY", 2, blocked="3600.000000")

    def test_a_take_is_what_fits(self):
        self.ask("TAKE plain:1 2", "ALLOW", 2, taken="2")
        self.ask("TAKE plain:1 1000000000", "ALLOW", 3, taken="1")
        said = self.ask("TAKE plain:1 5", "DENY", 3, taken="0")
        self.assertEqual(said["retry"], said["next"])
        self.ask("TAKE plain:1 0", "ALLOW", 3, taken="0")
        self.ask("TAKE block:1 9", "ALLOW", 1, taken="1")
        self.ask("TAKE block:1 9", "DENY", 1, blocked="0")
        self.ask("TAKE debt:1 9", "ALLOW", 3, taken="3")
        self.ask("TAKE none:1 9", "ALLOW", 0, taken="9", limit="-")

    def test_a_window_has_its_debt_until_it_ends(self):
        self.ask("CHARGE day:1 4", "ALLOW", 4)
        self.ask("TAKE day:1 4", "ALLOW", 5, taken="1")
        self.ask("CHARGE day:1 2", "ALLOW", 7)
        said = self.ask("CHARGE day:1 1", "DENY", 7)
        self.assertEqual(said["retry"], said["next"])

    def test_a_limit_in_shadow_lets_all_of_it_be_taken(self):
        self.ask("TAKE look:1 2", "ALLOW", 2, taken="2", shadow=None)
        self.ask("TAKE look:1 2", "ALLOW", 2, taken="2", shadow="deny")
        self.ask("TAKE look:2 3", "ALLOW", 2, taken="3", shadow="deny")
        self.ask("CHARGE look:2 1", "ALLOW", 2, shadow="deny")

    def test_other_keys_are_charged_up_to_their_own_debts_or_none(self):
        self.ask("CHARGE both:1 6", "ALLOW", key="debt:1", level=6)
        self.ask("CHARGE both:1 2", "DENY", key="day:1", level=6)
        self.ask("PEEK debt:1 0", "ALLOW", 6)
        self.ask("PEEK both:1 0", "ALLOW")
        self.ask("CHARGE both:1 1", "ALLOW", 7)
        self.assertEqual(self.client.ask("TAKE both:1 1"),
                         "ERR takealso TAKE, HOLD and RELEASE are not for a limit that has also")
        self.ask("PEEK day:1 0", "ALLOW", 7)

    def test_what_comes_at_once_is_decided_in_order(self):
        lines = ["CHARGE debt:1 2", "CHARGE debt:1 2", "CHARGE debt:1 2", "CHARGE debt:1 2",
                 "CHARGE debt:1 1", "TAKE debt:1 1", "CONSUME debt:1 -5", "TAKE debt:1 2",
                 "TAKE debt:1 2", "TAKE debt:1 2", "RESET debt:1", "TAKE debt:1 2", "TAKE debt:1 2",
                 "MCONSUME debt:1 -1 day:1 0", "CHARGE debt:1 3", "TAKE debt:1 1", "RESET debt:1"]
        for _ in range(20):
            said = [line.split()[0] + line.partition("level=")[2][:1] +
                    line.partition("taken=")[2][:1] for line in self.client.ask(*lines)]
            self.assertEqual(said, [
                "ALLOW2", "ALLOW4", "ALLOW6", "DENY6", "ALLOW7", "DENY70", "ALLOW2", "ALLOW31",
                "DENY30", "DENY30", "OK", "ALLOW22", "ALLOW31", "ALLOW2", "ALLOW5", "DENY50", "OK"])

    def test_clients_at_once_take_no_more_than_there_is(self):
        taken = []

        def run(seed):
            pick = random.Random(seed)
            with self.gate.connect() as client:
                for _ in range(40):
                    said = fields(client.ask(f"TAKE day:{pick.randrange(8)} 2"))
                    taken.append(int(said["taken"]))

        threads = [threading.Thread(target=run, args=[seed]) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sum(taken), 8 * 5)

    def test_wrong_requests_have_their_codes(self):
        for verb in "CHARGE", "TAKE":
            for rest, code in [("", "nokey"), (" a", "noamount"), (" a -1", "badamount"),
                               (" a 1000000001", "badamount"), (" a 1 b", "surplus")]:
                self.assertEqual(self.client.ask(verb + rest).split()[:2], ["ERR", code], rest)

    def test_redis_clients_get_how_many_were_taken_at_the_end(self):
        with harness.RedisClient(self.gate.path) as client:
            reply = client.ask("TAKE", "plain:1", 5)
            self.assertEqual(reply[:3] + reply[6:7] + reply[8:], [1, 3, 3, b"plain", b"", 3])
            reply = client.ask("CHARGE", "debt:1", 5)
            self.assertEqual(reply[:3] + reply[6:7] + reply[8:], [1, 5, 3, b"debt", b""])
            client.ask("MULTI")
            client.ask("TAKE", "plain:1", 2, "MAP")
            flat = client.ask("EXEC")[0]
            self.assertEqual(dict(zip(*[iter(flat)] * 2))[b"taken"], 0)
            with self.assertRaisesRegex(harness.RedisError, "wrong number of arguments"):
                client.ask("TAKE", "plain:1")

    def test_resp3_has_it_in_its_map(self):
        with self.gate.connect() as client:
            client.send("HELLO 3\r\n*4\r\n$4\r\nTAKE\r\n$7\r\nplain:9\r\n$1\r\n2\r\n$3\r\nMAP\r\n"
                        "*1\r\n$4\r\nQUIT\r\n")
            said = client.rest()
        self.assertIn(b"%10\r\n$7\r\nallowed\r\n:1\r\n", said)
        self.assertIn(b"$5\r\ntaken\r\n:2\r\n", said)

    def http(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.gate.port)
        self.addCleanup(connection.close)
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        return response.status, json.loads(response.read()), response.headers

    def test_http_has_paths_for_both(self):
        status, body, headers = self.http("POST", "/charge?key=debt:1&amount=5")
        self.assertEqual((status, body["level"], body["capacity"]), (200, 5, 3))
        self.assertNotIn("taken", body)
        self.assertEqual(headers["RateLimit-Policy"], '"debt";q=3;w=259200')
        self.assertEqual(headers["RateLimit"], '"debt";r=0;t=259200')
        status, body, headers = self.http("GET", "/charge?key=debt:1&amount=3")
        self.assertEqual((status, body["level"]), (429, 5))
        self.assertTrue(86000 < int(headers["Retry-After"]) <= 86400, headers["Retry-After"])
        status, body, _ = self.http("POST", "/take", json.dumps({"key": "plain:1", "amount": 7}))
        self.assertEqual((status, body["taken"], body["level"]), (200, 3, 3))
        status, body, _ = self.http("GET", "/take?key=plain:1&amount=7")
        self.assertEqual((status, body["taken"]), (429, 0))
        for path, code in [("/take?key=plain:1", "noamount"), ("/take?key=both:1&amount=1", "takealso"),
                           ("/charge?key=a&amount=-1", "badamount")]:
            status, body, _ = self.http("GET", path)
            self.assertEqual((status, body["code"]), (400, code))

    def test_they_are_counted_and_shown(self):
        self.ask("CHARGE debt:1 5", "ALLOW")
        self.ask("CHARGE debt:1 5", "DENY")
        self.ask("TAKE debt:2 5", "ALLOW")
        self.ask("TAKE debt:2 5", "DENY")
        stats = self.gate.stats()
        self.assertEqual([stats["allowed"], stats["denied"], stats["peeks"]], [2, 2, 0])
        line = next(line for line in self.client.ask_many("LIMITS") if line.startswith("debt "))
        self.assertRegex(line, r" debt=4 .* ?allowed=2 denied=2 ")
        bucket = [line for line in self.client.ask_many("EXPLAIN debt:1") if line.startswith("bucket ")]
        self.assertRegex(bucket[0], r"^bucket level=5 capacity=3 .* debt=4$")

    def test_the_tool_asks_for_both(self):
        def run(*words):
            done = subprocess.run([harness.DRIPGATE, *words, "-s", self.gate.path, "--json"],
                                  capture_output=True, text=True)
            return done.returncode, json.loads(done.stdout)

        self.assertEqual(run("charge", "debt:1", "5")[1]["level"], 5)
        code, said = run("take", "plain:1", "5")
        self.assertEqual((code, said["taken"]), (0, 3))
        code, said = run("take", "plain:1", "5")
        self.assertEqual((code, said["taken"]), (1, 0))


class InMemory(EitherStore, harness.InMemory, harness.Case):
    def test_a_debt_that_overflows_is_refused(self):
        for text, reason in [("debt = -1", "debt must be a whole number from 0 to 1000000000"),
                             ("debt = 1000000000", "capacity and debt times recharge must stay below")]:
            path = os.path.join(self.folder, "wrong.ini")
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"[a]\nmatch = a\ncapacity = 1\nrecharge = 60d\n{text}\n")
            done = subprocess.run([harness.DRIPGATE, "limits", "check", path],
                                  capture_output=True, text=True)
            self.assertIn(reason, done.stdout + done.stderr)


class InRedis(EitherStore, harness.InRedis, harness.Case):
    def test_a_bucket_that_is_denied_without_asking_may_still_be_charged(self):
        self.ask("CONSUME debt:1 3", "ALLOW", 3)
        self.ask("CONSUME debt:1 1", "DENY", **{"from": "redis"})
        self.ask_cached("CONSUME debt:1 1", "DENY")
        self.ask_cached("TAKE debt:1 1", "DENY", taken="0")
        self.ask("CHARGE debt:1 4", "ALLOW", 7, **{"from": "redis"})
        self.ask("CHARGE debt:1 1", "DENY", 7, **{"from": "redis"})
        self.ask_cached("CHARGE debt:1 1", "DENY", 7)
        self.ask_cached("CONSUME debt:1 1", "DENY", 7)

    def test_without_redis_on_error_decides(self):
        self.ask("CHARGE debt:1 5", "ALLOW", 5)
        self.server.kill()
        harness.wait_until(lambda: fields(self.client.ask("PEEK look:9"))["from"] == "fallback",
                           "fallback")
        self.ask("CHARGE debt:1 5", "ALLOW", 5, **{"from": "fallback"})
        self.ask("TAKE debt:1 5", "DENY", 5, taken="0", **{"from": "fallback"})
        self.ask("TAKE open:1 5", "ALLOW", taken="3", **{"from": "fallback"})
        self.ask("CHARGE open:1 4", "ALLOW", **{"from": "fallback"})
        self.ask("CHARGE open:1 5", "DENY", retry="never", **{"from": "fallback"})
        self.ask("TAKE shut:1 5", "DENY", taken="0", **{"from": "fallback"})
        self.ask("CHARGE both:1 6", "DENY", key="debt:1", **{"from": "fallback"})


class Users(harness.Case):
    def test_rights_name_the_verbs(self):
        path = os.path.join(self.folder, "users")
        with open(path, "w", encoding="utf-8") as file:
            file.write("decider nopass verbs=decide keys=*\nreader nopass verbs=read keys=*\n"
                       "charger nopass verbs=charge keys=*\n")
        os.chmod(path, 0o600)
        gate = self.daemon(LIMITS, {"listen": {"users": path}})
        for name, verbs in ("decider", ["CHARGE", "TAKE"]), ("reader", []), ("charger", ["CHARGE"]):
            with gate.connect() as client:
                self.assertEqual(client.ask(f"AUTH {name} x"), "OK")
                self.assertEqual([verb for verb in ["CHARGE", "TAKE"]
                                  if client.ask(f"{verb} plain:1 0").startswith("ALLOW ")], verbs, name)


if __name__ == "__main__":
    harness.main()
