"""control-plane: what a change of the cluster costs, from its cause to the last agent's answer.

Stand-in brokers that speak the real RPCs (tests/bench/stand_in_brokers.cc), real controllers, a
real ZooKeeper, all on this machine. Then the same works with three real brokers, seen through what
the controller says of itself, asked every few milliseconds.
"""

import contextlib
import json
import signal
import subprocess
import time

import harness
import http2
from harness import Cluster, ZooKeeper, eventually

PATIENCE = 300.0
LOOK = 0.002  # Seconds between two looks at a controller.


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
        """The latest of these moments over all brokers, in seconds of the wall clock."""
        return max(broker[f] for broker in self.ask("figures") for f in figures) / 1e6

    def total(self, figure):
        return sum(broker[figure] for broker in self.ask("figures"))

    def end(self):
        self._popen.kill()
        self._popen.wait()


class AdminApi:
    """A controller, spoken to over one connection."""

    FIGURES = {"partitions": 6, "offline": 7, "under_replicated": 8, "not_preferred": 10,
               "unacknowledged": 11}  # Numbers of the fields of GetClusterStatusResponse.

    def __init__(self, address):
        self._caller = http2.Caller(address)

    def close(self):
        self._caller.close()

    def status(self):
        answer = self._answer("GetClusterStatus")
        return {name: answer.get(number, [0])[0] for name, number in self.FIGURES.items()}

    def elect_leaders(self, topics=()):
        """Elects the preferred leaders of these topics, or of all."""
        self._answer("ElectLeaders", http2.texts(1, topics))

    def moment(self, condition):
        """When the status was first seen to be so, in seconds of the wall clock."""
        deadline = time.monotonic() + PATIENCE
        while not condition(self.status()):
            if time.monotonic() > deadline:
                raise AssertionError("the controller does not get there")
            time.sleep(LOOK)  # The polling step.
        return time.time()

    def _answer(self, method, body=b""):
        answer = http2.fields(self._caller.call(f"/regent.v1.Admin/{method}", body))
        header = http2.fields(answer[1][0])
        assert 1 not in header, f"{method} failed: {header[1]}"
        return answer


class Bench:
    def __init__(self, directory, emit):
        self.directory = directory
        self.emit = emit
        self.zookeeper = ZooKeeper(directory).start().await_serving()
        self.cluster = Cluster(directory, session_ms=2000)

    def close(self):
        self.cluster.destroy()
        self.zookeeper.destroy()

    @contextlib.contextmanager
    def admin(self, name):
        api = AdminApi(self.cluster.addresses[name])
        try:
            yield api
        finally:
            api.close()

    def await_quiet(self, name, partitions):
        def quiet():
            code, s = self.cluster.run_ctl("cluster", "status", timeout="20s", at=name)
            return code in (0, 4) and s["partitions"] == partitions and s["unacknowledged"] == 0
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

    @contextlib.contextmanager
    def zookeeper_rows(self, name, what, partitions):
        """Emits what the block costs ZooKeeper."""
        before = self.zookeeper_work(name)
        yield
        multis, operations = (after - b for after, b in zip(self.zookeeper_work(name), before))
        self.emit(f"{what}: ZooKeeper operations per partition", operations / partitions, "")
        self.emit(f"{what}: round trips (multis) per partition", multis / partitions, "")

    def memory(self, name):
        pid = self.cluster[name].popen.pid
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            fields = dict(line.split(":", 1) for line in status)
        for field, what in (("VmRSS", "resident"), ("VmHWM", "resident at its peak")):
            self.emit(f"memory of {name}, {what}", int(fields[field].split()[0]) / 1024, "MiB")

    def failover(self, what, name, cause, total):
        cause()
        eventually(lambda: self.cluster.metric(name, "regent_controller_active") == 1,
                   f"{name} is active", PATIENCE)
        self.await_quiet(name, total)
        eventually(lambda: "settled controller_epoch=" in self.cluster[name].text(), "it settles")
        won = self.cluster[name].logged_at("office won")
        self.emit(f"{what}: office won -> cluster loaded",
                  self.cluster[name].logged_at("cluster loaded") - won, "s")
        self.emit(f"{what}: office won -> last full state acknowledged",
                  self.settled(name) - won, "s")

    def settled(self, name):
        """When the last full state of the term was acknowledged, in seconds of the wall clock."""
        return self.cluster[name].logged_at("settled controller_epoch=")

    def failovers(self, total):
        """The two kinds; ends with controller-101 in office and a standby beside it."""
        self.failover("cold start", "controller-100", self.cluster["controller-100"].start, total)
        self.cluster.controller(101).start()
        eventually(lambda: self.cluster.metric("controller-101", "regent_controller_epoch"),
                   "the standby is up")
        self.memory("controller-100")
        self.failover("standby takes over", "controller-101",
                      lambda: self.cluster["controller-100"].end(signal.SIGKILL), total)
        self.memory("controller-101")

    def elect_by_regentctl(self, name):
        """Returns when it was started and when it had the answer."""
        asked = time.time()
        self.cluster.run_ctl("leader", "elect", "--preferred", "--all", timeout="60s", at=name)
        return asked, time.time()


