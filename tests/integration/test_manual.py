"""The manual pages and the completion tell what there is."""

import os
import re
import subprocess
import tempfile
import unittest

import harness
from harness import DRIPGATED, ROOT
from test_tool import COMMANDS, DRIPGATE

# Settings of a daemon that distributes show only where there is one.
EVERYTHING = "[master]\nhost = x\n[slave:NAME]\nhost = y\n"


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def run(*argv, **options):
    return subprocess.run(argv, capture_output=True, text=True, check=True,
                          stdin=subprocess.DEVNULL, timeout=harness.PATIENCE,
                          **options).stdout


def sections(text, heading, row):
    """{(section, name): value} of a text with such headings and rows."""
    found, section = {}, None
    for line in text.splitlines():
        if match := re.fullmatch(heading, line):
            section = match[1]
        elif match := re.fullmatch(row, line):
            found[section, match[1]] = match[2]
    return found


class ManualTest(unittest.TestCase):
    def dump(self):
        with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
            file.write(EVERYTHING)
            file.flush()
            text = run(DRIPGATED, "-c", file.name, "--dump-config")
        dumped = sections(text, r"\[(.*)\]", r"(\w+) = (.*)")
        for section in "master", "slave:NAME":
            dumped[section, "host"] = ""
        return dumped

    def test_each_setting_stands_in_the_manual_with_its_default(self):
        manual = sections(read("conf", "dripgate.ini.5"), r"\.Ss \[(.*)\]",
                          r"\.It Cm (\w+) No = ?(.*)")
        dumped = self.dump()
        self.assertGreater(len(dumped), 40)
        for place, default in dumped.items():
            with self.subTest(place):
                self.assertEqual(manual.get(place), default)

    def test_each_setting_stands_in_the_readme(self):
        table = read("README.md").partition("## Settings")[2].partition("\n\n(*)")[0]
        listed, headings = set(), []
        for row in re.findall(r"(?m)^\|(.*?)\|(.*?)\|", table):
            section, names = (re.findall("`([^`]*)`", cell) for cell in row)
            headings = section or headings
            listed.update((heading, name) for heading in headings for name in names)
        self.assertEqual(listed, set(self.dump()))

    def test_each_word_of_a_limit_stands_in_the_manual(self):
        words = read("src", "limit", "limit.c").partition("#define WORDS(X)")[2]
        words = re.findall(r"X\((\w+)\)", words.partition("\n\n")[0])
        self.assertIn("capacity", words)
        manual = read("conf", "dripgate.ini.5").partition(".Sh LIMITS")[2]
        for word in words:
            self.assertIn(f"\n.It Cm {word} No = ", manual)

    def test_each_command_and_option_stands_in_the_manual(self):
        manual = read("src", "tool", "dripgate.1")
        for command in COMMANDS:
            with self.subTest(command):
                self.assertRegex(manual, rf"(?m)^\.It Cm {command}(?: |$)")
                text = run(DRIPGATE, *command.split(), "--help")
                options = re.findall(r"(?m)^  (?:-(\w), |    )--([a-z-]+)", text)
                self.assertGreaterEqual(len(options), 3)
                for letter, name in options:
                    start = f".It Fl {letter} , -{name}" if letter else f".It Fl -{name}"
                    self.assertRegex(manual, rf"(?m)^{re.escape(start)}(?: |$)")

    def test_each_option_of_the_daemon_stands_in_the_manual(self):
        manual = read("src", "dripgated.8")
        options = re.findall(r"--([a-z-]+)", run(DRIPGATED, "--help"))
        self.assertIn("dump-config", options)
        for name in options:
            self.assertRegex(manual, rf"(?m)^\.It Fl (?:\w , )?-{name}(?: |$)")

    def test_each_request_and_error_stands_in_the_manual(self):
        manual = read("src", "wire", "dripgate-protocol.7")
        text = read("src", "wire", "line.h") + read("src", "wire", "request.h")
        verbs = re.findall(r"VERB_(\w+),", text)
        codes = re.findall(r'X\([A-Z]+, "(\w+)"', text)
        self.assertIn("CONSUME", verbs)
        self.assertIn("badkey", codes)
        for verb in verbs:
            self.assertRegex(manual, rf"(?m)^\.It Ic (?:CL\.)?{verb}(?: |$)")
        for code in codes:
            self.assertRegex(manual, rf"(?m)^\.It Cm (?:.* )?{code}(?: |$)")


class CompletionTest(unittest.TestCase):
    def complete(self, *words):
        """What is offered for the last of these words."""
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(DRIPGATE, os.path.join(folder, "dripgate"))
            os.mkdir(os.path.join(folder, "here"))
            for name in "limits.ini", "with blank.ini":
                with open(os.path.join(folder, "here", name), "w", encoding="ascii"):
                    pass
            text = run("bash", "--norc", "-c", 'source "$0" && COMP_WORDS=("$@") '
                       "COMP_CWORD=$(($# - 1)) && _dripgate && "
                       'printf "%s\\n" "${COMPREPLY[@]}"',
                       os.path.join(ROOT, "src", "tool", "dripgate.bash"), "dripgate",
                       *words, cwd=os.path.join(folder, "here"),
                       env={**os.environ, "PATH": folder + ":" + os.environ["PATH"]})
        return sorted(line for line in text.split("\n") if line)

    def test_commands(self):
        self.assertEqual(self.complete(""), sorted({name.split()[0] for name in COMMANDS}))
        self.assertEqual(self.complete("pe"), ["peek"])
        self.assertEqual(self.complete("-c", "x", "--json", "lim"), ["limits"])
        self.assertEqual(self.complete("limits", ""), sorted(
            name.split()[1] for name in COMMANDS if " " in name))
        self.assertEqual(self.complete("limits", "l"), ["list", "load"])

    def test_options_are_those_of_the_command(self):
        self.assertEqual(self.complete("--v"), ["--version"])
        self.assertEqual(self.complete("limits", "load", "x", "--s"), ["--spread"])
        self.assertEqual(self.complete("consume", "--s"), ["--socket"])
        self.assertEqual(self.complete("ping", "--j"), [])
        self.assertEqual(self.complete("nodes", "-"), [
            "--config", "--help", "--json", "--version", "--wait"])

    def test_files(self):
        both = ["limits.ini", "with blank.ini"]
        self.assertEqual(self.complete("limits", "check", ""), both)
        self.assertEqual(self.complete("limits", "load", "--spread", "5m", "w"), both[1:])
        self.assertEqual(self.complete("-c", ""), both)
        self.assertEqual(self.complete("limits", "check", "limits.ini", ""), [])

    def test_nothing_for_keys_and_words_of_ones_own(self):
        for words in ["consume", ""], ["command", "x", "--listen", ""], ["watch", "--count", ""]:
            self.assertEqual(self.complete(*words), [])


if __name__ == "__main__":
    harness.main()
