#!/usr/bin/env python3
"""Print what of src/ ran, from gcov's counts below a build folder: make coverage.

For each folder, and each file of which less than 90 % of the lines ran: lines and
branches that ran, of all.  With a file's name: its lines that did not.
"""

import collections
import json
import pathlib
import subprocess
import sys

SHOWN_BELOW = 0.9


class Count:
    def __init__(self):
        self.ran = self.all = 0

    def add(self, ran, all_of_them):
        self.ran += ran
        self.all += all_of_them

    def share(self):
        return self.ran / self.all if self.all else 1

    def __str__(self):
        return f"{100 * self.share():5.1f} % of {self.all:5}"


def counted_lines(build):
    """{file: {line: (count, branches that ran, branches)}}"""
    data = sorted(build.glob("src/**/*.gcda"))
    if not data:
        sys.exit(f"{build}: no counts; make coverage makes them")
    output = subprocess.run(
        ["gcov", "--json-format", "--stdout", "--branch-probabilities", *data],
        check=True, capture_output=True, text=True).stdout
    files = collections.defaultdict(dict)
    for report in output.splitlines():
        for file in json.loads(report)["files"]:
            if not file["file"].startswith("src/"):
                continue
            lines = files[file["file"]]
            for line in file["lines"]:
                branches = [b["count"] > 0 for b in line["branches"] if not b["throw"]]
                # An inline function of a header is in the report of each file.
                before = lines.get(line["line_number"], (0, 0, 0))
                lines[line["line_number"]] = max(
                    before, (line["count"], sum(branches), len(branches)))
    return files


def print_table(files):
    def add(name, lines):
        line_count, branch_count = counts[name]
        line_count.add(sum(count > 0 for count, *_ in lines.values()), len(lines))
        branch_count.add(sum(ran for _, ran, _ in lines.values()),
                         sum(all_of_them for *_, all_of_them in lines.values()))

    counts = collections.defaultdict(lambda: (Count(), Count()))
    for name, lines in sorted(files.items()):
        add(str(pathlib.PurePath(name).parent) + "/", lines)
        add(name, lines)
        add("all of src/", lines)
    for name, (lines, branches) in sorted(counts.items(), key=lambda item: (
            item[0].startswith("all"), item[0])):
        if not name.endswith((".c", ".h")) or lines.share() < SHOWN_BELOW:
            print(f"{name:34} {lines} lines, {branches} branches")


def print_rest(name, lines):
    with open(name, encoding="utf-8") as file:
        for number, text in enumerate(file, 1):
            if number in lines and lines[number][0] == 0:
                print(f"{name}:{number}: {text}", end="")


def main():
    build, *names = sys.argv[1:]
    files = counted_lines(pathlib.Path(build))
    for name in names:
        print_rest(name, files[name])
    if not names:
        print_table(files)


if __name__ == "__main__":
    main()
