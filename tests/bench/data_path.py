"""data-path: what records cost, from produce() to the delivery report, and what brokers need for it.

Three brokers, a ZooKeeper and the load (tests/bench/load) on this machine.
"""

import concurrent.futures
import contextlib
import pathlib
import shutil
import signal
import statistics
import subprocess
import time

import fetch
import judges
import produce
import regent_load
from harness import eventually
from page_cache import PageCache
from processes import POLL
from systems import BROKERS, PORT, Kafka, KafkaRaft, Regent

RECORD = 1024
SCALE = 600_000, 5_000  # Records of a run as fast as it goes; replicas that change their leader.
BACKLOG = 2 << 30  # Bytes that a follower lacks.
KEPT_IN_MEMORY = 64 << 20  # At the end of the backlog; more than a broker keeps of what it appended.
CATCH_UPS = 3  # Beside clients; the medians count.
READS = 5  # Of the backlog; the median counts.
WARM_UPS = 1  # Runs as fast as it goes before those that count.
RIVALS_WARM_UPS = 3  # For a machine that compiles while it runs.
RUNS = 3  # As fast as it goes; the medians count.
STEADY_RUNS = 3  # The medians count.
STEADY_SECONDS = 10
BESIDE_PER_SECOND = 500  # Records to each partition beside a follower that catches up.
# Asking a broker takes a processor for most of a millisecond: twenty times a second that would be the
# hundredth record, and more.
BESIDE_POLL = 0.5
BESIDE = f"--per-second={BESIDE_PER_SECOND}", "--linger-ms=0"
DISK_NEEDED = 40 << 30


