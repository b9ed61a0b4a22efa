"""Kafka's own programs judge the znodes: 2.8.2's tools on our cluster."""

import pathlib
import re
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import harness  # noqa: E402
import judges  # noqa: E402
from harness import ClusterTest, eventually  # noqa: E402

ZOOKEEPER = "127.0.0.1:2181"


@unittest.skipUnless(judges.jars(judges.OLD_KAFKA).is_dir(),
                     "the jars are not there: tests/compat/judges.py 2.8.2")
class KafkaTools(ClusterTest):
    def setUp(self):
        super().setUp()
        self.cluster.start_brokers()

    def kafka(self, program, *arguments):
        done = subprocess.run(
            judges.java(judges.OLD_KAFKA, f"kafka.admin.{program}", "--zookeeper", ZOOKEEPER,
                        *arguments), capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def described_by_kafka(self, topic):
        """{partition: (leader, replicas, ISR as a set)} as Kafka's describe prints it."""
        text = self.kafka("TopicCommand", "--describe", "--topic", topic)
        rows = re.findall(
            r"Partition: (\d+)\s+Leader: (\w+)\s+Replicas: ([\d,]+)\s+Isr: ([\d,]+)", text)
        return {int(p): (int(leader) if leader.isdigit() else -1,
                         [int(r) for r in replicas.split(",")],
                         sorted(int(i) for i in isr.split(",")))
                for p, leader, replicas, isr in rows}

    def described_by_us(self, topic):
        return {p["partition"]: (p["leader"], p["replicas"], sorted(p["isr"]))
                for p in self.cluster.partitions(topic)}

    def test_kafka_topics_describes_what_regentctl_describes(self):
        self.cluster.ctl("topic", "create", "ours", "--replica-assignment", "1:0:2,2:1:0,0:2:1")
        self.cluster[0].end()
        eventually(lambda: all(p["leader"] != 0 and 0 not in p["isr"]
                               for p in self.cluster.partitions("ours") or [{"leader": 0}]),
                   "broker 0 has left")
        self.assertEqual(self.described_by_kafka("ours"), self.described_by_us("ours"))

    def test_kafka_topics_creates_and_lists_topics_that_the_controller_adopts(self):
        self.kafka("TopicCommand", "--create", "--topic", "theirs", "--replica-assignment",
                   "0:1,1:2,2:0", "--config", "min.insync.replicas=2")
        self.cluster.await_rows("theirs", [(0, [0, 1]), (1, [1, 2]), (2, [0, 2])])
        self.assertEqual(self.described_by_kafka("theirs"), self.described_by_us("theirs"))
        self.cluster.ctl("topic", "create", "ours", "--partitions", "2", "--replication-factor",
                         "3")
        self.assertEqual(self.kafka("TopicCommand", "--list").split(), ["ours", "theirs"])
        topic = self.cluster.ctl("topic", "describe", "theirs")["topics"][0]
        self.assertEqual(topic["minInsyncReplicas"], 2)

    def test_kafka_preferred_election_tool_moves_leaders_and_its_node_goes(self):
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "1:0:2,2:1:0")
        self.cluster.await_rows("t", [(1, [0, 1, 2]), (2, [0, 1, 2])])
        self.cluster[1].end()
        self.cluster.await_rows("t", [(0, [0, 2]), (2, [0, 2])])
        self.cluster[1].start()
        self.cluster.await_rows("t", [(0, [0, 1, 2]), (2, [0, 1, 2])])
        self.kafka("PreferredReplicaLeaderElectionCommand")
        self.cluster.await_rows("t", [(1, [0, 1, 2]), (2, [0, 1, 2])])
        eventually(lambda: "preferred_replica_election" not in self.zk_cli("ls", "/admin"),
                   "the request's node is gone")


if __name__ == "__main__":
    harness.main()
