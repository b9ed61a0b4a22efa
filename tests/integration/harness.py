"""A cluster of real processes for one test: ZooKeeper, brokers, controllers, and what to ask them.

Each test program runs in a network namespace of its own (`main` sees to it), so the ports are
fixed and nobody else's. All state lies in a temporary directory that goes with the test, unless
the test fails.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import kazoo.client

from processes import JARS, LOOPBACK, PATIENCE, SESSION_MS_MAX, Process, ZooKeeper, eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("REGENT_BUILD_DIR", ROOT / "build" / "release"))
PROGRAMS = {
    "regent-broker": BUILD / "broker-agent/io/regent-broker",
    "regent-controller": BUILD / "controller/io/regent-controller",
    "regentctl": BUILD / "cli/regentctl",
}
SESSION_MS = 2000
SKIPPED = 77  # The exit code of a test program of which nothing has run.


class Cluster:
    """Brokers and controllers beside a ZooKeeper that somebody has started."""

    def __init__(self, directory, zookeeper=f"{LOOPBACK}:2181", session_ms=SESSION_MS,
                 lag_ms=10_000):
        self.directory = directory
        self.zookeeper = zookeeper
        self.session_ms = session_ms
        self.lag_ms = lag_ms
        self.processes = {}
        self.addresses = {}
        self.metrics = {}
        self.prefixes = {}

    # Processes.

    def broker(self, broker, *flags, host=LOOPBACK, prefix=(), zookeeper=None, session_ms=None,
               directory=None, name=None):
        """Defines a broker; start it with .start()."""
        name = name or f"broker-{broker}"
        home = directory or self.directory / name
        self.addresses[name] = f"{host}:{9192 + broker}"
        self.metrics[name] = f"{host}:{9292 + broker}"
        self.prefixes[name] = list(prefix)
        command = [*prefix, PROGRAMS["regent-broker"], f"--id={broker}",
                   f"--zookeeper={zookeeper or self.zookeeper}", f"--data-dir={home}",
                   f"--listen=PLAINTEXT://{host}:{9092 + broker},REGENT://{host}:{9192 + broker}",
                   f"--metrics-listen={host}:{9292 + broker}",
                   f"--zookeeper-session-timeout-ms={session_ms or self.session_ms}",
                   f"--replica-lag-time-max-ms={self.lag_ms}", *flags]
        process = Process(name, command, self.directory)
        self.processes[name] = process
        return process

    def controller(self, controller, *flags, host=LOOPBACK, prefix=(), zookeeper=None,
                   session_ms=None):
        name = f"controller-{controller}"
        port = 9300 + controller
        self.addresses[name] = f"{host}:{port}"
        self.metrics[name] = f"{host}:{port + 100}"
        self.prefixes[name] = list(prefix)
        command = [*prefix, PROGRAMS["regent-controller"], f"--id={controller}",
                   f"--zookeeper={zookeeper or self.zookeeper}",
                   f"--data-dir={self.directory / name}",
                   f"--listen=REGENT://{host}:{port}", f"--metrics-listen={host}:{port + 100}",
                   f"--zookeeper-session-timeout-ms={session_ms or self.session_ms}", *flags]
        process = Process(name, command, self.directory)
        self.processes[name] = process
        return process

    def start_brokers(self, count=3, *flags):
        for broker in range(count):
            self.broker(broker, *flags).start()
        for broker in range(count):
            self.await_live(broker)
        return self

    def __getitem__(self, name):
        return self.processes[f"broker-{name}" if isinstance(name, int) else name]

    def destroy(self):
        for process in self.processes.values():
            process.destroy()

    # Asking.

    def run_ctl(self, *arguments, timeout="5s", at=None, prefix=None):
        """Runs regentctl; returns (exit code, JSON)."""
        names = [at] if at else [n for n, p in self.processes.items() if p.running()] or list(
            self.addresses)
        prefix = self.prefixes[names[0]] if prefix is None else prefix
        command = [*prefix, PROGRAMS["regentctl"], "--controller",
                   ",".join(self.addresses[n] for n in names), "--timeout", timeout, "-o", "json",
                   *arguments]
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                              check=False)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"regentctl {' '.join(arguments)} exited {done.returncode}: "
                                 f"{done.stdout}{done.stderr}") from None

    def ctl(self, *arguments, **options):
        """Like run_ctl, for a command that must succeed; returns the JSON."""
        code, answer = self.run_ctl(*arguments, **options)
        assert code == 0, f"regentctl {' '.join(arguments)} exited {code}: {answer}"
        return answer

    def office(self):
        """(id, epoch) of the controller, or None."""
        code, answer = self.run_ctl("controller", "status", timeout="2s")
        return (answer["controller"]["id"], answer["controller"]["epoch"]) if code == 0 else None

    def await_office(self, wanted=lambda office: True, what="somebody is the controller"):
        return eventually(lambda: (o := self.office()) and wanted(o) and o, what)

    def await_live(self, broker):
        def live():
            code, answer = self.run_ctl("broker", "list", timeout="2s")
            return code == 0 and any(
                b["id"] == broker and b["state"] == "live" for b in answer["brokers"])
        eventually(live, f"broker {broker} is live")

    def partitions(self, topic):
        """Per partition: its description, or None if nobody could tell."""
        code, answer = self.run_ctl("topic", "describe", topic, timeout="2s")
        return answer["topics"][0]["partitions"] if code == 0 else None

    def await_rows(self, topic, expected, patience=PATIENCE):
        """Waits until each partition has the (leader, ISR) expected; returns the descriptions."""
        last = []

        def reached():
            found = self.partitions(topic)
            if found is None:
                return None
            last[:] = [(p["leader"], sorted(p["isr"])) for p in found]
            return found if last == [(lead, sorted(isr)) for lead, isr in expected] else None
        try:
            return eventually(reached, f"{topic} is {expected}", patience)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {last}") from None

    def samples(self, name, metric):
        """A metric on one process: [({label: value}, number), …]; nothing if it cannot be had."""
        try:
            with urllib.request.urlopen(f"http://{self.metrics[name]}/metrics", timeout=2) as page:
                lines = page.read().decode().splitlines()
        except OSError:
            return []
        heads = [line.rsplit(" ", 1) for line in lines]
        return [(dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', head)), float(number))
                for head, number in heads if head.split("{")[0] == metric]

    def metric(self, name, metric, **labels):
        """Sum of a metric's samples on one process; None if it cannot be had."""
        found = [number for has, number in self.samples(name, metric)
                 if labels.items() <= has.items()]
        return sum(found) if found else None

    # What an outage must not change.

    def standing(self, topic):
        """Leaders, ISRs and epochs of a topic, and the live brokers' epochs; None if nobody could
        tell."""
        code, answer = self.run_ctl("broker", "list", timeout="2s")
        found = self.partitions(topic) if code == 0 else None
        if found is None:
            return None
        live = {b["id"]: b["epoch"] for b in answer["brokers"] if b["state"] == "live"}
        return epochs(found), live

    def in_first_sessions(self, brokers=(0, 1, 2)):
        """Whether each broker and the candidate in it are connected, the broker in the first
        session of its life."""
        return all(
            self.metric(name, "regent_broker_zookeeper_session_state", state="Connected") == 1
            and self.metric(name, "regent_broker_zookeeper_sessions_total") == 1
            and self.metric(name, "regent_controller_zookeeper_session") == 1
            for name in (f"broker-{b}" for b in brokers))

    def assert_outlived(self, topic, before):
        """After an outage: all sessions are still the first ones, and for longer than a session can
        live unheard nothing is other than it was `before`."""
        eventually(self.in_first_sessions, "every broker is connected in its first session")
        end = time.monotonic() + 1.5 * self.session_ms / 1000

        def still():
            now = self.standing(topic)
            assert now in (None, before), f"it was {before} and is {now}"
            return now is not None and time.monotonic() > end
        eventually(still, f"{topic} can be described", PATIENCE + 1.5 * self.session_ms / 1000)
        assert self.in_first_sessions(), "a broker has lost its session"

    def replica_directories(self, broker):
        home = self.directory / f"broker-{broker}"
        return sorted(p.name for p in home.iterdir() if p.is_dir() and "-" in p.name)