class DataPath:
    def __init__(self, system, emit, scale, warm_ups, page_cache):
        self.system = system
        self.page_cache = page_cache
        self.emit = emit
        self.records, self.replicas = scale
        self.warm_ups = warm_ups

    def run(self):
        self.as_fast_as_it_goes("one", 1)
        self.as_fast_as_it_goes("sixteen", 16)
        self.steady(500, linger_ms=0)
        self.steady(10_000, linger_ms=5)
        self.emit("resident memory of the largest broker after this",
                  max(map(self.system.resident_mib, BROKERS)), "MiB")
        self.catch_up()
        self.read_files()
        self.new_leader()

    def load(self, topic, *flags):
        *_, produced = regent_load.run(topic, f"--sizes={RECORD}", "--acks=all", *flags)
        assert not produced["errors"], produced["errors"]
        return produced

    def as_fast_as_it_goes(self, topic, partitions):
        what = f"{partitions} partition{'s' * (partitions > 1)}, as fast as it goes, linger 5 ms"
        self.system.topic(topic, [_rotated(p) for p in range(partitions)])
        flags = (f"--partitions={partitions}", f"--records={self.records}", "--linger-ms=5")
        self.load(topic, *flags, f"--runs={self.warm_ups}")
        figures = []
        for _ in range(RUNS):
            before = self.system.cpu_seconds()
            produced = self.load(topic, *flags)
            cpu = self.system.cpu_seconds() - before
            figures.append((produced["mbPerSecond"], 1000 * cpu * 1e6 / produced["bytes"]))
        rates, costs = zip(*figures)
        self.emit(what, statistics.median(rates), "MB/s")
        self.emit(f"{what}: processor time of the three brokers", statistics.median(costs), "ms/MB")

    def steady(self, per_second, linger_ms):
        topic = f"steady-{per_second}"
        self.system.topic(topic, [_rotated(0)])
        flags = (f"--per-second={per_second}", f"--linger-ms={linger_ms}")
        self.load(topic, *flags, f"--records={2 * per_second}")
        latencies = [self.load(topic, *flags,
                               f"--records={STEADY_SECONDS * per_second}")["latencyMs"]
                     for _ in range(STEADY_RUNS)]
        for percentile in ("p50", "p99"):
            self.emit(f"{per_second:,} records/s, linger {linger_ms} ms: {percentile}",
                      statistics.median(run[percentile] for run in latencies), "ms")

    def catch_up(self):
        """A follower that has nothing gets 2 GiB of a partition, while two others of the same leader are
        written to, one of which it follows, too, and is soon in sync with; then once more, with nobody
        else at work."""
        system, follower = self.system, 2
        what = f"a follower lacks {BACKLOG >> 30} GiB"
        others = {"another partition": [0, 1], "another partition that it is in sync with": [0, 1, 2]}
        system.topic("backlog", [[0, 1, 2]])
        for number, replicas in enumerate(others.values()):
            system.topic(f"meanwhile-{number}", [replicas])
        self.stop(follower)
        self.load("backlog", f"--records={BACKLOG // RECORD}", "--linger-ms=5")
        rounds = [self.catch_up_beside_clients(follower, len(others)) for _ in range(CATCH_UPS)]
        seconds = statistics.median(seconds for seconds, _ in rounds)
        self.emit(f"{what}: its first bytes -> in sync", seconds, "s")
        self.emit(f"{what}: the same", BACKLOG / 1e6 / seconds, "MB/s")
        for when in rounds[0][1]:
            for number, name in enumerate(others):
                for percentile in ("p50", "p99"):
                    self.emit(f"{what}: {percentile} of {name}, {BESIDE_PER_SECOND} records/s, "
                              f"linger 0 ms, {when}",
                              statistics.median(latencies[when][number][percentile]
                                                for _, latencies in rounds), "ms")
        self.stop_and_empty(follower)
        self.emit(f"{what}: its first bytes -> in sync, with nobody else at work",
                  self.seconds_to_catch_up(follower), "s")
        self.emit(f"{what}: dd copies its leader's segments and syncs each",
                  self.seconds_to_copy(self.backlog_of(0)), "s")

    def stop(self, follower):
        self.system.processes[follower].end()
        self.system.await_partitions("backlog", 1, lambda leader, isr: isr == [0, 1], by=(0, 1))

    def stop_and_empty(self, follower):
        self.stop(follower)
        shutil.rmtree(self.backlog_of(follower))
        self.page_cache.fill()

    def catch_up_beside_clients(self, follower, topics):
        """Returns how long it takes, and {when: the latencies of each topic that is written to}."""
        self.stop_and_empty(follower)
        latencies = {"just before": self.latencies(topics)}
        loads = []
        try:
            for number in range(topics):
                loads.append(regent_load.Running(
                    f"meanwhile-{number}", f"--sizes={RECORD}", "--acks=all", *BESIDE))
            seconds = self.seconds_to_catch_up(follower, BESIDE_POLL)
            latencies["meanwhile"] = [load.stop()[0]["latencyMs"] for load in loads]
        finally:
            for load in loads:
                load.destroy()
        latencies["once all three are in sync"] = self.latencies(topics)
        return seconds, latencies

    def latencies(self, topics):
        """Of as many topics as are written to at a time."""
        records = BESIDE_PER_SECOND * STEADY_SECONDS
        with concurrent.futures.ThreadPoolExecutor() as pool:
            loads = pool.map(lambda number: self.load(f"meanwhile-{number}", *BESIDE,
                                                      f"--records={records}"),
                             range(topics))
        return [load["latencyMs"] for load in loads]

    def seconds_to_catch_up(self, follower, poll=POLL):
        """Starts the broker; counts from the first bytes that it gets until somebody, who asks every
        `poll` seconds, hears that it is in sync."""
        self.system.start_broker(follower)
        began = self.first_bytes(follower)
        self.system.await_partitions("backlog", 1, lambda leader, isr: isr == [0, 1, 2], poll=poll)
        return time.monotonic() - began

    def seconds_to_copy(self, log):
        copies = {segment: self.system.directory / segment.name for segment in log.glob("*.log")}
        began = time.monotonic()
        for segment, copy in copies.items():
            subprocess.run(["dd", f"if={segment}", f"of={copy}", "bs=128K", "conv=fdatasync"],
                           check=True, capture_output=True)
        seconds = time.monotonic() - began
        for copy in copies.values():
            copy.unlink()
        return seconds

    def backlog_of(self, broker):
        return self.system.directory / f"broker-{broker}" / "backlog-0"

    def read_files(self):
        """A consumer reads that backlog from its beginning, which no broker has in its own memory any
        more."""
        what = f"a consumer reads {BACKLOG >> 30} GiB from files"
        leader, wanted = 0, BACKLOG - KEPT_IN_MEMORY
        figures = []
        for _ in range(READS):
            before, began = self.system.cpu_seconds(leader), time.monotonic()
            taken = fetch.read(PORT + leader, "backlog", wanted)
            seconds, cpu = time.monotonic() - began, self.system.cpu_seconds(leader) - before
            figures.append((taken / 1e6 / seconds, 1000 * cpu * 1e6 / taken))
        rates, costs = zip(*figures)
        self.emit(what, statistics.median(rates), "MB/s")
        self.emit(f"{what}: processor time of the broker", statistics.median(costs), "ms/MB")

    def first_bytes(self, follower):
        """When the first bytes of the backlog were seen on the follower's disk."""
        home = self.backlog_of(follower)
        eventually(lambda: sum(p.stat().st_size for p in home.glob("*.log")) > 0,
                           "the follower follows")
        return time.monotonic()

    def new_leader(self):
        """A broker gets replicas, records in each, and becomes the leader of all of them at once."""
        system, successor = self.system, 1
        before = system.descriptors(successor)

        def seen(wanted, by):
            system.await_partitions("many", self.replicas, wanted, by)

        def create():
            system.create("many", [[0, 1]] * self.replicas, min_in_sync=1)
            seen(lambda leader, isr: leader == 0 and isr == [0, 1], BROKERS)

        def stop():
            system.processes[0].send(signal.SIGTERM)
            seen(lambda leader, isr: leader == successor, [successor])

        def write(leader):
            produce.to_each(PORT + leader, "many", self.replicas, RECORD)
        for what, act in (("made", create), ("the first record in each", lambda: write(0)),
                          ("led by another once their leader is told to stop", stop),
                          ("a record in each by the new leader", lambda: write(successor))):
            what = f"{self.replicas:,} replicas: {what}"
            syncs = system.syncs(successor)
            began = time.monotonic()
            act()
            self.emit(what, time.monotonic() - began, "s")
            self.emit(f"{what}: syncs", system.syncs(successor) - syncs, "")
        self.emit(f"{self.replicas:,} replicas: descriptors of their leader for them",
                  system.descriptors(successor) - before, "")


