"""What became of the records."""

import collections


class Tally:
    """What was sent, acknowledged and read; records bear unlike values."""

    def __init__(self, sent, acknowledged, read):
        self.sent = sent
        self.acknowledged = acknowledged
        self.read = len(read)
        counts = collections.Counter(read)
        self.doubled = sum(count - 1 for count in counts.values())
        # kcat names no record that it delivered: what is missing of those counts as lost.
        self.lost = max(0, acknowledged - len(counts))

    def text(self):
        return (f"records: sent {self.sent}, acknowledged {self.acknowledged}, read {self.read}, "
                f"lost {self.lost}, doubled {self.doubled}")

    def problem(self):
        """Why that is not as it must be; empty if it is."""
        if self.lost or self.doubled:
            return "records were lost or doubled"
        return "" if self.acknowledged == self.sent else "records were not acknowledged"
