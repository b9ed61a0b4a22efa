"""A cluster of real processes for one test: ZooKeeper, brokers, controllers, and what to ask them.

Each test program runs in a network namespace of its own (`main` sees to it), so the ports are
fixed and nobody else's. All state lies in a temporary directory that goes with the test, unless
the test fails.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("REGENT_BUILD_DIR", ROOT / "build" / "release"))
PROGRAMS = {
    "regent-broker": BUILD / "broker-agent/io/regent-broker",
    "regent-controller": BUILD / "controller/io/regent-controller",
    "regentctl": BUILD / "cli/regentctl",
}
JARS = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar"
LOOPBACK = "127.0.0.1"

TICK_MS = 100  # ZooKeeper grants sessions of 2 to 20 ticks.
SESSION_MS = 2000
PATIENCE = 30.0  # Seconds until something that must happen has happened.
POLL = 0.05


def eventually(condition, what, patience=PATIENCE):
    """Returns the first true value of `condition`; fails the test after `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience:g} s: {what}")
        time.sleep(POLL)  # The polling step.


class Process:
    """A program with its log; never outlives the test."""

    def __init__(self, name, command, directory, environment=None):
        self.name = name
        self.command = [str(part) for part in command]
        self.log = directory / f"{name}.log"
        self.popen = None
        self._environment = environment

    def start(self):
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env=self._environment,
            )
        return self

    def running(self):
        return self.popen is not None and self.popen.poll() is None

    def send(self, number):
        self.popen.send_signal(number)

    def pause(self):
        self.send(signal.SIGSTOP)

    def resume(self):
        self.send(signal.SIGCONT)

    def end(self, number=signal.SIGTERM, patience=PATIENCE):
        """Sends the signal and waits; returns the exit code."""
        if not self.running():
            return None
        self.send(number)
        return self.wait(patience)

    def wait(self, patience=PATIENCE):
        try:
            return self.popen.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {patience:g} s") from None

    def destroy(self):
        if self.running():
            self.send(signal.SIGKILL)
            self.send(signal.SIGCONT)
            self.popen.wait()

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class ZooKeeper(Process):
    """One server; alone, or one of an ensemble (`servers`: {id: host}, `myid`)."""

    def __init__(self, directory, name="zookeeper", host=LOOPBACK, port=2181, servers=None,
                 myid=None, prefix=()):
        home = directory / name
        home.mkdir(parents=True)
        self.host, self.port, self._prefix = host, port, list(prefix)
        lines = [f"tickTime={TICK_MS}", "initLimit=50", "syncLimit=20", f"dataDir={home / 'data'}",
                 f"clientPort={port}", f"clientPortAddress={host}", "admin.enableServer=false",
                 "4lw.commands.whitelist=*", "maxClientCnxns=0"]
        (home / "data").mkdir()
        if servers:
            lines += [f"server.{i}={h}:2888:3888" for i, h in servers.items()]
            (home / "data" / "myid").write_text(f"{myid}\n")
        (home / "zoo.cfg").write_text("\n".join(lines) + "\n")
        self.home = home
        command = [*prefix, "java", "-Xms64m", "-Xmx256m", "-XX:+UseSerialGC",
                   "-XX:TieredStopAtLevel=1", "-Dzookeeper.forceSync=no", "-cp", JARS,
                   "org.apache.zookeeper.server.quorum.QuorumPeerMain", home / "zoo.cfg"]
        super().__init__(name, command, directory)

    def mode(self):
        """standalone, leader or follower; None while it does not serve."""
        done = subprocess.run(
            [*self._prefix, sys.executable, "-c", _SRVR, self.host, str(self.port)],
            capture_output=True, text=True, check=False) if self._prefix else None
        answer = done.stdout if done else _srvr(self.host, self.port)
        for line in answer.splitlines():
            if line.startswith("Mode:"):
                return line.split()[1]
        return None

    def await_serving(self):
        eventually(self.mode, f"{self.name} serves")
        return self


_SRVR = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1) as c:
        c.sendall(b"srvr")
        answer = b""
        while chunk := c.recv(4096):
            answer += chunk
    print(answer.decode())
except OSError:
    pass
"""


def _srvr(host, port):
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            connection.sendall(b"srvr")
            answer = b""
            while chunk := connection.recv(4096):
                answer += chunk
            return answer.decode()
    except OSError:
        return ""


class Proxy:
    """Forwards a port to ZooKeeper, until it is cut or told to hold back the answers."""

    def __init__(self, port, target):
        self._target = target
        self._cut = threading.Event()
        self._answers = threading.Event()
        self._answers.set()
        self._listener = socket.create_server((LOOPBACK, port))
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self):
        """From here on it is as silent as a cut cable."""
        self._cut.set()

    def mend(self):
        self._cut.clear()

    def hold_answers(self):
        """Requests still arrive; their answers wait."""
        self._answers.clear()

    def release_answers(self):
        self._answers.set()

    def close(self):
        self._answers.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # Wakes the thread that accepts.
        self._listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._cut.is_set():
                client.close()
                continue
            server = socket.create_connection(self._target)
            for source, sink, answers in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=(source, sink, answers),
                                 daemon=True).start()

    def _pump(self, source, sink, answers):
        with source:
            try:
                while chunk := source.recv(65536):
                    if answers:
                        self._answers.wait()
                    if not self._cut.is_set():  # What comes while cut is lost.
                        sink.sendall(chunk)
                sink.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


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

    def broker(self, broker, *flags, host=LOOPBACK, prefix=(), zookeeper=None, directory=None,
               name=None):
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
                   f"--zookeeper-session-timeout-ms={self.session_ms}",
                   f"--replica-lag-time-max-ms={self.lag_ms}", *flags]
        process = Process(name, command, self.directory)
        self.processes[name] = process
        return process

    def controller(self, controller, *flags, host=LOOPBACK, prefix=(), zookeeper=None):
        name = f"controller-{controller}"
        port = 9300 + controller
        self.addresses[name] = f"{host}:{port}"
        self.metrics[name] = f"{host}:{port + 100}"
        self.prefixes[name] = list(prefix)
        command = [*prefix, PROGRAMS["regent-controller"], f"--id={controller}",
                   f"--zookeeper={zookeeper or self.zookeeper}",
                   f"--data-dir={self.directory / name}",
                   f"--listen=REGENT://{host}:{port}", f"--metrics-listen={host}:{port + 100}",
                   f"--zookeeper-session-timeout-ms={self.session_ms}", *flags]
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

    def metric(self, name, metric, **labels):
        """Sum of a metric's samples on one process; None if it cannot be had."""
        try:
            with urllib.request.urlopen(f"http://{self.metrics[name]}/metrics", timeout=2) as page:
                lines = page.read().decode().splitlines()
        except OSError:
            return None
        wanted = [f'{k}="{v}"' for k, v in labels.items()]
        total, found = 0.0, False
        for line in lines:
            head = line.rsplit(" ", 1)[0]
            if head.split("{")[0] == metric and all(w in head for w in wanted):
                total, found = total + float(line.rsplit(" ", 1)[1]), True
        return total if found else None

    def replica_directories(self, broker):
        home = self.directory / f"broker-{broker}"
        return sorted(p.name for p in home.iterdir() if p.is_dir() and "-" in p.name)


def epochs(partitions):
    """What an outage must not change."""
    return [(p["leader"], sorted(p["isr"]), p["leaderEpoch"], p["partitionEpoch"])
            for p in partitions]


class ClusterTest(unittest.TestCase):
    """A temporary directory, a standalone ZooKeeper, a cluster without brokers yet."""

    with_zookeeper = True

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="regent-"))
        self.processes = []
        self.zookeeper = None
        self.cluster = Cluster(self.directory)
        if self.with_zookeeper:
            self.zookeeper = self.own(ZooKeeper(self.directory)).start().await_serving()

    def own(self, process):
        self.processes.append(process)
        return process

    def tearDown(self):
        self.cluster.destroy()
        for process in self.processes:
            process.destroy()
        outcome = self._outcome
        failed = any(error for _, error in getattr(outcome, "errors", [])) or any(
            test is self for test, _ in [*outcome.result.failures, *outcome.result.errors])
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
            ["java", "-cp", JARS, "org.apache.zookeeper.ZooKeeperMain", "-server",
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
    unittest.main(verbosity=2)
