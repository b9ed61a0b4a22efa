"""A disk that is full, under real processes: the others lead, and the broker lives."""

import os
import pathlib
import signal
import subprocess
import tempfile

import harness
from harness import ClusterTest, eventually
from record_load import Load, read_all

MIB = 1 << 20
DISK = 64 * MIB
LEFT = 4 * MIB  # For the records, until the disk is full.


class FailedDisk(ClusterTest):
    """The data directory of broker 0 lies on a small disk of its own."""

    def setUp(self):
        super().setUp()
        disk = pathlib.Path(tempfile.mkdtemp(prefix="regent-disk-"))
        self.addCleanup(os.rmdir, disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", disk], check=True)
        self.ballast = disk / "ballast"
        self.homes = {0: disk / "data", 1: self.directory / "broker-1",
                      2: self.directory / "broker-2"}
        for broker, home in self.homes.items():
            self.cluster.broker(broker, directory=home).start()
        for broker in self.homes:
            self.cluster.await_live(broker)

    def fill_disk(self):
        with open(self.ballast, "wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, DISK - LEFT)

    def log_bytes(self, broker, partition):
        home = self.homes[broker] / f"t-{partition}"
        return b"".join(p.read_bytes() for p in sorted(home.glob("*.log")))

    def restart_with_room(self):
        self.ballast.unlink()
        self.cluster[0].end(signal.SIGTERM)
        self.cluster[0].start()

    def assert_all_there(self, load):
        self.assertEqual(load.failed, [])
        every = read_all("t", len(load.acknowledged))
        for partition, acknowledged in load.acknowledged.items():
            found = every[partition]
            self.assertEqual(sorted(set(acknowledged) - set(found)), [], "lost")
            self.assertEqual(found, sorted(set(found)), "doubled, or out of order")

    def test_that_is_full_costs_the_broker_its_replicas_and_nobody_a_record(self):
        # Broker 0 leads the first partition and follows in the second.
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "0:1:2,1:0:2",
                         "--config", "min.insync.replicas=2")
        self.cluster.await_rows("t", [(0, [0, 1, 2]), (1, [0, 1, 2])])
        self.fill_disk()
        load = Load("t", 2, digits=2000)
        try:
            described = self.cluster.await_rows("t", [(1, [1, 2]), (1, [1, 2])])
            load.await_progress()
            self.assertTrue(self.cluster[0].running())
            for partition in described:
                self.assertEqual([out["broker"] for out in partition["outOfSync"]], [0])
                self.assertRegex(partition["outOfSync"][0]["reason"],
                                 "storage error .*No space left on device")
            one = self.cluster.ctl("partition", "describe", "t", "0")
            self.assertEqual([out["broker"] for out in one["outOfSync"]], [0])
            self.assertRegex(one["outOfSync"][0]["reason"],
                             "storage error .*No space left on device")
            _, status = self.cluster.run_ctl("cluster", "status")
            self.assertRegex("\n".join(status["problems"]),
                             "/brokers/ids/0: cannot use 2 of its replicas: storage error")
            eventually(lambda: self.cluster.metric("broker-0", "regent_broker_offline_replicas") == 2,
                       "the broker counts both")
            self.restart_with_room()
            self.cluster.await_rows("t", [(1, [0, 1, 2]), (1, [0, 1, 2])])
            load.await_progress()
        finally:
            load.stop()
        self.assert_all_there(load)
        for partition in (0, 1):
            eventually(lambda p=partition: len({self.log_bytes(b, p) for b in self.homes}) == 1,
                       f"the replicas of partition {partition} are equal to the byte")
        self.assertEqual(self.cluster.ctl("cluster", "status")["problems"], [])

    def test_under_the_last_member_of_an_isr_leaves_nobody_to_lead_until_there_is_room(self):
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "0")
        self.cluster.await_rows("t", [(0, [0])])
        self.fill_disk()
        load = Load("t", 1, digits=2000)
        try:
            described = self.cluster.await_rows("t", [(-1, [0])])
            self.assertRegex(described[0]["explanation"],
                             "waiting for broker 0 .*storage error .*No space left on device")
            one = self.cluster.ctl("partition", "describe", "t", "0")
            self.assertRegex(one["explanation"], "broker 0 .*storage error .*No space left on device")
            self.assertTrue(self.cluster[0].running())
            self.restart_with_room()
            self.cluster.await_rows("t", [(0, [0])])
            load.await_progress()
        finally:
            load.stop()
        self.assert_all_there(load)


if __name__ == "__main__":
    harness.main()
