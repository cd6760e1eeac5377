"""As a service: what is said to systemd and got from it, drains, restarts."""

import array
import contextlib
import ctypes
import fcntl
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import harness
from harness import PATIENT, ROOT, Client, fields, wait_until

UNIT = os.path.join(ROOT, "systemd", "dripgated.service")

# What systemd does between fork and exec: its descriptors, given as numbers,
# become 3, 4, ..., and the variables that name the process or its log are set.
LAUNCHER = """
import os, sys
fds = [int(word) for word in sys.argv[1].split(",") if word]
for place, fd in enumerate(fds):
    os.dup2(fd, 3 + place)
    os.close(fd)
pid, log = str(os.getpid()), os.fstat(2)
os.environ.update(LISTEN_PID=pid, WATCHDOG_PID=pid,
                  JOURNAL_STREAM=f"{log.st_dev}:{log.st_ino}")
os.execv(sys.argv[2], sys.argv[2:])
"""

HIGH_FD = 600


class Manager:
    """As much of systemd as a service sees: it listens for the service, hears
    its notifications, and stores descriptors for it over a restart."""

    def __init__(self, case, store=0):
        self.case = case
        self.messages = []   # each a list of lines
        self.stored = []
        self.store = store   # most descriptors that are stored
        folder = tempfile.mkdtemp(dir=case.folder)
        self.path = os.path.join(folder, "service.sock")
        self.listeners = [socket.create_server(("127.0.0.1", 0), backlog=4096),
                          socket.socket(socket.AF_UNIX)]
        self.listeners[1].bind(self.path)
        self.listeners[1].listen(4096)
        self.address = self.listeners[0].getsockname()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(os.path.join(folder, "notify"))
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()
        case.addCleanup(self.close)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        for sock in self.socket, *self.listeners:
            sock.close()
        self.forget()

    def forget(self):
        for fd in self.stored:
            os.close(fd)
        self.stored = []

    def listen(self):
        size = array.array("i").itemsize
        while True:
            data, ancillary, _, _ = self.socket.recvmsg(
                4096, socket.CMSG_SPACE(300 * size))
            if not data:
                return
            fds = array.array("i")
            for level, kind, content in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    fds.frombytes(content[:len(content) // size * size])
            self.take(data.decode().split("\n"), list(fds))

    def take(self, lines, fds):
        if "FDSTORE=1" in lines and "FDNAME=client" in lines:
            known = {os.fstat(fd).st_ino for fd in self.stored}
            new = [fd for fd in fds if os.fstat(fd).st_ino not in known]
            new = new[:max(0, self.store - len(self.stored))]
            self.stored += new
            fds = [fd for fd in fds if fd not in new]
        if "FDSTOREREMOVE=1" in lines and "FDNAME=client" in lines:
            self.forget()
        for fd in fds: # those of a barrier too
            os.close(fd)
        self.messages.append(lines)

    def read_all(self):
        """Wait until all that was sent before is read: the daemon does not wait for
        that for longer than 0.8 s."""
        mark = f"X_MARK={self.said('X_MARK')}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(f"X_MARK\n{mark}".encode(), self.socket.getsockname())
        self.wait_for(mark)

    def said(self, line):
        """In how many messages that line was."""
        return sum(line in message for message in self.messages)

    def wait_for(self, line, count=1):
        wait_until(lambda: self.said(line) >= count, line)

    def states(self):
        """The states that were announced, in their order."""
        return [line for message in self.messages for line in message
                if line in ("READY=1", "RELOADING=1", "STOPPING=1")]

    def start(self, limits=harness.LIMITS, settings=None, listen=True, ready=True,
              **env):
        """A daemon as this manager's service."""
        self.read_all()
        before = self.said("READY=1")
        sources = [sock.fileno() for sock in self.listeners] if listen else []
        names = ["dripgated.socket"] * len(sources) + ["client"] * len(self.stored)
        # Copies out of the way, the child's only.
        fds = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH_FD)
               for fd in sources + self.stored]
        env["NOTIFY_SOCKET"] = self.socket.getsockname()
        if fds:
            env.update(LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=":".join(names))
        if self.store:
            env["FDSTORE"] = str(self.store)
        daemon = self.case.daemon(
            limits, settings, wait=False, env=env, pass_fds=fds, launcher=[
                sys.executable, "-ISc", LAUNCHER, ",".join(map(str, fds))])
        for fd in fds:
            os.close(fd)
        if ready:
            self.wait_for("READY=1", before + 1)
        return daemon

    def connect(self, unix=True):
        return Client(self.path if unix else self.address)

    def ask(self, *lines):
        with self.connect() as client:
            return client.ask(*lines)


class ServiceCase(harness.Case):
    def slow_redis_daemon(self, redis, **listen):
        """One whose calls to Redis may take their time."""
        return self.redis_daemon(redis, harness.LIMITS, {
            **PATIENT, "listen": listen, "workers": {"count": 2}})

    def wait_for_drain(self, daemon):
        """It says so when its listeners are closed and its workers know."""
        wait_until(lambda: "draining" in daemon.log(), "the drain")

    def check_none_was_cut_off(self, daemon):
        """All clients were done before the ten seconds were over."""
        self.assertTrue(daemon.log().endswith("stopped\n"), daemon.log())
        self.assertNotIn("that are not done", daemon.log())


