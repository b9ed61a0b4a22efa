"""What must not happen: a request after the lease, a directory that goes."""

import json
import shutil
import signal

import kazoo.exceptions

import harness
from harness import ClusterTest, epochs, eventually
from processes import Proxy
from unsettled_agent import UnsettledAgent


class SelfFencing(ClusterTest):
    """A controller is cut off from ZooKeeper, and from nothing else."""

    # It fences itself after 12.3 s of silence (R4). What a test does before the session ends, it
    # has the other 7.7 s for.
    SESSION_MS = 20_000
    LANES = 2  # Control requests to one agent that may be on their way at the same time.

    def setUp(self):
        super().setUp()
        self.proxy = Proxy(2182, ("127.0.0.1", 2181))
        self.addCleanup(self.proxy.close)
        self.client = self.zk_client()
        self.cluster.session_ms = self.SESSION_MS
        self.cluster.controller(100, zookeeper="127.0.0.1:2182").start()
        self.office = self.cluster.await_office()
        for broker in (0, 1, 2):
            self.cluster.broker(broker, "--controller-eligible=false").start()
        self.agent = UnsettledAgent(7, 9777, self.client)
        self.addCleanup(self.agent.close)
        for broker in (0, 1, 2, 7):
            self.cluster.await_live(broker)
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "0:1:2")
        self.before = epochs(self.cluster.await_rows("t", [(0, [0, 1, 2])]))
        self.cluster.ctl("topic", "create", "owed", "--replica-assignment", "7")
        self.await_requests()

    def await_requests(self):
        """Waits until the agent is asked again and again."""
        enough = len(self.agent.arrivals()) + 20
        eventually(lambda: len(self.agent.arrivals()) >= enough, "the agent is asked on and on")

    def await_fence(self):
        """Returns when the controller fenced itself, by its log."""
        eventually(lambda: self.cluster.metric("controller-100", "regent_controller_active") == 0,
                   "it fences itself", self.SESSION_MS / 1000 + harness.PATIENCE)
        return self.cluster["controller-100"].logged_at("fenced epoch=")

    def requests_after(self, moment):
        return [arrival for arrival in self.agent.arrivals() if arrival > moment]

    def test_it_stops_acting_while_its_session_still_lives_and_goes_on_when_it_is_back(self):
        self.proxy.cut()
        fenced = self.await_fence()
        self.assertNotEqual(self.cluster.run_ctl("topic", "create", "u", "--partitions", "1",
                                                 "--replication-factor", "1", timeout="1s")[0], 0)
        self.assertLessEqual(len(self.requests_after(fenced)), self.LANES)
        # By its own clock: ZooKeeper has not given up the session yet.
        self.assertEqual(self.owner_of_the_office(), 100)
        self.proxy.mend()
        self.assertEqual(self.cluster.await_office(), self.office)
        self.await_requests()
        self.assertEqual(epochs(self.cluster.await_rows("t", [(0, [0, 1, 2])])), self.before)
        self.assertEqual(self.zookeeper.expiries(), [])

    def test_its_last_request_precedes_the_end_of_its_session(self):
        self.proxy.cut()
        fenced = self.await_fence()
        expired = eventually(self.zookeeper.expiries, "its session expires",
                             self.SESSION_MS / 1000 + harness.PATIENCE)[0]
        self.assertLess(max(self.agent.arrivals()), expired)
        # All that came after the fence was on its way.
        self.assertLessEqual(len(self.requests_after(fenced)), self.LANES)
        eventually(lambda: self.owner_of_the_office() is None, "the office is vacant")

    def owner_of_the_office(self):
        """Id in /controller as ZooKeeper has it now."""
        try:
            return json.loads(self.client.get("/controller")[0])["brokerid"]
        except kazoo.exceptions.NoNodeError:
            return None


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
        wrong = self.cluster.broker(0, "--zk-root=/elsewhere", name="misled",
                                    directory=self.directory / "broker-0").start()
        for refusal in ("although the data directory belongs to cluster",  # The agent's,
                        "a wiped ZooKeeper is not filled again"):          # the candidate's.
            eventually(lambda words=refusal: words in wrong.text(), f"it says: {refusal}")
        self.assertTrue(wrong.running())
        self.assertIn("Node does not exist: /elsewhere", self.zk_cli("ls", "/elsewhere"))
        self.assertEqual(wrong.end(), 0)
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
