"""Limits in Redis: loaded, reloaded on a message, refused when wrong."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import time

import control
import harness
from control import member
from harness import fields, wait_until
from load import Load


class LoadingTest(control.ControlCase):
    def test_limits_are_tried_in_the_order_of_their_scores(self):
        self.server.ask("DEL", "limits")
        self.server.ask("ZADD", "limits", "inf", member(9, "last"),
                        5, member(5, "later", "a*"), 5, member(4, "equal", "a*"),
                        "-inf", member(1, "first", "ab*"))
        daemon = self.follower()
        for key, name in (("abc", "first"), ("ax", "equal"), ("x", "last")):
            self.assertEqual(fields(daemon.ask(f"PEEK {key}"))["limit"], name)

    def test_they_are_in_force_before_the_first_client_is_served(self):
        waited_for = 0
        for _ in range(10):
            daemon = self.follower(loaded=False)
            # It waits for a second, which a machine that halts may take.
            if "no limits available" not in daemon.log():
                self.assertEqual(self.version_of(daemon), self.version)
                waited_for += 1
            daemon.stop()
        self.assertGreater(waited_for, 0)

    def test_a_reload_takes_over_the_whole_set(self):
        daemon = self.follower()
        self.put(member(7, "other", "o*"), member(8, "rest"))
        self.publish("reload")
        wait_until(lambda: fields(daemon.ask("PEEK o"))["limit"] == "other", "the new set")
        with daemon.connect() as client:
            self.assertEqual(len(client.ask_many("LIMITS")), 2)

    def test_what_may_be_a_mistake_in_a_set_is_warned_of(self):
        daemon = self.follower()
        self.put(member(7, "all"), member(8, "other", "o*"))
        self.publish("reload")
        self.wait_for_log(daemon, "warning: limits: member 2: [other]: no key reaches it: "
                          "[all] before it matches all that it matches\n")
        self.assertEqual(fields(daemon.ask("PEEK o"))["limit"], "all")

    def test_sighup_loads_and_rereads_settings(self):
        daemon = self.follower()
        self.put_next()
        daemon.settings["limits"]["unmatched"] = "deny"
        daemon.write_config()
        daemon.reload()
        self.wait_for_log(daemon, "limits reloaded: 1 in force")
        self.wait_for_version(daemon)
        self.put(member(1, match="none"))
        before = len(daemon.log())
        daemon.reload()
        wait_until(lambda: "limits reloaded: 1 in force" in daemon.log()[before:],
                   "the limits")
        wait_until(lambda: daemon.ask("PEEK x").startswith("DENY limit=- "), "unmatched")

    def test_check_does_not_need_the_server(self):
        daemon = self.follower()
        daemon.stop()
        self.server.kill()
        result = subprocess.run([harness.DRIPGATED, "-c", daemon.config_path, "--check"],
                                capture_output=True, text=True, check=False,
                                timeout=harness.PATIENCE)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("limits are in Redis, at limits", result.stdout)

    def test_an_empty_key_is_a_set_only_where_that_is_allowed(self):
        strict = self.follower({"control": {"node_name": "strict"}})
        lax = self.follower({"limits": {"allow_empty": "yes"}})
        self.server.ask("DEL", "limits")
        self.publish("reload")
        wait_until(lambda: fields(lax.ask("PEEK x"))["limit"] == "-", "an empty set")
        self.wait_for_log(strict, "limits not reloaded: key 'limits' is empty or missing")
        self.assertEqual(self.version_of(strict), self.version)
        # What is empty at the start is so later, too.
        self.put_next()
        self.publish("reload")
        self.wait_for_version(strict, lax)

    def test_a_key_elsewhere_is_loaded_from_there(self):
        with self.server.connect() as link:
            link.ask("SELECT", 3)
            link.ask("ZADD", "rules", 1, member(77))
        daemon = self.follower({"control": {
            "db": 3, "limits_key": "rules", "channel": "orders"}})
        self.assertEqual(self.version_of(daemon), 77)
        with self.server.connect() as link:
            link.ask("SELECT", 3)
            link.ask("DEL", "rules")
            link.ask("ZADD", "rules", 1, member(78))
        self.assertEqual(self.server.ask("PUBLISH", "orders", "reload:immediate"), 1)
        wait_until(lambda: self.version_of(daemon) == 78, "the new set")

    def test_the_poll_finds_what_nobody_announced(self):
        daemon = self.follower({"control": {"poll": "1s"}})
        for _ in range(3):
            self.put_next()
            self.wait_for_version(daemon)

    def test_the_poll_of_an_unchanged_key_changes_nothing(self):
        daemon = self.follower({"control": {"poll": "1s"}})
        before = self.calls()
        wait_until(lambda: self.calls() >= before + 2, "two polls")
        self.assertEqual(daemon.log().count("limits reloaded: "), 1)

    def test_a_server_that_forgot_the_script_is_told_it_again(self):
        daemon = self.follower()
        for _ in range(3):
            self.server.ask("SCRIPT", "FLUSH")
            self.put_next()
            self.publish("reload")
            self.wait_for_version(daemon)


BAD = {
    "an unknown word": ([member(5) + " colour=red"], "limits: member 1: "),
    "a missing word": ([member(5), "x match=x recharge=1s"], "limits: member 2: [x]: "),
    "a name twice": ([member(5), member(6)], "limits: member 2: [probe]: "),
    "no words": (["   "], "limits: member 1: is empty"),
    "bytes that are not UTF-8": ([member(5).encode() + b"\xff"], "limits: member 1: "),
    "two lines": ([member(5) + "\n" + member(6, "b")], "limits: member 1: "),
    "a NUL": ([member(5) + "\0"], "limits: member 1: "),
    "a member of 10 MB": (["x" * 10_000_000], "key 'limits': TOOLARGE more than 4194304 bytes"),
    "too many bytes": ([member(5, f"l{i}", f"{i}" + "x" * 1000) for i in range(4500)],
                       "key 'limits': TOOLARGE more than 4194304 bytes"),
}


class BadSetTest(control.ControlCase):
    def setUp(self):
        super().setUp()
        self.gate = self.follower()

    def check_refused(self, reason):
        """The reason is in log and set, the old limits stay, the next are taken."""
        before = self.gate.stats()["reload_errors"]
        self.publish("reload")
        self.wait_for_log(self.gate, "error: limits not reloaded: " + reason)
        wait_until(lambda: any(text.startswith(reason) for text in self.errors()),
                   "the complaint")
        self.assertEqual(len(self.errors()), 1)
        self.assertEqual(self.gate.stats()["reload_errors"], before + 1)
        self.assertEqual(self.version_of(self.gate), self.version)
        self.put_next()
        self.publish("reload")
        self.wait_for_version(self.gate)
        wait_until(lambda: not self.errors(), "the complaint to be taken back")

    def test_a_bad_member_leaves_the_old_set_in_force(self):
        for name, (members, reason) in BAD.items():
            with self.subTest(name):
                before = len(self.gate.log())
                self.put(*members)
                self.check_refused(reason)
                self.assertEqual(
                    self.gate.log()[before:].count("not reloaded"), 1)

    def test_every_wrong_member_is_logged(self):
        before = len(self.gate.log())
        self.put("a match=a recharge=1s", member(5), "b match=b capacity=x recharge=1s",
                 "c match=c* capacity=1 recharge=1s colour=red",
                 *[f"d{i} match=d recharge=1s" for i in range(20)])
        self.publish("reload")
        self.wait_for_log(
            self.gate, "error: limits not reloaded: 23 errors; the previous 1 stay in force")
        wait_until(self.errors, "the reason")
        self.assertEqual(self.errors(), [
            "limits: member 1: [a]: capacity is missing (and 22 more)"])
        lines = [line.partition(" error: ")[2]
                 for line in self.gate.log()[before:].splitlines() if " error: " in line]
        self.assertEqual([line.split(": ")[:2] for line in lines[:20]],
                         [["limits", f"member {i}"] for i in (1, 3, 4, *range(5, 22))])
        self.assertEqual(lines[20], "and 3 more")

    def test_100000_members_are_refused_unread(self):
        with self.server.connect() as link:
            link.ask("DEL", "limits")
            for start in range(0, 100_000, 1000):
                link.ask("ZADD", "limits", *[word for i in range(start, start + 1000)
                                             for word in (i, member(1, f"l{i}"))])
        self.check_refused("key 'limits': TOOLARGE more than 10000 members")

    def test_10000_members_are_taken(self):
        self.put(*[member(1, f"l{i}", f"k{i}:*") for i in range(9999)],
                 member(self.version + 1))
        self.version += 1
        self.publish("reload")
        self.wait_for_version(self.gate)
        self.assertEqual(fields(self.gate.ask("PEEK k9998:1"))["limit"], "l9998")

    def test_a_key_of_another_type_is_refused(self):
        self.server.ask("SET", "limits", "x")
        self.check_refused("key 'limits': WRONGTYPE Operation against a key")

    def test_a_missing_key_is_refused(self):
        self.server.ask("DEL", "limits")
        self.check_refused("key 'limits' is empty or missing")

    def test_a_poll_does_not_repeat_itself(self):
        for name, content in (("bad", "x match=x recharge=1s"), ("another type", None)):
            with self.subTest(name):
                daemon = self.follower({"control": {"poll": "1s", "node_name": name}})
                if content:
                    self.put(content)
                else:
                    self.server.ask("SET", "limits", "x")
                self.wait_for_log(daemon, "not reloaded")
                before = self.calls()
                wait_until(lambda before=before: self.calls() >= before + 3, "polls")
                self.assertEqual(daemon.log().count("not reloaded"), 1)
                # The same set as before, not announced either.
                self.put(member(self.version))
                wait_until(lambda: not self.errors(), "the complaint to be taken back")
                daemon.stop()

    def test_a_set_that_is_wrong_at_the_start_is_replaced_later(self):
        self.put("x match=x recharge=1s")
        daemon = self.follower(loaded=False)
        self.assertIn("no limits available: EVERY request is allowed", daemon.log())
        self.put_next()
        self.publish("reload")
        self.wait_for_version(daemon)


class ErrorsTest(control.ControlCase):
    def test_five_daemons_tell_of_one_mistake_once(self):
        daemons = [self.follower({"control": {"node_name": f"node{i}"}}) for i in range(5)]
        channel = self.listen("errors")
        told = 0
        for reason in ("limits: member 1: [x]: capacity is missing",) * 2:
            self.put("x match=x recharge=1s")
            self.publish("reload")
            self.assertEqual(channel.read()[2].decode(), reason)
            for daemon in daemons:
                self.wait_for_log(daemon, reason)
            told += len(daemons)
            wait_until(lambda told=told: self.calls("sadd") == told, "all to tell")
            self.assertEqual(self.errors(), [reason])
            # Each has said what it had to once its response to this is there.
            self.put_next()
            self.publish("reload")
            self.wait_for_version(*daemons)
            # Or the last would take back the next one.
            wait_until(lambda told=told: self.calls("srem") >= told, "all to take it back")
            self.assertEqual(self.errors(), [])
            for daemon in daemons:
                with open(daemon.log_path, "w", encoding="utf-8"):
                    pass
        channel.socket.settimeout(0.2)
        with self.assertRaises(OSError):
            channel.read()

    def test_another_mistake_replaces_the_first(self):
        self.follower()
        self.put("x match=x recharge=1s")
        self.publish("reload")
        wait_until(lambda: self.errors() == ["limits: member 1: [x]: capacity is missing"],
                   "the first")
        self.put(member(5), "y match=y recharge=1s")
        self.publish("reload")
        wait_until(lambda: self.errors() == ["limits: member 2: [y]: capacity is missing"],
                   "the second")

    def test_a_long_reason_is_cut(self):
        self.follower()
        self.put("x" * 4000 + " match=x")
        self.publish("reload")
        wait_until(self.errors, "the complaint")
        self.assertLessEqual(len(self.errors()[0]), 1024)

    def test_a_complaint_outlives_a_cut_connection(self):
        daemon = self.follower()
        self.put("x match=x recharge=1s")
        self.publish("reload")
        wait_until(self.errors, "the complaint")
        self.put_next()
        self.server.ask("CLIENT", "KILL", "TYPE", "normal")
        self.publish("reload")
        self.wait_for_version(daemon)
        wait_until(lambda: not self.errors(), "it to be taken back")


class MessageTest(control.ControlCase):
    def setUp(self):
        super().setUp()
        self.gate = self.follower({"control": {"node_name": "node1"}})

    def test_every_form_of_reload_reloads(self):
        for message in ("reload", "reload:immediate", "reload:spread:0.2",
                        "reload:spread:0", "reload:"):
            with self.subTest(message):
                self.put_next()
                self.publish(message)
                self.wait_for_version(self.gate)

    def test_a_bad_spread_falls_back_to_the_configured_one(self):
        for spread in ("nan", "-1", "1e9", "inf", "", "x", "1:2"):
            with self.subTest(spread):
                self.put_next()
                self.publish(f"reload:spread:{spread}")
                self.wait_for_version(self.gate)

    def test_what_is_no_command_does_nothing(self):
        before = self.calls()
        for message in ("", ":", "_reload", "_reload:immediate", "Reload", "reloads", "quit",
                        "x" * 1_000_000, "reload" * 100_000, b"\xff\x00\n", "ping",
                        "ping:", "ping::x", "ping:a:b:c"):
            self.assertEqual(self.publish(message), 1)
        self.check_alive()
        self.assertEqual(self.calls(), before)
        self.wait_for_log(self.gate, "warning: channel control: ")
        self.assertLessEqual(self.gate.log().count("warning: channel control: "), 2)

    def check_alive(self):
        """It responds, now that it has seen all that was said before."""
        reply = self.listen("alive")
        self.publish("ping:alive:x")
        self.assertEqual(reply.read()[2], b"pong:node1:x")

    def test_ping_is_answered_as_ever(self):
        reply = self.listen("reply")
        for message, answer in (("ping:reply", b"pong:node1"),
                                ("ping:reply:", b"pong:node1"),
                                ("ping:reply:data", b"pong:node1:data"),
                                (b"ping:reply:\x00\xff", b"pong:node1:\x00\xff"),
                                ("ping:reply:" + "x" * 1_000_000,
                                 b"pong:node1:" + b"x" * 1_000_000)):
            self.publish(message)
            self.assertEqual(reply.read(), [b"message", b"reply", answer])

    def test_a_pong_that_nobody_received_is_published_once_more(self):
        def subscribed_after(attempt):
            """What comes there if it is subscribed to as soon as the pong is out."""
            before = self.calls("publish") + 1  # the ping
            self.publish(f"ping:late{attempt}:{attempt}")
            wait_until(lambda: self.calls("publish") > before, "the first pong")
            with self.server.connect() as link:
                link.socket.settimeout(1)
                link.ask("SUBSCRIBE", f"late{attempt}")
                try:
                    return link.read()[2].decode()
                except OSError:
                    return None

        # A busy machine may be too late for some.
        heard = next(filter(None, map(subscribed_after, range(20))), None)
        self.assertRegex(heard, "^pong:node1:[0-9]+$")

    def test_a_pong_is_published_twice_at_most(self):
        before = self.calls("publish")
        self.publish("ping:nobody")
        wait_until(lambda: self.calls("publish") == before + 3, "two pongs")
        reply = self.listen("somebody")
        self.publish("ping:somebody:x")
        self.assertEqual(reply.read()[2], b"pong:node1:x")
        time.sleep(0.3)
        self.assertEqual(self.calls("publish"), before + 5)

    def test_a_flood_of_pings_that_nobody_hears_is_bounded(self):
        with self.server.connect() as link:
            for i in range(2000):
                link.send("PUBLISH", "control", f"ping:nobody:{i}" + "x" * 1000)
            for _ in range(2000):
                link.read()
        self.check_alive()

    def test_a_storm_of_orders_ends_with_the_last_set(self):
        for _ in range(200):
            self.put_next()
            self.publish(random.choice(("reload", "reload:immediate", "reload:spread:0.01")))
        self.wait_for_version(self.gate)


class SpreadTest(control.ControlCase):
    def spread_times(self, daemons, order, rounds):
        """Seconds from each order to each load that came of it."""
        times = []
        for _ in range(rounds):
            times += wait_until(lambda: self.round_times(daemons, order),
                                "a round without a halt", 2 * harness.PATIENCE)
        return times

    def round_times(self, daemons, order):
        """None if the machine halted meanwhile: the times would be its own."""
        before, start = self.calls(), time.monotonic()
        self.publish(order)
        times, now, halted = [], start, False
        while len(times) < daemons:
            seen = self.calls() - before
            halted |= time.monotonic() - now > 0.15
            now = time.monotonic()
            times += [now - start] * (seen - len(times))
            self.assertLess(now - start, harness.PATIENCE)
            time.sleep(0.002)
        return None if halted else times

    def check_uniform(self, times):
        """Within a second, and all over it; wrong by chance once in 10^6 runs."""
        self.assertGreater(max(times), 0.6)
        self.assertLess(min(times), 0.4)
        self.assertGreater(sum(times) / len(times), 0.25)
        self.assertLess(sum(times) / len(times), 0.85)

    def test_a_spread_scatters_the_loads_of_a_fleet(self):
        for _ in range(5):
            self.follower()
        times = self.spread_times(5, "reload:spread:1", 6)
        self.assertEqual(len(times), 30)
        self.check_uniform(times)

    def test_a_plain_reload_uses_the_configured_spread(self):
        for _ in range(5):
            self.follower({"control": {"reload_spread": "1"}})
        self.check_uniform(self.spread_times(5, "reload", 6))

    def test_a_plain_reload_without_a_spread_is_at_once(self):
        for _ in range(5):
            self.follower()
        # A busy machine may be late; by chance, all come so soon in no round of many.
        self.assertTrue(any(max(self.spread_times(5, "reload", 1)) < 0.25
                            for _ in range(10)))

    def test_an_immediate_reload_overtakes_one_that_waits(self):
        daemon = self.follower({"control": {"reload_spread": "1d"}})
        for first in ("reload", "reload:spread:86400", "reload:spread:x"):
            self.publish(first)
            self.put_next()
            self.publish("reload:immediate")
            self.wait_for_version(daemon)
            # It has taken the other's place.
            self.put_next()
            self.publish("reload:spread:0.1")
            self.wait_for_version(daemon)

    def test_the_earlier_of_two_reloads_stands(self):
        daemon = self.follower()
        for _ in range(5):
            self.put_next("reload:spread:0.2", "reload:spread:86400")
            self.wait_for_version(daemon)

    def test_a_poll_does_not_wait_behind_a_spread(self):
        daemon = self.follower({"control": {"poll": "1s"}})
        for _ in range(3):
            self.publish("reload:spread:86400")
            self.put_next()
            self.wait_for_version(daemon)


class FleetTest(control.ControlCase):
    def test_each_node_says_what_it_runs(self):
        begin = int(time.time())
        for i in range(3):
            self.follower({"control": {"node_name": f"node{i}"}})
        wait_until(lambda: len(self.fleet()) == 3, "all nodes")
        self.assertEqual(len({value[0] for value in self.fleet().values()}), 1)
        for digest, loaded_at, count, seen_at in self.fleet().values():
            self.assertRegex(digest, "^[0-9a-f]{40}$")
            self.assertEqual(count, "1")
            self.assertTrue(begin <= int(loaded_at) <= int(seen_at) <= time.time() + 1)
        self.assertGreater(self.server.ask("TTL", "limits:fleet"), 86000)

    def test_a_reload_changes_it_and_a_bad_one_does_not(self):
        self.follower({"control": {"node_name": "node"}})
        first = wait_until(self.fleet, "the node")["node"]
        self.put_next()
        self.publish("reload")
        second = wait_until(lambda: self.fleet()["node"][0] != first[0] and self.fleet(),
                            "the new digest")["node"]
        self.put("x")
        self.publish("reload")
        wait_until(self.errors, "the complaint")
        self.assertEqual(self.fleet()["node"][:3], second[:3])

    def test_a_daemon_that_stops_leaves_no_row(self):
        first, *others = [self.follower({"control": {"node_name": f"node{i}"}})
                          for i in range(5)]
        wait_until(lambda: len(self.fleet()) == 5, "all nodes")
        for daemon in others:
            self.assertEqual(daemon.stop(), 0)
        # It does not wait longer than a second for Redis to do what it was asked.
        wait_until(lambda: list(self.fleet()) == ["node0"], "the others to be gone")
        # The next to stop finds no server to report to.
        self.server.send(signal.SIGSTOP)
        self.assertEqual(first.stop(), 0)
        self.server.send(signal.SIGCONT)

    def test_a_daemon_that_drains_is_not_reported_again(self):
        daemon = self.follower({"control": {"poll": "1s"}})
        with daemon.connect() as client:
            client.send("PING")  # not finished: it waits for the rest
            wait_until(self.fleet, "the node")
            daemon.send(signal.SIGTERM)
            wait_until(lambda: not self.fleet(), "no node")
            self.publish("reload")
            # The daemon waits for it for half a second.
            with contextlib.suppress(BrokenPipeError):
                client.send("\n")
        daemon.wait()
        self.assertEqual(self.fleet(), {})

    def test_rows_of_long_ago_are_removed_by_any_daemon(self):
        now = int(time.time())
        for i in range(300):
            self.server.ask("HSET", "limits:fleet", f"gone{i}", f"- 1 1 {now - 3700}",
                            f"seen{i}#0001", f"- 1 1 {now - 3000}")
        self.server.ask("HSET", "limits:fleet", "strange", "x", "stranger", "")
        self.follower({"control": {"poll": "1s", "node_name": "node"}})

        def gone():
            self.publish("reload")  # and so it writes its own
            return [name for name in self.rows() if name.startswith("gone")]
        wait_until(lambda: not gone(), "all of them to be removed")
        self.assertEqual(len(self.rows()), 300 + 2 + 1)

    def test_daemons_of_one_name_have_a_row_each(self):
        for name in (None, "node"):
            named = {"node_name": name} if name else {}
            daemons = [self.follower({"control": named}) for _ in range(3)]
            wait_until(lambda: len(self.rows()) == 3, "all daemons")
            rows = self.rows()
            # It keeps its row over a restart, even after a crash.
            daemons[0].kill()
            again = self.follower({"control": named,
                                   "listen": daemons[0].settings["listen"]})
            self.assertEqual(set(self.rows()), set(rows))
            for daemon in (again, *daemons[1:]):
                daemon.stop()
            wait_until(lambda: not self.rows(), "them to be gone")

    def test_the_name_is_the_hosts_by_default(self):
        self.follower()
        wait_until(self.fleet, "the node")
        self.assertEqual(list(self.fleet()), [os.uname().nodename])

    def test_a_node_that_runs_kept_limits_says_so(self):
        state = self.state_dir()
        self.follower({"control": {"state_dir": state}}).stop()
        self.server.ask("DEL", "limits", "limits:fleet")
        self.follower({"control": {"state_dir": state, "node_name": "node"}}, loaded=False)
        wait_until(self.fleet, "the node")
        self.assertEqual(self.fleet()["node"][0], "-")
        self.assertEqual(self.fleet()["node"][2], "1")


class StateTest(control.ControlCase):
    def test_a_start_without_the_server_has_the_last_limits(self):
        state = self.state_dir()
        daemon = self.follower({"control": {"state_dir": state}})
        self.put_next()
        self.publish("reload")
        self.wait_for_version(daemon)
        daemon.stop()
        self.server.kill()
        again = self.follower({"control": {"state_dir": state}}, loaded=False)
        self.assertEqual(self.version_of(again), self.version)
        self.assertIn("limits not loaded from Redis yet: the 1 saved by an earlier run "
                      "are in force",
                      again.log())

    def test_systemds_folder_is_used(self):
        state = self.state_dir()
        self.follower(env={"STATE_DIRECTORY": state}).stop()
        with open(os.path.join(state, "limits"), encoding="utf-8") as file:
            self.assertEqual(file.read(), member(self.version) + "\n")

    def test_a_start_without_anything_serves_and_says_so(self):
        self.server.kill()
        for settings in ({}, {"control": {"state_dir": self.state_dir()}},
                         {"control": {"state_dir": "/nonexistent"}}):
            daemon = self.follower(settings, loaded=False)
            self.assertTrue(daemon.ask("CONSUME x").startswith("ALLOW limit=- "))
            self.assertIn("error: no limits available: EVERY request is allowed "
                          "(unmatched = allow)",
                          daemon.log())
            daemon.stop()

    def test_a_spoilt_file_is_as_good_as_none(self):
        for text in ("x match=x recharge=1s\n", "\xff\x00", ""):
            state = self.state_dir()
            with open(os.path.join(state, "limits"), "w", encoding="latin-1") as file:
                file.write(text)
            daemon = self.follower({"control": {"state_dir": state}})
            self.assertEqual(self.version_of(daemon), self.version)

    def test_limits_are_saved_once_the_folder_can_be_written_to(self):
        state = os.path.join(self.folder, "state-late")
        daemon = self.follower({"control": {"state_dir": state, "poll": "1s"}})
        self.put_next()
        self.publish("reload")
        self.wait_for_version(daemon)
        self.assertEqual(daemon.log().count("limits not saved"), 1)
        os.mkdir(state)
        self.wait_for_log(daemon, f"limits saved in {state}")
        with open(os.path.join(state, "limits"), encoding="utf-8") as file:
            self.assertEqual(file.read(), member(self.version) + "\n")

    def test_a_folder_that_cannot_be_written_to_is_told(self):
        daemon = self.follower({"control": {"state_dir": "/nonexistent"}})
        self.assertEqual(self.version_of(daemon), self.version)
        self.wait_for_log(daemon, "limits not saved in /nonexistent: No such file")

    def test_a_bad_set_is_not_kept(self):
        state = self.state_dir()
        daemon = self.follower({"control": {"state_dir": state}})
        self.put("x match=x recharge=1s")
        self.publish("reload")
        self.wait_for_log(daemon, "not reloaded")
        daemon.stop()
        with open(os.path.join(state, "limits"), encoding="utf-8") as file:
            self.assertEqual(file.read(), member(self.version) + "\n")


class StatusTest(control.ControlCase):
    """What systemd shows of it."""

    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.folder, "notify")
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.settimeout(harness.PATIENCE)
        self.manager.bind(self.path)

    def wait_for_status(self, text):
        while f"STATUS={text}" not in self.manager.recv(4096).decode():
            pass

    def test_status_says_where_limits_are_from(self):
        state = self.state_dir()
        options = {"settings": {"control": {"state_dir": state}},
                   "env": {"NOTIFY_SOCKET": self.path}}
        daemon = self.follower(**options)
        self.wait_for_status("1 limits from Redis, 0 clients")
        self.put("x")
        self.publish("reload")
        self.wait_for_status("1 limits (those in Redis are rejected), ")
        daemon.stop()
        self.server.kill()
        self.follower(loaded=False, **options)
        self.wait_for_status("1 limits (Redis was not read yet), ")

    def test_who_distributes_for_nobody_does_not_start(self):
        daemon = self.follower()
        daemon.stop()
        result = subprocess.run(
            [harness.DRIPGATED, "-c", daemon.config_path, "--distribute-only"],
            capture_output=True, text=True, check=False, timeout=harness.PATIENCE)
        self.assertEqual(result.returncode, 1)
        self.assertIn("--distribute-only: there is no [master]", result.stderr)


class SwapTest(control.ControlCase):
    RELOADS = 300

    def test_hundreds_of_reloads_under_load_cost_no_request_and_no_memory(self):
        daemon = self.follower({"workers": {"count": 2}})
        others = [member(5, f"l{i}", f"l{i}:*") for i in range(200)]
        load = Load(daemon, 20, lambda client, n: f"PEEK x{client}:{n}", pause=0.001)
        sizes = []
        for i in range(self.RELOADS):
            self.version = i + 2
            self.put(*others, member(self.version))
            self.publish("reload:immediate")
            if i % 10 == 9:
                self.wait_for_version(daemon)
            if i % 50 == 49:
                sizes.append(daemon.memory())
        self.wait_for_version(daemon)
        answers = load.stop()
        self.assertGreater(len(answers), 500)
        for answer in answers:
            self.assertTrue(answer.reply.startswith("ALLOW limit=probe "), answer)
        # Of some 100 KB a set, none is left behind.
        self.assertLess(sizes[-1] - sizes[0], 8 << 20)


class ServerTest(control.ControlCase):
    """The server stops, hangs, comes back."""

    def test_a_restarted_server_is_followed_again(self):
        daemon = self.follower()
        for number in (signal.SIGTERM, signal.SIGKILL):
            port, path = self.server.port, self.server.path
            self.server.send(number)
            self.server.wait()
            self.assertEqual(self.version_of(daemon), self.version)
            self.server = self.redis(port=port, path=path)
            self.wait_for_subscriber()
            self.put_next()
            self.publish("reload:immediate")
            self.wait_for_version(daemon)

    def test_a_server_that_comes_back_empty_leaves_the_limits(self):
        daemon = self.follower()
        port, path = self.server.port, self.server.path
        self.server.kill()
        self.server = self.redis(port=port, path=path)
        self.wait_for_log(daemon, "limits not reloaded: key 'limits' is empty or missing")
        self.assertEqual(self.version_of(daemon), self.version)

    def test_a_server_that_hangs_is_left_and_found_again(self):
        daemon = self.follower({"control": {
            "poll": "1s", "socket_timeout": "0.3", "connect_timeout": "0.3"}})
        self.wait_for_version(daemon)
        self.server.send(signal.SIGSTOP)
        self.wait_for_log(daemon, "did not reply in time")
        self.assertEqual(self.version_of(daemon), self.version)
        self.server.send(signal.SIGCONT)
        self.put_next()
        self.wait_for_version(daemon)

    def test_a_daemon_starts_while_the_server_hangs(self):
        self.server.send(signal.SIGSTOP)
        daemon = self.follower({"control": {"connect_timeout": "0.3"}}, loaded=False)
        self.assertEqual(fields(daemon.ask("PEEK x"))["limit"], "-")
        self.server.send(signal.SIGCONT)
        self.wait_for_version(daemon)

    def test_a_start_does_not_wait_for_long_timeouts(self):
        self.server.send(signal.SIGSTOP)
        daemon = self.follower({"control": {
            "connect_timeout": "300s", "socket_timeout": "300s"}}, loaded=False)
        self.assertEqual(fields(daemon.ask("PEEK x"))["limit"], "-")
        self.assertIn("error: no limits available: EVERY request is allowed "
                          "(unmatched = allow)",
                      daemon.log())
        self.server.send(signal.SIGCONT)
        self.wait_for_version(daemon)

    def test_a_busy_server_is_no_bad_set(self):
        daemon = self.follower({"control": {"poll": "1s"}})
        self.server.ask("CONFIG", "SET", "busy-reply-threshold", 1)
        with self.server.connect() as link, self.server.connect() as other:
            link.send("EVAL", "while true do end", 0)
            wait_until(lambda: self.is_busy(other), "BUSY")
            wait_until(lambda: "BUSY" in daemon.log(), "the daemon to be told")
            other.ask("SCRIPT", "KILL")
            wait_until(lambda: not self.is_busy(other), "the end of it")
        self.put_next()
        self.wait_for_version(daemon)
        self.assertNotIn("not reloaded", daemon.log())
        self.assertEqual(self.errors(), [])

    @staticmethod
    def is_busy(link):
        try:
            link.ask("PING")
        except harness.RedisError:
            return True
        return False

    def test_who_may_not_subscribe_follows_by_polls_and_makes_no_storm(self):
        self.server.ask("ACL", "SETUSER", "deaf", "on", ">x", "~*", "+@all",
                        "resetchannels")
        daemon = self.follower({"log": {"level": "debug"}, "control": {
            "username": "deaf", "password": "x", "poll": "1s"}})
        self.assertEqual(self.version_of(daemon), self.version)
        self.wait_for_log(daemon, "NOPERM")
        end = time.monotonic() + 3
        while time.monotonic() < end:
            self.put_next()
            self.wait_for_version(daemon)
        # With full jitter up to 50, 100, 200 ms ...: some 10 in that time.
        self.assertLess(daemon.log().count(": WAITING -> DIALING"), 40)


if __name__ == "__main__":
    harness.main()