def epochs(partitions):
    """Of each partition what every change of its state changes."""
    return [(p["leader"], sorted(p["isr"]), p["leaderEpoch"], p["partitionEpoch"])
            for p in partitions]


class ClusterTest(unittest.TestCase):
    """A temporary directory, a standalone ZooKeeper, a cluster without brokers yet."""

    with_zookeeper = True

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="regent-"))
        self.processes = []
        self.clients = []
        self.zookeeper = None
        self.cluster = Cluster(self.directory)
        if self.with_zookeeper:
            self.zookeeper = self.own(ZooKeeper(self.directory)).start().await_serving()

    def own(self, process):
        self.processes.append(process)
        return process

    def zk_client(self, server=None):
        """A client of our own, of another make, that ends with the test."""
        server = server or self.zookeeper
        client = kazoo.client.KazooClient(
            hosts=f"{server.host}:{server.port}", timeout=SESSION_MS_MAX / 1000)
        client.start()
        self.clients.append(client)
        return client

    def tearDown(self):
        for client in self.clients:
            client.stop()
            client.close()
        self.cluster.destroy()
        for process in self.processes:
            process.destroy()
        outcome = self._outcome
        failed = any(error for _, error in getattr(outcome, "errors", [])) or any(
            getattr(test, "test_case", test) is self  # A subtest names the test that it is of.
            for test, _ in [*outcome.result.failures, *outcome.result.errors])
        if failed:
            print(f"\nstate of the failed test is kept in {self.directory}", file=sys.stderr)
            for log in sorted(self.directory.glob("*.log")):
                tail = log.read_text(errors="replace").splitlines()[-25:]
                print(f"--- {log.name}", *tail, sep="\n", file=sys.stderr)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def zk_cli(self, *command):
        """Runs zkCli of Debian's package once; returns what it printed."""
        done = subprocess.run(
            ["java", "-XX:-UsePerfData", "-cp", JARS, "org.apache.zookeeper.ZooKeeperMain", "-server",
             f"{self.zookeeper.host}:{self.zookeeper.port}", *command],
            capture_output=True, text=True, check=False, timeout=PATIENCE)
        return done.stdout + done.stderr


def enter_own_network():
    """Runs this program anew in a network namespace of its own, unless it is in one."""
    if os.environ.get("REGENT_TEST_NETWORK") == "own":
        return
    environment = {**os.environ, "REGENT_TEST_NETWORK": "own"}
    environment = {k: v for k, v in environment.items() if not k.lower().endswith("_proxy")}
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    script = 'ip link set lo up && exec "$0" -B "$@"'
    os.execvpe("unshare", ["unshare", *root, "--net", "--mount", "--pid", "--fork",
                           "--kill-child", "--mount-proc", "sh", "-c", script, sys.executable,
                           *sys.argv], environment)


def main():
    """Runs the test program's tests in a network namespace of its own."""
    enter_own_network()
    result = unittest.main(verbosity=2, exit=False).result
    if result.skipped and len(result.skipped) == result.testsRun:
        sys.exit(SKIPPED)
    sys.exit(not result.wasSuccessful())
