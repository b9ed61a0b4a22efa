"""regent-load (tests/bench/load), run from Python: writes records, measures, reads them back."""

import json
import subprocess
import threading

import harness

PROGRAM = harness.BUILD / "tests/bench/regent-load"
BROKERS = "127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094"
PATIENCE = 300.0


def command(topic, *flags, brokers=BROKERS):
    return [PROGRAM, f"--brokers={brokers}", f"--topic={topic}", *flags]


def run(topic, *flags, brokers=BROKERS):
    """Returns the objects that it printed, one for each run and one for the reading."""
    done = subprocess.run(command(topic, *flags, brokers=brokers), capture_output=True, text=True,
                          check=False, timeout=PATIENCE)
    assert done.returncode == 0, f"regent-load exited {done.returncode}: {done.stderr}"
    return _objects(done.stdout.splitlines())


def _objects(lines):
    return [o for o in map(json.loads, lines) if o["kind"] != "underWay"]


class Running:
    """A load that goes on until it is stopped; under way once made. `astray` grows with what it says
    of partitions whose leader the client has lost, if the flags have it do so."""

    def __init__(self, topic, *flags, brokers=BROKERS):
        self.astray = []
        self._said = []
        self._popen = subprocess.Popen(command(topic, "--until-eof", *flags, brokers=brokers),
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert json.loads(self._popen.stdout.readline())["kind"] == "underWay"
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self):
        for line in self._popen.stdout:
            said = json.loads(line)
            (self.astray if said["kind"] == "astray" else self._said).append(said)

    def stop(self):
        """Returns the objects that it printed."""
        self._popen.stdin.close()
        self._end()
        assert self._popen.returncode == 0, f"regent-load exited {self._popen.returncode}"
        return [o for o in self._said if o["kind"] != "underWay"]

    def destroy(self):
        self._popen.kill()
        self._end()

    def _end(self):
        self._popen.wait(PATIENCE)
        self._listener.join()
        self._popen.stdin.close()
        self._popen.stdout.close()
