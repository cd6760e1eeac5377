"""normalize = lower ip ip64: one bucket for a key, however it is written."""

import json
import subprocess

import harness
from harness import fields

LIMITS = """
[ip]
match = ip:*
capacity = 9
recharge = 1d
normalize = ip

[net]
match = net:*
capacity = 9
recharge = 1d
normalize = lower, ip64

[user]
match = user:*
capacity = 9
recharge = 1d
normalize = lower
also = ip:all
"""


class EitherStore:
    LIMITS = LIMITS

    def level(self, line):
        said = fields(self.client.ask(line))
        self.assertEqual(said["verdict"], "ALLOW", said)
        return int(said["level"])

    def test_all_ways_to_write_an_address_are_one_bucket(self):
        ways = ["ip:2001:DB8::1", "ip:2001:db8:0:0::1", "ip:[2001:db8::1]:443", "ip:2001:db8::1"]
        self.assertEqual([self.level(f"CONSUME {way}") for way in ways], [1, 2, 3, 4])
        self.assertEqual(self.level("CONSUME ip:2001:db8::2"), 1)
        self.assertEqual([self.level(f"CONSUME ip:{way}") for way in
                          ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1:80"]], [1, 2, 3])
        self.assertEqual([self.level(f"CONSUME net:{way}") for way in
                          ["2001:DB8::1", "2001:db8::2", "[2001:db8::3]:1"]], [1, 2, 3])
        self.assertEqual(self.level("CONSUME net:2001:db8:0:1::1"), 1)
        self.assertEqual([self.level(f"CONSUME ip:{way}") for way in ["no", "No"]], [1, 1])
        self.assertEqual([self.level(f"TAKE net:{way} 1") for way in ["no", "No"]], [1, 2])

    def test_all_at_once_are_one_bucket_too(self):
        said = self.client.ask(*["CONSUME ip:::1", "CONSUME ip:0::1", "CONSUME ip:0:0::1"] * 3)
        self.assertEqual([int(fields(line)["level"]) for line in said], list(range(1, 10)))

    def test_reset_and_the_commands_of_redis_find_the_same_bucket(self):
        self.level("CONSUME ip:::ffff:192.0.2.1 5")
        with harness.RedisClient(self.gate.path) as client:
            self.assertEqual(client.ask("EXISTS", "ip:192.0.2.1"), 1)
            self.assertEqual(client.ask("DEL", "ip:192.0.2.1:99"), 1)
            self.assertEqual(client.ask("EXISTS", "ip:::ffff:192.0.2.1"), 0)
        self.level("CONSUME ip:192.0.2.1 5")
        self.assertEqual(self.client.ask("RESET ip:::ffff:192.0.2.1"), "OK")
        self.assertEqual(self.level("PEEK ip:192.0.2.1"), 0)

    def test_several_keys_that_mean_one_are_one(self):
        self.assertEqual(self.level("MCONSUME ip:::1 2 ip:0::1 3 net:::5 1"), 5)
        self.assertEqual(self.level("PEEK ip:[::1]:80"), 5)
        self.assertEqual(self.level("PEEK net:0::6"), 1)
        said = fields(self.client.ask("MCONSUME ip:0:0::1 4 net:::7 1"))
        self.assertEqual((said["key"], said["level"]), ("ip:::1", "9"))
        self.assertEqual(self.level("CONSUME user:ME 2"), 2)
        self.assertEqual(self.level("CONSUME user:me 2"), 4)
        self.assertEqual(self.level("PEEK ip:all"), 4)

    def test_explain_and_why_show_whose_bucket_it_is(self):
        self.level("CONSUME ip:::1 9")
        lines = self.client.ask_many("EXPLAIN ip:0::1")
        self.assertEqual(lines[:3], ["key ip:0::1", "limit ip: match (prefix ip:*)", "normalized ip:::1"])
        self.assertTrue(lines[4].startswith("bucket level=9 "), lines)
        self.assertEqual(len(lines), 5)
        for _ in range(2):
            self.assertTrue(self.client.ask("CONSUME ip:0:0::1").startswith("DENY "))
        done = subprocess.run([harness.DRIPGATE, "why", "ip:0:0:0::1", "-s", self.gate.path],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("normalized ip:::1\n", done.stdout)
        done = subprocess.run([harness.DRIPGATE, "explain", "ip:0::1", "-s", self.gate.path, "--json"],
                              capture_output=True, text=True)
        self.assertEqual(json.loads(done.stdout)["normalized"], "ip:::1")


class InMemory(EitherStore, harness.InMemory, harness.Case):
    pass


class InRedis(EitherStore, harness.InRedis, harness.Case):
    SETTINGS = {**harness.InRedis.SETTINGS, "redis": {**harness.PATIENT["redis"], "partitions": 8}}

    def test_partition_and_field_are_those_of_the_normalized_key(self):
        for way in ["ip:0::1", "ip:[::1]:5", "ip:::1"]:
            self.level(f"CONSUME {way}")
        with self.server.connect() as redis:
            hashes = [name for name in redis.ask("KEYS", "drip:*") if name.endswith(b":ip")]
            self.assertEqual([redis.ask("HKEYS", name) for name in hashes], [[b"ip:::1"]])
        place = next(line for line in self.client.ask_many("EXPLAIN ip:0::1") if line.startswith("store "))
        self.assertIn(f"field ip:::1 of hash {hashes[0].decode()}", place)


if __name__ == "__main__":
    harness.main()
