"""Sessions that expire, an ensemble that goes away, processes that stop in their tracks."""

import signal
import time

import harness
from harness import ClusterTest, eventually

ASSIGNMENT = "1:0:2,2:1:0,0:2:1"
ALL = [(1, [0, 1, 2]), (2, [0, 1, 2]), (0, [0, 1, 2])]


class Outage(ClusterTest):
    def three_brokers(self):
        self.cluster.start_brokers()
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", ASSIGNMENT)
        return self.cluster.await_rows("t", ALL)

    def all_in_sync(self):
        found = self.cluster.partitions("t")
        return found and all(sorted(p["isr"]) == [0, 1, 2] for p in found)

    def test_zookeeper_gone_for_three_session_timeouts_changes_nothing(self):
        self.three_brokers()
        before = eventually(lambda: self.cluster.standing("t"), "t can be described")
        office = self.cluster.office()
        self.zookeeper.end(signal.SIGKILL)
        with_metrics = "regent_controller_active"
        name = f"broker-{office[0]}"
        eventually(lambda: self.cluster.metric(name, with_metrics) == 0,
                   "the controller fences itself")
        # The outage's length is what is tested: three session timeouts.
        deadline = time.monotonic() + 3 * harness.SESSION_MS / 1000
        eventually(lambda: time.monotonic() > deadline, "three session timeouts")
        self.zookeeper.start().await_serving()
        self.assertEqual(self.cluster.await_office(), office)
        self.cluster.assert_outlived("t", before)
        self.assertEqual(self.cluster.await_office(), office)

    def test_a_broker_whose_session_expires_steps_down_and_comes_back_in_the_same_life(self):
        self.three_brokers()
        office = self.cluster.office()
        victim = next(b for b in (0, 1, 2) if b != office[0])
        self.cluster[victim].pause()
        eventually(lambda: all(p["leader"] != victim and victim not in p["isr"]
                               for p in self.cluster.partitions("t") or [{"leader": victim}]),
                   "the others lead")
        self.cluster[victim].resume()
        eventually(self.all_in_sync, "it is in sync again")
        self.assertTrue(self.cluster[victim].running())
        self.assertEqual(self.cluster.office(), office)

    def test_a_controller_whose_session_expires_is_succeeded_and_rejoins(self):
        self.three_brokers()
        old = self.cluster.office()
        self.cluster[old[0]].pause()
        other = next(f"broker-{b}" for b in (0, 1, 2) if b != old[0])

        def successor():
            code, answer = self.cluster.run_ctl("controller", "status", timeout="2s", at=other)
            return code == 0 and answer["controller"]["epoch"] == old[1] + 1
        eventually(successor, "another is the controller")
        self.cluster[old[0]].resume()
        eventually(self.all_in_sync, "the old one's broker is in sync again")
        office = self.cluster.office()
        self.assertEqual(office[1], old[1] + 1)
        self.assertNotEqual(office[0], old[0])

    def test_a_broker_back_before_its_old_session_has_expired_is_another_life(self):
        before = self.three_brokers()
        office = self.cluster.office()
        victim = next(b for b in (0, 1, 2) if b != office[0])
        led = next(i for i, p in enumerate(before) if p["leader"] == victim)
        self.cluster[victim].end(signal.SIGKILL)
        self.cluster[victim].start()
        eventually(lambda: (self.cluster.partitions("t") or before)[led]["leader"] != victim,
                   "another leads what it led")
        eventually(self.all_in_sync, "it is in sync again")
        after = self.cluster.partitions("t")[led]
        self.assertNotEqual(after["leader"], victim)
        self.assertEqual(after["leaderEpoch"], before[led]["leaderEpoch"] + 1)

    def test_two_brokers_with_one_id_the_second_waits_and_names_the_holder(self):
        self.cluster.start_brokers(1)
        twin = harness.Process(
            "twin",
            [harness.PROGRAMS["regent-broker"], "--id=0", "--zookeeper=127.0.0.1:2181",
             f"--data-dir={self.directory / 'twin'}",
             "--listen=PLAINTEXT://127.0.0.1:9099,REGENT://127.0.0.1:9199",
             f"--zookeeper-session-timeout-ms={harness.SESSION_MS}"],
            self.directory)
        self.own(twin).start()
        self.assertNotEqual(twin.wait(), 0)
        self.assertIn("127.0.0.1:9192", twin.text())
        self.assertTrue(self.cluster[0].running())
        self.cluster.await_live(0)


if __name__ == "__main__":
    harness.main()
