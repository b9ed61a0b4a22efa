"""Tells by librdkafka's statistics which partitions' leaders a client has lost for good.

Version 2.0.2, which is Debian 12's, can do so. Brokers hear of a new leader one after the other; if
the client is told of the new one, of the former one and of the new one again before it has carried
out the move between, it knows the leader and goes on asking the former one. Another move of the
leader heals it, and so does another client."""


class AstrayWatch:
    """`partitions` has (partition, broker, leader) of those that stay with one broker and know of
    another leader, by the last statistics and by those before."""

    def __init__(self):
        self.partitions = set()
        self._elsewhere = set()

    def take(self, statistics):
        before = self._elsewhere
        self._elsewhere = {
            (partition["partition"], partition["broker"], partition["leader"])
            for topic in statistics["topics"].values()
            for partition in topic["partitions"].values()
            if min(partition["broker"], partition["leader"]) >= 0
            and partition["broker"] != partition["leader"]}
        self.partitions = before & self._elsewhere