class NotifyTest(ServiceCase):
    def test_ready_is_said_with_a_status_when_clients_are_served(self):
        manager = Manager(self)
        manager.start()
        message = next(lines for lines in manager.messages if "READY=1" in lines)
        self.assertIn("STATUS=1 limits, 0 clients, buckets in memory", message)
        with manager.connect() as client:
            self.assertEqual(client.ask("PING"), "PONG")
            manager.wait_for("STATUS=1 limits, 1 clients, buckets in memory")

    def test_ready_is_said_after_its_own_sockets_are_open(self):
        manager = Manager(self)
        daemon = manager.start(listen=False)
        self.assertEqual(daemon.ask("PING"), "PONG")

    def test_a_reload_is_announced_and_ended_whatever_comes_of_it(self):
        manager = Manager(self)
        daemon = manager.start()
        daemon.write_limits(harness.LIMITS + harness.LIMITS.replace("login", "other"))
        daemon.send(signal.SIGHUP)
        manager.wait_for("READY=1", 2)
        daemon.write_limits("nonsense")
        daemon.send(signal.SIGHUP)
        manager.wait_for("READY=1", 3)
        self.assertEqual(manager.states(), ["READY=1"] + ["RELOADING=1", "READY=1"] * 2)
        good, bad = ["\n".join(lines) for lines in manager.messages
                     if "READY=1" in lines][1:]
        self.assertIn("STATUS=2 limits, 0 clients, buckets in memory", good)
        self.assertNotIn("not reloaded", good)
        self.assertIn("STATUS=2 limits, 0 clients, buckets in memory", bad)
        self.assertIn(f"not reloaded: {daemon.limits_path}:1:1: ", bad)
        for lines in manager.messages:
            if "RELOADING=1" in lines:
                [word] = [line for line in lines if line.startswith("MONOTONIC_USEC=")]
                self.assertLess(abs(int(word[15:]) / 1e6 - time.monotonic()), 60)

    def test_stopping_is_the_last_state(self):
        manager = Manager(self)
        daemon = manager.start()
        self.assertEqual(daemon.stop(), 0)
        manager.wait_for("STOPPING=1")
        self.assertEqual(manager.states(), ["READY=1", "STOPPING=1"])

    def test_a_reload_does_not_make_a_daemon_ready_that_is_not(self):
        redis = self.redis()
        redis.send(signal.SIGSTOP)
        manager = Manager(self)
        daemon = manager.start(ready=False, settings={
            "store": {"type": "redis"}, "redis": {
                "unix_socket_path": redis.path, **PATIENT["redis"]}})
        # Until its signals are handled, this would end it.
        wait_until(lambda: has_handler(daemon, signal.SIGHUP), "its start")
        daemon.reload()
        self.assertEqual(manager.states(), [])
        redis.send(signal.SIGCONT)
        manager.wait_for("READY=1")
        self.assertTrue(manager.ask("consume login:x").endswith(" from=redis"))
        self.assertEqual(manager.states(), ["READY=1"])

    def test_a_stop_before_it_is_ready_is_a_stop(self):
        redis = self.redis()
        redis.send(signal.SIGSTOP)
        manager = Manager(self)
        daemon = manager.start(ready=False, settings={
            "store": {"type": "redis"}, "redis": {
                "unix_socket_path": redis.path, **PATIENT["redis"]}})
        wait_until(lambda: has_handler(daemon, signal.SIGTERM), "its start")
        self.assertEqual(daemon.stop(), 0)
        self.assertNotIn("READY=1", manager.states())

    def test_a_reload_does_not_make_a_daemon_ready_that_stops(self):
        redis = self.redis()
        manager = Manager(self)
        daemon = manager.start(settings={
            "store": {"type": "redis"}, "redis": {
                "unix_socket_path": redis.path, **PATIENT["redis"]}})
        with manager.connect() as client:
            client.ask("PING")
            redis.send(signal.SIGSTOP)
            client.send("consume login:x\n")
            daemon.send(signal.SIGTERM)
            manager.wait_for("STOPPING=1")
            daemon.send(signal.SIGHUP)
            wait_until(lambda: "reloaded" in daemon.log(), "the reload")
            redis.send(signal.SIGCONT)
            self.assertTrue(client.line().startswith("ALLOW"))
            self.assertEqual(daemon.wait(), 0)
        self.assertEqual(manager.states(), ["READY=1", "STOPPING=1"])

    def test_the_watchdog_is_patted_in_time(self):
        manager = Manager(self)
        manager.start(WATCHDOG_USEC="600000")
        times = []
        for count in range(1, 13):
            manager.wait_for("WATCHDOG=1", count)
            times.append(time.monotonic())
        # One is due every half of the time that systemd waits, and most come
        # before all of it, whatever the machine does meanwhile.
        self.assertLess(statistics.median(
            after - before for before, after in zip(times, times[1:])), 0.6)

    def test_the_watchdog_is_patted_however_many_ask_for_reports(self):
        manager = Manager(self)
        limits = "".join(f"[l{i}]\nmatch = l{i}:*\ncapacity = 5\nrecharge = 1h\n"
                         for i in range(1000))
        manager.start(limits, {"workers": {"count": 1}}, WATCHDOG_USEC="600000")
        with contextlib.ExitStack() as stack:
            for _ in range(1000):
                client = stack.enter_context(manager.connect())
                client.send("LIMITS\n" * 50)
            before = manager.said("WATCHDOG=1")
            manager.wait_for("WATCHDOG=1", before + 5)
            self.assertEqual(manager.ask("PING"), "PONG")

    def test_without_systemd_nothing_is_different(self):
        daemon = self.daemon()
        self.assertEqual(daemon.ask("PING"), "PONG")
        daemon.reload()
        self.assertEqual(daemon.stop(), 0)


