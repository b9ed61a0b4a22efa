"""control-plane: what a change of the cluster costs, from its cause to the last agent's answer.

Stand-in brokers that speak the real RPCs (tests/bench/stand_in_brokers.cc), real controllers, a
real ZooKeeper, all on this machine. Then the same works with three real brokers.
"""

import json
import re
import subprocess
import time
from datetime import datetime

import harness
from harness import Cluster, ZooKeeper, eventually

PATIENCE = 300.0


class StandIns:
    def __init__(self, directory, count):
        with open(directory / "stand-ins.log", "wb") as log:
            self._popen = subprocess.Popen(
                [harness.BUILD / "tests/bench/stand_in_brokers", "--zookeeper=127.0.0.1:2181",
                 f"--count={count}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                text=True)

    def ask(self, command):
        self._popen.stdin.write(command + "\n")
        self._popen.stdin.flush()
        return json.loads(self._popen.stdout.readline())

    def latest(self, *figures):
        """The latest of these moments over all brokers, in µs of the wall clock."""
        return max(broker[f] for broker in self.ask("figures") for f in figures)

    def total(self, figure):
        return sum(broker[figure] for broker in self.ask("figures"))

    def end(self):
        self._popen.kill()
        self._popen.wait()


def log_time(process, pattern):
    """When a process last logged a line that matches, in µs of the wall clock."""
    for line in reversed(process.text().splitlines()):
        if re.search(pattern, line):
            day, clock = line.split()[:2]
            stamp = datetime.strptime(f"{day[1:]} {clock}", "%Y%m%d %H:%M:%S.%f")
            return int(stamp.timestamp() * 1_000_000)
    raise AssertionError(f"{process.name} has logged nothing like '{pattern}'")


class Bench:
    def __init__(self, directory, emit):
        self.emit = emit
        self.zookeeper = ZooKeeper(directory).start().await_serving()
        self.cluster = Cluster(directory, session_ms=2000)
        self.stand_ins = None

    def close(self):
        if self.stand_ins:
            self.stand_ins.end()
        self.cluster.destroy()
        self.zookeeper.destroy()

    def status(self, name):
        code, answer = self.cluster.run_ctl("cluster", "status", timeout="20s", at=name)
        return answer if code in (0, 4) else None

    def await_quiet(self, name, partitions):
        def quiet():
            s = self.status(name)
            return s and s["partitions"] == partitions and s["unacknowledged"] == 0
        eventually(quiet, "every state has been acknowledged", PATIENCE)

    def zookeeper_work(self, name):
        """(multis, operations) so far; the figures are sampled, so wait until they stand still."""
        def read():
            return [self.cluster.metric(name, f"regent_controller_{m}") or 0
                    for m in ("writes_total", "write_operations_total")]
        last = [read(), time.monotonic()]

        def still():
            now = read()
            if now != last[0]:
                last[:] = [now, time.monotonic()]
            return time.monotonic() - last[1] > 1.5
        eventually(still, "the figures stand still", PATIENCE)
        return last[0]


class StandInBench(Bench):
    """100,000 partitions on five stand-in brokers (or as many as asked for)."""

    def run(self, directory, topics, partitions):
        total, brokers = topics * partitions, 5
        self.cluster.controller(100).start()
        self.cluster.await_office()
        self.stand_ins = StandIns(directory, brokers)
        for broker in range(brokers):
            self.cluster.await_live(broker)
        self.cluster["controller-100"].end()
        began = time.monotonic()
        self.stand_ins.ask(f"seed {topics} {partitions} {topics // 10}")
        self.emit("seeding", total / (time.monotonic() - began), "partitions/s")

        self.failover("cold start", "controller-100", self.cluster["controller-100"].start, total)
        self.preferred_election(total // 10)
        self.cluster.controller(101).start()
        eventually(lambda: self.cluster.metric("controller-101", "regent_controller_epoch"),
                   "the standby is up")
        self.memory("controller-100")
        self.failover("standby takes over", "controller-101",
                      lambda: self.cluster["controller-100"].end(harness.signal.SIGKILL), total)
        self.memory("controller-101")
        self.broker_loss("controller-101", total)

    def failover(self, what, name, cause, total):
        self.stand_ins.ask("reset")
        cause()
        eventually(lambda: self.cluster.metric(name, "regent_controller_active") == 1,
                   f"{name} is active", PATIENCE)
        self.await_quiet(name, total)
        won = log_time(self.cluster[name], "office won")
        heard = self.stand_ins.latest("roles_complete", "metadata_complete")
        loaded = log_time(self.cluster[name], "cluster loaded")
        self.emit(f"{what}: office won -> cluster loaded", (loaded - won) / 1e6, "s")
        self.emit(f"{what}: office won -> last full state acknowledged", (heard - won) / 1e6, "s")

    def preferred_election(self, count):
        self.stand_ins.ask("reset")
        before = self.zookeeper_work("controller-100")
        asked = time.time()
        self.cluster.run_ctl("leader", "elect", "--preferred", "--all", timeout="60s",
                             at="controller-100")
        answered = time.time()
        eventually(lambda: self.stand_ins.total("leaders") == count, f"{count} new leaders",
                   PATIENCE)
        done = self.stand_ins.latest("leader_last") / 1e6
        multis, operations = (
            after - b for after, b in zip(self.zookeeper_work("controller-100"), before))
        what = f"preferred election of {count}"
        self.emit(f"{what}: asked -> last new leader acknowledged", done - asked, "s")
        self.emit(f"{what}: asked -> regentctl has the answer", answered - asked, "s")
        self.emit(f"{what}: ZooKeeper operations per partition", operations / count, "")
        self.emit(f"{what}: round trips (multis) per partition", multis / count, "")

    def memory(self, name):
        pid = self.cluster[name].popen.pid
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            fields = dict(line.split(":", 1) for line in status)
        for field, what in (("VmRSS", "resident"), ("VmHWM", "resident at its peak")):
            self.emit(f"memory of {name}, {what}", int(fields[field].split()[0]) / 1024, "MiB")

    def broker_loss(self, name, total):
        leaders, hosted = total // 5, total * 3 // 5
        self.stand_ins.ask("reset")
        before = self.zookeeper_work(name)
        self.stand_ins.ask("close 0")
        # Each partition that it hosted is told to the two that are left of its replicas.
        eventually(lambda: self.stand_ins.total("roles") >= 2 * hosted, "all have been told",
                   PATIENCE)
        seen = log_time(self.cluster[name], "broker down")
        multis, operations = (a - b for a, b in zip(self.zookeeper_work(name), before))
        what = f"broker lost, leads {leaders} and in {hosted} ISRs"
        self.emit(f"{what}: seen -> last new leader acknowledged",
                  (self.stand_ins.latest("leader_last") - seen) / 1e6, "s")
        self.emit(f"{what}: seen -> last ISR written and acknowledged",
                  (self.stand_ins.latest("role_last") - seen) / 1e6, "s")
        self.emit(f"{what}: ZooKeeper operations per partition", operations / hosted, "")
        self.emit(f"{what}: round trips (multis) per partition", multis / hosted, "")


class RealBench(Bench):
    """10,000 partitions on three real brokers."""

    def run(self, _directory, topics, partitions):
        total = topics * partitions
        for controller in (100, 101):
            self.cluster.controller(controller).start()
        self.cluster.await_office()
        for broker in range(3):
            self.cluster.broker(broker, "--controller-eligible=false").start()
        for broker in range(3):
            self.cluster.await_live(broker)
        began = time.monotonic()
        for t in range(topics):
            self.cluster.ctl("topic", "create", f"t{t:04}", "--partitions", str(partitions),
                             "--replication-factor", "3", timeout="120s")
        active = f"controller-{self.cluster.office()[0]}"
        self.await_quiet(active, total)
        self.emit("create the topics, until acknowledged", time.monotonic() - began, "s")
        self.failover(active, total)
        self.broker_loss(total)

    def failover(self, active, total):
        heir = "controller-100" if active == "controller-101" else "controller-101"
        self.cluster[active].end(harness.signal.SIGKILL)
        eventually(lambda: self.cluster.metric(heir, "regent_controller_active") == 1,
                   f"{heir} is active", PATIENCE)
        self.await_quiet(heir, total)
        won = log_time(self.cluster[heir], "office won")
        settled = log_time(self.cluster[heir], "settled")
        self.emit("standby takes over: office won -> all acknowledged", (settled - won) / 1e6, "s")

    def broker_loss(self, total):
        name = f"controller-{self.cluster.office()[0]}"
        self.cluster[0].end(harness.signal.SIGKILL)
        eventually(lambda: not any(b["id"] == 0 and b["state"] == "live"
                                   for b in self.cluster.ctl("broker", "list")["brokers"]),
                   "the broker is missed")
        seen = log_time(self.cluster[name], "broker down")

        def led():
            s = self.status(name)
            return s and s["offlinePartitions"] == 0 and s["unacknowledged"] == 0
        eventually(led, "all is led and told", PATIENCE)
        self.emit("broker lost: seen -> all led and told (by polling)",
                  time.time() - seen / 1e6, "s")
        self.cluster[0].start()
        self.cluster.await_live(0)
        began = time.monotonic()
        eventually(lambda: (s := self.status(name)) and s["underReplicatedPartitions"] == 0,
                   "all are in sync", PATIENCE)
        self.emit("broker back: live -> all in sync (by polling)", time.monotonic() - began, "s")
        asked = time.monotonic()
        self.cluster.run_ctl("leader", "elect", "--preferred", "--all", timeout="60s")
        self.await_quiet(name, total)
        self.emit("preferred election: asked -> all acknowledged (by polling)",
                  time.monotonic() - asked, "s")


def run(directory, emit, scale):
    """Emits rows (work, value, unit, conditions)."""
    topics, partitions = scale or (1000, 100)
    for kind, t, p, conditions in (
            (StandInBench, topics, partitions,
             f"5 stand-in brokers, {topics} x {partitions} partitions, RF 3"),
            (RealBench, max(1, topics // 100), partitions * 10,
             f"3 real brokers, {max(1, topics // 100)} x {partitions * 10} partitions, RF 3")):
        home = directory / kind.__name__
        home.mkdir()
        bench = kind(home, lambda work, value, unit, c=conditions: emit(work, value, unit, c))
        try:
            bench.run(home, t, p)
        finally:
            bench.close()
