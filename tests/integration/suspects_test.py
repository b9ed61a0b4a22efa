"""Machines that crash, on real processes: who may have lost the end of a log does not lead (R11).

No machine is crashed: a broker that is killed and finds another boot id when it starts takes its
replicas for what a crash would have left.
"""

import signal

import harness
from harness import ClusterTest, eventually
from record_load import Load, read_all


class Machines(ClusterTest):
    """Brokers on machines that have boot ids of their own."""

    def setUp(self):
        super().setUp()
        self.boots = {}
        for broker in (2, 0, 1):
            self.boots[broker] = 1
            self.write_boot(broker)
            self.cluster.broker(broker, f"--boot-id-file={self.boot_file(broker)}").start()
            self.cluster.await_live(broker)

    def boot_file(self, broker):
        return self.directory / f"boot-{broker}"

    def write_boot(self, broker):
        self.boot_file(broker).write_text(f"boot-{self.boots[broker]}\n")

    def kill(self, *brokers, machine):
        for broker in brokers:
            self.cluster[broker].end(signal.SIGKILL)
            if machine:
                self.boots[broker] += 1
                self.write_boot(broker)

    def described(self):
        return self.cluster.partitions("t")[0]

    def suspects(self, broker):
        return self.cluster.metric(f"broker-{broker}", "regent_broker_suspect_replicas")

    def await_explanation(self, text):
        eventually(lambda: (found := self.cluster.partitions("t")) and text in
                   found[0]["explanation"], f"the explanation speaks of: {text}")


class Suspects(Machines):
    """Broker 2 hosts nothing: it is the controller while the others are away."""

    def setUp(self):
        super().setUp()
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "0:1",
                         "--config", "min.insync.replicas=2")
        self.cluster.await_rows("t", [(0, [0, 1])])

    def test_while_another_one_is_away_the_partition_waits_for_it_or_an_operator(self):
        self.kill(1, machine=True)
        self.cluster.await_rows("t", [(0, [0])])
        self.assertEqual(self.described()["elr"], [1])
        self.kill(0, machine=True)
        self.cluster.await_rows("t", [(-1, [0])])
        self.cluster[0].start()
        self.cluster.await_live(0)
        self.await_explanation("broker 0 (suspect")
        self.assertIn("broker 1 (not registered)", self.described()["explanation"])
        self.assertIn("leader elect --unclean --partition t:0", self.described()["explanation"])
        self.assertEqual(self.described()["leader"], -1)
        self.assertEqual(self.suspects(0), 1)
        # A clean restart changes nothing about what may be lost.
        self.cluster[0].end(signal.SIGTERM)
        self.cluster[0].start()
        self.cluster.await_live(0)
        self.await_explanation("broker 0 (suspect")
        self.cluster.ctl("leader", "elect", "--unclean", "--partition", "t:0")
        self.cluster[1].start()
        self.cluster.await_rows("t", [(0, [0, 1])])
        eventually(lambda: self.suspects(0) == 0 and self.suspects(1) == 0, "nobody is suspect")

    def test_an_eligible_one_leads_without_the_isr(self):
        self.kill(1, machine=False)
        self.cluster.await_rows("t", [(0, [0])])
        self.kill(0, machine=True)
        self.cluster.await_rows("t", [(-1, [0])])
        self.cluster[1].start()
        self.cluster.await_rows("t", [(1, [1])])
        self.assertEqual(self.described()["elr"], [0])
        self.cluster[0].start()
        self.cluster.await_rows("t", [(1, [0, 1])])
        self.assertNotIn("elr", self.described())

    def test_one_that_has_caught_up_is_as_good_as_any_other(self):
        self.kill(0, machine=True)
        self.cluster.await_rows("t", [(1, [1])])
        self.cluster[0].start()
        self.cluster.await_rows("t", [(1, [0, 1])])
        eventually(lambda: self.suspects(0) == 0, "broker 0 is not suspect any more")
        self.kill(1, machine=False)
        self.cluster.await_rows("t", [(0, [0])])

    def test_an_intact_member_goes_before_it(self):
        self.kill(2, machine=False)  # Nobody notes who dies first.
        self.kill(1, machine=False)
        self.kill(0, machine=True)
        zk = self.zk_client()
        eventually(lambda: zk.get_children("/brokers/ids") == [], "every session has expired")
        self.cluster[0].start()
        self.await_explanation("broker 0 (suspect")
        self.cluster[1].start()
        self.cluster.await_rows("t", [(1, [0, 1])])
        eventually(lambda: self.suspects(0) == 0, "broker 0 is not suspect any more")

    def test_killed_in_the_same_boot_nobody_is_suspect(self):
        self.kill(2, 0, 1, machine=False)
        for broker in (2, 0, 1):
            self.cluster[broker].start()
        eventually(lambda: (found := self.cluster.partitions("t")) and found[0]["leader"] >= 0 and
                   sorted(found[0]["isr"]) == [0, 1], "both are in sync again")
        self.assertEqual((self.suspects(0), self.suspects(1)), (0, 0))


class Recovery(Machines):
    def recoveries(self):
        return sum(self.cluster.metric(f"broker-{broker}", "regent_controller_elections_total",
                                       type="recovery") or 0 for broker in (0, 1, 2))

    def logged(self, text):
        return any(text in log.read_text(errors="replace")
                   for log in self.directory.glob("broker-*.log"))

    def test_after_the_crash_of_every_machine_the_partition_leads_itself_and_says_so(self):
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "0:1:2",
                         "--config", "min.insync.replicas=2", "--config", "flush.messages=1")
        self.cluster.await_rows("t", [(0, [0, 1, 2])])
        load = Load("t", 1)
        eventually(lambda: load.count() > 100, "there are records")
        # One after the other, so that it is certain who counts: the last of the ISR, and who left it last.
        self.kill(1, machine=True)
        self.cluster.await_rows("t", [(0, [0, 2])])
        self.kill(2, machine=True)
        self.cluster.await_rows("t", [(0, [0])])
        self.kill(0, machine=True)
        for broker in (1, 2):
            self.cluster[broker].start()
        for broker in (1, 2):
            self.cluster.await_live(broker)
        self.await_explanation("broker 0 (not registered)")
        self.assertEqual(self.described()["leader"], -1)
        self.cluster[0].start()
        eventually(lambda: (found := self.cluster.partitions("t")) and
                   sorted(found[0]["isr"]) == [0, 1, 2] and found[0]["leader"] >= 0,
                   "somebody leads, and the others have caught up")
        load.await_progress()
        load.stop()
        self.assertEqual(load.failed, [])
        found = read_all("t", 1)
        self.assertEqual(sorted(set(load.acknowledged[0]) - set(found[0])), [], "lost")
        eventually(lambda: self.recoveries() == 1, "the recovery is counted")
        self.assertTrue(self.logged("recovery partition=t-0 leader="))
        eventually(lambda: [self.suspects(broker) for broker in (0, 1, 2)] == [0, 0, 0],
                   "nobody is suspect any more")


if __name__ == "__main__":
    harness.main()
