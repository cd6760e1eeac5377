"""The scripts by which responses of upstreams are kept in Redis, by themselves."""

import os

import harness
from harness import RedisError

LUA = os.path.join(os.path.dirname(__file__), "..", "..", "lua")


class CacheScriptsTest(harness.Case):
    def setUp(self):
        super().setUp()
        self.server = self.redis()
        self.link = self.server.connect()
        self.addCleanup(self.link.close)
        self.scripts = {}
        for name in ("touch", "put", "purge"):
            with open(os.path.join(LUA, f"cache_{name}.lua"), encoding="utf-8") as file:
                self.scripts[name] = file.read()

    def put(self, target, value, field="", names="", life=60_000, most=3, variants=2):
        return self.link.ask("EVAL", self.scripts["put"], 2, f"c:{target}", "c:", target,
                             field, names, value, life, most, variants, "c:")

    def get(self, target, field=""):
        """What is stored, or a list of what Vary names; note that it was used."""
        names, value = self.link.ask("HMGET", f"c:{target}", "vary", field)
        if value is not None:
            self.touch(target)
        return [names] if names and not field else value

    def touch(self, *targets):
        self.link.ask("EVAL", self.scripts["touch"], 1, "c:", *targets)

    def targets(self):
        return self.link.ask("ZRANGE", "c:", 0, -1)

    def test_response_is_read_as_it_was_stored(self):
        self.assertIsNone(self.get("/a"))
        self.put("/a", b"one\r\n\0")
        self.assertEqual(self.get("/a"), b"one\r\n\0")
        self.put("/a", "two")
        self.assertEqual(self.get("/a"), b"two")
        self.assertEqual(self.targets(), [b"/a"])

    def test_variants_live_side_by_side(self):
        self.put("/a", "german", "d1", "lang\n")
        self.put("/a", "english", "d2", "lang\n")
        self.assertEqual(self.get("/a"), [b"lang\n"])
        self.assertEqual(self.get("/a", "d1"), b"german")
        self.assertEqual(self.get("/a", "d2"), b"english")
        self.assertIsNone(self.get("/a", "d3"))

    def test_response_for_all_takes_the_place_of_variants(self):
        self.put("/a", "german", "d1", "lang\n")
        self.put("/a", "for all")
        self.assertEqual(self.get("/a"), b"for all")
        self.assertIsNone(self.get("/a", "d1"))
        self.put("/a", "german", "d1", "lang\n")
        self.assertEqual(self.get("/a"), [b"lang\n"])

    def test_variants_are_bounded(self):
        for i in range(10):
            self.put("/a", "x", f"d{i}", "lang\n")
            self.assertLessEqual(self.link.ask("HLEN", "c:/a"), 4)

    def test_what_was_not_asked_for_goes(self):
        for target in ("/a", "/b", "/c"):
            self.put(target, target)
        self.assertEqual(self.get("/a"), b"/a")
        self.assertEqual(self.put("/d", "/d"), 1)
        self.assertIsNone(self.get("/b"))
        self.assertEqual(self.link.ask("EXISTS", "c:/b"), 0)
        self.assertEqual(self.targets(), [b"/c", b"/a", b"/d"])

    def test_uses_are_noted_in_their_order(self):
        for target in ("/a", "/b", "/c"):
            self.put(target, target)
        self.touch("/c", "/a", "/c", "/gone")
        self.assertEqual(self.targets(), [b"/b", b"/a", b"/c"])
        self.touch(*["/b"] * 64)
        self.assertEqual(self.targets(), [b"/a", b"/c", b"/b"])

    def test_all_of_it_expires(self):
        self.put("/a", "x", life=100_000)
        self.put("/b", "x", life=50_000)
        self.assertGreater(self.link.ask("PTTL", "c:"), 90_000)
        self.assertGreater(self.link.ask("PTTL", "c:/a"), 90_000)
        self.assertLessEqual(self.link.ask("PTTL", "c:/b"), 50_000)
        self.put("/b", "x", life=70_000)
        self.assertGreater(self.link.ask("PTTL", "c:/b"), 60_000)

    def test_purge(self):
        for target in ("/a", "/b", "/c"):
            self.put(target, target)
        self.assertEqual(self.link.ask("EVAL", self.scripts["purge"], 3, "c:", "c:/a", "c:/x",
                                       "/a", "/x"), 1)
        self.assertIsNone(self.get("/a"))
        self.assertEqual(self.targets(), [b"/b", b"/c"])

    def test_full_redis_is_read_from(self):
        self.put("/a", "x")
        self.link.ask("CONFIG", "SET", "maxmemory", "1")
        with self.assertRaisesRegex(RedisError, "OOM"):
            self.put("/b", "x")
        self.assertEqual(self.get("/a"), b"x")

    def test_full_redis_gets_room(self):
        for i in range(20):
            self.put(f"/{i}", "x", most=100)
        self.link.ask("CONFIG", "SET", "maxmemory", "1")
        with self.assertRaisesRegex(RedisError, "OOM"):
            self.put("/new", "x", most=100)
        self.assertEqual(self.targets(), [b"/%d" % i for i in range(2, 20)])
        self.assertEqual(self.link.ask("EXISTS", *(f"c:/{i}" for i in range(20))), 18)

    def test_foreign_key_is_an_error(self):
        self.link.ask("SET", "c:/a", "x")
        with self.assertRaisesRegex(RedisError, "WRONGTYPE"):
            self.get("/a")


if __name__ == "__main__":
    harness.main()
