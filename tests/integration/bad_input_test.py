"""Bad input gets an error that names the value, the rule and the remedy; nothing dies of it."""

import re
import signal
import socket

import harness
from harness import ClusterTest, Process, eventually


class Flags(ClusterTest):
    def broker(self, *flags, **replaced):
        standard = {"id": "7", "zookeeper": "127.0.0.1:2181",
                    "data-dir": str(self.directory / "seven"),
                    "listen": "PLAINTEXT://127.0.0.1:9099,REGENT://127.0.0.1:9199"}
        standard |= {k.replace("_", "-"): v for k, v in replaced.items()}
        process = Process("seven", [harness.PROGRAMS["regent-broker"],
                                    *(f"--{k}={v}" for k, v in standard.items()), *flags],
                          self.directory)
        return self.own(process).start()

    def assert_ends(self, process, *words):
        self.assertNotEqual(process.wait(), 0)
        for word in words:
            self.assertIn(word, process.text())

    def test_an_unknown_flag_is_named(self):
        self.assert_ends(self.broker("--frobnicate=1"), "frobnicate")

    def test_a_data_directory_that_is_a_file_is_named(self):
        (self.directory / "file").write_text("x")
        self.assert_ends(self.broker(data_dir=self.directory / "file"),
                         str(self.directory / "file"))

    def test_a_port_in_use_is_named(self):
        with socket.create_server(("127.0.0.1", 9199)):
            self.assert_ends(self.broker(), "9199")

    def test_a_zookeeper_list_that_is_none_is_named(self):
        self.assert_ends(self.broker(zookeeper="host:notaport"), "notaport")

    def test_a_root_that_is_no_path_is_named(self):
        self.assert_ends(self.broker("--zk-root=no-slash"), "no-slash")

    def test_a_directory_of_another_broker_is_refused_and_kept(self):
        self.cluster.start_brokers(1)
        self.cluster[0].end()
        home = self.directory / "broker-0"
        before = sorted(p.name for p in home.iterdir())
        self.assert_ends(self.broker(data_dir=home), "meta.properties", "broker")
        self.assertEqual(sorted(p.name for p in home.iterdir()), before)

    def test_a_directory_of_another_cluster_is_refused_and_kept(self):
        self.cluster.start_brokers(1)
        self.cluster[0].end()
        home = self.directory / "broker-0"
        meta = home / "meta.properties"
        text = meta.read_text()
        cluster = next(line.split("=")[1] for line in text.splitlines()
                       if line.startswith("cluster.id="))
        meta.write_text(text.replace(cluster, "AAAAAAAAQmWAAAAAAAAAAA"))
        before = sorted(p.name for p in home.iterdir())
        self.cluster[0].start()
        self.assertEqual(self.cluster[0].wait(), 1)
        self.assertIn("AAAAAAAAQmWAAAAAAAAAAA", self.cluster[0].text())
        self.assertEqual(sorted(p.name for p in home.iterdir()), before)

    def test_a_missing_zookeeper_is_waited_for_and_said_so(self):
        self.zookeeper.end(signal.SIGKILL)
        broker = self.cluster.broker(0).start()

        def said_again():
            said = re.findall(r'not registered id=0 waiting_for="(ZooKeeper[^"]*)"', broker.text())
            return len(said) > len(set(said))
        eventually(said_again, "it says what it waits for, and says it again")
        eventually(lambda: "ZooKeeper at 127.0.0.1:2181 not reached for" in broker.text(),
                   "it names the server")
        [(labels, registered)] = self.cluster.samples("broker-0", "regent_broker_registered")
        self.assertEqual(registered, 0)
        self.assertIn("ZooKeeper", labels["waiting_for"])
        self.zookeeper.start().await_serving()
        self.cluster.await_live(0)  # The controller may know it before the broker's own answer came.
        eventually(lambda: self.cluster.samples("broker-0", "regent_broker_registered")
                   == [({}, 1)], "it says that it is registered")

    def test_a_root_of_a_cluster_that_is_not_ours_is_left_alone_unless_adopted(self):
        client = self.zk_client()
        client.create("/brokers/topics/theirs", b"{}", makepath=True)
        before = sorted(client.get_children("/"))
        self.cluster.broker(0).start()
        eventually(lambda: "--adopt" in self.cluster[0].text(), "it says what to do")
        self.assertEqual(sorted(client.get_children("/")), before)
        self.cluster[0].end(signal.SIGKILL)
        self.cluster.broker(0, "--adopt").start()
        self.cluster.await_live(0)


class Requests(ClusterTest):
    def setUp(self):
        super().setUp()
        self.cluster.start_brokers()

    def assert_refused(self, code, word, *arguments):
        got, answer = self.cluster.run_ctl(*arguments)
        self.assertEqual(got, code, answer)
        self.assertIn(word, str(answer))

    def create(self, name, *arguments):
        return ("topic", "create", name, *arguments)

    def test_illegal_topics_are_refused_with_the_value(self):
        auto = ("--partitions", "1", "--replication-factor", "1")
        self.assert_refused(2, "a/b", *self.create("a/b", *auto))
        self.assert_refused(2, "4", *self.create("t", "--partitions", "1",
                                                 "--replication-factor", "4"))
        self.assert_refused(2, "10001", *self.create("t", "--partitions", "10001",
                                                     "--replication-factor", "1"))
        self.assert_refused(2, "twice", *self.create("t", "--replica-assignment", "0:0:1"))
        self.assert_refused(2, "cleanup.policy", *self.create("t", *auto, "--config",
                                                              "cleanup.policy=compact"))
        self.cluster.ctl(*self.create("a.b", *auto))
        self.assert_refused(2, "a.b", *self.create("a_b", *auto))
        self.assert_refused(6, "exists", *self.create("a.b", *auto))
        self.assert_refused(3, "nosuch", "topic", "describe", "nosuch")


if __name__ == "__main__":
    harness.main()
