"""What the other tests rely on."""

import signal
import subprocess
import sys

import harness

# What a process that the harness starts ignores and blocks: two masks.
CHILD = """
import re, subprocess, harness
status = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True)
print(*re.findall(r"^Sig(?:Ign|Blk):\\s*(\\w+)", status.stdout, re.MULTILINE))
"""
NUMBERS = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}


def deafen():
    """As a shell does for a background job, nohup, and a careless parent."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)


class ChildrenTest(harness.Case):
    def test_they_start_with_default_signals(self):
        masks = subprocess.run(
            [sys.executable, "-c", CHILD], preexec_fn=deafen, check=True, text=True,
            capture_output=True, cwd=harness.ROOT + "/tests/integration").stdout.split()
        self.assertEqual(len(masks), 2, masks)
        for number in NUMBERS:
            for mask in masks:
                self.assertFalse(int(mask, 16) >> number - 1 & 1, (number, mask))


if __name__ == "__main__":
    harness.main()
