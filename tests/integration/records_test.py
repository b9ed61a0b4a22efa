"""Records through real processes: what was acknowledged is there, once, in order, on every replica."""

import os
import pathlib
import shutil
import signal
import time

import harness
from harness import ClusterTest, eventually
from record_load import Load, read_all

ALL = [0, 1, 2]
# At least one round of stops; for so many seconds if somebody asks for the long run.
LASTS = 300 if os.environ.get("REGENT_LONG") else 0


class RecordsTest(ClusterTest):
    def log_bytes(self, broker, partition, topic="t"):
        home = self.directory / f"broker-{broker}" / f"{topic}-{partition}"
        return b"".join(p.read_bytes() for p in sorted(home.glob("*.log")))

    def await_in_sync(self):
        eventually(lambda: all(sorted(p["isr"]) == ALL and p["leader"] >= 0
                               for p in self.cluster.partitions("t") or [{"isr": []}]),
                   "every replica is in sync")

    def stop_in_every_way(self, victim, load):
        """Ends a broker again and again, and has it back in sync each time; yields how often."""
        broker = self.cluster[victim]
        for number in (signal.SIGKILL, signal.SIGTERM):
            load.await_progress()
            broker.end(number)
            load.await_progress()
            broker.start()
            self.await_in_sync()
        # Another life within the session of the first: nobody sees it gone.
        load.await_progress()
        broker.end(signal.SIGKILL)
        broker.start()
        load.await_progress()
        self.cluster.await_live(victim)
        self.await_in_sync()
        return 3

    def outlive_the_stops_of_every_broker(self, assignment):
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", ",".join(assignment),
                         "--config", "min.insync.replicas=2")
        self.await_in_sync()
        load = Load("t", len(assignment))
        stops = 0
        end = time.monotonic() + LASTS
        try:
            while stops == 0 or time.monotonic() < end:
                for victim in ALL:
                    stops += self.stop_in_every_way(victim, load)
        finally:
            load.stop()
        print(f"{stops} stops, {sum(map(len, load.acknowledged.values()))} records acknowledged")
        self.assertEqual(load.failed, [])
        self.assertGreater(load.count(), 0)
        found = read_all("t", len(assignment))
        for partition, acknowledged in load.acknowledged.items():
            self.assertEqual(sorted(set(acknowledged) - set(found[partition])), [], "lost")
            self.assertEqual(found[partition], sorted(set(found[partition])),
                             "doubled, or out of order")
        for partition in load.acknowledged:
            eventually(lambda p=partition: len({self.log_bytes(b, p) for b in ALL}) == 1,
                       f"the replicas of partition {partition} are equal to the byte")


class Records(RecordsTest):
    def setUp(self):
        super().setUp()
        self.cluster.start_brokers()

    def test_outlive_the_stops_of_every_broker_once_and_in_order(self):
        self.outlive_the_stops_of_every_broker(["1:0:2", "2:1:0", "0:2:1"])

    def test_of_the_last_in_sync_replica_that_has_lost_its_files_cost_nobody_else_theirs(self):
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "0:1:2")
        self.await_in_sync()
        load = Load("t", 1)
        eventually(lambda: load.count() > 100, "there are records")
        for broker in (2, 1):
            self.cluster[broker].end(signal.SIGKILL)
        self.cluster.await_rows("t", [(0, [0])])
        load.await_progress()
        self.cluster[0].end(signal.SIGKILL)
        load.stop_asked.set()
        before = {b: self.log_bytes(b, 0) for b in (1, 2)}
        shutil.rmtree(self.directory / "broker-0" / "t-0")
        for broker in ALL:
            self.cluster[broker].start()
        for broker in ALL:
            self.cluster.await_live(broker)

        def says_why():
            partitions = self.cluster.partitions("t")
            return (partitions and partitions[0]["leader"] == -1
                    and "missing" in str(partitions[0]))
        eventually(says_why, "the partition is offline and says why")
        self.assertEqual({b: self.log_bytes(b, 0) for b in (1, 2)}, before, "R10")
        load.producer.purge()
        load.stop()



class RecordsOverShards(RecordsTest):
    def setUp(self):
        super().setUp()
        for broker in ALL:
            self.start_with(broker, shards=broker + 1)

    def start_with(self, broker, shards):
        self.cluster.broker(broker, f"--shards={shards}").start()
        self.cluster.await_live(broker)

    def test_outlive_the_stops_of_brokers_with_different_numbers_of_them(self):
        self.outlive_the_stops_of_every_broker(["1:0:2", "2:1:0", "0:2:1"] * 3)

    def test_are_there_when_a_broker_comes_back_with_another_number_of_them(self):
        self.cluster.ctl("topic", "create", "t", "--replica-assignment",
                         ",".join(["0"] * 4), "--config", "min.insync.replicas=1")
        load = Load("t", 4)
        try:
            for shards, number in ((4, signal.SIGTERM), (1, signal.SIGKILL), (3, signal.SIGTERM)):
                load.await_progress()
                self.cluster[0].end(number)
                self.start_with(0, shards)
            load.await_progress()
        finally:
            load.stop()
        self.assertEqual(load.failed, [])
        found = read_all("t", 4)
        for partition, acknowledged in load.acknowledged.items():
            self.assertEqual(found[partition], sorted(set(acknowledged)))


if __name__ == "__main__":
    harness.main()
