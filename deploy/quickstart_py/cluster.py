"""The cluster that quickstart runs: one ZooKeeper, three brokers, on loopback."""

import json
import os
import signal
import socket
import subprocess
import time

from processes import Failure, Process

HOST = "127.0.0.1"
# Where the build puts them, below its directory.
PROGRAMS = {
    "regent-broker": "broker-agent/io",
    "regent-controller": "controller/io",
    "regentctl": "cli",
}
BROKERS = (0, 1, 2)
CONTROLLERS = (100, 101, 102)
BASE_PORT = 9092

# Twice to twenty times the tick is what ZooKeeper grants; the sessions ask for three seconds.
ZOOKEEPER_TICK_MS = 500
SESSION_TIMEOUT_MS = 3000
ZOOKEEPER_JARS = ("/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar")

START_PATIENCE = 30.0  # Seconds until a process must be up.
STOP_PATIENCE = 30.0  # A controlled shutdown moves every leader away first.
POLL = 0.1


class Cluster:
    """Processes, ports and directories below `state_dir`."""

    def __init__(self, state_dir, build_dir, base_port, dedicated):
        self.state_dir = state_dir
        self._build_dir = build_dir
        self._shift = base_port - BASE_PORT
        self._dedicated = dedicated
        self.regentctl = self._program("regentctl")
        self.zookeeper = self._zookeeper()
        self.controllers = {i: self._controller(i) for i in CONTROLLERS} if dedicated else {}
        self.brokers = {i: self._broker(i) for i in BROKERS}

    def processes(self):
        return [self.zookeeper, *self.controllers.values(), *self.brokers.values()]

    def client_port(self, broker):
        return 9092 + broker + self._shift

    def client_addresses(self):
        """Where Kafka clients find the brokers."""
        return ",".join(f"127.0.0.1:{self.client_port(broker)}" for broker in BROKERS)

    def addresses(self):
        """gRPC addresses of all brokers and controllers, as regentctl takes them."""
        ports = [p.ports["gRPC"] for p in (*self.brokers.values(), *self.controllers.values())]
        return ",".join(f"{HOST}:{port}" for port in ports)

    # Starting and stopping.

    def start_base(self, say):
        """Starts what the brokers need, unless it runs."""
        self._start_zookeeper(say)
        for controller in self.controllers.values():
            if controller.start():
                say(f"{controller.name} started (log: {controller.log})")

    def start(self, say):
        """Starts everything that does not run."""
        self.start_base(say)
        for broker in BROKERS:
            self.start_broker(broker, say, wait=False)
        for broker in BROKERS:
            self._await_broker(broker)

    def start_broker(self, broker, say, wait=True):
        process = self.brokers[broker]
        if process.start():
            say(f"{process.name} started (log: {process.log})")
        else:
            say(f"{process.name} runs already")
        if wait:
            self._await_broker(broker)

    def stop_broker(self, broker, signal_number, say):
        process = self.brokers[broker]
        word = process.stop(signal_number, STOP_PATIENCE)
        say(f"{process.name} {word or 'does not run'}")
        return word is not None

    def stop(self, say):
        """Stops everything that runs, the brokers first, the one in office last of them."""
        office = self.controller_id()
        order = sorted(BROKERS, key=lambda broker: broker == office)
        processes = [self.brokers[broker] for broker in order]
        processes += [*self.controllers.values(), self.zookeeper]
        for process in processes:
            word = process.stop(signal.SIGTERM, STOP_PATIENCE)
            if word:
                say(f"{process.name} {word}")

    # Asking.

    def ctl(self, *arguments, timeout="5s"):
        """Runs regentctl; returns (exit code, the JSON object it printed)."""
        environment = {k: v for k, v in os.environ.items() if k != "REGENTCTL_CONTROLLER"}
        command = [self.regentctl, "--controller", self.addresses()]
        command += ["--timeout", timeout, "-o", "json", *arguments]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, env=environment, check=False
            )
        except OSError as error:
            raise Failure(f"cannot run {command[0]}: {error.strerror}") from None
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            raise Failure(
                f"regentctl {' '.join(arguments)} exited with {done.returncode} and printed no "
                f"JSON: {done.stderr.strip() or '(nothing)'}"
            ) from None

    def controller_id(self):
        if all(p.pid() is None for p in (*self.brokers.values(), *self.controllers.values())):
            return None
        try:
            code, answer = self.ctl("controller", "status", timeout="2s")
        except Failure:
            return None  # Without regentctl the cluster can still be stopped.
        return answer["controller"]["id"] if code == 0 else None

    # Innards.

    def _program(self, name):
        return self._build_dir / PROGRAMS[name] / name

    def _zookeeper(self):
        directory = self.state_dir / "zookeeper"
        memory = ["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        command = ["java", *memory, "-cp", ":".join(ZOOKEEPER_JARS)]
        command += ["org.apache.zookeeper.server.quorum.QuorumPeerMain", directory / "zoo.cfg"]
        return Process("zookeeper", command, {"clients": 2181 + self._shift}, self.state_dir)

    def _common_flags(self, name):
        return [
            f"--zookeeper={HOST}:{self.zookeeper.ports['clients']}",
            f"--zookeeper-session-timeout-ms={SESSION_TIMEOUT_MS}",
            f"--data-dir={self.state_dir / name}",
        ]

    def _broker(self, broker):
        name = f"broker-{broker}"
        ports = {
            "clients": self.client_port(broker),
            "gRPC": 9192 + broker + self._shift,
            "metrics": 9292 + broker + self._shift,
        }
        command = [self._program("regent-broker"), f"--id={broker}"]
        command += self._common_flags(name)
        command += [
            f"--listen=PLAINTEXT://{HOST}:{ports['clients']},REGENT://{HOST}:{ports['gRPC']}",
            f"--metrics-listen={HOST}:{ports['metrics']}",
        ]
        if self._dedicated:
            command.append("--controller-eligible=false")
        return Process(name, command, ports, self.state_dir)

    def _controller(self, controller):
        name = f"controller-{controller}"
        nth = controller - CONTROLLERS[0]
        ports = {"gRPC": 9195 + nth + self._shift, "metrics": 9295 + nth + self._shift}
        command = [self._program("regent-controller"), f"--id={controller}"]
        command += self._common_flags(name)
        command += [
            f"--listen=REGENT://{HOST}:{ports['gRPC']}",
            f"--metrics-listen={HOST}:{ports['metrics']}",
        ]
        return Process(name, command, ports, self.state_dir)

    def _start_zookeeper(self, say):
        directory = self.state_dir / "zookeeper"
        directory.mkdir(parents=True, exist_ok=True)
        for jar in ZOOKEEPER_JARS:
            if not os.path.exists(jar):
                raise Failure(f"{jar} is missing; `deploy/install-packages --run` installs it")
        (directory / "zoo.cfg").write_text(
            f"tickTime={ZOOKEEPER_TICK_MS}\n"
            "initLimit=20\n"
            "syncLimit=10\n"
            f"dataDir={directory / 'data'}\n"
            f"clientPort={self.zookeeper.ports['clients']}\n"
            f"clientPortAddress={HOST}\n"
            "admin.enableServer=false\n"
            "4lw.commands.whitelist=srvr\n"
            "maxClientCnxns=0\n"
        )
        if self.zookeeper.start():
            say(f"zookeeper started (log: {self.zookeeper.log})")
        self._await(self.zookeeper, self._zookeeper_serves)

    def _zookeeper_serves(self):
        try:
            address = (HOST, self.zookeeper.ports["clients"])
            with socket.create_connection(address, timeout=1) as connection:
                connection.sendall(b"srvr")
                answer = b""
                while chunk := connection.recv(4096):
                    answer += chunk
        except OSError:
            return False
        return b"Mode:" in answer

    def _await_broker(self, broker):
        def is_live():
            code, answer = self.ctl("broker", "list", timeout="2s")
            return code == 0 and any(
                b["id"] == broker and b["state"] == "live" for b in answer["brokers"]
            )

        self._await(self.brokers[broker], is_live)

    def _await(self, process, ready):
        deadline = time.monotonic() + START_PATIENCE
        while not ready():
            if process.pid() is None:
                raise Failure(process.obituary())
            if time.monotonic() > deadline:
                raise Failure(
                    f"{process.name} runs (pid {process.pid()}) but was not ready within "
                    f"{START_PATIENCE:g} s; its log: {process.log}"
                )
            time.sleep(POLL)
