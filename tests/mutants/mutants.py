#!/usr/bin/env python3
"""Break src/ on purpose, one mutation of mutants.txt at a time, and see whether
the tests notice: make mutants.

    mutants.py [-j JOBS] [WORD ...]     those with a word in their file or sentence

A mutation is a paragraph of the list: a sentence that says what is then wrong; the
file and the function, what is replaced (lines with "-") and by what ("+"), once or for
several places; and perhaps "tests: NAME ...", files of integration tests that are run if
the others notice nothing.
White space does not matter.  Text that is not found exactly once in that function, and
what does not compile, is an error of the list: it must follow the code.
"""

import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = pathlib.Path(__file__).with_name("mutants.txt")
# A test program hangs if it takes this long, and so many times as long as all of them
# took without a mutation.
PATIENCE_S = 60
PATIENCE_TIMES = 2
PATIENCE_INTEGRATION_S = 600
AT_LEAST = 0.95


class ListError(Exception):
    pass


class Place:
    """What a mutation changes in one function."""

    def __init__(self, line):
        self.file, self.function = line.split()
        self.changes = []

    def apply(self, text):
        """The file's text with the changes in it."""
        body = re.search(rf"^{self.function}\(.*?^}}", text, re.DOTALL | re.MULTILINE)
        if not body:
            raise ListError(f"{self.file} has no {self.function}()")
        changed = body[0]
        for old, new in self.changes:
            words = " ".join(old).split()
            found = list(re.finditer(r"\s+".join(map(re.escape, words)), changed))
            if len(found) != 1:
                raise ListError(f"found {len(found)} times in {self.function}(): "
                                f"{' '.join(words)}")
            changed = (changed[:found[0].start()] + "\n".join(new).strip() +
                       changed[found[0].end():])
        return text[:body.start()] + changed + text[body.end():]


class Mutation:
    def __init__(self, paragraph):
        self.sentence, *lines = paragraph.splitlines()
        self.places = []
        self.tests = []
        for line in lines:
            if line.startswith("src/"):
                self.places.append(Place(line))
            elif line.startswith("tests: "):
                self.tests = line.split()[1:]
            elif not self.places or line[0] not in "-+":
                raise ListError(f"{self.sentence}: what is '{line}'?")
            else:
                self.add_change(self.places[-1].changes, line)
        if not self.places or not all(
                new for place in self.places for _, new in place.changes):
            raise ListError(f"{self.sentence}: each - needs a +")
        self.name = f"{self.places[0].function}: {self.sentence}"

    @staticmethod
    def add_change(changes, line):
        if line.startswith("-"):
            if not changes or changes[-1][1]:
                changes.append(([], []))
            changes[-1][0].append(line[1:])
        else:
            changes[-1][1].append(line[1:])

    def apply(self, root):
        """{path: the text with the mutation in it}"""
        texts = {}
        for place in self.places:
            path = root / place.file
            try:
                text = texts.get(path) or path.read_text(encoding="utf-8")
                texts[path] = place.apply(text)
            except (ListError, OSError) as error:
                raise ListError(f"{self.sentence}: {error}") from None
        return texts


def read_list():
    text = "\n".join(line for line in LIST.read_text(encoding="utf-8").splitlines()
                     if not line.startswith("#"))
    return [Mutation(p) for p in re.split(r"\n\s*\n", text.strip("\n")) if p.strip()]


def kill_session(leader):
    """Kill all processes of a session: a test that hangs is in a group of its own."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            session = int((folder / "stat").read_text().rpartition(")")[2].split()[3])
        except OSError:
            continue
        if session == leader:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(folder.name), signal.SIGKILL)


def run(command, patience_s, **options):
    """Return (exit code, output); a command that does not end fails."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, start_new_session=True,
                                   **options)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            pass
        kill_session(process.pid)
        process.wait()
        output.seek(0)
        return process.returncode, output.read().decode(errors="replace")


