"""Machines that crash, on real processes: who may have lost the end of a log does not lead (R11).

No machine is crashed: a broker that is killed and finds another boot id when it starts takes its
replicas for what a crash would have left.
"""

import signal

import harness
from harness import ClusterTest, eventually


class Suspects(ClusterTest):
    """Broker 2 hosts nothing: it is the controller while the others are away."""

    def setUp(self):
        super().setUp()
        self.boots = {}
        for broker in (2, 0, 1):
            self.boots[broker] = 1
            self.write_boot(broker)
            self.cluster.broker(broker, f"--boot-id-file={self.boot_file(broker)}").start()
            self.cluster.await_live(broker)
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "0:1")
        self.cluster.await_rows("t", [(0, [0, 1])])

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

    def test_if_they_are_all_that_is_left_the_partition_waits_for_an_operator(self):
        self.kill(1, machine=True)
        self.cluster.await_rows("t", [(0, [0])])
        self.kill(0, machine=True)
        self.cluster.await_rows("t", [(-1, [0])])
        for broker in (0, 1):
            self.cluster[broker].start()
            self.cluster.await_live(broker)
        self.await_explanation("broker 0 (suspect")
        self.assertIn("leader elect --unclean --partition t:0", self.described()["explanation"])
        self.assertEqual(self.described()["leader"], -1)
        self.assertEqual(self.suspects(0), 1)
        # A clean restart changes nothing about what may be lost.
        self.cluster[0].end(signal.SIGTERM)
        self.cluster[0].start()
        self.cluster.await_live(0)
        self.await_explanation("broker 0 (suspect")
        self.cluster.ctl("leader", "elect", "--unclean", "--partition", "t:0")
        self.cluster.await_rows("t", [(0, [0, 1])])
        eventually(lambda: self.suspects(0) == 0 and self.suspects(1) == 0, "nobody is suspect")

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


if __name__ == "__main__":
    harness.main()
