"""What LIMITS counts for each limit, over all workers and over reloads."""

import re

import harness
from harness import wait_until

ONE = "[{0}]\nmatch = {0}:*\ncapacity = 5\nrecharge = 1h\n"
NOTHING = dict.fromkeys(
    ("allowed", "denied", "shadow_denied", "fallback", "denycache"), 0)


def limits(*names):
    return "".join(ONE.format(name) for name in names)


def tallies(daemon):
    with daemon.connect() as client:
        lines = client.ask_many("LIMITS")
    return {line.split(" ")[0]:
            {name: int(count) for name, count in re.findall(
                r" (allowed|denied|shadow_denied|fallback|denycache)=(\d+)", line)}
            for line in lines}


class Tallies(harness.Case):
    def set_limits(self, daemon, text):
        before = daemon.stats()["reloads"]
        daemon.write_limits(text)
        daemon.reload()
        wait_until(lambda: daemon.stats()["reloads"] == before + 1, "all workers")

    def test_each_limit_counts_its_own_on_all_workers(self):
        daemon = self.daemon(limits("a", "b") + "shadow = yes\n" + limits("c"),
                             {"workers": {"count": 3}})
        for _ in range(6):
            daemon.ask(*["consume a:1"] * 2, *["consume b:1"] * 2, "peek a:1",
                       "reset c:1", "consume nobody", "consume a:1 0")
        self.assertEqual(tallies(daemon), {
            "a": {**NOTHING, "allowed": 11, "denied": 7},
            "b": {**NOTHING, "allowed": 12, "shadow_denied": 7},
            "c": NOTHING})

    def test_answers_without_redis_are_counted(self):
        redis = self.redis()
        daemon = self.redis_daemon(redis, limits("a", "b"))
        redis.kill()
        wait_until(lambda: daemon.stats()["redis_ready"] == 0, "the loss of Redis")
        before = tallies(daemon)["b"]
        daemon.ask("consume b:1", "peek b:1")
        after = tallies(daemon)["b"]
        self.assertEqual({name: after[name] - before[name] for name in after},
                         {**NOTHING, "allowed": 1, "fallback": 2})

    def test_a_name_goes_on_counting_over_reloads(self):
        daemon = self.daemon(limits("a", "b"), {"workers": {"count": 3}})
        daemon.ask("consume a:1", "consume b:1", "consume b:2")
        self.set_limits(daemon, limits("new", "b"))
        daemon.ask("consume b:1", "consume new:1")
        self.assertEqual(tallies(daemon), {"new": {**NOTHING, "allowed": 1},
                                           "b": {**NOTHING, "allowed": 3}})
        self.set_limits(daemon, limits("a", "b"))
        self.assertEqual(tallies(daemon), {"a": NOTHING,
                                           "b": {**NOTHING, "allowed": 3}})

    def test_names_that_go_away_take_no_memory(self):
        def some(i):
            return limits("stays", *(f"n{i}-{k}" for k in range(200)))

        daemon = self.daemon(some(0), {"workers": {"count": 3}})
        for i in range(20):
            self.set_limits(daemon, some(i))
        memory = daemon.memory()
        daemon.ask("consume stays:1")
        for i in range(20, 120):
            self.set_limits(daemon, some(i))
        # A hundred times the tallies would be above 5 MB.
        self.assertLess(daemon.memory() - memory, 2 << 20)
        self.assertEqual(tallies(daemon)["stays"], {**NOTHING, "allowed": 1})


if __name__ == "__main__":
    harness.main()
