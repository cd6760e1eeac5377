#!/usr/bin/env python3
"""A call of a program that fails: some of the points of make torture; and each call of
the commands of tests/scarce that take servers."""

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


class ScarceTest(harness.Case):
    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def test_commands_of_servers_do_all_or_say_why_not(self):
        redis = self.redis()
        gate = self.daemon("""
[login]
match = login:*
capacity = 5
recharge = 1h
[mail]
match = mail:*:*
algorithm = fixed_window
capacity = 3
window = 365d
also = total:$1
[total]
match = total:*
capacity = 9
rate = 1/m
[jobs]
match = jobs:*
algorithm = concurrent
capacity = 2000
lease = 1m
[route:all]
path = ~^/all/(?<what>[a-z]+)$
keys = login:$path.what
""", {"upstream:up": {"url": "http://up.example/a", "cache": "memory"}})
        gate.ask(*["CONSUME login:1"] * 7, "CONSUME mail:1:2", "CONSUME nothing")
        served = self.write("served.ini", f"[listen]\nunix = {gate.path}\n"
                            f"[limits]\nfile = {gate.limits_path}\n"
                            f"[redis]\nunix_socket_path = {redis.path}\n")
        os.symlink(gate.path, os.path.join(self.folder, "gate.sock"))
        self.write("store.ini", "[store]\ntype = redis\n"
                   f"[redis]\nunix_socket_path = {redis.path}\n")
        subprocess.run([harness.DRIPGATE, "-c", served, "limits", "load", gate.limits_path],
                       check=True, stdout=subprocess.DEVNULL)
        folder, _ = os.path.split(harness.DRIPGATED)
        done = subprocess.run(
            [os.path.join(folder, "scarce")], capture_output=True, text=True, check=False,
            cwd=self.folder, env={
                "CK_DEFAULT_TIMEOUT": "600", **os.environ, "CK_RUN_SUITE": "commands",
                "CK_RUN_CASE": "servers", "SCARCE_SERVERS": self.folder})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("Checks: 0,", done.stdout)


if __name__ == "__main__":
    unittest.main()