def has_handler(process, number):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        caught = re.search(r"SigCgt:\s*(\w+)", file.read())[1]
    return int(caught, 16) >> (number - 1) & 1


def holds(process, number):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        blocked = re.search(r"SigBlk:\s*(\w+)", file.read())[1]
    return int(blocked, 16) >> (number - 1) & 1


# Sends itself a SIGHUP, which waits, and becomes the daemon.
IMPATIENT = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
os.kill(os.getpid(), signal.SIGHUP)
os.execv(sys.argv[1], sys.argv[1:])
"""


class EarlySignalTest(ServiceCase):
    def test_a_reload_that_comes_before_the_start_is_over_waits_for_it(self):
        many = "".join(f"[l{i}]\nmatch = l{i}:*\ncapacity = 5\nrecharge = 1s\n"
                       for i in range(20000))
        daemon = self.daemon_in_its_first_moments(many)
        daemon.send(signal.SIGHUP)
        wait_until(lambda: "reloaded: 20000 limits" in daemon.log(), "the reload")
        wait_until(daemon.is_ready, "dripgated")
        self.assertEqual(daemon.stop(), 0)

    def daemon_in_its_first_moments(self, limits):
        """One that does not handle signals yet; the machine may be too slow to
        see it, but not each time."""
        for _ in range(20):
            daemon = self.daemon(limits, wait=False)
            wait_until(lambda: holds(daemon, signal.SIGHUP) or
                       has_handler(daemon, signal.SIGHUP), "its start")
            if not has_handler(daemon, signal.SIGHUP):
                return daemon
            daemon.stop()
        raise AssertionError("SIGHUP never waits")

    def test_a_reload_that_came_before_the_process_is_done(self):
        daemon = self.daemon(launcher=[sys.executable, "-ISc", IMPATIENT])
        wait_until(lambda: "reloaded: 1 limits" in daemon.log(), "the reload")
        self.assertEqual(daemon.stop(), 0)


# Becomes the daemon, whose standard error is a descriptor given as a number.
TO_STDERR = """
import os, sys
os.dup2(int(sys.argv[1]), 2)
os.execv(sys.argv[2], sys.argv[2:])
"""


LIBC = ctypes.CDLL(None)


WALL = 0x40000000


def has_ended(thread):
    """Whether a thread that is debugged has."""
    pid, status = os.waitpid(thread, WALL | os.WNOHANG)
    return pid == thread and (os.WIFEXITED(status) or os.WIFSIGNALED(status))


def read_lines(fd):
    """What is in a pipe."""
    os.set_blocking(fd, False)
    try:
        return os.read(fd, 1 << 20).decode().split("\n")
    except BlockingIOError:
        return [""]


class NobodyReadsTest(ServiceCase):
    """Neither the log nor the manager: the daemon serves, and ends, all the same."""

    def check_serves_and_ends(self, daemon):
        wait_until(daemon.listens, "its socket")
        self.assertEqual(daemon.ask("PING"), "PONG")
        for count in range(1, 6):
            daemon.send(signal.SIGHUP)
            wait_until(lambda: daemon.stats()["reloads"] >= count, "the reload")
        self.assertEqual(daemon.stop(), 0)

    def test_without_standard_streams_the_log_goes_nowhere_else(self):
        daemon = self.daemon(wait=False, launcher=[
            "sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"])
        wait_until(daemon.listens, "its socket")
        self.assertEqual(daemon.ask("PING"), "PONG")
        for number in range(3):
            self.assertEqual(os.readlink(f"/proc/{daemon.pid}/fd/{number}"), "/dev/null")
        self.assertEqual(daemon.stop(), 0)

    def start_with_full_stderr(self, filler):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, filler)
        os.set_blocking(writer, True) # the flag would be the daemon's too
        daemon = self.daemon(wait=False, pass_fds=[writer], launcher=[
            sys.executable, "-ISc", TO_STDERR, str(writer)])
        os.close(writer)
        return daemon, reader

    def test_a_log_that_is_not_read_stops_nothing(self):
        daemon, _ = self.start_with_full_stderr(b"x")
        self.check_serves_and_ends(daemon)

    def test_how_many_lines_were_lost_is_said_when_there_is_room(self):
        daemon, reader = self.start_with_full_stderr(b"x")
        wait_until(daemon.listens, "its socket")
        self.assertEqual(daemon.ask("PING"), "PONG")
        lines = read_lines(reader)
        self.assertEqual(lines, ["x" * 4096])
        lost = wait_until(lambda: [line for line in read_lines(reader) if line],
                          "the count")
        self.assertRegex(lost[0], r" warning: [3-9] log lines were lost: "
                                  "standard error was not read$")
        daemon.send(signal.SIGHUP)
        wait_until(lambda: "reloaded" in "".join(read_lines(reader)), "the reload")
        self.assertEqual(daemon.stop(), 0)

    def test_a_manager_that_does_not_read_stops_nothing(self):
        daemon, _ = self.start_with_deaf_manager()
        self.check_serves_and_ends(daemon)

    def test_a_manager_that_did_not_read_is_told_of_the_state_later(self):
        daemon, manager = self.start_with_deaf_manager()
        wait_until(lambda: "try: printf" in daemon.log(), "its start")
        self.assertIn("cannot notify the service manager", daemon.log())
        message = b""
        manager.settimeout(harness.PATIENCE)
        while b"READY=1" not in message.split(b"\n"):
            message = manager.recv(4096)

    def test_a_manager_that_does_not_read_gets_no_clients_in_time(self):
        daemon, _ = self.start_with_deaf_manager(FDSTORE="100")
        wait_until(lambda: "try: printf" in daemon.log(), "its start")
        with daemon.connect() as client:
            self.assertEqual(client.ask("PING"), "PONG")
            daemon.send(signal.SIGTERM)
            self.assertEqual(daemon.wait(), 0)
            self.assertEqual(client.rest(), b"")
        self.assertIn("1 connections are not kept", daemon.log())

    def test_a_thread_that_hangs_does_not_keep_it_from_its_end(self):
        """As in a file system that hangs: here the debugger of one worker does."""
        daemon = self.daemon()
        threads = [int(name) for name in os.listdir(f"/proc/{daemon.pid}/task")]
        self.hang(max(threads))
        daemon.send(signal.SIGTERM)
        wait_until(lambda: has_ended(max(threads)), "its end")
        self.assertEqual(daemon.wait(), 1)

    def test_a_file_system_that_hangs_does_not_stop_it(self):
        daemon = self.daemon()
        hung = os.path.join(self.folder, "hung")
        os.mkdir(hung)
        self.mount_what_hangs(hung)
        daemon.settings["limits"]["file"] = os.path.join(hung, "limits.ini")
        daemon.write_config()
        daemon.send(signal.SIGHUP)
        wait_until(lambda: "reading the files hangs" in daemon.log(), "the remark")
        daemon.send(signal.SIGHUP)
        self.assertTrue(daemon.ask("consume login:x").startswith("ALLOW"))
        self.assertEqual(daemon.stop(), 0)

    def test_a_file_system_may_hang_for_a_while(self):
        daemon = self.daemon()
        hung = os.path.join(self.folder, "hung")
        os.mkdir(hung)
        let_go = self.mount_what_hangs(hung)
        daemon.settings["limits"]["file"] = os.path.join(hung, "limits.ini")
        daemon.write_config()
        daemon.send(signal.SIGHUP)
        wait_until(lambda: "reading the files hangs" in daemon.log(), "the remark")
        daemon.settings["limits"]["file"] = daemon.limits_path
        daemon.write_config()
        daemon.send(signal.SIGHUP) # is not forgotten
        let_go()
        wait_until(lambda: "not reloaded: " in daemon.log(), "the failure")
        wait_until(lambda: "reloaded: 1 limits" in daemon.log(), "the reload")
        self.assertEqual(daemon.stop(), 0)

    def mount_what_hangs(self, path):
        """A file system whose server says nothing; return what ends it."""
        try:
            fd = os.open("/dev/fuse", os.O_RDWR)
        except OSError:
            self.skipTest("needs FUSE")
        options = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
        if LIBC.mount(b"hung", path.encode(), b"fuse", 0, options) == -1:
            os.close(fd)
            self.skipTest("may not mount")
        self.addCleanup(LIBC.umount2, path.encode(), 2) # MNT_DETACH
        let_go = contextlib.ExitStack()
        let_go.callback(os.close, fd)
        self.addCleanup(let_go.close)
        return let_go.close

    def hang(self, thread):
        seize, interrupt, detach = 0x4206, 0x4207, 0x11
        self.addCleanup(LIBC.ptrace, detach, thread, None, None)
        for request in seize, interrupt:
            if LIBC.ptrace(request, thread, None, None) == -1:
                self.skipTest("may not trace")
        os.waitpid(thread, WALL)

    def start_with_deaf_manager(self, **env):
        path = os.path.join(self.folder, "notify")
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(path)
        manager.setblocking(False)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other, \
                contextlib.suppress(BlockingIOError):
            other.setblocking(False)
            while True:
                other.sendto(b"x", path)
        return self.daemon(wait=False, env={"NOTIFY_SOCKET": path, **env}), manager


class SocketsTest(ServiceCase):
    def test_passed_sockets_replace_the_configured_ones(self):
        manager = Manager(self)
        daemon = manager.start()
        for unix in (False, True):
            with manager.connect(unix) as client:
                self.assertEqual(client.ask("PING"), "PONG")
        with self.assertRaises(ConnectionRefusedError):
            daemon.connect(unix=False)
        self.assertFalse(os.path.exists(daemon.path))
        self.assertIn(f"listening on 127.0.0.1:{manager.address[1]}", daemon.log())
        self.assertIn(f"listening on {manager.path}", daemon.log())
        self.assertEqual(daemon.stop(), 0)
        self.assertTrue(os.path.exists(manager.path))

    def test_sockets_passed_to_another_process_are_not_taken(self):
        manager = Manager(self)
        daemon = self.daemon(env={"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid()),
                                  "FDSTORE": "100"})
        self.assertEqual(daemon.ask("PING"), "PONG")
        with manager.connect() as client:
            client.send("PING\n")
            client.socket.settimeout(0.1)
            with self.assertRaises(TimeoutError):
                client.line()

    def test_nothing_but_the_daemon_gets_the_sockets_it_was_passed(self):
        manager = Manager(self)
        daemon = manager.start()
        for fd in os.listdir(f"/proc/{daemon.pid}/fd"):
            if int(fd) > 2:
                with contextlib.suppress(FileNotFoundError), open(
                        f"/proc/{daemon.pid}/fdinfo/{fd}", encoding="ascii") as file:
                    flags = int(re.search(r"flags:\s*(\d+)", file.read())[1], 8)
                    self.assertTrue(flags & os.O_CLOEXEC, fd)

    def test_clients_that_come_before_the_daemon_are_served(self):
        manager = Manager(self)
        with manager.connect() as one, manager.connect(unix=False) as two:
            one.send("PING\n")
            two.send("PING\n")
            two.finish()
            manager.start()
            self.assertEqual(one.line(), "PONG")
            self.assertEqual(two.rest(), b"PONG\n")


def fill(client):
    """Send as much as its socket takes; how many PINGs that were."""
    ping = b"PING".ljust(4000) + b"\n"
    sent = 0
    client.socket.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += client.socket.send(ping[sent % len(ping):])
    return sent // len(ping)


class DrainTest(ServiceCase):
    def check_drain(self, daemon):
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(daemon.connect(unix=i % 2 == 0))
                       for i in range(20)]
            for client in clients: # all are accepted by now
                self.assertEqual(client.ask("PING"), "PONG")
            for client in clients:
                client.send("consume login:x 0\n" * 2000)
            daemon.send(signal.SIGTERM)
            for client in clients:
                lines = client.rest().split(b"\n")
                self.assertEqual(lines.pop(), b"")
                self.assertEqual({line.split(b" ")[0] for line in lines}, {b"ALLOW"})
                self.assertEqual(len(lines), 2000)
        self.assertEqual(daemon.wait(), 0)

    def test_all_that_was_received_is_answered(self):
        self.check_drain(self.daemon(settings={"workers": {"count": 4}}))

    def test_all_that_was_received_is_answered_by_redis_too(self):
        self.check_drain(self.slow_redis_daemon(self.redis()))

    def test_all_that_was_received_is_answered_though_the_machine_stands_still(self):
        """For longer than the patience with clients that go on asking, while much
        is unread."""
        for delay in 0.008, 0.010, 0.012:
            daemon = self.daemon()
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(daemon.connect()) for _ in range(100)]
                for client in clients:
                    self.assertEqual(client.ask("PING"), "PONG")
                daemon.send(signal.SIGSTOP)
                pings = [fill(client) for client in clients]
                daemon.send(signal.SIGTERM)
                daemon.send(signal.SIGCONT)
                time.sleep(delay)
                daemon.send(signal.SIGSTOP)
                time.sleep(0.6)
                daemon.send(signal.SIGCONT)
                for client, count in zip(clients, pings):
                    client.socket.settimeout(harness.PATIENCE)
                    self.assertEqual(client.rest().count(b"PONG\n"), count)
            self.assertEqual(daemon.wait(), 0)

    def test_who_connected_before_is_served(self):
        daemon = self.daemon()
        daemon.send(signal.SIGSTOP)
        with daemon.connect() as one, daemon.connect(unix=False) as two:
            one.send("PING\n")
            two.send("PING\n")
            daemon.send(signal.SIGTERM)
            daemon.send(signal.SIGCONT)
            self.assertEqual(one.rest() + two.rest(), b"PONG\nPONG\n")
        self.assertEqual(daemon.wait(), 0)

    def test_who_connects_after_is_refused(self):
        redis = self.redis()
        daemon = self.slow_redis_daemon(redis)
        with daemon.connect() as client:
            client.ask("PING")
            redis.send(signal.SIGSTOP)
            client.send("consume login:x\n")
            daemon.send(signal.SIGTERM)
            self.wait_for_drain(daemon) # and a client that connects is refused
            self.assertTrue(daemon.is_running())
            redis.send(signal.SIGCONT)
            self.assertTrue(client.line().startswith("ALLOW limit=login level=1 "))
            self.assertEqual(client.rest(), b"")
        self.assertEqual(daemon.wait(), 0)
        self.assertFalse(os.path.exists(daemon.path))

    def test_idle_clients_do_not_hold_it_up(self):
        daemon = self.daemon(settings={"workers": {"count": 4}})
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(daemon.connect(unix=i % 2 == 0))
                       for i in range(100)]
            for client in clients[::2]:
                self.assertEqual(client.ask("PING"), "PONG")
            self.assertEqual(daemon.stop(), 0)
            self.check_none_was_cut_off(daemon)
            for client in clients:
                self.assertEqual(client.rest(), b"")

    def test_a_client_that_goes_on_asking_does_not_hold_it_up(self):
        daemon = self.daemon()
        asked = threading.Event()

        def ask():
            with contextlib.suppress(OSError), daemon.connect() as client:
                while client.ask("PING") == "PONG":
                    asked.set()

        thread = threading.Thread(target=ask)
        thread.start()
        asked.wait(harness.PATIENCE)
        self.assertEqual(daemon.stop(), 0)
        self.check_none_was_cut_off(daemon)
        thread.join(harness.PATIENCE)
        self.assertFalse(thread.is_alive())

    def test_clients_that_do_not_go_are_cut_off_after_10_s(self):
        daemon = self.daemon(settings={"workers": {"count": 2}})
        with daemon.connect() as stuck, daemon.connect() as dripping:
            dripping.send("PIN")
            stuck.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    stuck.socket.send(b"HELP\n" * 10_000)
            # Its buffers are full on both sides.
            wait_until(lambda: daemon.stats()["clients"] == 3, "the clients")
            # Or it is closed before, as one that has read nothing for ten seconds.
            stuck.socket.recv(1 << 20)
            self.assertEqual(daemon.stop(), 0)
            self.assertIn("warning: closing 1 clients that are not done", daemon.log())

    def test_a_second_sigterm_ends_it_at_once(self):
        redis = self.redis()
        daemon = self.slow_redis_daemon(redis)
        with daemon.connect() as client:
            client.ask("PING")
            redis.send(signal.SIGSTOP)
            client.send("consume login:x\nexplain login:x\nstats\n" * 100)
            wait_until(lambda: daemon.stats()["bad_lines"] == 0, "an answer")
            daemon.send(signal.SIGTERM)
            self.wait_for_drain(daemon)
            self.assertEqual(daemon.stop(), 0)
            self.assertIn("second signal: exiting immediately", daemon.log())
            self.assertNotIn("that are not done", daemon.log())
            with contextlib.suppress(ConnectionResetError):
                client.rest()

    def test_sigint_is_like_sigterm(self):
        daemon = self.daemon()
        daemon.send(signal.SIGINT)
        self.assertEqual(daemon.wait(), 0)
        self.assertIn("info: stopped", daemon.log())

    def test_a_successor_may_take_its_place_while_it_drains(self):
        redis = self.redis()
        old = self.slow_redis_daemon(redis)
        with old.connect() as client:
            client.ask("PING")
            redis.send(signal.SIGSTOP)
            client.send("consume login:x\n")
            old.send(signal.SIGTERM)
            self.wait_for_drain(old)
            new = self.daemon(settings={"listen": {
                "unix": old.path, "line": f"127.0.0.1:{old.port}"}})
            redis.send(signal.SIGCONT)
            self.assertTrue(client.line().startswith("ALLOW limit=login level=1 "))
        self.assertEqual(old.wait(), 0)
        for unix in (False, True):
            with old.connect(unix) as client:
                self.assertTrue(client.ask("PING"), "PONG")
        self.assertEqual(new.stop(), 0)
        self.assertFalse(os.path.exists(old.path))

    def test_what_replaced_its_socket_file_is_not_removed(self):
        old = self.daemon()
        os.unlink(old.path)
        new = self.daemon(settings={"listen": {"unix": old.path}})
        self.assertEqual(old.stop(), 0)
        with old.connect() as client:
            self.assertEqual(client.ask("PING"), "PONG")
        self.assertEqual(new.stop(), 0)
        self.assertFalse(os.path.exists(old.path))

    def test_a_socket_file_left_behind_is_replaced(self):
        daemon = self.daemon()
        daemon.send(signal.SIGKILL)
        daemon.wait()
        self.assertTrue(os.path.exists(daemon.path))
        new = self.daemon(settings={"listen": {"unix": daemon.path}})
        with daemon.connect() as client:
            self.assertEqual(client.ask("PING"), "PONG")
        self.assertEqual(new.stop(), 0)


COUNTED = """
[counted]
match = counted*
capacity = 7000000
recharge = 10m
"""


class Load(threading.Thread):
    """A client that keeps asking while the daemon is restarted."""

    def __init__(self, manager, seed):
        super().__init__()
        self.manager = manager
        self.random = random.Random(seed)
        self.over = threading.Event()
        self.asked = 0
        self.trouble = None
        self.halted = False

    def run(self):
        try:
            self.work()
        except Exception as error: # pylint: disable=broad-except
            self.trouble = repr(error)

    def check(self, line):
        if not line.startswith("ALLOW limit=counted ") or " from=redis" not in line:
            raise AssertionError(repr(line))

    def connect(self):
        return self.manager.connect(unix=self.random.random() < 0.5)


class ShortLoad(Load):
    """Connects, asks a few things, reads all responses, closes; again and again."""

    def work(self):
        while not self.over.is_set():
            with self.connect() as client:
                count = self.random.randint(1, 20)
                text = "consume counted\n" * count
                cut = self.random.randrange(len(text))
                begun = time.monotonic()
                client.send(text[:cut])
                try:
                    client.send(text[cut:])
                finally:
                    # A daemon that drains waits half a second for the rest.
                    self.halted |= time.monotonic() - begun > 0.3
                for _ in range(count):
                    self.check(client.line())
                self.asked += count


class LongLoad(Load):
    """Asks over one connection, some things at a time."""

    def work(self):
        with self.connect() as client:
            while not self.over.is_set():
                count = self.random.choice([1, 1, 1, 100])
                client.send("consume counted\n" * count)
                for _ in range(count):
                    self.check(client.line())
                self.asked += count


class PipelineLoad(Load):
    """Asks over one connection without ever waiting for a response."""

    def work(self):
        with self.connect() as client:
            reader = threading.Thread(target=self.read, args=[client])
            reader.start()
            sent = 0
            try:
                while not self.over.is_set() and not self.trouble:
                    if sent - self.asked < 5000:
                        client.send("consume counted\n" * 100)
                        sent += 100
                client.finish()
            finally:
                reader.join()
            if self.asked != sent and not self.trouble:
                raise AssertionError(f"sent {sent}, answered {self.asked}")

    def read(self, client):
        try:
            while line := client.line():
                self.check(line)
                self.asked += 1
        except Exception as error: # pylint: disable=broad-except
            self.trouble = repr(error)


class RestartTest(ServiceCase):
    def start(self, manager, redis):
        return manager.start(COUNTED, {
            "workers": {"count": 2}, "store": {"type": "redis"},
            "redis": {"unix_socket_path": redis.path, **PATIENT["redis"]}})

    def check_restarts(self, *loads, restarts=8):
        wait_until(lambda: self.are_kept(loads, restarts), "restarts without a halt")

    def are_kept(self, loads, restarts):
        """Or False: the machine kept the manager from reading, which the daemon says, or a
        client from the rest of its request, for longer than that is waited for."""
        redis = self.redis()
        manager = Manager(self, store=1000)
        daemon = self.start(manager, redis)
        daemons = [daemon]
        threads = [load(manager, seed) for seed, load in enumerate(loads)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(restarts):
                counts = [thread.asked for thread in threads]
                wait_until(lambda: all(
                    thread.asked > count or thread.trouble
                    for thread, count in zip(threads, counts)), "some answers")
                self.assertEqual(daemon.stop(), 0)
                daemon = self.start(manager, redis)
                daemons.append(daemon)
        finally:
            for thread in threads:
                thread.over.set()
            for thread in threads:
                thread.join(harness.PATIENCE)
        if any("are not kept" in each.log() for each in daemons) or \
                any(thread.halted and thread.trouble for thread in threads):
            return False
        self.assertEqual([thread.trouble for thread in threads if thread.trouble], [])
        # Nothing was lost, nothing was counted twice.
        level = int(fields(manager.ask("peek counted"))["level"])
        self.assertEqual(level, sum(thread.asked for thread in threads))
        return True

    def test_no_request_of_short_connections_is_refused_reset_or_lost(self):
        self.check_restarts(*[ShortLoad] * 6)

    def test_connections_outlive_a_restart(self):
        self.check_restarts(*[LongLoad] * 4, ShortLoad, ShortLoad)

    def test_connections_that_never_pause_outlive_a_restart(self):
        self.check_restarts(PipelineLoad, PipelineLoad, LongLoad, restarts=4)

    def test_many_connections_outlive_a_restart(self):
        manager = Manager(self, store=1000)
        daemon = manager.start(settings={"workers": {"count": 4}})
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(manager.connect(unix=i % 2 == 0))
                       for i in range(150)]
            for client in clients:
                self.assertEqual(client.ask("PING"), "PONG")
            for _ in range(2):
                self.assertEqual(daemon.stop(), 0)
                manager.read_all()
                self.assertEqual(len(manager.stored), 150)
                # They need not wait for it.
                for client in clients[::3]:
                    client.send("consume login:x 0\n")
                daemon = manager.start(settings={"workers": {"count": 4}})
                for client in clients[::3]:
                    self.assertTrue(client.line().startswith("ALLOW limit=login "))
                for client in clients:
                    self.assertEqual(client.ask("PING"), "PONG")

    def test_systemd_lets_go_of_connections_once_they_are_taken_over(self):
        # Otherwise only systemd could ever end them, not even their client.
        manager = Manager(self, store=100)
        daemon = manager.start()
        with manager.connect(unix=False) as client, manager.connect() as gone:
            for each in client, gone:
                self.assertEqual(each.ask("PING"), "PONG")
            self.assertEqual(daemon.stop(), 0)
            gone.close()
            daemon = manager.start(settings={"listen": {"idle_timeout": "1s"}})
            wait_until(lambda: not manager.stored, "the store to be empty")
            self.assertEqual(client.rest(), b"") # after idle_timeout
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(manager.stored, [])

    def test_what_cannot_outlive_a_restart_is_closed_properly(self):
        manager = Manager(self, store=100)
        daemon = manager.start()
        with manager.connect() as half, manager.connect() as quitter, \
                manager.connect() as ended:
            for client in half, quitter, ended:
                self.assertEqual(client.ask("PING"), "PONG")
            half.send("PING\nconsume login:half")
            self.assertEqual(half.line(), "PONG")
            quitter.send("PING\nQUIT\nPING\n")
            ended.send("PING\n")
            ended.finish()
            daemon.send(signal.SIGTERM)
            self.assertEqual(half.rest(), b"")
            half.close()
            self.assertEqual(daemon.wait(), 0)
            self.check_none_was_cut_off(daemon)
            manager.start()
            self.assertEqual(quitter.rest(), b"PONG\n")
            self.assertEqual(ended.rest(), b"PONG\n")

    def test_more_connections_than_systemd_stores_are_closed_properly(self):
        manager = Manager(self, store=10)
        daemon = manager.start()
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(manager.connect()) for _ in range(15)]
            for client in clients:
                self.assertEqual(client.ask("PING"), "PONG")
            self.assertEqual(daemon.stop(), 0)
            manager.start()
            ended = 0
            for client in clients:
                try:
                    self.assertEqual(client.ask("PING"), "PONG")
                except BrokenPipeError:
                    ended += 1
            self.assertEqual(ended, 5)


class LogTest(ServiceCase):
    def test_the_journal_gets_priorities_and_no_time(self):
        manager = Manager(self)
        daemon = manager.start()
        daemon.write_limits("nonsense")
        daemon.send(signal.SIGHUP)
        manager.wait_for("READY=1", 2)
        daemon.settings["store"] = {"prefix": "other:"}
        daemon.write_config()
        daemon.write_limits(harness.LIMITS)
        daemon.send(signal.SIGHUP)
        manager.wait_for("READY=1", 3)
        self.assertEqual(daemon.stop(), 0)
        lines = daemon.log().split("\n")
        self.assertEqual(lines.pop(), "")
        for line in lines:
            self.assertRegex(line, r"^<[346]>(?!\d{4}-)[^<]")
        for priority, text in ((6, "listening on "), (3, "limits not reloaded: "),
                               (4, "[store] prefix changed: "), (6, "stopped")):
            self.assertEqual(
                [line[:3] for line in lines if line[3:].startswith(text)][-1:],
                [f"<{priority}>"], lines)

    def test_a_stream_that_is_not_the_journal_gets_plain_lines(self):
        for stream in "1:1", "", "x", "99999999999999999999:0":
            daemon = self.daemon(env={"JOURNAL_STREAM": stream})
            for line in daemon.log().strip().split("\n"):
                self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (info|warning): ")

    def test_what_others_wrote_is_escaped(self):
        redis = self.redis()
        daemon = self.redis_daemon(redis, settings=PATIENT)
        evil = "\x1b[31m\n<0>2026-01-01T00:00:00Z error: fake é\x7f".encode()
        redis.ask("HSET", "drip:login", "login:é", evil)
        daemon.ask("consume login:é")
        log = wait_until(lambda: "warning" in daemon.log() and daemon.log(),
                         "the warning")
        self.assertIn("\\x1b[31m\\x0a<0>2026", log)
        self.assertIn("\\xc3\\xa9\\x7f", log)
        self.assertEqual([line for line in log.split("\n") if line.startswith("<0>")], [])
        self.assertTrue(log.replace("\n", "").isascii())
        self.assertTrue(log.replace("\n", "").isprintable())
        # And left alone.
        self.assertEqual(redis.ask("HGET", "drip:login", "login:é"), evil)


class CredentialTest(ServiceCase):
    def start(self, credential, **redis_settings):
        """A daemon of a Redis with the password sesame."""
        redis = self.redis()
        redis.ask("CONFIG", "SET", "requirepass", "sesame")
        folder = os.path.join(self.folder, "credentials")
        os.mkdir(folder)
        if credential is not None:
            with open(os.path.join(folder, "dripgate.redis-password"), "w",
                      encoding="utf-8") as file:
                file.write(credential)
        return self.redis_daemon(redis, settings={
            "redis": {**PATIENT["redis"], **redis_settings}},
                                 env={"CREDENTIALS_DIRECTORY": folder})

    def test_the_password_may_be_a_credential_of_systemd(self):
        daemon = self.start("sesame")
        self.assertTrue(daemon.ask("consume login:x").endswith(" from=redis"))

    def test_its_newline_is_not_part_of_a_password(self):
        daemon = self.start("sesame\n")
        self.assertTrue(daemon.ask("consume login:x").endswith(" from=redis"))

    def test_a_password_in_the_settings_goes_first(self):
        daemon = self.start("wrong", password="sesame")
        self.assertTrue(daemon.ask("consume login:x").endswith(" from=redis"))

    def test_a_wrong_or_missing_password_is_said_but_not_shown(self):
        for credential in "open-sesame", None:
            with self.subTest(credential):
                daemon = self.start(credential)
                self.assertTrue(daemon.ask("consume login:x").endswith(" from=fallback"))
                self.assertRegex(daemon.log(), "WRONGPASS|NOAUTH")
                self.assertNotIn("sesame", daemon.log())
                self.assertEqual(daemon.stop(), 0)
                shutil.rmtree(os.path.join(self.folder, "credentials"))

    def test_a_credential_that_cannot_be_read_is_an_error(self):
        folder = os.path.join(self.folder, "credentials")
        os.makedirs(os.path.join(folder, "dripgate.redis-password"))
        daemon = self.daemon(env={"CREDENTIALS_DIRECTORY": folder}, wait=False)
        self.assertEqual(daemon.wait(), 1)
        self.assertIn("Is a directory", daemon.log())

    def test_a_credential_is_not_dumped(self):
        daemon = self.start("sesame")
        dump = subprocess.run(
            [harness.DRIPGATED, "-c", daemon.config_path, "--dump-config"],
            env={**os.environ, "CREDENTIALS_DIRECTORY": os.path.join(
                self.folder, "credentials")}, capture_output=True, check=True)
        self.assertNotIn(b"sesame", dump.stdout + dump.stderr)


class UnitTest(unittest.TestCase):
    @unittest.skipUnless(shutil.which("systemd-analyze"), "needs systemd-analyze")
    def test_the_exposure_of_the_service_is_at_most_1_5(self):
        result = subprocess.run(
            ["systemd-analyze", "security", "--offline=yes", "--no-pager",
             "--threshold=15", UNIT], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    harness.main()
