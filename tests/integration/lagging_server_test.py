"""A ZooKeeper server that lags while it serves: its clients read what was true a second ago.

What the ensemble's leader tells the server on h0 goes over a slow link; its clients reach it
directly. So it is a follower in good standing that knows everything later than the others do.
"""

import json
import signal
import time

from kazoo.exceptions import NoNodeError

import harness
from ensemble import ALL, HOSTS, OURS, EnsembleTest
from harness import eventually
from slow_link import SlowLink

QUORUM_PORT = 2888
LAG = 1.0  # Seconds.
LONG_LAG = 8.0  # For as long as something must stay unheard of; it ends when that is done.
LONG_SESSION_MS = 30_000  # For who must outlive a long lag behind it.
SESSION_MS = 6000  # Behind the lag: an answer may well take a sixth of it.
SESSIONS_MS = {0: SESSION_MS}  # Of the brokers, where they differ from the cluster's.
STEADY_BUT_1 = {0: LONG_SESSION_MS, 2: LONG_SESSION_MS}


class Witness:
    """What each znode that carries an epoch has been, as a server that keeps up told it."""

    def __init__(self, client):
        self._seen = {}
        self._watch(client, "/controller_epoch")
        for partition in range(len(ALL)):
            self._watch(client, f"/brokers/topics/t/partitions/{partition}/state")

    def _watch(self, client, path):
        seen = self._seen[path] = []
        client.DataWatch(path, lambda data, stat: seen.append((stat.version, json.loads(data))))

    def assert_epochs_only_rose(self):
        office = self._seen.pop("/controller_epoch")
        rises = [epoch - version for version, epoch in office]
        assert len(set(rises)) == 1, f"not each claim raised the epoch by one: {office}"
        for path, seen in self._seen.items():
            for what in ("leader_epoch", "controller_epoch"):
                epochs = [state[what] for _, state in seen]
                assert epochs == sorted(epochs), f"{what} of {path} fell: {seen}"


