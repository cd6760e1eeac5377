"""Runs the files of tests, each as a process of its own, one more than there are
processors, since most of them wait for something now and then; then those that measure
time, one after the other.  Says what each said when it has ended, and at the end which
tests failed.
"""

import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
FIRST = ("test_versions", "test_proxies") # the longest
ALONE = ("test_exact", "test_rude_clients", "test_saturation", "test_sweep")
# Not with sanitizers, which have little to see there: the work is that of Redis, make,
# a container, or another version's daemon, or what is tested is a text.
PLAIN = ("test_container", "test_makefile", "test_manual", "test_sweep", "test_versions")


def run(name):
    """(name, exit status, what it said, seconds)"""
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "unittest", "-v", name], cwd=HERE, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return name, done.returncode, done.stdout, time.monotonic() - start


def main():
    files = sorted(glob.glob(os.path.join(HERE, "test_*.py")), key=os.path.getsize, reverse=True)
    names = [os.path.basename(path)[:-3] for path in files]
    if "-address" in os.environ["DRIPGATED"]:
        names = [name for name in names if name not in PLAIN]
    crowd = sorted((name for name in names if name not in ALONE), key=lambda n: n not in FIRST)
    failed, count, took = [], 0, []

    def note(result):
        nonlocal count
        name, status, said, seconds = result
        print(f"{said.rstrip()}\n{name}: {seconds:.1f} s\n", flush=True)
        count += int((re.findall(r"(?m)^Ran (\d+) tests?", said) or ["0"])[-1])
        took.append((seconds, name))
        if status != 0:
            failed.append((name, re.findall(r"(?m)^(?:FAIL|ERROR): .*", said) or [said[-500:]]))

    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0)) + 1) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run, name) for name in crowd]):
            note(done.result())
    for name in filter(names.__contains__, ALONE):
        note(run(name))
    print("longest:", ", ".join(f"{name} {seconds:.0f} s" for seconds, name in sorted(took)[:-9:-1]))
    for name, lines in failed:
        print(*lines, sep="\n")
    print(f"{count} tests in {len(names)} files: " + (f"{len(failed)} FAILED" if failed else "OK"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
