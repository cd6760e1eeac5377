"""Every command in README.md runs, and prints what README.md shows, by its shape:
numbers and digests may differ."""

import os
import re
import subprocess

import harness
from harness import Daemon, wait_until

# What the test cannot do for the reader: it installs on the machine.
BY_THE_READER = {"sudo make deps run", "sudo make install PREFIX=/usr",
                 "sudo systemctl daemon-reload",
                 "sudo systemctl enable --now dripgated.socket dripgated.service"}

# What the commands find in place of the programs on the reader's machine.
PRELUDE = """
dripgate() { "$DRIPGATE" -c "$CONFIG" "$@"; }
redis-cli() { command redis-cli -p "$REDIS_PORT" --no-raw "$@"; }
"""

SHAPES = ((r"\b[0-9a-f]*[0-9][0-9a-f]{7,}\b", "N"), (r"\d+(\.\d+)?", "N"),
          (r"\bN(us|ms|s|m|h|d)\b", "N"), (r"\s+", " "))


def shape(text):
    for pattern, replacement in SHAPES:
        text = re.sub(pattern, replacement, text)
    return text.strip()


def blocks():
    """[(heading, text)] of all that is indented, without the indentation."""
    found, heading, block = [], None, []
    with open(os.path.join(harness.ROOT, "README.md"), encoding="utf-8") as file:
        for line in [*file.read().splitlines(), "end"]:
            if line.startswith("    "):
                block.append(line[4:])
                continue
            if block and line:
                found.append((heading, "\n".join(block)))
                block = []
            elif block:
                block.append("")
            if line.startswith("## "):
                heading = line[3:]
    return [(heading, text.strip("\n")) for heading, text in found]


def of_section(heading, start):
    """The blocks of a section that begin so."""
    return [text for where, text in blocks() if where == heading and text.startswith(start)]


def commands(text):
    """[(command, what it prints)] of a block of them."""
    pairs = re.split(r"(?m)^\$ ", text)[1:]
    return [tuple(pair.partition("\n")[::2]) for pair in pairs]


