"""Kafka's own programs judge the znodes: 2.8.2's tools on our cluster, zkCli on every node.

The jars come from Maven. Where `mvn` is missing or cannot get them the test is skipped (exit 77),
and the closing line of tests/run counts it so.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import harness  # noqa: E402
from harness import ClusterTest, eventually  # noqa: E402

JARS = harness.BUILD / "judges" / "kafka-2.8.2"
SKIPPED = 77
ZOOKEEPER = "127.0.0.1:2181"


def fetch():
    """Gets the jars once; returns why they are not there, or None."""
    if list(JARS.glob("kafka_2.13-2.8.2.jar")):
        return None
    if shutil.which("mvn") is None:
        return "mvn is not installed"
    done = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(HERE / "kafka-2.8.2.pom.xml"),
         "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"],
        capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"mvn could not get the jars: {done.stdout[-500:]}"


class KafkaTools(ClusterTest):
    def setUp(self):
        super().setUp()
        self.cluster.start_brokers()

    def kafka(self, program, *arguments):
        done = subprocess.run(
            ["java", "-cp", f"{JARS}/*", f"kafka.admin.{program}", "--zookeeper", ZOOKEEPER,
             *arguments], capture_output=True, text=True, check=False, timeout=60)
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

    def test_zkcli_reads_every_znode_and_its_json_is_whole(self):
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "1:0:2", "--config",
                         "min.insync.replicas=2")
        paths = [line for line in self.zk_cli("ls", "-R", "/").splitlines()
                 if line.startswith("/") and not line.startswith("/zookeeper")]
        for expected in ("/controller", "/controller_epoch", "/brokers/ids/0", "/brokers/topics/t",
                         "/brokers/topics/t/partitions/0/state", "/config/topics/t",
                         "/cluster/id", "/regent/format"):
            self.assertIn(expected, paths)
        script = self.directory / "commands"
        script.write_text("".join(f"get {path}\n" for path in paths) + "quit\n")
        with open(script, encoding="ascii") as commands:
            done = subprocess.run(
                ["java", "-cp", harness.JARS, "org.apache.zookeeper.ZooKeeperMain", "-server",
                 ZOOKEEPER], stdin=commands, capture_output=True, text=True, check=False,
                timeout=60)
        self.assertNotIn("Node does not exist", done.stdout + done.stderr)
        objects = [line for line in done.stdout.splitlines() if line.startswith("{")]
        self.assertGreaterEqual(len(objects), 8)
        for text in objects:
            self.assertIn("version", json.loads(text))


if __name__ == "__main__":
    if os.environ.get("REGENT_TEST_NETWORK") != "own":
        missing = fetch()
        if missing:
            print(f"skipped: {missing}")
            sys.exit(SKIPPED)
    harness.main()
