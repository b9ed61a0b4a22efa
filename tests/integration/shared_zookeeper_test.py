"""A cluster with a root of its own and credentials, on a ZooKeeper that serves others too."""

import signal

import kazoo.exceptions

import harness
from harness import ClusterTest, eventually

ROOT = "/regent-a"
FLAGS = (f"--zk-root={ROOT}", "--zookeeper-auth=regent:secret")


class SharedZooKeeper(ClusterTest):
    def setUp(self):
        super().setUp()
        self.cluster.start_brokers(3, *FLAGS)
        self.client = self.zk_client()
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "0:1:2", "--config",
                         "min.insync.replicas=2")
        self.cluster.await_rows("t", [(0, [0, 1, 2])])

    def walk(self, path):
        """All paths from here on."""
        below = [f"{path}/{child}" for child in self.client.get_children(path)]
        return [path] + [found for child in below for found in self.walk(child)]

    def test_it_stays_under_its_root_and_nobody_else_may_write_there(self):
        self.assertEqual(set(self.client.get_children("/")), {ROOT.strip("/"), "zookeeper"})
        paths = self.walk(ROOT)
        self.assertIn(f"{ROOT}/brokers/topics/t/partitions/0/state", paths)
        for path in paths:
            with self.subTest(path=path):
                data, _ = self.client.get(path)  # Anybody may read, as with Kafka's nodes.
                with self.assertRaises(kazoo.exceptions.NoAuthError):
                    self.client.set(path, b"hostile")
                with self.assertRaises(kazoo.exceptions.NoAuthError):
                    self.client.create(f"{path}/hostile")
                self.assertEqual(self.client.get(path)[0], data)

    def test_another_takes_over_and_a_broker_comes_back(self):
        office = self.cluster.office()
        self.cluster[office[0]].end(signal.SIGKILL)
        self.cluster.await_office(lambda o: o[1] == office[1] + 1, "a new controller")
        self.cluster[office[0]].start()
        eventually(lambda: (found := self.cluster.partitions("t")) and
                   sorted(found[0]["isr"]) == [0, 1, 2], "t is in sync")

    def test_two_clusters_with_roots_of_their_own_do_not_meet(self):
        other = harness.Cluster(self.directory)
        self.addCleanup(other.destroy)
        other.broker(5, "--zk-root=/regent-b").start()
        other.await_live(5)
        self.assertEqual([b["id"] for b in other.ctl("broker", "list")["brokers"]], [5])
        self.assertEqual([b["id"] for b in self.cluster.ctl("broker", "list")["brokers"]],
                         [0, 1, 2])

    def test_wrong_credentials_are_named_and_change_nothing(self):
        self.cluster[2].end()
        before = self.walk(ROOT)
        stranger = self.cluster.broker(2, f"--zk-root={ROOT}", "--zookeeper-auth=regent:wrong",
                                       name="stranger",
                                       directory=self.directory / "broker-2").start()
        eventually(lambda: "NoAuth" in stranger.text(), "it says what it may not do")
        self.assertEqual(self.walk(ROOT), before)
        self.assertEqual(stranger.end(), 0)


if __name__ == "__main__":
    harness.main()
