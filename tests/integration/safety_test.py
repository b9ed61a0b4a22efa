"""What must not happen: a zombie that is obeyed, an RPC after the lease, a directory that goes."""

import json
import shutil
import signal

import kazoo.client
import kazoo.exceptions

import harness
from harness import ClusterTest, Process, epochs, eventually

PARTITIONS = 5000


class Zombie(ClusterTest):
    """A controller is stopped in the middle of a rebalance and wakes when another is in office."""

    def setUp(self):
        super().setUp()
        # The zombie to be is alone at first, so it wins the office.
        self.proxy = harness.Proxy(2182, ("127.0.0.1", 2181))
        self.addCleanup(self.proxy.close)
        self.cluster.controller(100, "--unsafe-never-fence", zookeeper="127.0.0.1:2182").start()
        self.cluster.await_office(lambda office: office[0] == 100)
        self.cluster.controller(101).start()
        for broker in (0, 1, 2):
            self.cluster.broker(broker, "--controller-eligible=false").start()
        for broker in (0, 1, 2):
            self.cluster.await_live(broker)

    def describe(self, at):
        code, answer = self.cluster.run_ctl("topic", "describe", "big", timeout="20s", at=at)
        return epochs(answer["topics"][0]["partitions"]) if code == 0 else None

    def test_a_zombie_changes_nothing_is_fenced_by_zookeeper_and_refused_by_agents(self):
        rows = ",".join("0:1:2" for _ in range(PARTITIONS))
        # All led by broker 0; then broker 0 leaves and comes back, so that 5,000 want it back.
        self.cluster.ctl("topic", "create", "big", "--replica-assignment", rows, timeout="60s")
        self.cluster[0].end()
        self.cluster[0].start()
        eventually(lambda: all(sorted(isr) == [0, 1, 2] and leader == 1
                               for leader, isr, _, _ in self.describe("controller-100") or
                               [(0, [], 0, 0)]), "broker 0 is in sync and leads nothing", 60)
        zombie = self.cluster["controller-100"]
        refused = self.refusals()
        rebalance = Process(
            "rebalance",
            [harness.PROGRAMS["regentctl"], "--controller",
             self.cluster.addresses["controller-100"], "--timeout", "60s", "leader", "elect",
             "--preferred", "--all"], self.directory)
        self.proxy.hold_answers()
        self.own(rebalance).start()
        # As many writes as may be in flight have been obeyed, the zombie has not heard of it, and
        # thousands are still to come.
        eventually(lambda: self.elected() > 0, "the rebalance has begun")
        zombie.pause()
        self.assertLess(self.elected(), PARTITIONS)
        eventually(lambda: self.is_active("controller-101"), "another is in office")
        eventually(lambda: self.quiet("controller-101"), "its agents have heard it", 60)
        before = self.describe("controller-101")
        self.proxy.release_answers()
        zombie.resume()
        eventually(lambda: (self.cluster.metric(
            "controller-100", "regent_controller_writes_fenced_total") or 0) > 0,
            "a write of the zombie was fenced")
        eventually(lambda: self.refusals() > refused, "an agent refused the zombie")
        eventually(lambda: not self.is_active("controller-100"), "the zombie has given up")
        self.assertEqual(self.describe("controller-101"), before)

    def elected(self):
        """How many partitions broker 0 leads, by what ZooKeeper holds."""
        client = kazoo.client.KazooClient(hosts="127.0.0.1:2181", timeout=2)
        client.start(timeout=5)
        try:
            states = [client.get_async(f"/brokers/topics/big/partitions/{i}/state")
                      for i in range(PARTITIONS)]
            return sum(json.loads(state.get()[0])["leader"] == 0 for state in states)
        finally:
            client.stop()
            client.close()

    def refusals(self):
        return sum(self.cluster.metric(
            f"broker-{b}", "regent_broker_refused_controller_epochs_total") or 0 for b in (0, 1, 2))

    def is_active(self, name):
        return self.cluster.metric(name, "regent_controller_active") == 1

    def quiet(self, name):
        code, answer = self.cluster.run_ctl("cluster", "status", timeout="5s", at=name)
        return code in (0, 4) and answer["unacknowledged"] == 0


