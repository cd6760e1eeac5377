"""block = 5m x3 max 1d: blocks that grow, and are forgotten."""

import subprocess
import time

import harness
from harness import fields, wait_until

LIMITS = """
[grow]
match = grow:*
capacity = 1
recharge = 1ms
block = 1ms x1000 max 1h
block_memory = 1d

[brief]
match = brief:*
capacity = 1
recharge = 1ms
block = 1ms,x1000,max,1h
block_memory = 1ms

[plain]
match = plain:*
capacity = 1
recharge = 1ms
block = 1ms
"""


class EitherStore:
    LIMITS = LIMITS

    def overflow(self, key):
        """Wait until the block is over, and start the next one; how long it is."""
        for _ in range(1000):
            wait_until(lambda: self.client.ask(f"PEEK {key}")[0] == "A", "the end of the block")
            first, second = self.client.ask(f"CONSUME {key}", f"CONSUME {key}")
            # The first drop may have leaked before the second came.
            if second[0] == "D":
                return float(fields(second)["blocked"])
        self.fail("it never overflows")

    def test_each_block_is_longer_than_the_one_before(self):
        lengths = [self.overflow("grow:1") for _ in range(3)]
        self.assertEqual(lengths, [0.001, 1, 1000])
        self.assertEqual(self.overflow("grow:2"), 0.001)
        self.assertEqual(self.client.ask("RESET grow:1"), "OK")
        self.assertEqual(self.overflow("grow:1"), 0.001)

    def test_blocks_are_forgotten_after_the_time_of_the_limit(self):
        for _ in range(5):
            self.assertEqual(self.overflow("brief:1"), 0.001)
            time.sleep(0.02)  # at least: by then the block and its memory are over
        self.assertEqual([self.overflow("plain:1") for _ in range(3)], [0.001] * 3)

    def test_what_is_given_back_does_not_forget(self):
        self.assertEqual(self.overflow("grow:3"), 0.001)
        self.client.ask("CONSUME grow:3 -1")
        self.assertEqual([self.overflow("grow:3") for _ in range(2)], [1, 1000])
        said = fields(self.client.ask("CONSUME grow:3 -1"))
        self.assertGreater(float(said["blocked"]), 0)

    def test_several_keys_start_the_next_block_too(self):
        def overflow():
            for _ in range(1000):
                wait_until(lambda: self.client.ask("PEEK grow:4")[0] == "A", "the end of the block")
                said = self.client.ask(*["MCONSUME grow:4 1 plain:4 0"] * 2)
                if said[1][0] == "D":
                    return float(fields(said[1])["blocked"])
            self.fail("it never overflows")

        self.assertEqual([overflow(), overflow()], [0.001, 1])
        wait_until(lambda: self.client.ask("PEEK grow:4")[0] == "A", "the end of the block")
        self.assertEqual(self.overflow("grow:4"), 1000)

    def test_limits_show_how_blocks_grow(self):
        line = next(line for line in self.client.ask_many("LIMITS") if line.startswith("grow "))
        self.assertIn(" block=0.001000 block_growth=1000 block_max=3600.000000"
                      " block_memory=86400.000000 ", line)


class InMemory(EitherStore, harness.InMemory, harness.Case):
    pass


class InRedis(EitherStore, harness.InRedis, harness.Case):
    def test_redis_has_the_end_and_the_number(self):
        self.overflow("grow:1")
        self.overflow("grow:1")
        with self.server.connect() as redis:
            text = redis.ask("HGET", "drip:grow", "grow:1").decode()
        self.assertRegex(text, r"^\d{16} \d{16}\*2/G8$")

    def test_limits_survive_the_way_through_redis(self):
        path = f"{self.folder}/grow.ini"
        with open(path, "w", encoding="utf-8") as file:
            file.write(LIMITS)
        tool = [harness.DRIPGATE, "limits"]
        config = ["-c", self.gate.config_path]
        done = subprocess.run([*tool, "load", path, "--no-reload", *config], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = subprocess.run([*tool, "dump", *config], capture_output=True, text=True)
        self.assertIn("block = 1ms,x1000,max,1h\nblock_memory = 1d\n", done.stdout)


if __name__ == "__main__":
    harness.main()
