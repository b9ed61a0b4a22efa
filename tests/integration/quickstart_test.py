"""deploy/quickstart as a tool: what it starts, what it leaves alone, what it ends."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import harness
from harness import eventually

QUICKSTART = harness.ROOT / "deploy" / "quickstart"
ALL = {"zookeeper", "broker-0", "broker-1", "broker-2"}
SHIFT = 1000


def running():
    """Pids of all processes in this test's namespace; zombies have ended."""
    pids = set()
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            state = (directory / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            pids.add(int(directory.name))
    return pids


class Quickstart(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="regent-quickstart-")
        self.addCleanup(self.directory.cleanup)
        self.addCleanup(self.quickstart, "stop")
        self.home = pathlib.Path(self.directory.name)

    def quickstart(self, *arguments):
        """Returns (exit code, all that it printed)."""
        done = subprocess.run(
            [str(QUICKSTART), "--no-build", "--build-dir", str(harness.BUILD), "--dir",
             self.directory.name, *arguments], capture_output=True, text=True, check=False,
            timeout=120)
        return done.returncode, done.stdout + done.stderr

    def succeed(self, *arguments):
        code, text = self.quickstart(*arguments)
        self.assertEqual(code, 0, text)
        return text

    def fail(self, *arguments):
        code, text = self.quickstart(*arguments)
        self.assertEqual(code, 1, text)
        return text

    def status(self):
        """{name: (pid or None, ports)}; by its exit code, whether all of it runs."""
        code, text = self.quickstart("status")
        found = {}
        for name, pid, ports in re.findall(r"^ *(\S+) +(?:pid (\d+)|stopped) +(.*)$", text,
                                           re.MULTILINE):
            numbers = [int(port) for port in re.findall(r"\d+", ports)]
            found[name] = (int(pid) if pid else None, numbers)
        self.assertEqual(code == 0, all(pid for pid, _ in found.values()), text)
        return found

    def pids(self):
        return {name: pid for name, (pid, _) in self.status().items()}

    def live(self, port=9192):
        """Ids of the brokers that the controller takes for live."""
        done = subprocess.run(
            [str(harness.PROGRAMS["regentctl"]), "--controller", f"127.0.0.1:{port}", "-o", "json",
             "broker", "list"], capture_output=True, text=True, check=True)
        return {b["id"] for b in json.loads(done.stdout)["brokers"] if b["state"] == "live"}

    def bystander(self):
        """A process that is none of quickstart's business."""
        child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        self.addCleanup(lambda: (child.kill(), child.wait()))
        return child

    def test_it_starts_once_shows_what_runs_and_ends_all_of_it_and_nothing_else(self):
        self.bystander()
        before = running()
        self.assertEqual(set(self.pids().values()), {None})
        text = self.succeed("start")
        for name in ALL:
            self.assertIn(f"{name} started", text)
        self.assertEqual(self.live(), {0, 1, 2})
        first = self.pids()
        self.assertEqual(set(first), ALL)
        self.assertEqual(running() - before, set(first.values()))
        # It does no work twice.
        text = self.succeed("start")
        self.assertNotIn("started", text)
        self.assertEqual(self.pids(), first)
        self.assertEqual(self.live(), {0, 1, 2})
        # Another shape is for the next time.
        self.assertIn("stop it first", self.fail("start", "--dedicated-controllers"))
        self.assertEqual(self.pids(), first)
        text = self.succeed("stop")
        self.assertNotIn("was killed", text)
        self.assertEqual(running(), before)
        self.assertIn("nothing of this cluster runs", self.succeed("stop"))

    def test_brokers_are_stopped_killed_and_started_one_by_one(self):
        self.succeed("start")
        first = self.pids()
        self.assertIn("broker-1 stopped", self.succeed("broker", "stop", "1"))
        self.assertEqual(self.live(), {0, 2})
        self.assertIn("broker-2 killed", self.succeed("broker", "kill", "2"))
        self.assertEqual(self.pids(), {**first, "broker-1": None, "broker-2": None})
        self.assertIn("broker-1 does not run", self.fail("broker", "stop", "1"))
        for broker in ("1", "2"):
            self.assertIn(f"broker-{broker} started", self.succeed("broker", "start", broker))
        self.assertIn("broker-2 runs already", self.succeed("broker", "start", "2"))
        self.assertEqual(self.live(), {0, 1, 2})
        second = self.pids()
        self.assertEqual({n for n in ALL if first[n] == second[n]}, {"zookeeper", "broker-0"})
        self.assertEqual(self.quickstart("broker", "start", "7")[0], 2)

    def test_ports_and_shape_are_those_of_what_runs_and_forgotten_with_it(self):
        usual = self.status()
        self.succeed("start", "--base-port", str(9092 + SHIFT), "--dedicated-controllers")
        shifted = self.status()
        self.assertEqual({name: ports for name, (_, ports) in shifted.items() if name in ALL},
                         {name: [port + SHIFT for port in ports]
                          for name, (_, ports) in usual.items()})
        self.assertEqual(set(shifted) - ALL,
                         {"controller-100", "controller-101", "controller-102"})
        self.assertEqual(self.live(9192 + SHIFT), {0, 1, 2})
        # Remembered while it runs; what shape stop and status are told is no matter.
        self.succeed("broker", "kill", "0")
        self.succeed("broker", "start", "0")
        self.assertEqual(self.quickstart("status", "--base-port", "9092")[0], 0)
        self.succeed("stop", "--base-port", "9092")
        self.assertEqual(self.status(), usual)
        self.succeed("start")
        self.assertEqual({name: ports for name, (_, ports) in self.status().items()},
                         {name: ports for name, (_, ports) in usual.items()})
        self.assertEqual(self.live(), {0, 1, 2})

    def test_a_port_in_use_is_named_and_whose_it_is_left_alone(self):
        with socket.create_server(("127.0.0.1", 9193)):
            text = self.fail("start")
            for word in ("9193", "gRPC of broker-1", "--base-port"):
                self.assertIn(word, text)
        self.succeed("start")
        self.assertEqual(self.live(), {0, 1, 2})

    def test_an_option_that_is_none_is_refused_before_anything_is_done(self):
        code, text = self.quickstart("--kil")
        self.assertEqual(code, 2, text)
        self.assertIn("--kil", text)
        self.assertNotIn("Step", text)

    def test_a_stale_pid_file_kills_nobody(self):
        child = self.bystander()
        pid_file = self.home / "run" / "broker-0.pid"
        pid_file.parent.mkdir(parents=True)
        # The pid has come round to another process: it began at another time.
        pid_file.write_text(f"{child.pid} 1\n")
        self.assertEqual(self.pids()["broker-0"], None)
        self.assertIn("broker-0 does not run", self.fail("broker", "kill", "0"))
        self.assertFalse(pid_file.exists())
        pid_file.write_text("nonsense\n")
        self.succeed("stop")
        self.assertIsNone(child.poll())

    def test_the_tour_of_the_readme(self):
        self.succeed("start")
        tour = re.search(r"## A tour with regentctl\n(.*?)\n## ",
                         (harness.ROOT / "README.md").read_text(), re.DOTALL)[1]
        environment = dict(os.environ)
        ours = f"{QUICKSTART} --no-build --build-dir {harness.BUILD} --dir {self.home} "
        for line in re.findall(r"^    (.*)$", tour, re.MULTILINE):
            line = line.replace("deploy/quickstart ", ours)
            line = line.replace("$PWD/build/release", str(harness.BUILD))
            variable = re.match(r"(?:export )?(\w+)=", line)
            if variable:
                environment[variable[1]] = self.shell(f"{line}; echo -n ${variable[1]}",
                                                      environment)
            elif line != "regentctl controller watch":  # That ends by itself with nothing.
                eventually(lambda: self.shell(line, environment) is not None, line)
        self.assertEqual(self.live(), {0, 1, 2})

    @staticmethod
    def shell(command, environment):
        """What it prints; None unless it succeeds."""
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False,
                              env=environment, cwd=harness.ROOT)
        return done.stdout if done.returncode == 0 else None

    def test_an_interrupted_start_leaves_nothing_that_stop_does_not_end(self):
        before = running()
        start = subprocess.Popen(
            [str(QUICKSTART), "--no-build", "--build-dir", str(harness.BUILD), "--dir",
             self.directory.name, "start"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)
        eventually(lambda: (self.home / "run" / "zookeeper.pid").exists(), "it has begun")
        start.send_signal(signal.SIGINT)
        text, _ = start.communicate(timeout=harness.PATIENCE)
        self.assertEqual(start.returncode, 130, text)
        self.assertIn("interrupted", text)
        self.succeed("stop")
        self.assertEqual(running(), before)


if __name__ == "__main__":
    harness.main()