class Copy:
    """A copy of the tree, in which mutations are built and tested."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder)
        self.patience_s = PATIENCE_INTEGRATION_S
        shutil.copytree(ROOT, self.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(
            ".git", "build", "build-*", "compile_commands.json"))

    def make(self, *targets, patience_s=PATIENCE_INTEGRATION_S):
        compiler = ["CC=" + os.environ["CC"]] if os.environ.get("CC") else []
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        return run(["make", "-s", *compiler, "CFLAGS=-O1", *targets], patience_s,
                   cwd=self.root, env=environment)

    def near_suites(self, mutation):
        """The program and the suite of each file of tests that has the name of what is
        mutated, or includes a header of that name."""
        stems = [f"{pathlib.Path(place.file).stem}_" for place in mutation.places]
        for program in "unit", "states":
            for path in sorted(self.root.glob(f"tests/{program}/test_*.c")):
                text = path.read_text(encoding="utf-8")
                names = re.findall(r'^#include "(?:\w+/)+(\w+)[.]h"', text, re.MULTILINE)
                names.append(path.stem.removeprefix("test_"))
                if any(stem.startswith(f"{name}_") for stem in stems for name in names):
                    for suite in re.findall(r'suite_create\("(\w+)"\)', text):
                        yield program, suite

    def who_fails(self, mutation=None):
        """The name of the first tests that fail, or None.  Those that are near are run
        first: most mutations are killed there, in a second."""
        for program, suite in self.near_suites(mutation) if mutation else ():
            self.build(f"build/{program}")
            if self.fails(f"build/{program}", suite):
                return program
        self.build("build/unit", "build/states")
        for name in ("states", "unit"):
            if self.fails(f"build/{name}"):
                return name
        if self.make("SAN=address", "build-address/states")[0] or \
                self.fails("build-address/states"):
            return "states (asan)"
        for name in mutation.tests if mutation else ():
            if self.make(f"check-{name}")[0]:
                return f"test_{name}"
        return None

    def fails(self, program, suite=None):
        environment = {**os.environ, "CK_RUN_SUITE": suite} if suite else None
        return run([program], self.patience_s, cwd=self.root, env=environment)[0] != 0

    def passes_without(self):
        """Whether the tests pass without a mutation; note how long they take."""
        self.build("build/unit", "build/states")
        self.make("SAN=address", "build-address/states")
        start = time.monotonic()
        if self.who_fails():
            return False
        took_s = time.monotonic() - start
        self.patience_s = max(PATIENCE_S, PATIENCE_TIMES * took_s)
        return True

    def build(self, *programs):
        status, output = self.make(*programs)
        if status:
            raise ListError(f"does not compile:\n{output}")

    def who_notices(self, mutation):
        """The name of what fails with the mutation; None: it survives."""
        texts = mutation.apply(self.root)
        before = {path: path.read_text(encoding="utf-8") for path in texts}
        try:
            for path, text in texts.items():
                path.write_text(text, encoding="utf-8")
            try:
                return self.who_fails(mutation)
            except ListError as error:
                raise ListError(f"{mutation.sentence}: {error}") from None
        finally:
            for path, text in before.items():
                path.write_text(text, encoding="utf-8")


def chosen(mutations, words):
    return [m for m in mutations if not words or any(
        w.lower() in f"{m.places[0].file} {m.name}".lower() for w in words)]


def check_list(mutations):
    wrong = []
    for mutation in mutations:
        try:
            mutation.apply(ROOT)
        except ListError as error:
            wrong.append(str(error))
    if wrong:
        raise ListError("\n".join(wrong))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count())
    parser.add_argument("-n", "--dry-run", action="store_true",
                        help="only say whether the list follows the code")
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    mutations = chosen(read_list(), arguments.words)
    check_list(mutations)
    if arguments.dry_run:
        return 0

    survivors, copies = [], queue.Queue()

    def try_one(mutation):
        copy = copies.get()
        try:
            return copy.who_notices(mutation)
        finally:
            copies.put(copy)

    with tempfile.TemporaryDirectory(prefix="dripgate-mutants-") as folder:
        for i in range(max(1, arguments.jobs)):
            copy = Copy(f"{folder}/{i}")
            if not copy.passes_without():
                raise ListError("tests fail without a mutation: see make check-unit")
            copies.put(copy)
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            for mutation, who in zip(mutations, pool.map(try_one, mutations)):
                print(f"{'killed' if who else 'SURVIVED':8} {who or '':13} "
                      f"{mutation.name}", flush=True)
                if not who:
                    survivors.append(mutation)
    killed = len(mutations) - len(survivors)
    print(f"{killed} of {len(mutations)} mutations killed")
    return 0 if killed >= AT_LEAST * len(mutations) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ListError as error:
        sys.exit(f"mutants: {error}")