class LaggingServer(EnsembleTest):
    sync_limit = 200  # 20 s, well above any lag.

    def setUp(self):
        super().setUp()
        self.link = SlowLink("h0", QUORUM_PORT)
        self.addCleanup(self.link.close)
        self.start_servers()
        self.lagging = self.servers[0]
        self.leader, self.other = sorted(self.servers[1:], key=lambda s: s.mode() != "leader")
        self.ahead = self.zk_client(self.other)
        self.behind = self.zk_client(self.lagging)
        self.ahead.create("/clock", b"0")
        eventually(lambda: self.behind.exists("/clock"), "the server that will lag keeps up")
        self.elections_before = self.elections()

    def elections(self):
        """How many leaders the lagging server has begun to follow."""
        return self.lagging.text().count("FOLLOWING - LEADER ELECTION TOOK")

    def assert_it_lags_and_serves(self):
        """It answers with what was and not with what is, and has followed one leader all along."""
        def reads_what_was():
            now = str(int(self.ahead.get("/clock")[0]) + 1).encode()
            self.ahead.set("/clock", now)
            old = self.behind.get("/clock")[0] != now
            made = self.ahead.create("/moment-", sequence=True)
            return (now, made) if old and not self.behind.exists(made) else None
        now, made = eventually(reads_what_was, "its clients do not see what others have written")
        eventually(lambda: self.behind.exists(made), "they see it later")
        self.assertGreaterEqual(int(self.behind.get("/clock")[0]), int(now))
        self.assertEqual(self.lagging.mode(), "follower")
        self.assertEqual(self.elections(), self.elections_before)

    # Who is there.

    def start_controller(self, controller, **options):
        return self.cluster.controller(controller, host=OURS, **options).start()

    def start_controller_ahead(self, controller):
        return self.start_controller(controller, zookeeper=self.addresses_of(1, 2))

    def start_controller_behind(self, controller, session_ms=SESSION_MS):
        return self.start_controller(controller, zookeeper=self.addresses_of(0),
                                     session_ms=session_ms)

    def start_brokers(self, *flags, sessions_ms=SESSIONS_MS, others=(1, 2)):
        """Broker 0 on the server that will lag, which gets there first, and the others ahead; a
        topic of all three. The lag begins when all this stands: a cluster's first znodes are made
        one after the other."""
        self.start_broker(0, *flags, zookeeper=self.addresses_of(0), session_ms=sessions_ms.get(0))
        self.cluster.await_live(0)
        for broker in (1, 2):
            self.start_broker(broker, *flags, zookeeper=self.addresses_of(*others),
                              session_ms=sessions_ms.get(broker))
        for broker in (1, 2):
            self.cluster.await_live(broker)
        self.create_topic()
        self.witness = Witness(self.ahead)
        self.link.lag = LAG
        self.assert_it_lags_and_serves()

    # What is so.

    def states(self):
        """All partitions' states in ZooKeeper now: {(topic, partition): (data, version)}."""
        found = {}
        for topic in self.ahead.get_children("/brokers/topics"):
            home = f"/brokers/topics/{topic}/partitions"
            for partition in self.ahead.get_children(home):
                data, stat = self.ahead.get(f"{home}/{partition}/state")
                found[topic, partition] = (data, stat.version)
        return found

    @staticmethod
    def holder(client):
        """Who holds the office, as a client's server says; None if nobody does."""
        try:
            return json.loads(client.get("/controller")[0])["brokerid"]
        except NoNodeError:
            return None

    def await_obeyed(self, controller):
        """Until every broker has heard what this controller knows."""
        name = f"controller-{controller}"

        def obeyed():
            code, answer = self.cluster.run_ctl("cluster", "status", timeout="2s", at=name)
            return code == 0 and answer["unacknowledged"] == 0
        eventually(lambda: self.cluster.metric(name, "regent_controller_active") == 1 and obeyed(),
                   f"all obey {name}")

    def await_known_to(self, controller, broker):
        """Until this controller has read the broker's registration of now."""
        epoch = self.ahead.exists(f"/brokers/ids/{broker}").czxid

        def known():
            code, answer = self.cluster.run_ctl("broker", "list", timeout="2s",
                                                at=f"controller-{controller}")
            return code == 0 and any(
                (b["id"], b["epoch"], b["state"]) == (broker, epoch, "live")
                for b in answer["brokers"])
        eventually(known, f"controller {controller} knows broker {broker} in epoch {epoch}")

    def await_standing_by(self, controller, epoch):
        """Until it knows of this epoch's office."""
        eventually(lambda: self.cluster.metric(f"controller-{controller}",
                                               "regent_controller_epoch") == epoch,
                   f"{controller} stands by")

    def await_gone(self, path):
        eventually(lambda: not self.ahead.exists(path), f"{path} is gone")

    def await_there(self, path):
        eventually(lambda: self.ahead.exists(path), f"{path} is there")

    # The tests.

    def test_a_controller_elected_through_it_knows_all_that_its_predecessors_did(self):
        self.start_controller_ahead(100)
        self.start_brokers("--controller-eligible=false", sessions_ms=STEADY_BUT_1)
        first = self.cluster.office()
        self.cluster[1].end()
        self.cluster.await_rows("t", [(0, [0, 2]), (2, [0, 2]), (0, [0, 2])])
        self.cluster[1].start()
        self.await_all_in_sync()
        self.start_controller_behind(101, LONG_SESSION_MS)
        self.await_standing_by(101, first[1])
        # A vacancy and a whole term pass of which the lagging server tells nothing.
        self.link.lag = LONG_LAG
        begun = time.monotonic()
        self.cluster["controller-100"].end()
        self.start_controller_ahead(102)
        self.cluster.await_office(lambda office: office == (102, first[1] + 1))
        self.cluster.ctl("topic", "create", "late", "--replica-assignment", "2:1:0",
                         at="controller-102")
        self.cluster.ctl("leader", "elect", "--preferred", "--all", at="controller-102")
        before = self.states()
        self.assertEqual(json.loads(before["t", "0"][0])["leader"], 1)
        self.assertEqual(self.holder(self.behind), 100)
        self.cluster["controller-102"].end()
        # Now it tells all of it, no faster than it happened: first of the vacancy.
        self.link.lag = time.monotonic() - begun
        self.cluster.await_office(lambda office: office == (101, first[1] + 2))
        self.link.lag = LAG
        self.await_obeyed(101)
        self.assertEqual(self.states(), before)
        self.cluster.await_rows("t", ALL)
        self.cluster.await_rows("late", [(2, [0, 1, 2])])
        self.witness.assert_epochs_only_rose()
        self.assert_it_lags_and_serves()

    def test_a_controller_elected_through_it_takes_no_broker_for_dead_that_is_back(self):
        self.cluster.lag_ms = 60_000  # Only the controller may remove a broker from an ISR.
        self.start_controller_ahead(100)
        self.start_brokers("--controller-eligible=false", sessions_ms=STEADY_BUT_1)
        first = self.cluster.office()
        self.start_controller_behind(101, LONG_SESSION_MS)
        self.await_standing_by(101, first[1])
        before = self.states()
        self.link.lag = 3 * LAG  # Between a claim and the news that it has won.
        self.cluster["controller-100"].end(signal.SIGKILL)
        self.cluster[1].pause()
        self.await_gone("/brokers/ids/1")
        eventually(lambda: self.holder(self.ahead) == 101, "101 has won, and has not heard it yet")
        won = time.monotonic()
        self.link.lag = LONG_LAG
        eventually(lambda: time.monotonic() - won > LAG, "1 is away for much longer than a load is")
        self.cluster[1].resume()
        self.await_there("/brokers/ids/1")
        # It hears that it has won, and only as long after that as it happened, that 1 is back. What
        # it reads first must be what is so, not what its server knows: a sync comes before (R3).
        # Without those of the office and of the load it would take the leadership from 1.
        self.link.lag = time.monotonic() - won
        self.cluster.await_office(lambda office: office == (101, first[1] + 1))
        self.link.lag = LAG
        self.await_known_to(101, 1)
        self.await_obeyed(101)
        self.assertEqual(self.states(), before)
        self.witness.assert_epochs_only_rose()
        self.assert_it_lags_and_serves()

    def test_a_controller_in_office_behind_it_takes_no_broker_for_dead_that_is_back(self):
        self.cluster.lag_ms = 60_000
        self.start_controller_behind(101, LONG_SESSION_MS)
        self.start_brokers("--controller-eligible=false", sessions_ms=STEADY_BUT_1)
        office = self.cluster.office()
        before = self.states()
        self.link.lag = LONG_LAG
        self.cluster[1].pause()
        self.await_gone("/brokers/ids/1")
        self.cluster[1].resume()
        self.await_there("/brokers/ids/1")
        self.link.lag = LAG
        self.await_known_to(101, 1)
        self.await_obeyed(101)
        self.assertEqual(self.states(), before)
        self.assertEqual(self.cluster.office(), office)
        self.witness.assert_epochs_only_rose()
        self.assert_it_lags_and_serves()

    def test_the_rows_with_controlled_shutdowns_and_a_candidate_behind_it(self):
        self.start_brokers()
        self.assertEqual(self.cluster.office()[0], 0)
        self.walk(signal.SIGTERM)
        self.witness.assert_epochs_only_rose()
        self.assert_it_lags_and_serves()

    def test_the_rows_with_kills_under_a_controller_behind_it(self):
        self.start_controller_behind(101)
        self.start_brokers("--controller-eligible=false")
        office = self.cluster.office()
        self.walk(signal.SIGKILL)
        self.assertEqual(self.cluster.office(), office)
        self.witness.assert_epochs_only_rose()
        self.assert_it_lags_and_serves()

    def test_killing_the_ensembles_leader_beside_it_changes_no_leader_isr_or_epoch(self):
        # One server is left beside the lagging one, so each write takes two lags.
        self.cluster.session_ms = SESSION_MS * 3 // 2
        self.start_brokers(sessions_ms={}, others=HOSTS)
        before = eventually(lambda: self.cluster.standing("t"), "t can be described")
        office = self.cluster.office()
        self.assertEqual(office[0], 0)
        self.leader.end(signal.SIGKILL)
        eventually(lambda: self.other.mode() == "leader" and self.lagging.mode() == "follower",
                   "the rest has a leader")
        self.elections_before = self.elections()
        self.assertEqual(self.cluster.await_office(), office)
        self.cluster.assert_outlived("t", before)
        self.cluster.ctl("topic", "create", "after", "--replica-assignment", "0:1:2")
        self.cluster.await_rows("after", [(0, [0, 1, 2])])
        self.witness.assert_epochs_only_rose()
        self.assert_it_lags_and_serves()


if __name__ == "__main__":
    harness.main()
