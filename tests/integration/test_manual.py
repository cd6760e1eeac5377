"""The manual pages and the completion have all that the programs have."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import DRIPGATED, ROOT
from test_tool import COMMANDS, DAEMON_COMMANDS, DRIPGATE

# Settings of a daemon that distributes show only where there is one.
EVERYTHING = ("[master]\nhost = x\n[slave:NAME]\nhost = y\n"
              "[upstream:NAME]\nurl = http://x\n")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def run(*argv, **options):
    return subprocess.run(argv, capture_output=True, text=True, check=True,
                          stdin=subprocess.DEVNULL, timeout=4 * harness.PATIENCE,
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


def verbs():
    """Name and arguments of each verb but HTTP's, as the table in verbs.h has them."""
    text = read("src", "protocol", "verbs.h")
    shapes = dict(re.findall(r'X\((\w+), \d, [^,]+,[\s\\]+"([^"]*)"', text))
    rows = [(name, shape) for name, shape, family in re.findall(
        r'X\([A-Z]+, "([a-z.]+)", (\w+), \w+, [A-Z]+, (\w+),', text) if family != "HTTP"]
    if not rows or "KEY" not in shapes:
        raise AssertionError("verbs.h was not understood")
    return [(name, shapes[shape]) for name, shape in rows]


