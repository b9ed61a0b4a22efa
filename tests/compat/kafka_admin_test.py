"""Kafka's admin tools judge what a cluster can be told: 3.9's over the client port, 2.8.2's over the
znodes."""

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

BROKERS = "127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094"
ZOOKEEPER = "127.0.0.1:2181"
ALL = [0, 1, 2]
TOPICS = "org.apache.kafka.tools.TopicCommand"
CONFIGS = "kafka.admin.ConfigCommand"
ELECTION = "org.apache.kafka.tools.LeaderElectionCommand"


class AdminTest(ClusterTest):
    version = judges.KAFKA
    where = ("--bootstrap-server", BROKERS)

    def setUp(self):
        super().setUp()
        self.cluster.start_brokers()

    def run_kafka(self, program, *arguments):
        """Returns (exit code, everything that it said)."""
        done = subprocess.run(judges.java(self.version, program, *self.where, *arguments),
                              capture_output=True, text=True, check=False, timeout=120)
        return done.returncode, done.stdout + done.stderr

    def kafka(self, program, *arguments):
        """Likewise, of one that must succeed."""
        code, said = self.run_kafka(program, *arguments)
        self.assertEqual(code, 0, said[-3000:])
        return said

    def refused(self, program, *arguments):
        """Likewise, of one that must fail; returns what it said."""
        code, said = self.run_kafka(program, *arguments)
        self.assertNotEqual(code, 0, said[-3000:])
        return said

    def topics(self, *names):
        eventually(lambda: [t["name"] for t in self.cluster.ctl("topic", "list")["topics"]]
                   == sorted(names), f"the topics are {sorted(names)}")

    def described(self, topic):
        """{partition: (leader, replicas, ISR)} as Kafka's describe prints it, and its configs."""
        said = self.kafka(TOPICS, "--describe", "--topic", topic)
        rows = re.findall(
            r"Partition: (\d+)\s+Leader: (\w+)\s+Replicas: ([\d,]+)\s+Isr: ([\d,]+)", said)
        configs = re.search(r"Configs: (\S*)", said)[1]
        return ({int(p): (int(leader), [int(r) for r in replicas.split(",")],
                          sorted(map(int, isr.split(","))))
                 for p, leader, replicas, isr in rows},
                set(filter(None, configs.split(","))))

    def assert_described_alike(self, topic):
        ours = {p["partition"]: (p["leader"], p["replicas"], sorted(p["isr"]))
                for p in self.cluster.partitions(topic)}
        self.assertEqual(self.described(topic)[0], ours)


@unittest.skipUnless(judges.jars(judges.KAFKA).is_dir(),
                     f"the jars are not there: tests/compat/judges.py {judges.KAFKA}")
