"""Three machines, each with a ZooKeeper server and a broker beside it."""

import signal

import harness
from ensemble import ALL, HOSTS, EnsembleTest
from harness import eventually


class Ensemble(EnsembleTest):
    def setUp(self):
        super().setUp()
        self.start_servers()
        for broker in HOSTS:
            self.start_broker(broker)
        for broker in HOSTS:
            self.cluster.await_live(broker)
        self.create_topic()

    def test_the_rows_with_controlled_shutdowns(self):
        self.walk(signal.SIGTERM)

    def test_the_rows_with_kills(self):
        self.walk(signal.SIGKILL)

    def test_killing_the_ensembles_leader_changes_no_leader_isr_or_epoch(self):
        before = eventually(lambda: self.cluster.standing("t"), "t can be described")
        office = self.cluster.office()
        leader = next(s for s in self.servers if s.mode() == "leader")
        leader.end(signal.SIGKILL)
        rest = [s for s in self.servers if s is not leader]
        eventually(lambda: any(s.mode() == "leader" for s in rest), "the rest has a leader")
        self.assertEqual(self.cluster.await_office(), office)
        self.cluster.assert_outlived("t", before)
        self.cluster.ctl("topic", "create", "after", "--replica-assignment", "0:1:2")
        self.cluster.await_rows("after", [(0, [0, 1, 2])])

    def test_a_server_that_lags_behind_misleads_nobody(self):
        lagging = next(s for s in self.servers if s.mode() == "follower")
        lagging.pause()
        victim = (self.servers.index(lagging) + 1) % 3
        self.cluster[victim].end()
        eventually(lambda: (found := self.cluster.partitions("t")) and
                   all(victim not in p["isr"] and p["leader"] != victim for p in found),
                   "the others lead")
        lagging.resume()
        self.cluster[victim].start()
        self.await_all_in_sync()
        self.cluster.ctl("leader", "elect", "--preferred", "--all")
        self.cluster.await_rows("t", ALL)

    def test_a_controller_whose_server_has_lost_the_ensemble_stops_before_it_is_succeeded(self):
        # The server beside it is all that it knows of ZooKeeper, and goes on answering its pings.
        beside = next(i for i, s in enumerate(self.servers) if s.mode() == "follower")
        for broker in HOSTS:
            self.cluster[broker].end()
        self.start_broker(beside, zookeeper=self.addresses_of(beside))
        office = self.cluster.await_office()
        others = [b for b in HOSTS if b != beside]
        for broker in others:
            self.cluster[broker].start()
            self.cluster.await_live(broker)
        self.assertEqual(office[0], beside)
        self.machines.unplug(f"h{beside}")
        successor = eventually(lambda: next(
            (b for b in others if f"office won id={b} epoch={office[1] + 1}"
             in self.cluster[b].text()), None), "another is elected")
        eventually(lambda: "fenced epoch=" in self.cluster[beside].text(), "it fences itself")
        self.assertLess(self.cluster[beside].logged_at("fenced epoch="),
                        self.cluster[successor].logged_at(f"office won .*epoch={office[1] + 1}"))

    def test_a_machine_cut_off_is_left_behind_and_taken_back(self):
        office = self.cluster.office()
        victim = office[0]  # The one whose loss costs most: it holds the office.
        self.machines.unplug(f"h{victim}")
        others = [b for b in HOSTS if b != victim]

        def left_behind():
            code, answer = self.cluster.run_ctl("topic", "describe", "t", timeout="2s",
                                                at=f"broker-{others[0]}")
            return code == 0 and all(victim not in p["isr"] and p["leader"] in others
                                     for p in answer["topics"][0]["partitions"])
        eventually(left_behind, "the others lead")
        self.machines.plug_in(f"h{victim}")
        self.await_all_in_sync()
        self.cluster.await_office(lambda now: now[1] > office[1], "a later controller governs")


if __name__ == "__main__":
    harness.main()