class ManualTest(harness.Case):
    def dump(self):
        with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
            file.write(EVERYTHING)
            file.flush()
            text = run(DRIPGATED, "-c", file.name, "--dump-config")
        dumped = sections(text, r"\[(.*)\]", r"(\w+) = (.*)")
        for section in "master", "slave:NAME":
            dumped[section, "host"] = ""
        dumped["upstream:NAME", "url"] = ""
        return dumped

    def test_each_setting_stands_in_the_manual_with_its_default(self):
        manual = sections(read("conf", "dripgate.ini.5").partition(".Sh LIMITS")[0], r"\.Ss \[(.*)\]",
                          r"\.It Cm (\w+) No = ?(.*)")
        dumped = self.dump()
        self.assertGreater(len(dumped), 40)
        for place, default in dumped.items():
            with self.subTest(place):
                self.assertEqual(manual.get(place), default)

    def test_each_word_of_a_limit_stands_in_the_manual(self):
        folder = os.path.join("src", "limit")
        text = "".join(read(folder, name) for name in os.listdir(os.path.join(ROOT, folder))
                       if name.endswith(".c"))
        words = [word for table in re.findall(r"(?s)struct limit_word \w+\[\w*\] = {(.*?)};", text)
                 for word in re.findall(r'{"(\w+)"', table)]
        for word in "match", "capacity", "recharge", "window":
            self.assertIn(word, words)
        manual = read("conf", "dripgate.ini.5").partition(".Sh LIMITS")[2]
        for word in words:
            self.assertIn(f"\n.It Cm {word} No = ", manual)

    def test_each_word_of_a_route_stands_in_the_manual(self):
        words = re.findall(r'(?m)^    \{"([a-z_.]+)", ', read("src", "limit", "route.c"))
        self.assertIn("keys", words)
        manual = read("conf", "dripgate.ini.5").partition(".Sh ROUTES")[2]
        for word in words:
            self.assertRegex(manual, rf"\.It (?:.* , )?Cm {re.escape(word)}(?: Ns| No)")

    def test_each_counter_stands_in_the_manual_with_its_help(self):
        text = read("src", "stats", "counters.h")
        rows = [row for name in ("GAUGES", "COUNTERS") for row in re.findall(
            r'X\((\w+), \w+, \w+,[\s\\]*"([^"]*)"\)',
            text.partition(f"#define {name}(X)")[2].partition("\n\n")[0])]
        manual = read("src", "protocol", "dripgate-protocol.7")
        listed = manual.partition(".Sh COUNTERS")[2].partition(".El")[0]
        self.assertEqual(re.findall(r"\.It Cm (\w+)\n(.*)\.\n", listed),
                         [(name, help[0].upper() + help[1:]) for name, help in rows])
        self.assertEqual(list(self.daemon().stats()), [name for name, _ in rows])
        counts = read("src", "stats", "limit_stats.h").partition("LIMIT_COUNTS(X)")[2]
        for name in re.findall(r"X\((\w+)\)", counts.partition("\n\n")[0]):
            self.assertRegex(manual.partition(".Sh COUNTERS")[2],
                             rf"(?m)^\.Cm (?:.* )?{name}(?: |$)")

    def test_each_command_and_option_stands_in_the_manual(self):
        manual = read("src", "cli", "dripgate.1")
        for command in COMMANDS:
            with self.subTest(command):
                self.assertRegex(manual, rf"(?m)^\.It Cm {command}(?: |$)")
                text = run(DRIPGATE, *command.split(), "--help")
                options = re.findall(r"(?m)^  (?:-(\w), |    )--([a-z-]+)", text)
                self.assertGreaterEqual(len(options), 3)
                for letter, name in options:
                    start = f".It Fl {letter} , -{name}" if letter else f".It Fl -{name}"
                    self.assertRegex(manual, rf"(?m)^{re.escape(start)}(?: |$)")

    def test_the_users_of_redis_are_those_that_acl_prints(self):
        manual = read("src", "cli", "dripgate.1").partition(".Sh REDIS USERS")[2]
        for escape, character in ((r"\(aq", "'"), (r"\(ti", "~"), (r"\-", "-")):
            manual = manual.replace(escape, character)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "acl.ini")
            lines = ""
            for settings in ("[store]\ntype = redis\n[limits]\nsource = redis\n",
                             "[master]\nhost = x\n[slave:a]\nhost = y\n"):
                with open(path, "w", encoding="ascii") as file:
                    file.write(settings)
                lines += run(DRIPGATE, "-c", path, "acl")
        self.assertEqual(re.findall(r"(?m)^ACL .*$", manual), lines.splitlines())

    def test_each_option_of_the_daemon_stands_in_the_manual(self):
        manual = read("src", "dripgated", "dripgated.8")
        options = re.findall(r"--([a-z-]+)", run(DRIPGATED, "--help"))
        self.assertIn("dump-config", options)
        for name in options:
            self.assertRegex(manual, rf"(?m)^\.It Fl (?:\w , )?-{name}(?: |$)")

    def test_the_manual_lists_the_verbs_and_their_arguments(self):
        manual = read("src", "protocol", "dripgate-protocol.7")
        listed = [line.replace(" Ar", "") for line in re.findall(
            r"(?m)^\.It Ic ([A-Z.]+\b.*)", re.sub(r" (?:Op Ar (\w+)|Oo Ar ([\w .]+) Oc)", r" [\1\2]", re.sub(
                r" Oo Ar (\w+) Oc Op Cm (\w+) \| (\w+)", r" [\1] [\2|\3]",
                manual.replace(" Op Li id= Ns Ar id", " [id=ID]"))))]
        self.assertEqual(listed, [name.upper() + usage for name, usage in verbs()])

    def test_each_verb_is_a_command_of_the_tool_too(self):
        names = {name for name, _ in verbs()}
        self.assertEqual(names - {"auth", "limits", "monitor", "ready", "help", "quit", "cl.throttle", "del", "exists",
                                  "ttl", "pttl", "wait", "cache", "forget", "get"},
                         set(DAEMON_COMMANDS) - {"watch", "why", "tail"})

    def test_each_error_stands_in_the_manual(self):
        manual = read("src", "protocol", "dripgate-protocol.7")
        codes = re.findall(r'X\([A-Z]+, "(\w+)"', read("src", "protocol", "errors.h"))
        self.assertIn("badkey", codes)
        for code in codes:
            self.assertRegex(manual, rf"(?m)^\.It Cm (?:.* )?{code}(?: |$)")


def have_shell(name):
    return unittest.skipUnless(shutil.which(name), f"needs {name}")


