"""Distribution: the limits of one Redis, and what is said there, on others."""

import collections
import configparser
import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

import harness
from harness import DRIPGATED, Process, RedisClient, RedisError, \
    redis_users, wait_until

LIMITS = [b"login match=login:* capacity=5 recharge=60s",
          b"api match=api:* capacity=100 rate=50/s",
          b"mail match=mail:* capacity=3 rate=3/h"]

# What Turnstile puts there is msgpack; a member may be anything.
STRANGE = [b"\x82\xa4name\xa5login\xa5limit\xcd\x03\xe8\x00\n\r\n\xff\xfe",
           b"", b"\x00", b"\r\n", b"$5\r\nhello", b" blanks ", bytes(range(256)),
           "gr\u00fc\u00dfe".encode(), b"x" * 100_000]

# Longer than any test takes: what happens then has another reason.
NEVER = "1h"


class Distributor(Process):
    """A dripgated that does nothing but distribute."""

    count = 0

    def __init__(self, folder, text):
        Distributor.count += 1
        name = f"distributor-{Distributor.count}"
        path = os.path.join(folder, f"{name}.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        super().__init__(
            folder, name, [DRIPGATED, "--distribute-only", "-c", path])

    def stop(self):
        self.send(signal.SIGTERM)
        return self.wait()

    def await_log(self, text):
        wait_until(lambda: text in self.log(), f"{text!r} in the log")

    def copies(self, slave):
        return len(re.findall(rf"target {slave}: copied \d+ limits", self.log()))

    def counts(self, slave):
        """What it last said that it counted: {"copies": 3, ...}"""
        said = re.findall(rf"target {slave}: (copies \d+, .*)", self.log())
        return {name: int(value) for name, value in
                (item.split(" ") for item in (said or ["copies 0"])[-1].split(", "))}


