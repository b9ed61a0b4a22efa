"""What a benchmark of the data path measures: three brokers of ours, or of Kafka's, on this machine."""

import base64
import os
import shutil
import struct
import subprocess
import uuid

import confluent_kafka.admin

import harness
import judges
import metadata
from harness import Cluster, ZooKeeper, eventually
from processes import POLL, Process

PATIENCE = 300.0
BROKERS = range(3)
PORT = 9092  # Of the first broker.
BOOTSTRAP = ",".join(f"127.0.0.1:{PORT + b}" for b in BROKERS)
SESSION_MS = 6000
LAG_MS = 10_000
TICKS = os.sysconf("SC_CLK_TCK")


class System:
    """Three brokers, made anew below a directory; what is common to all makes of them."""

    name = None

    def __init__(self, directory):
        self.directory = directory
        self.processes = []  # By broker.
        self.zookeeper = None

    def start(self):
        """Returns once all brokers live."""
        raise NotImplementedError

    def create(self, topic, assignment, min_in_sync=2):
        """Asks for a topic; `assignment`: the replicas of each partition."""
        raise NotImplementedError

    def start_broker(self, broker):
        self.processes[broker].start()

    def close(self):
        for process in [*self.processes, self.zookeeper]:
            if process:
                process.destroy()
        shutil.rmtree(self.directory)

    def await_partitions(self, topic, count, wanted, by=BROKERS, poll=POLL):
        """Waits until these brokers, asked every `poll` seconds, say that a topic has so many partitions,
        all with a (leader, ISR) that is `wanted`."""
        def so(broker):
            answer = metadata.ask(PORT + broker, topic)
            found = answer and answer[1].get(topic)
            return found and len(found) == count and all(wanted(*p) for p in found.values())
        eventually(lambda: all(map(so, by)), f"{topic} is as it should be", PATIENCE, poll)

    def topic(self, name, assignment):
        """Makes a topic; returns when all know that it is in sync."""
        self.create(name, assignment)
        self.await_partitions(name, len(assignment), lambda leader, isr: leader >= 0
                              and len(isr) == len(assignment[0]))

    # What a process costs.

    def pid(self, broker):
        return self.processes[broker].popen.pid

    def cpu_seconds(self, *brokers):
        """Of these brokers so far; of all, if none is named."""
        total = 0
        for broker in brokers or BROKERS:
            with open(f"/proc/{self.pid(broker)}/stat", encoding="ascii") as stat:
                fields = stat.read().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def resident_mib(self, broker):
        with open(f"/proc/{self.pid(broker)}/status", encoding="ascii") as status:
            fields = dict(line.split(":", 1) for line in status)
        return int(fields["VmRSS"].split()[0]) / 1024

    def descriptors(self, broker):
        return len(os.listdir(f"/proc/{self.pid(broker)}/fd"))

    def syncs(self, broker):
        """How often the broker has called fsync, fdatasync or msync (count_syncs.cc)."""
        path = self._syncs_file(broker)
        return struct.unpack("=Q", path.read_bytes())[0] if path.exists() else 0

    def _syncs_file(self, broker):
        return self.directory / f"syncs-{broker}"

    def _counted(self, broker):
        """In front of the broker's command."""
        return ["env", f"LD_PRELOAD={harness.BUILD / 'tests/bench/libcount_syncs.so'}",
                f"REGENT_SYNCS={self._syncs_file(broker)}"]


class Regent(System):
    name = "Regent"

    def __init__(self, directory):
        super().__init__(directory)
        self.cluster = Cluster(directory, session_ms=SESSION_MS, lag_ms=LAG_MS)

    def start(self):
        self.zookeeper = ZooKeeper(self.directory).start().await_serving()
        self.processes = [self.cluster.broker(b, prefix=self._counted(b)).start() for b in BROKERS]
        for broker in BROKERS:
            self.cluster.prefixes[f"broker-{broker}"] = []  # Not of regentctl.
            self.cluster.await_live(broker)

    def create(self, topic, assignment, min_in_sync=2):
        self.cluster.ctl("topic", "create", topic, "--replica-assignment",
                         ",".join(":".join(map(str, replicas)) for replicas in assignment),
                         "--config", f"min.insync.replicas={min_in_sync}", timeout="120s")


class Kafka(System):
    """With ZooKeeper."""

    name = f"Kafka {judges.KAFKA} with ZooKeeper"
    options = ["-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
               "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"]

    def settings(self, broker):
        return {"broker.id": broker, "zookeeper.connect": "127.0.0.1:2181",
                "zookeeper.session.timeout.ms": SESSION_MS,
                "listeners": f"PLAINTEXT://127.0.0.1:{PORT + broker}"}

    def prepare(self):
        self.zookeeper = ZooKeeper(self.directory).start().await_serving()

    def __init__(self, directory):
        super().__init__(directory)
        self.files = [directory / f"broker-{broker}.properties" for broker in BROKERS]

    def start(self):
        for broker, file in enumerate(self.files):
            settings = {
                "log.dirs": self.directory / f"broker-{broker}",
                "replica.lag.time.max.ms": LAG_MS,
                "auto.create.topics.enable": "false", **self.settings(broker)}
            file.write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        self.prepare()
        self.processes = [
            Process(f"broker-{broker}",
                    [*self._counted(broker), "java", *self.options,
                     f"-Dlog4j.configuration=file:{judges.HERE / 'kafka-log4j.properties'}",
                     "-cp", f"{judges.jars(judges.KAFKA)}/*", "kafka.Kafka", self.files[broker]],
                    self.directory).start() for broker in BROKERS]
        eventually(lambda: all((answer := metadata.ask(PORT + b)) and len(answer[0]) == len(BROKERS)
                               for b in BROKERS), "three brokers know each other", PATIENCE)

    def create(self, topic, assignment, min_in_sync=2):
        client = confluent_kafka.admin.AdminClient({"bootstrap.servers": BOOTSTRAP, "log_level": 0})
        asked = client.create_topics(
            [confluent_kafka.admin.NewTopic(topic, len(assignment), replica_assignment=assignment,
                                            config={"min.insync.replicas": str(min_in_sync)})],
            operation_timeout=60, request_timeout=120)
        asked[topic].result()


class KafkaRaft(Kafka):
    """With KRaft: each process is a broker and one of three controllers."""

    name = f"Kafka {judges.KAFKA} with KRaft"

    def settings(self, broker):
        voters = ",".join(f"{b}@127.0.0.1:{9192 + b}" for b in BROKERS)
        return {"node.id": broker, "process.roles": "broker,controller",
                "controller.quorum.voters": voters,
                "controller.listener.names": "CONTROLLER",
                "broker.session.timeout.ms": SESSION_MS,
                "listeners": f"PLAINTEXT://127.0.0.1:{PORT + broker},"
                             f"CONTROLLER://127.0.0.1:{9192 + broker}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"}

    def prepare(self):
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        for file in self.files:
            subprocess.run(judges.java(judges.KAFKA, "kafka.tools.StorageTool", "format", "-t",
                                       cluster, "-c", file), check=True, capture_output=True)