class ReadmeTest(harness.Case):
    def setUp(self):
        super().setUp()
        self.redis_port = 0

    def conf_daemon(self, settings=None, **options):
        with open(os.path.join(harness.ROOT, "conf", "limits.ini"), encoding="utf-8") as file:
            return self.daemon(file.read(), settings, **options)

    def ported(self, text, daemon):
        return text.replace("14290", str(daemon.port)).replace("6379", str(self.redis_port))

    def run_all(self, heading, daemon):
        """Run the commands of a section, and compare what they print."""
        for text in of_section(heading, "$ "):
            for command, expected in commands(text):
                with self.subTest(command):
                    done = subprocess.run(
                        ["bash", "-c", PRELUDE + self.ported(command, daemon)],
                        stdin=subprocess.DEVNULL, capture_output=True, text=True,
                        timeout=harness.PATIENCE, check=False, cwd=harness.ROOT,
                        env={**os.environ, "DRIPGATE": harness.DRIPGATE,
                             "CONFIG": daemon.config_path,
                             "REDIS_PORT": str(self.redis_port)})
                    self.assertEqual(shape(done.stdout), shape(expected), done.stderr)

    def hold_dialogue(self, text, daemon):
        """Send what a person types, and compare the lines in between."""
        with daemon.connect(unix=False) as client:
            for line in text.splitlines():
                if re.match(r"(consume|peek|explain|reset|quit)\b", line):
                    client.send(line + "\n")
                else:
                    self.assertEqual(shape(client.line()), shape(line))
            self.assertEqual(client.rest(), b"")

    def test_try_it(self):
        self.run_all("Try it", self.conf_daemon())

    def test_a_tour(self):
        daemon = self.conf_daemon()
        daemon.ask("consume login:42")  # the reader has tried it
        (text,) = of_section("A tour", "$ nc 127.0.0.1 14290")
        self.hold_dialogue(text.partition("\n")[2], daemon)

    def test_limits(self):
        (text,) = of_section("Limits", "[")
        path = os.path.join(self.folder, "limits.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([harness.DRIPGATE, "limits", "check", path], check=False,
                              capture_output=True, text=True, timeout=harness.PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def settings_of(self, heading):
        """The settings in a section's INI block, as a Daemon takes them."""
        settings, section = {}, None
        (text,) = of_section(heading, "[")
        for line in text.splitlines():
            if line.startswith("["):
                section = settings.setdefault(line[1:-1], {})
            elif line:
                name, _, value = line.partition(" = ")
                section[name] = value.replace("6379", str(self.redis_port))
        return settings

    def test_with_redis(self):
        self.redis_port = self.redis().port
        settings = self.settings_of("With Redis")
        settings["redis"].update(harness.PATIENT["redis"])
        daemon = self.conf_daemon(settings)
        self.run_all("With Redis", daemon)

    def test_limits_for_a_fleet(self):
        redis = self.redis()
        self.redis_port = redis.port
        nodes = [self.daemon(settings={
            "limits": {"source": "redis"}, "redis": {"port": redis.port},
            "control": {"node_name": name}}) for name in ("web1", "web2")]
        (text,) = of_section("Limits for a fleet", "$ dripgate limits load")
        (load, heard), fleet = commands(text)[0], commands(text)[1]
        self.assertIn("limits load", load)
        self.run_all_but_times(load.replace(" --spread 30s", " --immediate"),
                               heard.replace("spread:30", "immediate"), nodes[0])
        wait_until(lambda: all(" 5 in force" in node.log() for node in nodes), "the limits")
        self.run_all_but_times(*fleet, nodes[0])
        with open(os.path.join(harness.ROOT, "README.md"), encoding="utf-8") as file:
            (override,) = re.findall(r"`(dripgate override set [^`]*)`", file.read())
        subprocess.run(["bash", "-c", PRELUDE + override], check=True, timeout=harness.PATIENCE,
                       stdout=subprocess.DEVNULL, env={**os.environ, "DRIPGATE": harness.DRIPGATE,
                                                       "CONFIG": nodes[0].config_path})

    def run_all_but_times(self, command, expected, daemon):
        def shown():
            return shape(subprocess.run(
                ["bash", "-c", PRELUDE + command], stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=harness.PATIENCE, check=False,
                cwd=harness.ROOT,
                env={**os.environ, "DRIPGATE": harness.DRIPGATE,
                     "CONFIG": daemon.config_path, "REDIS_PORT": "0"}).stdout)
        wait_until(lambda: shown() == shape(expected), f"{command} to print\n{expected}")

    def test_in_front_of_an_application(self):
        daemon = self.conf_daemon()
        self.run_all("In front of an application", daemon)
        (program,) = of_section("In front of an application", "import socket")
        scope = {}
        exec(self.ported(program, daemon), scope)  # pylint: disable=exec-used
        answers = [scope["may"]("login:app", 2) for _ in range(3)]
        scope["gate"].close()
        scope["connection"].close()
        self.assertEqual(answers, [True, True, False])

    def test_no_block_is_left_out(self):
        starts = ("[", "import socket", "$ ")
        for _, text in blocks():
            if not text.startswith(starts):
                self.assertLessEqual(set(text.splitlines()), BY_THE_READER)

    def test_it_takes_a_quarter_of_an_hour(self):
        with open(os.path.join(harness.ROOT, "README.md"), encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertLess(len(lines), 250)
        self.assertLessEqual(max(len(line) for line in lines if "](" not in line), 130)

    def test_each_make_target_that_it_names_exists(self):
        with open(os.path.join(harness.ROOT, "README.md"), encoding="utf-8") as file:
            named = re.findall(r"(?:sudo |`)make ([a-z][a-z -]*)", file.read())
        targets = {word for words in named for word in words.split() if word != "make"}
        self.assertIn("run", targets)
        for target in targets:
            subprocess.run(["make", "-n", target], cwd=harness.ROOT, check=True,
                           stdout=subprocess.DEVNULL, timeout=harness.PATIENCE)

    def test_each_command_and_option_that_it_names_exists(self):
        with open(os.path.join(harness.ROOT, "README.md"), encoding="utf-8") as file:
            text = file.read()
        for program, path in ("dripgate", harness.DRIPGATE), ("dripgated", harness.DRIPGATED):
            named = set(re.findall(rf"`{program} (-*[a-z-]+)", text))
            self.assertGreater(len(named), 1)
            offered = subprocess.run([path, "--help"], check=True, capture_output=True,
                                     text=True, timeout=harness.PATIENCE).stdout
            for name in named:
                self.assertRegex(offered, rf"(?m)(?:^  |\W){name}(?: |$)")


if __name__ == "__main__":
    harness.main()
