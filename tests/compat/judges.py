"""The judges that come from elsewhere: the jars of Kafka's programs, from Maven.

As a program (`judges.py VERSION`) it fetches one version's, all or none, in a bounded time; if they
cannot be had it says why and ends with 77, and the tests that need them skip themselves.
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
OLD_KAFKA = "2.8.2"  # The last whose tools write ZooKeeper themselves.
KAFKA = "3.9.0"
PATIENCE = float(os.environ.get("REGENT_FETCH_SECONDS", "200"))
SKIPPED = 77


def jars(version):
    """Where a version's jars lie once they have been fetched."""
    return BUILD / "judges" / f"kafka-{version}"


def java(version, *arguments, options=()):
    """The command that runs a class of Kafka's: it says warnings on standard error, and its machine
    makes haste to start rather than to run. It shares no file by process id (one of /tmp, about
    which it complains on standard output): tests' process ids are their namespaces' own."""
    return ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
            f"-Dlog4j.configuration=file:{HERE / 'kafka-log4j.properties'}", *options,
            "-cp", f"{jars(version)}/*", *map(str, arguments)]


def fetch(version):
    """Gets the jars unless they are there; returns why not, or None."""
    place = jars(version)
    if place.is_dir():
        return None
    if shutil.which("mvn") is None:
        return "mvn is not installed (deploy/install-packages --test does that)"
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="fetching-") as fetching:
        fetched = pathlib.Path(fetching) / "jars"
        code, said = run_bounded(
            ["mvn", "-q", "-B", "-f", str(HERE / f"kafka-{version}.pom.xml"),
             "dependency:copy-dependencies", f"-DoutputDirectory={fetched}"])
        if code is None:
            return f"mvn had not got the jars after {PATIENCE:g} s"
        if code != 0:
            return f"mvn could not get the jars: {said[-500:].strip()}"
        fetched.rename(place)  # From here on they are there, and all of them.
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
    missing = fetch(sys.argv[1])
    if missing:
        print(f"skipped: {missing}")
        sys.exit(SKIPPED)
