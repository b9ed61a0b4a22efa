"""zkCli of Debian's package judges the znodes: it reads every one of them."""

import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import harness  # noqa: E402
from harness import ClusterTest  # noqa: E402


class ZkCli(ClusterTest):
    def test_it_reads_every_znode_and_its_json_is_whole(self):
        self.cluster.start_brokers()
        self.cluster.ctl("topic", "create", "t", "--replica-assignment", "1:0:2", "--config",
                         "min.insync.replicas=2")
        paths = [line for line in self.zk_cli("ls", "-R", "/").splitlines()
                 if line.startswith("/") and not line.startswith("/zookeeper")]
        for expected in ("/controller", "/controller_epoch", "/brokers/ids/0", "/brokers/topics/t",
                         "/brokers/topics/t/partitions/0/state", "/config/topics/t",
                         "/cluster/id", "/regent/format"):
            self.assertIn(expected, paths)
        script = self.directory / "commands"
        script.write_text("".join(f"get {path}\n" for path in paths) + "quit\n")
        with open(script, encoding="ascii") as commands:
            done = subprocess.run(
                ["java", "-cp", harness.JARS, "org.apache.zookeeper.ZooKeeperMain", "-server",
                 "127.0.0.1:2181"], stdin=commands, capture_output=True, text=True, check=False,
                timeout=60)
        self.assertNotIn("Node does not exist", done.stdout + done.stderr)
        objects = [line for line in done.stdout.splitlines() if line.startswith("{")]
        self.assertGreaterEqual(len(objects), 8)
        for text in objects:
            self.assertIn("version", json.loads(text))


if __name__ == "__main__":
    harness.main()