class BashTest(unittest.TestCase):
    """What the completion for bash offers; those for the others offer the same."""

    def complete(self, *words):
        """What is offered for the last of these words."""
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(DRIPGATE, os.path.join(folder, "dripgate"))
            os.mkdir(os.path.join(folder, "here"))
            for name in "limits.ini", "with blank.ini":
                with open(os.path.join(folder, "here", name), "w", encoding="ascii"):
                    pass
            text = self.run_shell(words, cwd=os.path.join(folder, "here"), env={
                **os.environ, "PATH": folder + ":" + os.environ["PATH"], "HOME": folder,
                "XDG_CONFIG_HOME": folder, "XDG_DATA_HOME": folder})
        return sorted(line for line in text.split("\n") if line)

    def run_shell(self, words, **options):
        return run("bash", "--norc", "-c", 'source "$0" && COMP_WORDS=("$@") '
                   "COMP_CWORD=$(($# - 1)) && _dripgate; "
                   'printf "%s\\n" "${COMPREPLY[@]}"',
                   os.path.join(ROOT, "src", "cli", "dripgate.bash"), "dripgate",
                   *words, **options)

    def test_every_command_and_option_that_help_lists(self):
        for command in COMMANDS:
            with self.subTest(command):
                *before, last = command.split()
                self.assertIn(last, self.complete(*before, ""))
                self.assertIn(last, self.complete("help", *before, ""))
                text = run(DRIPGATE, *command.split(), "--help")
                self.assertEqual(self.complete(*command.split(), "--"),
                                 sorted(re.findall(r"(?m)^  .{4}(--[a-z-]+)", text)))

    def test_every_argument_of_an_option_is_no_command(self):
        found = {}
        for command in COMMANDS:
            for letter, name, argument in re.findall(
                    r"(?m)^  (?:(-\w),|   ) (--[a-z-]+)(?: (\S+))?  ", run(DRIPGATE, *command.split(), "--help")):
                found[name] = letter, argument
        self.assertIn("--secret-file", found)
        for name, (letter, argument) in found.items():
            for option in filter(None, (letter, name)):
                with self.subTest(option):
                    is_file = "FILE" in argument or "PATH" in argument
                    self.assertEqual(self.complete(option, "x", "fl"), ["fleet"] if argument else [])
                    self.assertEqual(self.complete(option, "fl"), [] if argument else ["fleet"])
                    if argument:
                        self.assertEqual(self.complete(option, "limits"), ["limits.ini"] if is_file else [])

    def test_commands(self):
        self.assertEqual(self.complete(""), sorted({name.split()[0] for name in COMMANDS}))
        self.assertEqual(self.complete("pe"), ["peek"])
        self.assertEqual(self.complete("-c", "x", "--json", "lim"), ["limits"])
        for first in "limits", "topology":
            self.assertEqual(self.complete(first, ""), sorted(
                name.split()[1] for name in COMMANDS if name.startswith(first + " ")))
        self.assertEqual(self.complete("limits", "l"), ["list", "load", "log"])

    def test_options_are_those_of_the_command(self):
        self.assertEqual(self.complete("--v"), ["--version"])
        self.assertEqual(self.complete("limits", "load", "x", "--s"), ["--spread"])
        self.assertEqual(self.complete("consume", "--s"), ["--secret-file", "--socket"])
        self.assertEqual(self.complete("ping", "--w"), [])
        self.assertEqual(self.complete("nodes", "-"), [
            "--config", "--help", "--json", "--password-file", "--timeout", "--version",
            "--wait"])

    def test_files(self):
        both = ["limits.ini", "with blank.ini"]
        self.assertEqual(self.complete("limits", "check", ""), both)
        self.assertEqual(self.complete("limits", "load", "--spread", "5m", "w"), both[1:])
        self.assertEqual(self.complete("-c", ""), both)
        self.assertEqual(self.complete("fleet", "--password-file", ""), both)
        self.assertEqual(self.complete("limits", "check", "limits.ini", ""), [])

    def test_nothing_for_keys_and_words_of_ones_own(self):
        for words in ["consume", ""], ["command", "x", "--listen", ""], ["watch", "--count", ""]:
            self.assertEqual(self.complete(*words), [])


@have_shell("zsh")
class ZshTest(BashTest):
    # What the completion system is told, without a terminal.
    SCRIPT = r"""
        _files() { print -rl -- $words[CURRENT]*(N) }
        _describe() {
            [[ $1 == -o ]] && shift
            local each
            for each in "${(@P)2}"; do
                [[ $each == $words[CURRENT]*:?* ]] && print -r -- "${each%%:*}"
            done
        }
        completion=$1; shift
        words=("$@") CURRENT=$#
        source $completion
        true
        """

    def run_shell(self, words, **options):
        return run("zsh", "-f", "-c", self.SCRIPT, "zsh",
                   os.path.join(ROOT, "src", "cli", "dripgate.zsh"), "dripgate", *words, **options)


@have_shell("fish")
class FishTest(BashTest):
    def run_shell(self, words, **options):
        text = run("fish", "--no-config", "-c", 'source $argv[1]; complete -C "$argv[2]"',
                   os.path.join(ROOT, "src", "cli", "dripgate.fish"),
                   " ".join(["dripgate", *words]), **options)
        found = [line.partition("\t")[0].replace("\\ ", " ") for line in text.splitlines()]
        # Where no name begins so, fish looks into what the names mean.
        return "".join(name + "\n" for name in found if name.startswith(words[-1]))


if __name__ == "__main__":
    harness.main()
