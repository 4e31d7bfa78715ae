"""Goal: the bill of materials names what the binary really loads and holds, in the versions that are installed."""

import json
import re
import subprocess
import unittest

from gateways import BINARIES, ROOT


def lines_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


class Sbom(unittest.TestCase):
    def test_it_names_every_package_that_the_binary_is_made_of(self):
        binary = BINARIES / "sluice"
        made = json.loads("\n".join(lines_of(ROOT / "scripts/sbom.sh", binary)))
        self.assertEqual((made["bomFormat"], made["specVersion"]), ("CycloneDX", "1.5"))
        versions = {part["name"]: part["version"] for part in made["components"]}
        self.assertEqual(len(versions), len(made["components"]))
        installed = dict(line.split() for line in lines_of(
            "dpkg-query", "-W", "-f=${Package} ${Version}\\n", *versions))
        self.assertEqual(versions, installed)
        files = {file["name"].rpartition("/")[2] for part in made["components"]
                 for file in part.get("components", [])}
        # What the binary itself asks for, by its dynamic section.
        needed = {match.group(1) for line in lines_of("readelf", "--dynamic", binary)
                  if (match := re.search(r"\(NEEDED\).*\[(.+)\]", line))}
        self.assertGreater(len(needed), 10)
        self.assertLessEqual(needed, files)
        for wanted in ("libc6", "librocksdb", "libssl3", "libboost"):
            self.assertTrue(any(name.startswith(wanted) for name in versions), wanted)
        self.assertEqual(len(made["dependencies"][0]["dependsOn"]), len(versions))


if __name__ == "__main__":
    unittest.main()
