"""[limits] watch: a file of limits that changes is taken over without a signal."""

import os
import signal
import time

import harness
from harness import wait_until

FINE = "[a]\nmatch = a\ncapacity = 5\nrecharge = 1h\n"
BAD = "[a]\nmatch = a\ncapcity = 5\n"

# Twice what the daemon needs to see a change that inotify does not report.
UNSEEN = 5


def limits(capacity):
    return FINE.replace("5", str(capacity))


class WatchTest(harness.Case):
    def start(self, **options):
        return self.started(harness.Daemon(self.folder, limits=FINE,
                                           settings={"limits": {"watch": "yes", **options}}))

    def assert_capacity(self, gate, capacity):
        wait_until(lambda: f" capacity={capacity} " in gate.ask("peek a") + " ",
                   f"a capacity of {capacity}, not {gate.ask('peek a')}\n{gate.log()}")

    def replace(self, path, text):
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)

    @staticmethod
    def write(text):
        """The step by which a file is emptied and filled."""
        def steps(gate):
            gate.write_limits(text)
            yield
        return steps

    def change(self, steps):
        """A daemon whose file was changed in such steps, without a halt of the machine
        between two: to what looks twice, each 100 ms, the file would be complete."""
        def changed():
            gate = self.start()
            before, pause = time.monotonic(), 0
            for _ in steps(gate):
                now = time.monotonic()
                before, pause = now, max(pause, now - before)
            return gate if pause < 0.1 else None

        return wait_until(changed, "no halt")

    def test_a_file_that_is_written_or_replaced_is_read_once(self):
        gate = self.change(self.write(limits(6)))
        self.assert_capacity(gate, 6)
        self.replace(gate.limits_path, limits(7))
        self.assert_capacity(gate, 7)
        time.sleep(UNSEEN)
        self.assertEqual(gate.log().count("limits in force"), 2, gate.log())
        self.assertEqual(gate.log().count(f"{gate.limits_path} changed: reloading"), 2)

    def test_without_watch_nothing_is_seen(self):
        gate = self.started(harness.Daemon(self.folder, limits=FINE))
        gate.write_limits(limits(6))
        time.sleep(UNSEEN)
        self.assertIn(" capacity=5 ", gate.ask("peek a") + " ")

    def test_an_editor_that_moves_the_file_away_first(self):
        def edit(gate):
            os.rename(gate.limits_path, gate.limits_path + "~")
            gate.write_limits(limits(6))
            yield

        gate = self.change(edit)
        self.assert_capacity(gate, 6)
        self.assertNotIn("not reloaded", gate.log())

    def test_a_file_that_is_written_slowly_is_read_when_it_is_complete(self):
        def write(gate):
            with open(gate.limits_path, "w", encoding="utf-8") as file:
                for number in range(40):
                    file.write(f"[b{number}]\nmatch = b{number}\ncapacity = 1\nrecharge = 1s\n")
                    file.flush()
                    yield
                    time.sleep(0.02)
                file.write(limits(6))
            yield

        gate = self.change(write)
        self.assert_capacity(gate, 6)
        wait_until(lambda: "limits in force" in gate.log(), "the log")
        self.assertEqual(gate.log().count("limits in force"), 1, gate.log())

    def test_the_swap_of_links_of_a_config_map(self):
        folder = os.path.join(self.folder, "map")

        def publish(version, text):
            os.makedirs(os.path.join(folder, version))
            with open(os.path.join(folder, version, "limits.ini"), "w",
                      encoding="utf-8") as file:
                file.write(text)
            os.symlink(version, os.path.join(folder, "..data_tmp"))
            os.rename(os.path.join(folder, "..data_tmp"), os.path.join(folder, "..data"))

        publish("..1", FINE)
        path = os.path.join(folder, "limits.ini")
        os.symlink("..data/limits.ini", path)
        gate = self.start(file=path)
        publish("..2", limits(6))
        self.assert_capacity(gate, 6)
        publish("..3", limits(7))
        self.assert_capacity(gate, 7)

    def test_a_link_into_another_folder(self):
        gate = self.start()
        path = os.path.join(self.folder, "elsewhere", "real.ini")
        os.mkdir(os.path.dirname(path))
        self.replace(path, limits(6))
        os.symlink(path, gate.limits_path + ".new")
        os.rename(gate.limits_path + ".new", gate.limits_path)
        self.assert_capacity(gate, 6)
        self.replace(path, limits(7))
        self.assert_capacity(gate, 7)

    def test_a_bad_file_changes_nothing_and_is_said_once(self):
        gate = self.change(self.write(BAD))
        wait_until(lambda: "not reloaded" in gate.log(), "the complaint")
        time.sleep(UNSEEN)
        self.assertEqual(gate.log().count("not reloaded"), 1, gate.log())
        self.assertIn(" capacity=5 ", gate.ask("peek a") + " ")
        self.assertEqual(gate.stats()["reload_errors"], 1)
        gate.write_limits(limits(6))
        self.assert_capacity(gate, 6)

    def test_a_folder_that_vanishes_and_comes_back(self):
        folder = os.path.join(self.folder, "gone")
        path = os.path.join(folder, "limits.ini")
        os.mkdir(folder)
        self.replace(path, FINE)
        gate = self.start(file=path)
        os.unlink(path)
        os.rmdir(folder)
        wait_until(lambda: "No such file or directory" in gate.log(), "the complaint")
        self.assertIn(" capacity=5 ", gate.ask("peek a") + " ")
        os.mkdir(folder)
        self.replace(path, limits(6))
        self.assert_capacity(gate, 6)
        self.replace(path, limits(7))
        self.assert_capacity(gate, 7)
        self.assertEqual(gate.log().count("not reloaded"), 1, gate.log())

    def test_a_folder_that_others_write_to_hides_no_change(self):
        gate = self.start()
        until = time.monotonic() + 1
        while time.monotonic() < until:
            self.replace(os.path.join(self.folder, "other"), "x")
        self.replace(gate.limits_path, limits(6))
        while " capacity=6 " not in gate.ask("peek a") + " ":
            self.replace(os.path.join(self.folder, "other"), "x")
            self.assertLess(time.monotonic(), until + harness.PATIENCE)
        self.assertEqual(gate.log().count("changed: reloading"), 1, gate.log())

    def test_a_signal_that_comes_first_leaves_nothing_to_see(self):
        def write(gate):
            gate.write_limits(limits(6))
            gate.send(signal.SIGHUP)
            yield

        gate = self.change(write)
        self.assert_capacity(gate, 6)
        time.sleep(UNSEEN)
        self.assertEqual(gate.log().count("limits in force"), 1, gate.log())

    def test_the_path_may_change_at_a_reload(self):
        gate = self.start()
        path = os.path.join(self.folder, "other", "limits.ini")
        os.mkdir(os.path.dirname(path))
        self.replace(path, limits(6))
        gate.settings["limits"]["file"] = path
        gate.write_config()
        gate.send(signal.SIGHUP)
        self.assert_capacity(gate, 6)
        self.replace(path, limits(7))
        self.assert_capacity(gate, 7)


if __name__ == "__main__":
    harness.main()
