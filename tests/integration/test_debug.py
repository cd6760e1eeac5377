"""What a debugger and a tracer find in the binaries."""

import glob
import os
import re
import shutil
import subprocess
import unittest

import harness

SAMPLE = os.environ.get("SAMPLE", os.path.join(harness.ROOT, "build", "sample"))
PRINTERS = os.path.join(harness.ROOT, "tests", "gdb", "dripgate.py")

SHOWN = {
    "buf": r'buf of 7 bytes: "ay \"h\"\n"',
    "no_buf": 'buf of 0 bytes: ""',
    "broken_buf": "broken buf: start 5, end 3, cap 4",
    "no_bucket": "empty bucket",
    "no_queue": "queue of 0 requests",
    "bucket": "bucket, leaky: empty_at 2023-11-14 22:13:20 "
              "blocked_until 1970-01-01 00:00:00.000007 recharge 60000000 us; "
              "window: end 2023-11-14 22:13:20 count 7 length 60000000 us",
    "queue": "queue of 2 requests, the first is ready = "
             "{ready in line, CHECK_ASKED in line}",
    "batch": "batch of 1 buckets, 2 queries without a result = "
             '{login "login:": 2 queries}',
}


def gdb(*arguments):
    return subprocess.run(
        ["gdb", "--batch", "--nx", *arguments], stdin=subprocess.DEVNULL, text=True,
        capture_output=True, check=False, timeout=harness.PATIENCE)


@unittest.skipUnless(shutil.which("gdb") and
                     gdb("-ex", "python print(6 * 7)").stdout == "42\n",
                     "needs gdb with Python: make deps-test")
class PrettyPrinterTest(harness.Case):
    def test_each_struct_is_shown(self):
        commands = [word for name in SHOWN for word in ("-ex", f"print {name}")]
        result = gdb("-x", PRINTERS, "-ex", "break look", "-ex", "run", *commands,
                     SAMPLE)
        lines = re.findall(r"^\$\d+ = (.*)$", result.stdout, re.MULTILINE)
        self.assertEqual(len(lines), len(SHOWN), result)
        for (name, shown), line in zip(SHOWN.items(), lines):
            with self.subTest(name):
                self.assertEqual(line, shown)


def probes_of_the_code():
    found = set()
    for path in glob.glob(os.path.join(harness.ROOT, "src", "**", "*.c"), recursive=True):
        with open(path, encoding="utf-8") as file:
            found |= set(re.findall(r"\bPROBE\d\(\s*(\w+),", file.read()))
    return found


class ProbeTest(harness.Case):
    @unittest.skipUnless(glob.glob("/usr/include/**/sys/sdt.h", recursive=True),
                         "needs systemtap-sdt-dev: make deps-test")
    @unittest.skipUnless(shutil.which("readelf"), "needs readelf")
    def test_the_daemon_has_notes_of_them(self):
        notes = subprocess.run(["readelf", "-n", harness.DRIPGATED], check=True,
                               text=True, capture_output=True).stdout
        found = re.findall(r"Provider: dripgate\n\s*Name: (\w+)\n.*\n\s*Arguments: (.*)",
                           notes)
        self.assertEqual({name for name, _ in found}, {
            "check_start", "check_done", "batch_sent", "link_state"})
        for name, arguments in found:
            self.assertEqual(len(arguments.split()), {
                "check_start": 4, "check_done": 4, "batch_sent": 3, "link_state": 3}[name])

    def test_the_readme_lists_them(self):
        with open(os.path.join(harness.ROOT, "tests", "README.md"), encoding="utf-8") as file:
            self.assertEqual(set(re.findall(r"^\| `(\w+)` \|", file.read(), re.MULTILINE)),
                             probes_of_the_code())


if __name__ == "__main__":
    harness.main()
