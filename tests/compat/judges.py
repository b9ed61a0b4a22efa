"""The judges that come from elsewhere: the jars of Kafka 2.8.2's tools, from Maven.

As a program it fetches them, all or none, in a bounded time; if they cannot be had it says why and
ends with 77, and the tests that need them skip themselves.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("REGENT_BUILD_DIR", HERE.parents[1] / "build" / "release"))
KAFKA_JARS = BUILD / "judges" / "kafka-2.8.2"
PATIENCE = float(os.environ.get("REGENT_FETCH_SECONDS", "200"))
SKIPPED = 77


def fetch():
    """Gets the jars unless they are there; returns why not, or None."""
    if KAFKA_JARS.is_dir():
        return None
    if shutil.which("mvn") is None:
        return "mvn is not installed (deploy/install-packages --test does that)"
    KAFKA_JARS.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KAFKA_JARS.parent, prefix="fetching-") as place:
        jars = pathlib.Path(place) / "jars"
        code, said = run_bounded(
            ["mvn", "-q", "-B", "-f", str(HERE / "kafka-2.8.2.pom.xml"),
             "dependency:copy-dependencies", f"-DoutputDirectory={jars}"])
        if code is None:
            return f"mvn had not got the jars after {PATIENCE:g} s"
        if code != 0:
            return f"mvn could not get the jars: {said[-500:].strip()}"
        jars.rename(KAFKA_JARS)  # From here on they are there, and all of them.
    return None


def run_bounded(command):
    """Returns (exit code, output); the code is None if the time was not enough."""
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                 start_new_session=True)
        try:
            code = child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)  # A script and its java.
                child.wait()
        output.seek(0)
        return code, output.read()


if __name__ == "__main__":
    missing = fetch()
    if missing:
        print(f"skipped: {missing}")
        sys.exit(SKIPPED)
