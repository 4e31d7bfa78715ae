"""Goal: systemd understands the unit, which shuts away what it can, and gives Sluice its time to drain."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from processes import ROOT

BINARIES = pathlib.Path(os.environ.get("SLUICE_BIN_DIR", ROOT / "build/release/bin")).resolve()
UNIT = ROOT / "deploy/systemd/sluice.service"
EXPOSURE_MAX = 2.0  # of 10, in the words of systemd-analyze; under 3 it calls OK


def seconds_of(key):
    return int(re.search(rf"^{key}=(\d+)s$", UNIT.read_text(encoding="utf-8"), re.MULTILINE).group(1))


class Unit(unittest.TestCase):
    def analyze(self, *command):
        if shutil.which("systemd-analyze") is None:
            self.skipTest("there is no systemd-analyze")
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder, UNIT.name)
            # Verifying asks for the program to be there.
            unit.write_text(UNIT.read_text(encoding="utf-8").replace(
                "/usr/bin/sluice", str(BINARIES / "sluice")))
            return subprocess.run(["systemd-analyze", *command, unit], capture_output=True, text=True,
                                  check=False)

    def test_it_is_understood(self):
        done = self.analyze("verify")
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_it_shuts_away_what_it_can(self):
        done = self.analyze("security", "--offline=true", "--no-pager")
        exposure = float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout).group(1))
        self.assertLessEqual(exposure, EXPOSURE_MAX, done.stdout)

    def test_it_may_take_as_long_to_stop_as_it_drains(self):
        example = (ROOT / "config/sluice.example.yaml").read_text(encoding="utf-8")
        drain = int(re.search(r"^drain_timeout: (\d+)s$", example, re.MULTILINE).group(1))
        self.assertGreaterEqual(seconds_of("TimeoutStopSec"), drain + 2 + 5)


if __name__ == "__main__":
    unittest.main()
