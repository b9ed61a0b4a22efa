"""Whether the machine itself stood still while something was measured."""

import contextlib
import subprocess
import time

import harness

PROGRAM = harness.BUILD / "tests/bench/late_wakes"
LATE_PER_SECOND = 2.0  # Late wakes of all processors together; with more the host is measured.
ATTEMPTS = 2  # Something is measured at most so many times as often as it was wanted.


class Stillness:
    """Watches as long as it is open (tests/bench/late_wakes.cc). Where it may not, because that
    takes a priority that not everybody may have, the machine counts as calm.
    """

    def __init__(self):
        self._popen = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        self._seconds = 0.0
        self._late = 0

    @contextlib.contextmanager
    def watch(self):
        late, began = self._count(), time.monotonic()
        yield
        self._seconds += time.monotonic() - began
        self._late += self._count() - late

    def calm_ones(self, wanted, measure):
        """Measures until the machine was calm `wanted` times, within the watches that `measure`
        opens. Returns what came of those times, or of all if it never was, and how many times it
        was not.
        """
        calm, others = [], []
        while len(calm) < wanted and len(calm) + len(others) < ATTEMPTS * wanted:
            self._seconds, self._late = 0.0, 0
            value = measure()
            is_calm = self._late <= LATE_PER_SECOND * self._seconds
            (calm if is_calm else others).append(value)
        return calm or others, len(others)

    def _count(self):
        try:
            self._popen.stdin.write("\n")
            self._popen.stdin.flush()
            return int(self._popen.stdout.readline() or 0)
        except BrokenPipeError:  # It has ended: it must not watch.
            return 0

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self._popen.communicate()
