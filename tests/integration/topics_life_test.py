"""A topic's life on real processes: configs, more partitions, deletion, by regentctl and by what
Kafka's tools write into ZooKeeper."""

import json
import signal

import harness
from harness import ClusterTest, eventually

SEEN_WITHIN = 40  # Seconds: a round of the scrub, on a loaded machine.


class TopicsLife(ClusterTest):
    def setUp(self):
        super().setUp()
        self.cluster.start_brokers()
        self.cluster.await_office()
        self.zk = self.zk_client()

    def create(self, topic, assignment, *flags):
        return self.cluster.ctl("topic", "create", topic, "--replica-assignment", assignment, *flags)

    def names(self):
        code, answer = self.cluster.run_ctl("topic", "list", timeout="2s")
        return [topic["name"] for topic in answer["topics"]] if code == 0 else None

    def setting(self, topic, name):
        code, answer = self.cluster.run_ctl("topic", "config", topic, timeout="2s")
        if code != 0:
            return None
        return {s["name"]: (s["value"], s["source"]) for s in answer["settings"]}[name]

    def directories(self, broker, topic):
        return [d for d in self.cluster.replica_directories(broker) if d.startswith(f"{topic}-")]

    def await_directories(self, broker, topic, count):
        eventually(lambda: len(self.directories(broker, topic)) == count,
                   f"broker {broker} has {count} directories of {topic}")

    def deletions(self):
        return self.zk.get_children("/regent/deletions")

    def test_a_validated_creation_leaves_nothing(self):
        planned = self.cluster.ctl("topic", "create", "t", "--partitions", "4",
                                   "--replication-factor", "2", "--validate-only")
        self.assertEqual(len(planned["assignment"]), 4)
        self.assertEqual(self.names(), [])
        self.assertIsNone(self.zk.exists("/brokers/topics/t"))

    def test_a_config_is_changed_shown_and_given_back(self):
        self.create("t", "0:1:2", "--config", "retention.ms=5000")
        self.assertEqual(self.setting("t", "retention.ms"), ("5000", "topic"))
        self.cluster.ctl("topic", "config", "t", "--set", "min.insync.replicas=3", "--reset",
                         "retention.ms")
        self.assertEqual(self.setting("t", "min.insync.replicas"), ("3", "topic"))
        self.assertEqual(self.setting("t", "retention.ms"), ("604800000", "default"))
        stored = json.loads(self.zk.get("/config/topics/t")[0])
        self.assertEqual(stored["config"], {"min.insync.replicas": "3"})
        code, _ = self.cluster.run_ctl("topic", "config", "t", "--set", "retention.ms=soon")
        self.assertEqual(code, 2)
        code, _ = self.cluster.run_ctl("topic", "config", "nowhere")
        self.assertEqual(code, 3)

    def test_a_config_that_a_kafka_tool_writes_is_obeyed(self):
        self.create("t", "0:1")
        for number, change in enumerate(({"version": 1, "entity_type": "topics",
                                          "entity_name": "t"},
                                         {"version": 2, "entity_path": "topics/t"})):
            config = json.dumps({"version": 1, "config": {"retention.ms": str(7000 + number),
                                                          "index.interval.bytes": "4096"}})
            if self.zk.exists("/config/topics/t"):
                self.zk.set("/config/topics/t", config.encode())
            else:
                self.zk.create("/config/topics/t", config.encode())
            self.zk.create("/config/changes/config_change_", json.dumps(change).encode(),
                           sequence=True)
            eventually(lambda: self.setting("t", "retention.ms") == (str(7000 + number), "topic"),
                       "the new config is in force")
        self.cluster.ctl("topic", "config", "t", "--set", "retention.ms=9000")
        stored = json.loads(self.zk.get("/config/topics/t")[0])["config"]
        self.assertEqual(stored, {"retention.ms": "9000", "index.interval.bytes": "4096"})
        self.zk.create("/config/changes/config_change_", b"nonsense", sequence=True)
        eventually(lambda: any("/config/changes/" in p for p in
                               self.cluster.run_ctl("cluster", "status")[1]["problems"]),
                   "the notification that cannot be read is shown")

    def test_a_topic_is_extended(self):
        self.create("t", "0:1")
        extended = self.cluster.ctl("topic", "extend", "t", "--partitions", "3")
        self.assertEqual(extended["firstNewPartition"], 1)
        self.assertEqual(len(self.cluster.partitions("t")), 3)
        self.cluster.ctl("topic", "extend", "t", "--partitions", "4", "--replica-assignment", "2:1")
        found = self.cluster.partitions("t")
        self.assertEqual(found[3]["replicas"], [2, 1])
        self.await_directories(2, "t", sum(2 in p["replicas"] for p in found))
        code, _ = self.cluster.run_ctl("topic", "extend", "t", "--partitions", "4")
        self.assertEqual(code, 2)

    def test_partitions_that_a_kafka_tool_adds_are_made(self):
        self.create("t", "0:1")
        data, stat = self.zk.get("/brokers/topics/t")
        node = json.loads(data)
        node["partitions"]["1"] = [2, 0]
        self.zk.set("/brokers/topics/t", json.dumps(node).encode(), stat.version)
        self.cluster.await_rows("t", [(0, [0, 1]), (2, [0, 2])], SEEN_WITHIN)
        self.assertEqual(json.loads(self.zk.get("/brokers/topics/t")[0])["topic_id"],
                         node["topic_id"])
        self.await_directories(2, "t", 1)

    def test_a_deleted_topic_is_gone_and_its_name_is_free(self):
        created = self.create("t", "0:1:2,1:2:0")
        self.await_directories(0, "t", 2)
        deleted = self.cluster.ctl("topic", "delete", "t")
        self.assertEqual(deleted["topicId"], created["topicId"])
        self.assertIsNone(self.zk.exists("/brokers/topics/t"))
        self.assertNotIn("t", self.names())
        for broker in range(3):
            self.await_directories(broker, "t", 0)
        eventually(lambda: not self.deletions(), "the deletion is done")
        self.create("t", "2:1")
        self.cluster.await_rows("t", [(2, [1, 2])])
        code, _ = self.cluster.run_ctl("topic", "delete", "nowhere")
        self.assertEqual(code, 3)

    def test_a_topic_made_anew_at_once_is_not_mixed_up_with_the_old_one(self):
        for _ in range(3):
            self.create("t", "0:1:2")
            self.cluster.await_rows("t", [(0, [0, 1, 2])])
            self.cluster.ctl("topic", "delete", "t")
        self.create("t", "1:2")
        self.cluster.await_rows("t", [(1, [1, 2])])

    def test_files_of_a_broker_that_was_away_go_when_it_returns(self):
        self.create("t", "0:1:2,1:2:0")
        self.create("kept", "2:0")
        self.await_directories(2, "t", 2)
        away = self.cluster[2]
        away.end(signal.SIGKILL)
        eventually(lambda: 2 not in [b["id"] for b in self.cluster.run_ctl("broker", "list")[1].get(
            "brokers", [{"id": 2}]) if b["state"] == "live"], "broker 2 is away")
        self.cluster.ctl("topic", "delete", "t", timeout="20s")
        self.assertEqual(len(self.directories(2, "t")), 2)
        eventually(lambda: len(self.deletions()) == 1 and
                   json.loads(self.zk.get(f"/regent/deletions/{self.deletions()[0]}")[0])["brokers"]
                   == [2], "broker 2 alone owes its files")
        self.create("t", "0:2")
        away.start()
        self.cluster.await_live(2)
        eventually(lambda: not self.deletions(), "the deletion is done")
        self.cluster.await_rows("t", [(0, [0, 2])])
        self.await_directories(2, "t", 1)
        self.await_directories(2, "kept", 1)

    def test_a_deletion_outlives_its_controller(self):
        self.create("t", ",".join(["0:1:2"] * 200))
        office = self.cluster.await_office()[0]
        other = (office + 1) % 3
        process = self.cluster[office]
        self.zk.create("/admin/delete_topics/t", b"")
        process.end(signal.SIGKILL)
        eventually(lambda: not self.zk.exists("/brokers/topics/t"), "the topic is gone")
        eventually(lambda: not self.zk.exists("/admin/delete_topics/t"), "the request is gone")
        self.await_directories(other, "t", 0)
        process.start()
        self.await_directories(office, "t", 0)
        eventually(lambda: not self.deletions(), "the deletion is done")

    def test_deletions_that_a_kafka_tool_asks_for_are_obeyed(self):
        self.create("t", "0:1:2")
        self.zk.create("/admin/delete_topics/t", b"")
        self.zk.create("/admin/delete_topics/nowhere", b"")
        eventually(lambda: not self.zk.get_children("/admin/delete_topics"), "they are done")
        self.assertIsNone(self.zk.exists("/brokers/topics/t"))
        eventually(lambda: self.names() == [], "the topic is gone")

    def test_an_unclean_election_is_held_where_it_is_allowed(self):
        self.create("t", "0:1")
        self.cluster[1].end(signal.SIGKILL)
        self.cluster.await_rows("t", [(0, [0])])
        self.cluster[0].end(signal.SIGKILL)
        self.cluster[1].start()
        self.cluster.await_rows("t", [(-1, [0])])
        self.cluster.ctl("topic", "config", "t", "--set", "unclean.leader.election.enable=true",
                         timeout="20s")
        found = self.cluster.await_rows("t", [(1, [1])])
        self.assertTrue(found[0]["recovering"])
        self.assertIn("uncleanly", found[0]["explanation"])

    def elect_unclean(self):
        """The exit code and the result."""
        code, answer = self.cluster.run_ctl("leader", "elect", "--unclean", "--partition", "t:0",
                                            timeout="20s")
        return code, answer["results"][0]

    def test_an_unclean_election_is_held_where_an_operator_asks_for_it(self):
        self.create("t", "0:1")
        code, result = self.elect_unclean()
        self.assertEqual((code, result["outcome"]), (0, "ELECTION_NOT_NEEDED"))
        self.cluster[1].end(signal.SIGKILL)
        self.cluster.await_rows("t", [(0, [0])])
        self.cluster[0].end(signal.SIGKILL)
        self.cluster.await_rows("t", [(-1, [0])])
        code, result = self.elect_unclean()
        self.assertEqual((code, result["outcome"]), (1, "ELIGIBLE_LEADERS_NOT_AVAILABLE"))
        self.cluster[1].start()
        self.cluster.await_live(1)
        eventually(lambda: "elects broker 1" in self.cluster.partitions("t")[0]["explanation"],
                   "the way out is named")
        code, result = self.elect_unclean()
        self.assertEqual((code, result["outcome"], result["newLeader"]), (0, "ELECTED", 1))
        self.assertIn("are gone", result["message"])
        found = self.cluster.await_rows("t", [(1, [1])])
        self.assertTrue(found[0]["recovering"])
        self.cluster[0].start()
        self.cluster.await_rows("t", [(1, [0, 1])])


if __name__ == "__main__":
    harness.main()
