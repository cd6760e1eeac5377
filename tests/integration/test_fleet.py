"""Many subscribers of one server, as that server sees them."""

import os
import sys

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "fleet"))

import fleet  # noqa: E402  (found only now)


class FleetTest(harness.Case):
    NODES = 200

    def test_a_spread_is_even_and_kept(self):
        server = self.redis()
        fleet.put_limits(server, 100)
        nodes = fleet.Nodes(server, self.NODES)
        # A machine that halts for a second moves half of a part to the next.
        times = fleet.watch_loads(server, self.NODES, "reload:spread:10")
        self.assertEqual(nodes.stop(), 0)
        # By chance alone, 40 in each: above 80 once in 10^9 runs.
        counts = fleet.histogram(times, 10, 5)
        self.assertLess(max(counts), 2 * self.NODES / 5, counts)
        self.assertGreater(min(counts), 10, counts)
        self.assertGreater(min(times), 0)

    def test_each_node_loads_once_for_any_number_of_orders(self):
        server = self.redis()
        fleet.put_limits(server, 1)
        nodes = fleet.Nodes(server, self.NODES)
        for _ in range(5):
            server.ask("PUBLISH", "control", "reload:spread:86400")
        server.ask("CONFIG", "RESETSTAT")
        times = fleet.watch_loads(server, self.NODES, "reload:spread:0.5")
        self.assertEqual(len(times), self.NODES)
        self.assertEqual(nodes.stop(), 0)
        self.assertIn("cmdstat_evalsha_ro:calls=200,",
                      server.ask("INFO", "commandstats").decode())


if __name__ == "__main__":
    harness.main()