class StandInBench(Bench):
    """100,000 partitions on five stand-in brokers (or as many as asked for)."""

    BROKERS = 5

    def __init__(self, directory, emit):
        super().__init__(directory, emit)
        self.stand_ins = StandIns(directory, self.BROKERS)

    def close(self):
        self.stand_ins.end()
        super().close()

    def run(self, topics, partitions):
        total = topics * partitions
        self.cluster.controller(100).start()
        self.cluster.await_office()
        for broker in range(self.BROKERS):
            self.cluster.await_live(broker)
        self.cluster["controller-100"].end()
        began = time.monotonic()
        odd = max(1, topics // 10)  # Topics for each of the two elections.
        self.stand_ins.ask(f"seed {topics} {partitions} {2 * odd}")
        self.emit("seeding", total / (time.monotonic() - began), "partitions/s")
        self.stand_ins.ask("reset")
        self.failovers(total)
        self.preferred_elections("controller-101", odd, odd * partitions)
        self.broker_loss("controller-101", total)

    def settled(self, name):
        return self.stand_ins.latest("roles_complete", "metadata_complete")

    def failover(self, what, name, cause, total):
        self.stand_ins.ask("reset")
        super().failover(what, name, cause, total)

    def preferred_elections(self, name, topics, count):
        what = f"preferred election of {count}"
        self.stand_ins.ask("reset")
        with self.admin(name) as api, self.zookeeper_rows(name, what, count):
            asked = time.time()
            api.elect_leaders([f"t{t:04}" for t in range(topics)])
            answered = time.time()
            self.emit(f"{what}: request sent -> last new leader acknowledged",
                      self.last_leader(count) - asked, "s")
            self.emit(f"{what}: request sent -> its answer", answered - asked, "s")
        self.stand_ins.ask("reset")
        asked, answered = self.elect_by_regentctl(name)
        self.emit(f"{what}: regentctl started -> last new leader acknowledged",
                  self.last_leader(count) - asked, "s")
        self.emit(f"{what}: regentctl started -> it has the answer", answered - asked, "s")

    def last_leader(self, count):
        eventually(lambda: self.stand_ins.total("leaders") == count, f"{count} new leaders",
                   PATIENCE)
        return self.stand_ins.latest("leader_last")

    def broker_loss(self, name, total):
        leaders, hosted = total // 5, total * 3 // 5
        what = f"broker lost, leads {leaders} and in {hosted} ISRs"
        self.stand_ins.ask("reset")
        with self.zookeeper_rows(name, what, hosted):
            self.stand_ins.ask("close 0")
            # Each partition that it hosted is told to the two that are left of its replicas.
            eventually(lambda: self.stand_ins.total("roles") >= 2 * hosted, "all have been told",
                       PATIENCE)
            seen = self.cluster[name].logged_at("broker down")
            self.emit(f"{what}: seen -> last new leader acknowledged",
                      self.stand_ins.latest("leader_last") - seen, "s")
            self.emit(f"{what}: seen -> last ISR written and acknowledged",
                      self.stand_ins.latest("role_last") - seen, "s")


class RealBench(Bench):
    """10,000 partitions on three real brokers."""

    def run(self, topics, partitions):
        total = topics * partitions
        self.cluster.controller(100).start()
        self.cluster.await_office()
        for broker in range(3):
            self.cluster.broker(broker, "--controller-eligible=false").start()
        for broker in range(3):
            self.cluster.await_live(broker)
        began = time.monotonic()
        for t in range(topics):
            self.cluster.ctl("topic", "create", f"t{t:04}", "--partitions", str(partitions),
                             "--replication-factor", "3", timeout="120s")
        self.await_quiet("controller-100", total)
        self.emit("create the topics, until acknowledged", time.monotonic() - began, "s")
        self.cluster["controller-100"].end()
        self.failovers(total)
        name = "controller-101"
        leaders = next(b["leaders"] for b in self.cluster.ctl("broker", "list")["brokers"]
                       if b["id"] == 0)
        with self.admin(name) as api:
            self.broker_loss(name, api, leaders, total)
            self.broker_return(name, api, "loss")
            what = f"preferred election of {leaders}"
            with self.zookeeper_rows(name, what, leaders):
                asked = time.time()
                api.elect_leaders()
                self.election_rows(api, f"{what}: request sent", "its answer", asked, time.time())
            self.cluster[0].end()
            api.moment(lambda s: s["under_replicated"] == total)
            self.broker_return(name, api, "controlled shutdown")
            self.election_rows(api, f"{what}: regentctl started", "it has the answer",
                               *self.elect_by_regentctl(name))

    def election_rows(self, api, since, answer, asked, answered):
        api.moment(lambda s: s["not_preferred"] == 0)
        done = api.moment(lambda s: s["unacknowledged"] == 0)
        self.emit(f"{since} -> all acknowledged, new leaders among them", done - asked, "s")
        self.emit(f"{since} -> {answer}", answered - asked, "s")

    def broker_loss(self, name, api, leaders, total):
        what = f"broker lost, leads {leaders} and in {total} ISRs"
        with self.zookeeper_rows(name, what, total):
            self.cluster[0].end(signal.SIGKILL)
            led = api.moment(lambda s: s["offline"] == 0 and s["not_preferred"] == leaders)
            written = api.moment(lambda s: s["under_replicated"] == total)
            told = api.moment(lambda s: s["unacknowledged"] == 0)
            seen = self.cluster[name].logged_at("broker down")
            self.emit(f"{what}: seen -> last new leader written", led - seen, "s")
            self.emit(f"{what}: seen -> last ISR written", written - seen, "s")
            self.emit(f"{what}: seen -> all acknowledged", told - seen, "s")

    def broker_return(self, name, api, after):
        self.cluster[0].start()
        whole = api.moment(lambda s: s["under_replicated"] == 0)
        self.emit(f"broker back after its {after}: seen -> all in sync",
                  whole - self.cluster[name].logged_at("broker up broker=0 "), "s")


def prepare(_options):
    """Runs where the network still is; returns why the benchmark cannot be had, or None."""
    return None


def run(directory, emit, options):
    """Emits rows (work, value, unit, conditions)."""
    topics, partitions = options.scale or (1000, 100)
    real = max(1, topics // 100), partitions * 10
    for kind, (t, p), brokers in ((StandInBench, (topics, partitions), "5 stand-in brokers"),
                                  (RealBench, real, "3 real brokers")):
        conditions = f"{brokers}, {t} x {p} partitions, RF 3"
        home = directory / kind.__name__
        home.mkdir()
        bench = kind(home, lambda work, value, unit, c=conditions: emit(work, value, unit, c))
        try:
            bench.run(t, p)
        finally:
            bench.close()