class KafkaAdmin(AdminTest):
    def test_kafka_topics_creates_lists_describes_and_deletes(self):
        self.kafka(TOPICS, "--create", "--topic", "t", "--replica-assignment", "0:1:2,1:2:0",
                   "--config", "min.insync.replicas=2", "--config", "retention.ms=60000")
        self.kafka(TOPICS, "--create", "--topic", "u", "--partitions", "4",
                   "--replication-factor", "2")
        self.topics("t", "u")
        self.cluster.await_rows("t", [(0, ALL), (1, ALL)])
        self.assertEqual(self.kafka(TOPICS, "--list").split(), ["t", "u"])
        self.assert_described_alike("t")
        self.assertEqual(self.described("t")[1],
                         {"min.insync.replicas=2", "retention.ms=60000"})
        self.assertEqual(len(self.cluster.partitions("u")), 4)
        self.kafka(TOPICS, "--delete", "--topic", "u")
        self.topics("t")
        eventually(lambda: not any(name.startswith("u-") for b in ALL
                                   for name in self.cluster.replica_directories(b)
                                   if not name.endswith("-delete")), "the replicas are gone")

    def test_kafka_topics_is_refused_with_a_reason(self):
        self.cluster.ctl("topic", "create", "t", "--partitions", "2", "--replication-factor", "3")
        for reason, *command in (
                ("already exists", "--create", "--topic", "t", "--partitions", "1"),
                ("(?i)replication.?factor", "--create", "--topic", "many", "--partitions", "1",
                 "--replication-factor", "4"),
                ("(?i)does not exist", "--delete", "--topic", "nowhere"),
                ("(?i)partitions", "--alter", "--topic", "t", "--partitions", "1")):
            with self.subTest(command):
                self.assertRegex(self.refused(TOPICS, *command), reason)
        self.topics("t")
        self.assertEqual(len(self.cluster.partitions("t")), 2)

    def test_kafka_topics_adds_partitions(self):
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "0:1:2")
        self.kafka(TOPICS, "--alter", "--topic", "t", "--partitions", "3",
                   "--replica-assignment", "0:1:2,1:2:0,2:0:1")
        self.cluster.await_rows("t", [(0, ALL), (1, ALL), (2, ALL)])
        self.kafka(TOPICS, "--alter", "--topic", "t", "--partitions", "5")
        eventually(lambda: len(self.cluster.partitions("t") or []) == 5, "there are five")
        self.assert_described_alike("t")

    def test_kafka_configs_alters_and_describes(self):
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "0:1:2", "--config",
                         "retention.ms=60000")
        entity = ("--entity-type", "topics", "--entity-name", "t")
        self.kafka(CONFIGS, *entity, "--alter", "--add-config",
                   "min.insync.replicas=2,segment.bytes=1000000", "--delete-config",
                   "retention.ms")

        def own():
            said = self.kafka(CONFIGS, *entity, "--describe")
            return set(re.findall(r"^ +([a-z.]+=\S*) ", said, re.MULTILINE))
        eventually(lambda: own() == {"min.insync.replicas=2", "segment.bytes=1000000"},
                   "the settings are told")
        said = self.kafka(CONFIGS, *entity, "--describe", "--all")
        for setting in ("retention.ms=604800000", "segment.bytes=1000000",
                        "cleanup.policy=delete"):
            self.assertRegex(said, rf"(?m)^ +{re.escape(setting)} ")
        topic = self.cluster.ctl("topic", "describe", "t")["topics"][0]
        self.assertEqual(topic["minInsyncReplicas"], 2)
        self.assertRegex(self.refused(CONFIGS, *entity, "--alter", "--add-config",
                                      "segment.bytes=few"), "segment.bytes")

    def test_kafka_leader_election_gives_the_preferred_replicas_the_lead_back(self):
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "1:0:2,2:1:0")
        self.cluster.await_rows("t", [(1, ALL), (2, ALL)])
        self.cluster[1].end()
        self.cluster.await_rows("t", [(0, [0, 2]), (2, [0, 2])])
        self.cluster[1].start()
        self.cluster.await_rows("t", [(0, ALL), (2, ALL)])
        self.kafka(ELECTION, "--election-type", "preferred", "--topic", "t", "--partition", "0")
        self.cluster.await_rows("t", [(1, ALL), (2, ALL)])
        # Again: there is nothing to do, and that is no failure.
        self.kafka(ELECTION, "--election-type", "preferred", "--all-topic-partitions")


@unittest.skipUnless(judges.jars(judges.OLD_KAFKA).is_dir(),
                     f"the jars are not there: tests/compat/judges.py {judges.OLD_KAFKA}")
class KafkaAdminOverZooKeeper(AdminTest):
    version = judges.OLD_KAFKA
    where = ("--zookeeper", ZOOKEEPER)

    def test_kafka_topics_adds_partitions_that_the_controller_adopts(self):
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "0:1:2")
        self.cluster.await_rows("t", [(0, ALL)])
        self.kafka("kafka.admin.TopicCommand", "--alter", "--topic", "t", "--partitions", "3",
                   "--replica-assignment", "0:1:2,1:2:0,2:0:1")
        self.cluster.await_rows("t", [(0, ALL), (1, ALL), (2, ALL)])

    def test_kafka_configs_alters_what_the_controller_obeys(self):
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "0:1:2")
        self.kafka(CONFIGS, "--entity-type", "topics", "--entity-name", "t", "--alter",
                   "--add-config", "min.insync.replicas=2")
        eventually(lambda: self.cluster.ctl("topic", "describe", "t")["topics"][0]
                   ["minInsyncReplicas"] == 2, "the setting is obeyed")

    def test_kafka_topics_deletes_what_the_controller_removes(self):
        for topic in ("t", "u"):
            self.cluster.ctl("topic", "create", topic, "--replica-assignment", "0:1:2")
        self.kafka("kafka.admin.TopicCommand", "--delete", "--topic", "u")
        self.topics("t")


if __name__ == "__main__":
    harness.main()
