"""What the Makefile does for root, and for a user under sudo."""

import glob
import os
import re
import shutil
import subprocess
import tarfile
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


class InstallTest(harness.Case):
    def installs(self, *words):
        env = {"PATH": os.environ["PATH"]}
        done = subprocess.run(["make", "-n", "install", f"DESTDIR={self.folder}", *words],
                              cwd=harness.ROOT, env=env, check=True, capture_output=True, text=True)
        return done.stdout

    def test_units_are_for_systemd(self):
        for units, words in ("service socket", ()), ("", ("SYSTEMD=no",)):
            text = self.installs(*words)
            self.assertIn(f"for u in {units}; do", text)
            self.assertEqual(f"install -d {self.folder}/usr/local/lib/systemd" in text, not words)


class DistTest(harness.Case):
    def make(self, folder, *arguments):
        # The make that runs the tests hands its variables on, as SAN.
        env = {"PATH": os.environ["PATH"]}
        done = subprocess.run(["make", "-s", "-C", folder, "dist", *arguments], text=True, check=False,
                              env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)
        [path] = glob.glob(os.path.join(folder, "build", "dripgate-*.tar.gz"))
        with open(path, "rb") as file:
            return path, file.read()

    def copy(self, name):
        """A tree of this source, as a clone has it."""
        tree = os.path.join(self.folder, name)
        shutil.copytree(harness.ROOT, tree, symlinks=True, ignore=shutil.ignore_patterns(
            "build*", ".git", "__pycache__", "compile_commands.json"))
        return tree

    def test_the_same_files_make_the_same_bytes(self):
        time = "SOURCE_DATE_EPOCH=1700000000"
        one, other = self.copy("one"), self.copy("other")
        path, first = self.make(one, time)
        for folder, _, names in os.walk(other):
            for name in names:
                os.utime(os.path.join(folder, name), (1, 1))
                os.chmod(os.path.join(folder, name), os.stat(os.path.join(folder, name)).st_mode & 0o700)
        self.assertEqual(self.make(other, time)[1], first)
        # So does the tarball itself, which has the time.
        with tarfile.open(path) as tar:
            self.assertEqual({(member.mtime, member.uid, member.gid) for member in tar},
                             {(1700000000, 0, 0)})
            tar.extractall(self.folder)
        [unpacked] = glob.glob(os.path.join(self.folder, "dripgate-*"))
        self.assertEqual(self.make(unpacked)[1], first)

    @unittest.skipUnless(shutil.which("git"), "needs git")
    def test_a_clone_has_what_git_has(self):
        tree = self.copy("tree")
        git = ["git", "-C", tree, "-c", "user.name=x", "-c", "user.email=x@x", "-c", "safe.directory=*"]
        for words in ["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]:
            subprocess.run([*git, *words], check=True)
        with open(os.path.join(tree, "src", "left.o"), "w", encoding="ascii"):
            pass
        path, _ = self.make(tree)
        known = subprocess.run([*git, "ls-files"], check=True, capture_output=True,
                               text=True).stdout.splitlines()
        with tarfile.open(path) as tar:
            self.assertEqual([name.partition("/")[2] for name in tar.getnames()], sorted(known))


class PackageTest(unittest.TestCase):
    def test_the_debian_package_is_built_with_what_make_deps_installs(self):
        def read(*path):
            with open(os.path.join(harness.ROOT, *path), encoding="utf-8") as file:
                return file.read()

        deps = re.search(r"(?m)^DEBIAN +=((?:.*\\\n)*.*)", read("Makefile"))[1].replace("\\\n", " ").split()
        control = read("conf", "debian", "control")
        needed = re.search(r"(?m)^Build-Depends:\n((?: .*\n)+)", control)[1]
        build = {line.strip(" ,").split()[0] for line in needed.splitlines()}
        # The first is what builds any package; the last is for the reader of README.md.
        self.assertEqual(build - {"debhelper-compat", "check"}, set(deps) - {"gcc", "libc6-dev", "netcat-openbsd"})


if __name__ == "__main__":
    harness.main()
