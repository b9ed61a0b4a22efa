"""The acceptance story, as its user runs it: deploy/quickstart walks it in every variant."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import harness

sys.path.append(str(harness.ROOT / "deploy" / "quickstart_py"))
from tally import Tally  # noqa: E402

QUICKSTART = harness.ROOT / "deploy" / "quickstart"
ROWS = harness.ROOT / "deploy" / "quickstart.rows"


class EightRows(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="regent-rows-")
        self.addCleanup(self.directory.cleanup)

    def walk(self, *flags):
        command = [str(QUICKSTART), "--no-build", "--build-dir", str(harness.BUILD), "--dir",
                   self.directory.name, "--stop-after", *flags]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)

    def assert_walked(self, done):
        self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr[-2000:])
        self.assertIn("All 8 rows are as expected", done.stdout)
        self.assertNotIn("was killed", done.stdout)
        self.assertRegex(done.stdout, r"sent 6000, acknowledged 6000, read 6000, lost 0, doubled 0")

    def test_with_controlled_shutdowns(self):
        self.assert_walked(self.walk())

    def test_with_kills(self):
        self.assert_walked(self.walk("--kill"))

    def test_with_dedicated_controllers_and_controlled_shutdowns(self):
        self.assert_walked(self.walk("--dedicated-controllers"))

    def test_with_dedicated_controllers_and_kills(self):
        self.assert_walked(self.walk("--dedicated-controllers", "--kill"))

    def test_a_row_that_differs_fails_the_walk_and_is_named(self):
        altered = pathlib.Path(self.directory.name) / "altered.rows"
        text = ROWS.read_text()
        changed = text.replace("3 | stop 0          | leader 1, ISR 1,2 ",
                               "3 | stop 0          | leader 2, ISR 1,2 ")
        self.assertNotEqual(changed, text)
        altered.write_text(changed)
        done = self.walk("--rows", str(altered), "--wait", "5")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("step 3", done.stdout + done.stderr)


class Tallies(unittest.TestCase):
    """The walk's verdict on its records."""

    def test_all_there_once_is_as_it_must_be(self):
        tally = Tally(3, 3, ["a", "b", "c"])
        self.assertEqual(tally.text(),
                         "records: sent 3, acknowledged 3, read 3, lost 0, doubled 0")
        self.assertEqual(tally.problem(), "")

    def test_one_that_is_missing_is_lost_and_one_read_twice_is_doubled(self):
        tally = Tally(3, 3, ["a", "b", "b"])
        self.assertEqual((tally.lost, tally.doubled), (1, 1))
        self.assertIn("lost or doubled", tally.problem())

    def test_one_without_an_acknowledgement_is_told(self):
        self.assertIn("not acknowledged", Tally(3, 2, ["a", "b", "c"]).problem())


if __name__ == "__main__":
    harness.main()