class Proxy:
    """Passes bytes on to a Redis, from a Unix socket of its own."""

    def __init__(self, folder, redis):
        self.redis = redis
        self.path = os.path.join(folder, f"proxy-{redis.port}.sock")
        # Called before something is passed on.
        self.on_request = self.on_reply = lambda data: None
        self.sockets = []
        self.listener = None
        self.open()

    def open(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(16)
        threading.Thread(target=self.accept, args=(self.listener,),
                         daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                listener.close()
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.redis.path)
            self.sockets += [client, server]
            for source, sink, name in ((client, server, "on_request"),
                                       (server, client, "on_reply")):
                threading.Thread(target=self.pump, args=(source, sink, name),
                                 daemon=True).start()

    def pump(self, source, sink, name):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                getattr(self, name)(data)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()

    def close(self):
        """No connection is left, and none can be made."""
        sockets, self.sockets = self.sockets, []
        os.unlink(self.path)
        for end in [self.listener, *sockets]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.master = self.redis()
        self.slaves = {}
        self.listeners = []

    def clean_up(self):
        for listener in self.listeners:
            listener.close()
        running = [process for process in self.processes
                   if isinstance(process, Distributor) and process.is_running()]
        for process in running:
            self.assertEqual(process.stop(), 0, process.log())
        super().clean_up()

    def add_slaves(self, names):
        for name in names:
            self.slaves[name] = self.redis()
        return [self.slaves[name] for name in names]

    def distribute(self, paths=None, config="", server="socket_timeout = 20"):
        """Start it; paths: where slaves are that are not where they seem."""
        servers = {"master": (paths or {}).get("master", self.master.path)}
        for name, slave in self.slaves.items():
            servers[f"slave:{name}"] = (paths or {}).get(name, slave.path)
        text = f"[config]\npoll = {NEVER}\n{config}\n" if "poll" not in config \
            else f"[config]\n{config}\n"
        for section, path in servers.items():
            text += f"[{section}]\nunix_socket_path = {path}\n{server}\n"
        return self.distribute_by(text)

    def distribute_by(self, text, channel="control"):
        distributor = self.started(Distributor(self.folder, text))
        wait_until(lambda: self.subscribers(channel) or
                   self.still_runs(distributor), "the subscription")
        return distributor

    def still_runs(self, distributor):
        self.assertTrue(distributor.is_running(), distributor.log())

    def subscribers(self, channel="control"):
        return self.master.ask("PUBSUB", "NUMSUB", channel)[1]

    def write(self, members, redis=None, key="limits"):
        with (redis or self.master).connect() as link:
            for words in (["MULTI"], ["DEL", key],
                          ["ZADD", key, *(word for score, member in
                                          enumerate(members, 1)
                                          for word in (score, member))],
                          ["EXEC"]):
                link.ask(*words)

    def say(self, message):
        self.assertEqual(self.master.ask("PUBLISH", "control", message), 1)

    def listen(self, redis, channel="control"):
        """A connection that hears what is published there."""
        link = redis.connect()
        self.listeners.append(link)
        link.ask("SUBSCRIBE", channel)
        return link

    def hear(self, link):
        return link.read()[2]

    def held(self, redis):
        """[(member, score)], or None where it cannot be seen."""
        try:
            flat = redis.ask("ZRANGE", "limits", 0, -1, "WITHSCORES")
        except (OSError, RedisError):
            return None
        return list(zip(flat[::2], map(int, flat[1::2])))

    def await_held(self, members, *redises, patience=harness.PATIENCE):
        wanted = [(member, 10 * (i + 1)) for i, member in enumerate(members)]
        for redis in redises:
            wait_until(lambda r=redis: self.held(r) == wanted,
                       f"{wanted} on {redis.path}", patience)


class TestCopies(Case):
    def test_all_slaves_hold_at_the_start_what_the_master_has(self):
        self.write(LIMITS)
        self.distribute_five()
        self.await_held(LIMITS, *self.slaves.values())

    def distribute_five(self):
        self.add_slaves("abcde")
        return self.distribute()

    def test_members_are_copied_as_bytes(self):
        self.write(STRANGE)
        self.distribute_five()
        self.await_held(STRANGE, *self.slaves.values())

    def test_what_is_gone_is_removed_and_scores_are_10_20_30(self):
        self.add_slaves("ab")
        self.write(LIMITS + STRANGE)
        self.write([b"foreign", LIMITS[1], b"\x00\n"], self.slaves["b"])
        distributor = self.distribute()
        self.await_held(LIMITS + STRANGE, *self.slaves.values())
        distributor.await_log("target b: copied 12 limits, removed 2")
        self.write(LIMITS[1:])
        self.say("reload")
        self.await_held(LIMITS[1:], *self.slaves.values())
        distributor.await_log("target a: copied 2 limits, removed 10")

    def test_another_order_alone_is_copied(self):
        self.add_slaves("a")
        self.write(LIMITS)
        self.distribute()
        self.await_held(LIMITS, self.slaves["a"])
        self.write(LIMITS[::-1])
        self.say("reload")
        self.await_held(LIMITS[::-1], self.slaves["a"])

    def test_ten_thousand_limits_are_copied(self):
        many = [b"limit-%d match=%d:* capacity=5 recharge=60s%s" %
                (i, i, b" " * 100) for i in range(10000)]
        self.add_slaves("ab")
        self.write(many)
        self.distribute()
        self.await_held(many, *self.slaves.values())

    def test_no_reload_of_many_is_lost(self):
        self.add_slaves("ab")
        self.write(LIMITS)
        self.distribute()
        with self.master.connect() as link:
            for i in range(300):
                link.send("ZADD", "limits", 100 + i, f"limit-{i}")
                link.send("PUBLISH", "control", "reload:immediate")
            for _ in range(600):
                link.read()
        self.await_held(LIMITS + [b"limit-%d" % i for i in range(300)],
                        *self.slaves.values())

    def test_what_is_changed_on_a_slave_is_repaired_by_a_reload(self):
        slave, = self.add_slaves("a")
        self.write(LIMITS)
        self.distribute()
        for change in (["ZREM", "limits", LIMITS[0]], ["DEL", "limits"],
                       ["ZADD", "limits", 5, "more"],
                       ["ZADD", "limits", 100, LIMITS[0]],
                       ["ZADD", "limits", 11, LIMITS[0]]):
            self.await_held(LIMITS, slave)
            slave.ask(*change)
            self.say("reload")
        self.await_held(LIMITS, slave)

    def test_what_is_changed_on_a_slave_is_repaired_by_the_poll(self):
        slave, = self.add_slaves("a")
        self.write(LIMITS)
        self.distribute(config="poll = 1s")
        self.await_held(LIMITS, slave)
        ear = self.listen(slave)
        slave.ask("ZREM", "limits", LIMITS[0])
        self.await_held(LIMITS, slave)
        self.assertEqual(self.hear(ear), b"reload")

    def test_what_changes_on_the_master_unannounced_is_found_by_the_poll(self):
        slave, = self.add_slaves("a")
        self.write(LIMITS)
        self.distribute(config="poll = 1s")
        self.await_held(LIMITS, slave)
        self.write(LIMITS[1:])
        self.await_held(LIMITS[1:], slave)

    def test_polling_what_is_right_changes_and_says_nothing(self):
        slave, = self.add_slaves("a")
        self.write(LIMITS)
        distributor = self.distribute(config="poll = 1s")
        self.await_held(LIMITS, slave)
        ear = self.listen(slave)
        # Its response comes after all that the polls before it did.
        before = slave.ask("INFO", "commandstats").decode()
        looks = int(re.search(r"cmdstat_unwatch:calls=(\d+)|$", before)[1] or 0)
        wait_until(lambda: int((re.search(
            r"cmdstat_unwatch:calls=(\d+)",
            slave.ask("INFO", "commandstats").decode()) or [0, 0])[1])
            >= looks + 3, "three polls")
        self.say("marker")
        self.assertEqual(self.hear(ear), b"marker")
        self.assertEqual(distributor.copies("a"), 1)


class TestAccidents(Case):
    """What a safe daemon does not spread."""

    def check_kept(self, *break_it):
        slave, = self.add_slaves("a")
        self.write(LIMITS)
        distributor = self.distribute()
        self.await_held(LIMITS, slave)
        for words in break_it:
            self.master.ask(*words)
        self.say("reload")
        distributor.await_log("limits not copied: key 'limits'")
        self.write(LIMITS[1:])
        self.say("reload")
        self.await_held(LIMITS[1:], slave)
        # Nothing was there between the two.
        wait_until(lambda: distributor.copies("a") > 1, "the second copy")
        self.assertEqual(distributor.copies("a"), 2)
        return distributor.log()

    def test_a_missing_key_is_not_copied(self):
        self.assertIn("is empty or missing",
                      self.check_kept(["DEL", "limits"]))

    def test_a_key_of_another_type_is_not_copied(self):
        self.assertIn("WRONGTYPE",
                      self.check_kept(["SET", "limits", "x"]))

    def test_more_than_there_is_room_for_is_not_copied(self):
        self.assertIn("4 MiB", self.check_kept(
            ["ZADD", "limits", 1, b"x" * (4 << 20), 2, b"y"]))

    def test_a_reply_that_is_too_large_is_not_copied(self):
        self.assertIn("too large", self.check_kept(
            ["ZADD", "limits", 1, b"x" * (6 << 20)]))

    def test_a_foreign_key_on_a_slave_is_left_alone(self):
        odd, even = self.add_slaves("ab")
        self.write(LIMITS)
        odd.ask("SET", "limits", "mine")
        distributor = self.distribute()
        self.await_held(LIMITS, even)
        distributor.await_log("target a: not up to date: WRONGTYPE")
        self.assertEqual(odd.ask("GET", "limits"), b"mine")
        odd.ask("DEL", "limits")
        self.say("reload")
        self.await_held(LIMITS, odd)

    def test_a_slave_without_room_is_told_of_and_tried_again(self):
        slave, = self.add_slaves("a")
        self.write(STRANGE)
        distributor = self.distribute(config="poll = 1s")
        self.await_held(STRANGE, slave)
        ear = self.listen(slave)
        slave.ask("CONFIG", "SET", "maxmemory", 1)
        self.write(LIMITS)
        self.say("reload:spread:5")
        distributor.await_log("target a: not up to date: OOM")
        self.await_held(STRANGE, slave)
        slave.ask("CONFIG", "SET", "maxmemory", 0)
        self.assertEqual(self.hear(ear), b"reload:spread:5")
        self.await_held(LIMITS, slave)

    def test_a_read_only_slave_is_not_stormed(self):
        slave, = self.add_slaves("a")
        self.write(LIMITS)
        slave.ask("REPLICAOF", "127.0.0.1", harness.free_port())
        slave.ask("CONFIG", "SET", "replica-serve-stale-data", "yes")
        distributor = self.distribute()
        distributor.await_log("target a: not up to date: READONLY")

        looked, late = time.monotonic(), 0

        def connections():
            nonlocal looked, late
            count = int(re.search(rb"cmdstat_watch:calls=(\d+)",
                                  slave.ask("INFO", "commandstats"))[1])
            looked, late = time.monotonic(), max(late, time.monotonic() - looked)
            return count
        wait_until(lambda: connections() >= 8, "attempts")
        # 50 ms, doubled each time up to 500 ms, of which half on average: so many
        # attempts take more than a second, and the next ones as long again.
        self.assertLess(connections(), 12 + 8 * late)
        slave.ask("REPLICAOF", "NO", "ONE")
        self.await_held(LIMITS, slave)


class TestOutages(Case):
    def test_neither_a_dead_nor_a_hanging_slave_delays_the_others(self):
        dead, hung, *others = self.add_slaves("abcde")
        self.write(LIMITS)
        # A call that hangs would hang for longer than the others are given.
        self.distribute(server="socket_timeout = 20")
        self.await_held(LIMITS, *self.slaves.values())
        dead.kill()
        hung.send(signal.SIGSTOP)
        self.write(STRANGE)
        self.say("reload:immediate")
        self.await_held(STRANGE, *others, patience=10)
        hung.send(signal.SIGCONT)
        self.await_held(STRANGE, hung)
        again = self.redis(port=dead.port, path=dead.path)
        self.assertIn(self.held(again), ([], [(m, 10 * i + 10) for i, m in
                                              enumerate(STRANGE)]))
        self.await_held(STRANGE, again)

    def test_a_slave_that_hangs_is_given_up_and_brought_up_to_date(self):
        hung, other = self.add_slaves("ab")
        self.write(LIMITS)
        # Long enough for the others, whatever the machine does.
        distributor = self.distribute(server="socket_timeout = 2\n"
                                             "connect_timeout = 2")
        self.await_held(LIMITS, hung, other)
        ear = self.listen(hung)
        hung.send(signal.SIGSTOP)
        self.write(LIMITS[1:])
        self.say("reload:spread:7.5")
        self.await_held(LIMITS[1:], other)
        distributor.await_log("did not reply in time")
        hung.send(signal.SIGCONT)
        self.await_held(LIMITS[1:], hung)
        self.assertEqual(self.hear(ear), b"reload:spread:7.5")

    def before(self, redis):
        proxy = Proxy(self.folder, redis)
        self.addCleanup(lambda: os.path.exists(proxy.path) and proxy.close())
        return proxy

    def proxied(self):
        slave, = self.add_slaves("a")
        return slave, self.before(slave)

    def proxied_and_told(self):
        """One that waits for no reload any more."""
        slave, proxy = self.proxied()
        self.write(STRANGE)
        distributor = self.distribute({"a": proxy.path})
        self.await_held(STRANGE, slave)
        ear = self.listen(slave)
        self.write(LIMITS)
        self.say("reload:immediate")
        self.assertEqual(self.hear(ear), b"reload:immediate")
        wait_until(lambda: distributor.copies("a") == 2, "the last answer")
        return slave, proxy, distributor, ear

    def cut(self, proxy, distributor):
        """Close it, and wait until the distributor knows."""
        before = distributor.log().count("target a: not up to date")
        proxy.close()
        wait_until(lambda: distributor.log().count(
            "target a: not up to date") > before, "the complaint")

    def test_the_strongest_reload_that_a_target_missed_is_published_once(self):
        _, proxy, distributor, ear = self.proxied_and_told()
        self.cut(proxy, distributor)
        self.say("reload:spread:60")
        self.say("reload:spread:58.5")
        self.say("reload:spread:61.5")
        self.say("reload")
        proxy.open()
        # Also where nothing is to be copied.
        self.assertEqual(self.hear(ear), b"reload:spread:58.5")
        self.say("marker")
        self.assertEqual(self.hear(ear), b"marker")

    def test_what_happens_to_each_slave_is_counted(self):
        slave, proxy = self.proxied()
        self.add_slaves("b")
        self.write(LIMITS)
        distributor = self.distribute({"a": proxy.path}, "poll = 1s")
        self.await_held(LIMITS, *self.slaves.values())
        self.say("heard")
        wait_until(lambda: distributor.counts("a").get("forwarded") == 1,
                   "the count")
        self.cut(proxy, distributor)
        self.say("lost")
        wait_until(lambda: distributor.counts("a")["lost"] == 1 and
                   distributor.counts("b").get("forwarded") == 2, "the counts")
        self.assertEqual(distributor.stop(), 0)
        for name, failures, forwarded, lost in (("a", 1, 1, 1), ("b", 0, 2, 0)):
            counts = distributor.counts(name)
            self.assertEqual(counts, {
                "copies": 1, "unchanged": counts["unchanged"],
                "failures": failures, "forwarded": forwarded, "lost": lost})

    def test_a_slave_that_returns_unchanged_is_told_nothing(self):
        _, proxy, distributor, ear = self.proxied_and_told()
        self.cut(proxy, distributor)
        proxy.open()
        distributor.await_log("target a: up to date again, 3 limits")
        self.say("marker")
        self.assertEqual(self.hear(ear), b"marker")

    def check_cut(self, name, word):
        """Cut the connection at the first bytes with that word; what the slave
        is told then."""
        slave, proxy, distributor, ear = self.proxied_and_told()

        def cut_once(data):
            if word in data:
                setattr(proxy, name, lambda _: None)
                proxy.close()
        setattr(proxy, name, cut_once)
        self.write(LIMITS[1:])
        self.say("reload:spread:9")
        distributor.await_log("target a: not up to date: it is down")
        proxy.open()
        self.await_held(LIMITS[1:], slave)
        return ear

    def test_a_copy_that_did_not_arrive_is_made_later(self):
        ear = self.check_cut("on_request", b"EXEC")
        self.assertEqual(self.hear(ear), b"reload:spread:9")

    def test_a_copy_whose_answer_is_lost_is_told_of_and_that_again(self):
        ear = self.check_cut("on_reply", b"QUEUED")
        for _ in range(2):
            self.assertEqual(self.hear(ear), b"reload:spread:9")

    def test_another_writer_makes_the_copy_begin_anew(self):
        slave, proxy, distributor, ear = self.proxied_and_told()
        meddlings = []

        def meddle(data):
            if b"MULTI" in data and len(meddlings) < 3:
                meddlings.append(slave.ask(
                    "ZADD", "limits", 1, f"meddler-{len(meddlings)}"))
        proxy.on_request = meddle
        self.write(LIMITS[1:])
        self.say("reload:spread:8")
        self.assertEqual(self.hear(ear), b"reload:spread:8")
        self.await_held(LIMITS[1:], slave)
        self.assertEqual(len(meddlings), 3)
        distributor.await_log("copied 2 limits, removed 4")

    def test_another_writer_without_end_is_told_of_and_outlived(self):
        slave, proxy = self.proxied()
        meddlings = []

        def meddle(data):
            if b"MULTI" in data:
                meddlings.append(slave.ask(
                    "ZADD", "limits", 1, f"meddler-{len(meddlings)}"))
        proxy.on_request = meddle
        self.write(LIMITS)
        distributor = self.distribute({"a": proxy.path})
        distributor.await_log("another client keeps changing")
        self.assertEqual(len(meddlings), 10)
        proxy.on_request = lambda data: None
        self.say("reload")
        self.await_held(LIMITS, slave)

    def test_without_the_master_slaves_are_held_to_what_it_had(self):
        slave, = self.add_slaves("a")
        self.write(LIMITS)
        self.distribute(config="poll = 1s")
        self.await_held(LIMITS, slave)
        self.master.kill()
        slave.ask("DEL", "limits")
        self.await_held(LIMITS, slave)
        self.master = self.redis(port=self.master.port, path=self.master.path)
        self.write(STRANGE)
        self.await_held(STRANGE, slave)

    def test_a_change_during_a_copy_is_copied_after_it(self):
        slave, proxy = self.proxied()
        other, = self.add_slaves("b")

        def change(data):
            if b"MULTI" in data:
                proxy.on_request = lambda _: None
                self.write(LIMITS)
                self.say("reload")
                self.await_held(LIMITS, other)  # so it is known, for both
        self.write(STRANGE)
        self.distribute({"a": proxy.path})
        self.await_held(STRANGE, slave, other)
        proxy.on_request = change
        self.write(LIMITS[1:])
        self.say("reload")
        self.await_held(LIMITS, slave)

    def test_a_change_while_the_master_is_read_is_read_after_it(self):
        slave, = self.add_slaves("a")
        proxy = self.before(self.master)
        self.write(STRANGE)
        self.distribute({"master": proxy.path})
        self.await_held(STRANGE, slave)
        ear = self.listen(slave)

        def change(data):
            if LIMITS[1] in data:
                proxy.on_reply = lambda _: None
                self.write(LIMITS)
                self.say("reload")
                self.say("marker")
                self.assertEqual(self.hear(ear), b"marker")  # both were heard
        proxy.on_reply = change
        self.write(LIMITS[1:])
        self.say("reload")
        self.await_held(LIMITS, slave)

    def test_an_order_is_kept_until_the_master_can_be_read(self):
        slave, = self.add_slaves("a")
        proxy = self.before(self.master)
        self.write(STRANGE)
        distributor = self.distribute({"master": proxy.path})
        self.await_held(STRANGE, slave)
        ear = self.listen(slave)

        def cut_once(data):
            if b"ZRANGE" in data:
                proxy.on_request = lambda _: None
                proxy.close()
        proxy.on_request = cut_once
        self.write(LIMITS)
        self.say("reload:spread:6")
        distributor.await_log("was not read: no reply")
        proxy.open()
        self.assertEqual(self.hear(ear), b"reload:spread:6")
        self.await_held(LIMITS, slave)

    def test_an_order_is_kept_while_the_master_has_no_limits_to_give(self):
        slave, = self.add_slaves("a")
        self.write(STRANGE)
        distributor = self.distribute()
        self.await_held(STRANGE, slave)
        ear = self.listen(slave)
        self.master.ask("DEL", "limits")
        self.say("reload:spread:6")
        distributor.await_log("empty or missing")
        self.write(LIMITS)
        distributor.send(signal.SIGHUP)
        self.assertEqual(self.hear(ear), b"reload:spread:6")
        self.await_held(LIMITS, slave)

    def test_sighup_looks_at_all_servers(self):
        slave, = self.add_slaves("a")
        self.write(STRANGE)
        distributor = self.distribute()
        self.await_held(STRANGE, slave)
        self.write(LIMITS)
        distributor.send(signal.SIGHUP)
        self.await_held(LIMITS, slave)
        slave.ask("DEL", "limits")
        distributor.send(signal.SIGHUP)
        self.await_held(LIMITS, slave)

    def test_a_change_while_the_subscription_was_lost_is_not_missed(self):
        slave, = self.add_slaves("a")
        self.write(LIMITS)
        self.distribute()
        for i in range(20):
            members = [b"round-%d" % i, *LIMITS]
            with self.master.connect() as link:
                link.ask("CLIENT", "KILL", "TYPE", "pubsub")
                self.write(members)
                link.ask("PUBLISH", "control", "reload")
            self.await_held(members, slave)
            wait_until(self.subscribers, "the subscription")

    def test_a_master_that_comes_late_is_waited_for(self):
        slave, = self.add_slaves("a")
        port, path = self.master.port, self.master.path
        self.master.kill()
        text = f"[config]\npoll = {NEVER}\n[master]\nunix_socket_path = {path}\n" \
               f"[slave:a]\nunix_socket_path = {slave.path}\n"
        distributor = self.started(Distributor(self.folder, text))
        distributor.await_log(f"redis {path}:")
        self.master = self.redis(port=port, path=path)
        self.write(LIMITS)
        # It may have been there already, and seen nothing.
        with self.master.connect() as link:
            link.ask("PUBLISH", "control", "reload")
        self.await_held(LIMITS, slave)

    def test_messages_to_a_hanging_slave_do_not_pile_up(self):
        hung, other = self.add_slaves("ab")
        self.write(LIMITS)
        distributor = self.distribute()
        self.await_held(LIMITS, hung, other)
        ear = self.listen(other)
        hung.send(signal.SIGSTOP)
        message = b"x" * (1 << 20)
        memory = distributor.memory()
        for _ in range(60):
            self.say(message)
            self.assertEqual(self.hear(ear), message)
        self.assertLess(distributor.memory(), memory + (40 << 20))
        hung.send(signal.SIGCONT)
        self.assertEqual(distributor.stop(), 0)
        # The last reply may have come too late.
        self.assertIn(distributor.counts("b")["forwarded"], (59, 60))
        self.assertGreater(distributor.counts("a")["lost"], 40)


class TestMessages(Case):
    def start(self, config=""):
        """A slave that was copied to, whose distributor received a reload."""
        slave, = self.add_slaves("a")
        self.write(LIMITS)
        distributor = self.distribute(config=config)
        self.await_held(LIMITS, slave)
        return self.listen(slave), distributor

    def check_told(self, cases, config=""):
        ear, _ = self.start(config)
        for i, (said, told) in enumerate(cases):
            self.write([b"round-%d" % i, *LIMITS])
            self.say(said)
            self.assertEqual(self.hear(ear), told)

    def test_a_reload_is_told_with_its_spread(self):
        self.check_told([(b"reload", b"reload"),
                         (b"reload:immediate", b"reload:immediate"),
                         (b"reload:spread:60", b"reload:spread:60"),
                         (b"reload:spread:60.0", b"reload:spread:60.0"),
                         (b"reload:spread:0.5", b"reload:spread:0.5"),
                         (b"reload:spread:1", b"reload:spread:1"),
                         # Spelled so that every daemon reads it.
                         (b"reload:spread:.5", b"reload:spread:0.5"),
                         (b"reload:spread:1e0", b"reload:spread:1"),
                         (b"reload:spread:+1", b"reload:spread:1"),
                         (b"reload:spread: 1.", b"reload:spread:1"),
                         (b"reload:spread:1." + b"0" * 99, b"reload:spread:1"),
                         (b"reload:spread:nan", b"reload"),
                         (b"reload:spread", b"reload"),
                         (b"reload:nonsense", b"reload")])

    def test_a_plain_reload_gets_the_spread_that_is_configured(self):
        self.check_told([(b"reload", b"reload:spread:40.5"),
                         (b"reload:immediate", b"reload:immediate"),
                         (b"reload:spread:60.0", b"reload:spread:60.0"),
                         (b"reload:spread:-1", b"reload:spread:40.5"),
                         (b"reload:nonsense", b"reload:spread:40.5")],
                        "reload_spread = 40.5")

    def test_the_set_stands_there_when_the_reload_is_told(self):
        ear, _ = self.start()
        for i in range(50):
            members = [b"round-%d" % i]
            self.write(members)
            self.say("reload:immediate")
            self.assertEqual(self.hear(ear), b"reload:immediate")
            self.assertEqual(self.held(self.slaves["a"]), [(members[0], 10)])

    def test_a_reload_without_news_is_not_told(self):
        ear, _ = self.start()
        self.write(LIMITS[1:])
        self.say("reload:immediate")
        self.assertEqual(self.hear(ear), b"reload:immediate")
        before = self.looks()
        self.say("reload:immediate")
        wait_until(lambda: self.looks() > before, "the look")
        self.say("marker")
        self.assertEqual(self.hear(ear), b"marker")

    def looks(self):
        found = re.search(rb"cmdstat_unwatch:calls=(\d+)",
                          self.slaves["a"].ask("INFO", "commandstats"))
        return int(found[1]) if found else 0

    def test_a_stronger_reload_without_news_is_published(self):
        ear, _ = self.start("reload_spread = 3600")
        self.write(LIMITS[1:])
        for message, told in ((b"reload", b"reload:spread:3600"),
                              (b"reload:spread:60", b"reload:spread:60"),
                              (b"reload:spread:70", None), (b"reload", None),
                              (b"reload:spread:30", b"reload:spread:30"),
                              (b"reload:immediate", b"reload:immediate"),
                              (b"reload:immediate", None), (b"reload:spread:1", None)):
            before = self.looks()
            self.say(message)
            if told:
                self.assertEqual(self.hear(ear), told)
            else:
                wait_until(lambda before=before: self.looks() > before, "the look")
        self.say("marker")
        self.assertEqual(self.hear(ear), b"marker")

    def test_a_reload_after_a_copy_that_nobody_ordered_is_told(self):
        # The poll, or the start, may be faster than the client that changes the limits and
        # then orders them to be taken at once.
        ear, _ = self.start()
        self.say("reload:immediate")
        self.assertEqual(self.hear(ear), b"reload:immediate")

    def test_other_messages_are_forwarded_unchanged(self):
        ear, _ = self.start()
        for message in (b"ping:answers", b"ping:answers:data", b"ping", b"stop",
                        b"stop:a:b::c:", b"RELOAD", b"reloaded:now", b" ",
                        b"\x00\xff\r\n", b"x" * (1 << 20)):
            self.say(message)
            self.assertEqual(self.hear(ear), message)

    def test_a_colon_without_arguments_is_not_forwarded(self):
        ear, _ = self.start()
        for message, told in ((b"ping:", b"ping"), (b"x:", b"x"), (b"x::", b"x::")):
            self.say(message)
            self.assertEqual(self.hear(ear), told)

    def test_what_nobody_may_say_is_not_forwarded(self):
        ear, distributor = self.start()
        for message in (b"_reload", b"_", b"_x:y", b"", b":", b":reload"):
            self.say(message)
        self.say(b"marker")
        self.assertEqual(self.hear(ear), b"marker")
        distributor.await_log('message "_reload" not forwarded')

    def test_a_slave_that_takes_no_messages_gets_its_limits_later(self):
        slave, = self.add_slaves("a")
        self.write(LIMITS)
        slave.ask("ACL", "SETUSER", "default", "-publish")
        distributor = self.distribute(config="poll = 1s")
        distributor.await_log("target a: not up to date: NOPERM")
        slave.ask("ACL", "SETUSER", "default", "+publish")
        self.await_held(LIMITS, slave)


SUBWAY = """\
[config]
channel = our_control
limits_key = our_limits
reload_spread = 45.5
shard_hint = limits

[master]
host = 127.0.0.1
port = {master}
db = 2
password = open
socket_timeout = 5

[slave:east]
host = 127.0.0.1
port = {east}
db = 0
password = sesame
socket_timeout = 2.5

[slave:west]
unix_socket_path = {west}
"""


class TestSubway(Case):
    def test_its_configuration_file_runs_unchanged(self):
        self.master.ask("CONFIG", "SET", "requirepass", "open")
        east, west = self.add_slaves(["east", "west"])
        east.ask("CONFIG", "SET", "requirepass", "sesame")

        with RedisClient(self.master.path) as master, \
                RedisClient(east.path) as reader, \
                RedisClient(east.path) as ear:
            master.ask("AUTH", "open")
            master.ask("SELECT", 2)
            for link in (reader, ear):
                link.ask("AUTH", "sesame")
            ear.ask("SUBSCRIBE", "our_control")
            master.ask("ZADD", "our_limits", 1, b"\x81\xa1a\n", 2, "second")
            distributor = self.started(Distributor(
                self.folder, SUBWAY.format(master=self.master.port,
                                           east=east.port, west=west.path)))
            for ask in (reader.ask, west.ask):
                wait_until(lambda a=ask: a(
                    "ZRANGE", "our_limits", 0, -1, "WITHSCORES") ==
                    [b"\x81\xa1a\n", b"10", b"second", b"20"],
                    "the limits; log:\n" + distributor.log())
            self.assertEqual(self.hear(ear), b"reload:spread:45.5")
            wait_until(lambda: master.ask("PUBSUB", "NUMSUB", "our_control")[1],
                       "the subscription")
            master.ask("ZREM", "our_limits", "second")
            master.ask("PUBLISH", "our_control", "reload:immediate")
            self.assertEqual(self.hear(ear), b"reload:immediate")
            self.assertEqual(
                reader.ask("ZRANGE", "our_limits", 0, -1), [b"\x81\xa1a\n"])


class TestPython(harness.Case):
    """Its sections are read as Python's ConfigParser does, comments after a value
    included, which Subway's had."""

    OURS = {"config": {"channel": "control", "limits_key": "limits", "shard_hint": ""},
            "master": {"username": ""}, "slave:a": {"username": ""}}
    PIECES = ["a", "b c", " ", "%%", "%(X)s", "%(username)s", ";", " ; d", "#", '"', "'",
              "=", ":", "[e]", "\t"] * 3 + ["%(x)s"] * 5 + ["%(y)s", "%"]

    def options(self, random, names):
        names = [*names, "x", "y"] + ["x"] * (random.random() < 0.05)
        for name in random.sample(names, random.randrange(len(names))):
            if random.random() < 0.3:
                name = name.upper()
            value = "".join(random.choice(self.PIECES) for _ in range(random.randrange(3)))
            yield (" " * random.choice([0, 0, 0, 1, 2]) + name
                   + random.choice(["=", " = ", ":", ": "]) + value)
            if random.random() < 0.05:
                yield random.choice(["", "; z = 1", "  # z = 1", "  more", "   more ; d"])

    def text(self, random):
        sections = ["config", "master", "slave:a"] + ["DEFAULT"] * random.choice([0, 1, 1, 1])
        random.shuffle(sections)
        for section in sections:
            yield ("  " if random.random() < 0.02 else "") + f"[{section}]"
            if ":" in section or section == "master":
                yield f"unix_socket_path = /{section}"
            yield from self.options(random, self.OURS.get(
                section, ["channel", "limits_key", "shard_hint", "username"]))

    def expected(self, text):
        """What Python makes of it, or None where that is an error, or no file for a
        distributor."""
        parser = configparser.ConfigParser(inline_comment_prefixes=(";",))
        try:
            parser.read_string(text)
            values = {(section, name): parser.get(section, name, fallback="") or default
                      for section, names in self.OURS.items()
                      for name, default in names.items()}
            paths = [parser.get(section, "unix_socket_path") for section in self.OURS
                     if section != "config"]
        except configparser.Error:
            return None
        for value in [*values.values(), *paths]:
            if value != value.strip() or re.search(r"\n|(^|\s);", value):
                return None # that cannot be written again on one line
        return values

    def test_values_are_those_of_configparser(self):
        generator, kinds = random.Random(7), collections.Counter()
        path = os.path.join(self.folder, "subway.ini")
        for _ in range(400):
            text = "\n".join(self.text(generator)) + "\n"
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            result = subprocess.run([DRIPGATED, "-c", path, "--dump-config"], check=False,
                                    capture_output=True, text=True)
            expected, kinds[result.returncode] = self.expected(text), \
                kinds[result.returncode] + 1
            with self.subTest(text):
                self.assertEqual(result.returncode, 0 if expected else 1, result.stderr)
                if expected:
                    dumped = configparser.ConfigParser(inline_comment_prefixes=(";",))
                    dumped.read_string(result.stdout[result.stdout.index("[config]"):])
                    self.assertEqual(expected, {
                        (section, name): dumped.get(section, name)
                        for section, name in expected})
        self.assertGreater(kinds[0], 60)
        self.assertGreater(kinds[1], 60)

    def test_what_is_ignored_is_warned_of(self):
        path = os.path.join(self.folder, "subway.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write("[master]\nhost = a\nprot = 1\n[slave:b]\nhost = b\n[slave:c]\n")
        result = subprocess.run(
            [DRIPGATED, "-c", path, "--distribute-only", "--check"], check=False,
            capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result)
        self.assertIn("1 servers get limits", result.stdout)
        self.assertRegex(result.stderr, r"warning: .*:3: \[master\] prot: unknown, and ignored; "
                         r"do you mean port\?\n.* warning: .*:6: \[slave:c\]: ignored: host ")


class TestUsers(Case):
    def setUp(self):
        super().setUp()
        (_, _, self.on_master), (_, _, self.on_slave) = redis_users(
            self.folder, "[master]\nhost = x\n[slave:a]\nhost = y\n")

    def start(self, on_master, on_slave):
        """The one slave, which has a member too many and lacks an override, and the
        distributor."""
        slave = self.slaves.get("a") or self.add_slaves("a")[0]
        self.write([b"old"], slave)
        slave.ask("DEL", "limits:overrides")
        self.master.ask("HSET", "limits:overrides", "x", "deny 99999999999 me\nwhy")
        for redis, rights in ((self.master, on_master), (slave, on_slave)):
            redis.ask("ACL", "LOG", "RESET")
            redis.ask("ACL", "SETUSER", "dripgate", "reset", "on", ">secret",
                      "resetchannels", *rights)
        text = "".join(
            f"[{section}]\nunix_socket_path = {redis.path}\n"
            "username = dripgate\npassword = secret\n"
            for section, redis in (("master", self.master), ("slave:a", slave)))
        return slave, self.started(Distributor(self.folder, text))

    def test_it_can_do_its_work_as_the_users_shown(self):
        self.write(LIMITS)
        slave, distributor = self.start(self.on_master, self.on_slave)
        self.await_held(LIMITS, slave)
        wait_until(self.subscribers, "the subscription")
        self.say("reload")
        wait_until(lambda: b"cmdstat_unwatch" in
                   slave.ask("INFO", "commandstats"), "a look")
        self.assertNotIn("NOPERM", distributor.log())
        for server in self.master, slave:
            self.assertEqual(server.ask("ACL", "LOG"), [])

    def test_each_of_their_rights_is_needed(self):
        self.write(LIMITS)
        for right in self.on_slave:
            # Without +unwatch only a later copy begins again.
            if right != "+unwatch":
                self.check_missed(self.on_master,
                                  [r for r in self.on_slave if r != right])
        for right in self.on_master:
            self.check_missed([r for r in self.on_master if r != right], self.on_slave)

    def check_missed(self, on_master, on_slave):
        with self.subTest(on_master=on_master, on_slave=on_slave):
            slave, distributor = self.start(on_master, on_slave)
            wait_until(lambda: self.master.ask("ACL", "LOG") or slave.ask("ACL", "LOG"),
                       "a denial")
            self.assertEqual(distributor.stop(), 0)


class TestDaemons(Case):
    def test_a_daemon_behind_a_slave_follows_the_master(self):
        slave, = self.add_slaves("a")
        self.write([b"one match=one:* capacity=1 recharge=1h"])
        self.distribute()
        daemon = self.daemon(settings={
            "limits": {"source": "redis"},
            "control": {"unix_socket_path": slave.path}})
        wait_until(lambda: " capacity=1 " in daemon.ask("peek one:x"),
                   "the first limits")
        self.write([b"one match=one:* capacity=2 recharge=1h"])
        self.say("reload:immediate")
        wait_until(lambda: " capacity=2 " in daemon.ask("peek one:x"),
                   "the second limits")

    def test_a_daemon_may_serve_and_distribute(self):
        slave, = self.add_slaves("a")
        self.write(LIMITS)
        daemon = self.daemon(settings={
            "master": {"unix_socket_path": self.master.path},
            "slave:a": {"unix_socket_path": slave.path}})
        self.await_held(LIMITS, slave)
        self.assertTrue(daemon.ask("consume login:1").startswith("ALLOW"))
        self.assertEqual(daemon.stop(), 0)

    def test_who_only_distributes_needs_somebody_to_distribute_for(self):
        daemon = self.started(Distributor(self.folder, "[log]\nlevel = info\n"))
        self.assertEqual(daemon.wait(), 1)
        self.assertIn("there is no [master]", daemon.log())


if __name__ == "__main__":
    harness.main()