def _rotated(partition):
    return [(partition + r) % len(BROKERS) for r in BROKERS]


def measure(kind, directory, emit, scale, warm_ups, page_cache):
    """Returns {work: (value, unit)}, having emitted it."""
    values = {}
    conditions = f"{kind.name}, 3 brokers, RF 3, acks=all, records of 1 KiB"

    def note(work, value, unit):
        values[work] = value, unit
        emit(work, value, unit, conditions)
    home = directory / kind.__name__
    home.mkdir()
    system = kind(home)
    page_cache.fill()
    try:
        system.start()
        DataPath(system, note, scale, warm_ups, page_cache).run()
    finally:
        system.close()
    return values


def prepare(options):
    """Runs where the network still is; returns why the benchmark cannot be had, or None."""
    if not regent_load.PROGRAM.exists():
        return "regent-load was not built: librdkafka-dev is missing (deploy/install-packages)"
    return judges.fetch(judges.KAFKA) if options.rival else None


def run(directory, emit, options):
    """Emits rows (work, value, unit, conditions)."""
    if shutil.disk_usage(directory).free < DISK_NEEDED:
        raise SystemExit(f"{directory} has less than {DISK_NEEDED >> 30} GiB free: set TMPDIR")
    scale = options.scale or SCALE
    warm_ups = RIVALS_WARM_UPS if options.rival else WARM_UPS
    with contextlib.closing(PageCache(directory)) as page_cache:
        ours = measure(Regent, directory, emit, scale, warm_ups, page_cache)
        for kind in (Kafka, KafkaRaft) if options.rival else ():
            theirs = measure(kind, directory, emit, scale, warm_ups, page_cache)
            for work, (value, unit) in theirs.items():
                if value and unit:
                    emit(work, ours[work][0] / value, "times", f"Regent against {kind.name}")
