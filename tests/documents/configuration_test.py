"""Goal: the schema of the configuration, from which editors and docs/configuration.md have what they say,
agrees with the program: its defaults, its bounds, and a word on every key.

Standard library only; SLUICE_BIN_DIR says where the binaries are.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import configuration_reference as reference  # noqa: E402

BINARIES = pathlib.Path(os.environ.get("SLUICE_BIN_DIR", ROOT / "build/release/bin")).resolve()
DEFINITIONS = json.loads(reference.SCHEMA.read_text(encoding="utf-8"))["$defs"]
# What cannot be left out.
GUID = "01234567-89ab-cdef-0123-456789abcdef"
REQUIRED = {"workspaces": [{"auth": {"api_key": "k", "workspace_guid": GUID}}],
            "ingest": {"producers": [{"name": "shop", "key": "k"}]}}
LISTS = {"workspaces", "producers"}  # that have an item above
UNITS = {"": 1, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "B": 1, "kB": 1000, "MB": 1000**2,
         "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def keys_of(section="file", path="", inside=None):
    """(path, key, the parts of the path) of every key that the sections have, but for those of rules."""
    for name, key in DEFINITIONS[section]["properties"].items():
        inner, parts = reference.section_of(key), [*(inside or []), name]
        yield path + name, key, parts
        if "properties" in DEFINITIONS.get(inner, {}) and inner not in reference.UNTOLD:
            if "items" in key:
                yield from keys_of(inner, f"{path}{name}[0].", [*parts, 0])
            else:
                yield from keys_of(inner, f"{path}{name}.", parts)


def with_values(values):
    """The smallest configuration, and these values: {parts of a path: value}."""
    config = json.loads(json.dumps(REQUIRED))
    for parts, value in values:
        at = config
        for part in parts[:-1]:
            at = at[part] if isinstance(part, int) else at.setdefault(part, {})
        at[parts[-1]] = value
    return config


def check(config):
    """What `sluice check` says of it, without its first line."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "sluice.yaml")
        file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        done = subprocess.run([BINARIES / "sluice", "check", "--config", file],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.partition("\n")[2], done.stderr


def beyond(key, bound, step):
    """A value just outside of the bound, in the smallest unit of its kind."""
    number, unit = re.fullmatch(r"([\d.]+)(\w*)", bound.removesuffix("/s")).groups()
    kind = reference.section_of(key)
    if kind == "share":
        return float(number) + step / 1000
    return f"{int(number) * UNITS[unit] + step}" + {"duration": "ms", "rate": "/s"}.get(kind, "")


class Schema(unittest.TestCase):
    def test_the_tables_of_the_document_are_made_of_it(self):
        text = reference.DOCUMENT.read_text(encoding="utf-8")
        self.assertEqual(reference.with_tables(text), text, "run scripts/configuration_reference.py")

    def test_every_section_has_its_table_or_stands_in_one(self):
        text = reference.DOCUMENT.read_text(encoding="utf-8")
        documented = {name for _, name, _ in reference.TABLE.findall(text)}
        tables = reference.Reference(DEFINITIONS, documented)
        shown = {key for name in documented for row in tables.rows(name)
                 for key in re.findall(r"`([^`]+)`", row[0])}
        for path, key, parts in keys_of():
            # A map without a table gives its keys to the one above; a row tells what is in `keys`.
            if not (tables.is_section(key) or "keys" in parts[:-1]):
                self.assertTrue(parts[-1] in shown or ".".join(map(str, parts[-2:])) in shown, path)

    def test_it_says_of_every_key_what_it_means_and_what_holds_without_it(self):
        for path, key, parts in keys_of():
            self.assertIn("description", key, path)
            section = "properties" in DEFINITIONS.get(reference.section_of(key), {}) and "items" not in key
            other = parts[-1].endswith("_file") or {"default", "x-absent"} & key.keys()
            self.assertTrue(section or other or any(
                parts[-1] in definition.get("required", []) for definition in DEFINITIONS.values()), path)

    def test_its_defaults_are_those_of_the_program(self):
        written = [(parts, key["default"]) for _, key, parts in keys_of()
                   if "default" in key and parts[-1] not in LISTS]
        self.assertGreater(len(written), 35)
        left_out, all_written = check(with_values([])), check(with_values(written))
        self.assertEqual(left_out[0], 0, left_out[2])
        self.assertEqual(all_written, left_out)

    def bounds(self):
        return [(path, key, parts, reference.range_of(key)) for path, key, parts in keys_of()
                if reference.range_of(key)]

    def test_its_upper_bounds_are_those_of_the_program(self):
        beyond_all = [(parts, beyond(key, most, 1)) for _, key, parts, (_, most) in self.bounds()]
        self.assertGreater(len(beyond_all), 25)
        _, _, said = check(with_values(beyond_all))
        for path, _, _, (_, most) in self.bounds():
            path, most = re.escape(path), re.escape(most)
            self.assertRegex(said, rf"{path} is [^:]*, above .*: write {most} or less\n")

    def test_its_lower_bounds_are_those_of_the_program(self):
        bounds = [(path, key, parts, least) for path, key, parts, (least, _) in self.bounds() if least != "0"]
        beyond_all = [(parts, beyond(key, least, -1)) for _, key, parts, least in bounds]
        self.assertGreater(len(beyond_all), 15)
        _, _, said = check(with_values(beyond_all))
        for path, _, _, least in bounds:
            path, least = re.escape(path), re.escape(least)
            self.assertRegex(said, rf"{path} is [^:]*, below .*: write {least} or more\n")


if __name__ == "__main__":
    unittest.main()
