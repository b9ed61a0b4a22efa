"""Programs that a test runs: any process with its log, a ZooKeeper server, a proxy before it."""

import contextlib
import datetime
import re
import signal
import socket
import subprocess
import sys
import threading
import time

JARS = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar"
LOOPBACK = "127.0.0.1"

TICK_MS = 100  # ZooKeeper grants sessions of two ticks and more.
SESSION_MS_MAX = 60_000
PATIENCE = 30.0  # Seconds until something that must happen has happened.
POLL = 0.05


def eventually(condition, what, patience=PATIENCE, poll=POLL):
    """Returns the first true value of `condition`, looked at every `poll` seconds; fails the test after
    `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience:g} s: {what}")
        time.sleep(poll)  # The polling step.


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

    def logged_at(self, pattern):
        """When a program of ours last logged a line that matches: seconds of the epoch."""
        for line in reversed(self.text().splitlines()):
            if re.search(pattern, line):
                day, clock = line.split()[:2]
                return datetime.datetime.strptime(f"{day[1:]} {clock}",
                                                  "%Y%m%d %H:%M:%S.%f").timestamp()
        raise AssertionError(f"{self.name} has logged nothing like '{pattern}'")


class ZooKeeper(Process):
    """One server; alone, or one of an ensemble (`servers`: {id: host}, `myid`)."""

    def __init__(self, directory, name="zookeeper", host=LOOPBACK, port=2181, servers=None,
                 myid=None, prefix=(), sync_limit=20):
        home = directory / name
        home.mkdir(parents=True)
        self.host, self.port, self._prefix = host, port, list(prefix)
        lines = [f"tickTime={TICK_MS}", "initLimit=50", f"syncLimit={sync_limit}",
                 f"dataDir={home / 'data'}", f"clientPort={port}",
                 f"clientPortAddress={host}", "admin.enableServer=false",
                 "4lw.commands.whitelist=*", "maxClientCnxns=0",
                 f"maxSessionTimeout={SESSION_MS_MAX}"]
        (home / "data").mkdir()
        if servers:
            lines += [f"server.{i}={h}:2888:3888" for i, h in servers.items()]
            (home / "data" / "myid").write_text(f"{myid}\n")
        (home / "zoo.cfg").write_text("\n".join(lines) + "\n")
        self.home = home
        command = [*prefix, "java", "-Xms64m", "-Xmx256m", "-XX:+UseSerialGC",
                   "-XX:TieredStopAtLevel=1", "-Dzookeeper.forceSync=no",
                   "-Dorg.slf4j.simpleLogger.showDateTime=true",
                   "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
                   "-cp", JARS, "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                   home / "zoo.cfg"]
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

    def expiries(self):
        """When this server ended sessions for want of a sign of life: [seconds of the epoch, …]."""
        found = re.findall(r"^(\S+) .* Expiring session 0x", self.text(), re.MULTILINE)
        return [datetime.datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()
                for stamp in found]


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
    """Forwards a port, until it is cut or told to hold back the answers."""

    def __init__(self, port, target):
        self._target = target
        self._cut = threading.Event()
        self._lossy = set()  # Sockets into which something was lost.
        self._answers = threading.Event()
        self._answers.set()
        self._listener = socket.create_server((LOOPBACK, port))
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self):
        """From here on it is as silent as a cut cable."""
        self._cut.set()

    def mend(self):
        """Connections on which something was lost are ended: no TCP connection has a gap."""
        self._cut.clear()
        for lossy in self._lossy:
            with contextlib.suppress(OSError):  # It may have ended by itself.
                lossy.shutdown(socket.SHUT_RDWR)
        self._lossy.clear()

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
                    if self._cut.is_set():
                        self._lossy.add(sink)
                    else:
                        sink.sendall(chunk)
                sink.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