class SelfFencing(ClusterTest):
    """A controller is cut off from ZooKeeper, and from nothing else."""

    def test_it_stops_acting_while_its_session_still_lives_and_goes_on_when_it_is_back(self):
        proxy = harness.Proxy(2182, ("127.0.0.1", 2181))
        self.addCleanup(proxy.close)
        self.cluster.controller(100, zookeeper="127.0.0.1:2182").start()
        self.cluster.await_office()
        for broker in (0, 1, 2):
            self.cluster.broker(broker, "--controller-eligible=false").start()
        for broker in (0, 1, 2):
            self.cluster.await_live(broker)
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "0:1:2")
        before = epochs(self.cluster.await_rows("t", [(0, [0, 1, 2])]))
        proxy.cut()
        eventually(lambda: self.cluster.metric("controller-100", "regent_controller_active") == 0,
                   "it fences itself")
        # By its own clock: ZooKeeper has not given up the session yet.
        self.assertEqual(self.owner_of_the_office(), 100)
        self.assertNotEqual(self.cluster.run_ctl("topic", "create", "u", "--partitions", "1",
                                                 "--replication-factor", "1", timeout="1s")[0], 0)
        proxy.mend()
        self.cluster.await_office()
        self.assertEqual(epochs(self.cluster.await_rows("t", [(0, [0, 1, 2])])), before)

    def owner_of_the_office(self):
        """Id in /controller as ZooKeeper has it now; asked quickly, by a client of its own."""
        client = kazoo.client.KazooClient(hosts="127.0.0.1:2181", timeout=2)
        client.start(timeout=5)
        try:
            return json.loads(client.get("/controller")[0])["brokerid"]
        except kazoo.exceptions.NoNodeError:
            return None
        finally:
            client.stop()
            client.close()


class Directories(ClusterTest):
    """No replica directory disappears, whatever becomes of ZooKeeper."""

    def setUp(self):
        super().setUp()
        self.cluster.start_brokers()
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "0:1:2,1:2:0")
        self.cluster.await_rows("t", [(0, [0, 1, 2]), (1, [0, 1, 2])])
        self.held = {b: self.cluster.replica_directories(b) for b in (0, 1, 2)}
        for b in (0, 1, 2):
            self.assertEqual(self.held[b], ["t-0", "t-1"])

    def assert_all_there(self):
        for broker, names in self.held.items():
            self.assertEqual(self.cluster.replica_directories(broker), names)

    def test_a_malformed_topic_znode_and_a_bounced_broker(self):
        self.cluster.ctl("topic", "create", "other", "--replica-assignment", "0:1:2")
        self.held = {b: ["other-0", *names] for b, names in self.held.items()}
        eventually(lambda: all(self.cluster.replica_directories(b) == self.held[b]
                               for b in (0, 1, 2)), "the other topic is there too")
        self.zk_cli("set", "/brokers/topics/other", "{hostile")
        office = self.cluster.office()
        # A new controller has to read it, and a bounced broker gets its full state.
        self.cluster[office[0]].end()
        self.cluster.await_office(lambda o: o[1] > office[1], "a new controller")
        self.cluster[office[0]].start()
        eventually(lambda: (found := self.cluster.partitions("t")) and
                   all(sorted(p["isr"]) == [0, 1, 2] for p in found), "t is in sync again")
        code, answer = self.cluster.run_ctl("cluster", "status")
        self.assertTrue(any("/brokers/topics/other" in p for p in answer["problems"]), answer)
        self.assert_all_there()

    def test_a_wrong_zk_root(self):
        for b in (0, 1, 2):
            self.cluster[b].end()
        wrong = self.cluster.broker(0, "--zk-root=/elsewhere")
        wrong.start()
        eventually(lambda: "cluster" in wrong.text().rsplit("broker started", 1)[-1],
                   "it says what is wrong")
        wrong.end()
        self.assert_all_there()

    def test_a_wiped_zookeeper(self):
        self.zookeeper.end(signal.SIGKILL)
        shutil.rmtree(self.zookeeper.home / "data")
        (self.zookeeper.home / "data").mkdir()
        self.zookeeper.start().await_serving()
        # ZooKeeper itself refuses sessions that have seen more than it has: new processes get in.
        for b in (0, 1, 2):
            self.cluster[b].end(signal.SIGKILL)
            self.cluster[b].start()
        eventually(lambda: all("a wiped ZooKeeper is not filled again" in self.cluster[b].text()
                               for b in (0, 1, 2)), "every candidate says what is wrong")
        self.assertNotIn("/cluster/id", self.zk_cli("ls", "-R", "/"))
        self.assert_all_there()


if __name__ == "__main__":
    harness.main()
