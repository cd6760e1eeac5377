"""What the tests of limits in Redis have in common."""

import os

import harness
from harness import fields, wait_until

# A poll that a test never sees.
NEVER = "1h"


def member(capacity, name="probe", match="*"):
    return f"{name} match={match} capacity={capacity} recharge=1h"


class ControlCase(harness.Case):
    """A server with limits in it.  The capacity of "probe" is the version of the
    set, which every daemon shows to a client that asks."""

    def setUp(self):
        super().setUp()
        self.server = self.redis()
        self.version = 0
        self.put_next()

    def state_dir(self):
        path = os.path.join(self.folder, f"state-{len(self.processes)}")
        os.mkdir(path)
        return path

    def follower(self, settings=None, path=None, loaded=True, **options):
        """A daemon whose limits are in that server (or behind that path), and have
        been loaded: it serves without them if that takes longer than a second."""
        merged = {"limits": {"source": "redis"},
                  "control": {"unix_socket_path": path or self.server.path, "poll": NEVER}}
        for section, values in (settings or {}).items():
            merged.setdefault(section, {}).update(values)
        daemon = self.daemon(settings=merged, **options)
        if loaded:
            self.wait_for_log(daemon, " info: limits reloaded: ")
        return daemon

    def put(self, *members, messages=()):
        """Have these members, in that order, and no others, as soon as these messages
        come."""
        with self.server.connect() as link:
            link.ask("MULTI")
            for message in messages:
                link.ask("PUBLISH", "control", message)
            link.ask("DEL", "limits")
            for score, text in enumerate(members):
                link.ask("ZADD", "limits", score, text)
            link.ask("EXEC")

    def put_next(self, *messages):
        """Have a set of the next version."""
        self.version += 1
        self.put(member(self.version), messages=messages)

    def publish(self, message):
        return self.server.ask("PUBLISH", "control", message)

    def version_of(self, daemon):
        reply = daemon.ask("PEEK x")
        self.assertIn(" capacity=", reply, daemon.log())
        return int(fields(reply)["capacity"])

    def wait_for_version(self, *daemons, patience=harness.PATIENCE):
        for daemon in daemons:
            wait_until(lambda daemon=daemon: self.version_of(daemon) == self.version,
                       f"version {self.version}", patience)

    def wait_for_log(self, daemon, text, count=1):
        wait_until(lambda: daemon.log().count(text) >= count, f"{text!r} in the log")

    def wait_for_subscriber(self):
        wait_until(lambda: self.server.ask("PUBSUB", "NUMSUB", "control")[1],
                   "a subscriber")

    def errors(self):
        return sorted(text.decode() for text in self.server.ask("SMEMBERS", "errors"))

    def rows(self):
        """{node#id: [digest, loaded_at, count, seen_at]}"""
        flat = self.server.ask("HGETALL", "limits:fleet")
        return {name.decode(): value.decode().split(" ")
                for name, value in zip(flat[::2], flat[1::2])}

    def fleet(self):
        """The same by {node}, of which each must be one."""
        rows = self.rows()
        fleet = {}
        for name, row in rows.items():
            self.assertRegex(name, "#[0-9a-f]{4}$")
            fleet[name[:-5]] = row
        self.assertEqual(len(fleet), len(rows), rows)
        return fleet

    def listen(self, channel):
        link = self.server.connect()
        self.addCleanup(link.close)
        link.ask("SUBSCRIBE", channel)
        return link

    def calls(self, command="evalsha_ro"):
        """How often the server was asked for that."""
        for line in self.server.ask("INFO", "commandstats").decode().splitlines():
            if line.startswith(f"cmdstat_{command}:"):
                return int(line.partition("calls=")[2].partition(",")[0])
        return 0
