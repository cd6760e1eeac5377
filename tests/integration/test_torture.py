#!/usr/bin/env python3
"""Some of the points of make torture: a call of the program that fails."""

import os
import subprocess
import sys
import unittest

import harness

TORTURE = os.path.join(harness.ROOT, "tests", "torture", "torture.py")


class TortureTest(unittest.TestCase):
    def test_programs_survive_a_call_that_fails(self):
        """Every fiftieth, in each scenario."""
        folder, _ = os.path.split(harness.DRIPGATED)
        done = subprocess.run(
            [sys.executable, TORTURE, "--every", "50", "--first", "25"],
            capture_output=True, text=True, check=False, env={
                **os.environ, "DRIPGATED": os.path.join(folder, "torture-dripgated"),
                "DRIPGATE": os.path.join(folder, "torture-dripgate")})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(", 0 went wrong\n", done.stdout)


if __name__ == "__main__":
    unittest.main()
