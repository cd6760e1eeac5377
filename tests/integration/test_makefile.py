"""What the Makefile does for root, and for a user under sudo."""

import os
import shutil
import subprocess
import unittest

import harness

USER = 65534

APT = """#!/bin/sh
echo "$(id -u) $*" >> "$APT_LOG"
"""


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class SudoTest(harness.Case):
    """The tree of a user, and root with what sudo says of that user."""

    def setUp(self):
        super().setUp()
        self.tree = os.path.join(self.folder, "tree")
        os.mkdir(self.tree)
        for name in "Makefile", "lua", "src", "conf":
            source, copy = (os.path.join(root, name) for root in (harness.ROOT, self.tree))
            (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, copy)
        for folder, _, names in os.walk(self.tree):
            for path in folder, *(os.path.join(folder, name) for name in names):
                os.chown(path, USER, USER)
        os.chmod(self.folder, 0o755)

    def make(self, *targets, **env):
        done = subprocess.run(
            ["make", "-s", "-C", self.tree, *targets], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, env={
                "PATH": os.environ["PATH"], "SUDO_UID": str(USER),
                "SUDO_GID": str(USER), **env})
        self.assertEqual(done.returncode, 0, done.stdout)

    def owners(self, folder):
        return {os.stat(os.path.join(path, name)).st_uid
                for path, folders, names in os.walk(os.path.join(self.tree, folder))
                for name in folders + names}

    def test_what_is_built_belongs_to_the_user(self):
        self.make("build/src/base/num.o")
        self.assertEqual(self.owners("build"), {USER})

    def test_what_runs_runs_as_the_user(self):
        os.mkdir(os.path.join(self.tree, "build"))
        daemon = os.path.join(self.tree, "build", "dripgated")
        seen = os.path.join(self.tree, "seen")
        os.chown(os.path.join(self.tree, "build"), USER, USER)
        with open(daemon, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\nid -u > {seen}\n")
        os.chmod(daemon, 0o755)
        self.make("--assume-old=build/dripgated", "run")
        with open(seen, encoding="ascii") as file:
            self.assertEqual(file.read(), f"{USER}\n")

    def test_packages_are_installed_by_root(self):
        tools = os.path.join(self.folder, "tools")
        log = os.path.join(self.folder, "apt.log")
        os.mkdir(tools)
        for name in "apt-get", "apt-cache":
            with open(os.path.join(tools, name), "w", encoding="ascii") as file:
                file.write(APT)
            os.chmod(os.path.join(tools, name), 0o755)
        self.make("deps", "deps-test", APT_LOG=log,
                  PATH=tools + os.pathsep + os.environ["PATH"])
        with open(log, encoding="ascii") as file:
            lines = file.read().splitlines()
        self.assertEqual({line.split()[0] for line in lines}, {"0"})
        self.assertIn("0 update", lines)
        self.assertTrue([line for line in lines if " libhiredis-dev " in line])


if __name__ == "__main__":
    harness.main()
