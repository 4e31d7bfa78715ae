#!/usr/bin/env python3
"""Writes the tables of docs/configuration.md from config/sluice.schema.json: each stands below a comment
<!-- keys: SECTION -->, and all else in the document is written by hand.

    --check   writes nothing, and fails where the tables are out of date
"""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "config/sluice.schema.json"
DOCUMENT = ROOT / "docs/configuration.md"
TABLE = re.compile(r"(<!-- keys: (\w+) -->\n)((?:\|.*\n)*)")
# Without a table: docs/mapping.md has these, and a row tells what the last is.
UNTOLD = {"event", "transaction", "rule", "producer_key"}
RANGE = re.compile(r" *Range: (\S+) to (\S+)\.$")


def section_of(key):
    """The name of the section that a key's value, or each item of it, is; none for other values."""
    reference = key.get("$ref") or key.get("items", {}).get("$ref") or ""
    return reference.removeprefix("#/$defs/")


def range_of(key):
    """(least, most) as the program writes them, or None."""
    found = RANGE.search(key["description"])
    return found.groups() if found else None


class Reference:
    def __init__(self, definitions, documented):
        self.definitions = definitions
        self.documented = documented  # the sections with a table of their own

    def is_section(self, key):
        return "properties" in self.definitions.get(section_of(key), {})

    def type_of(self, key):
        if "title" in key:
            return key["title"]
        words = next((choice["enum"] for choice in key.get("anyOf", []) if "enum" in choice), None)
        if words:
            return ", ".join(f"`{word}`" for word in words)
        if self.is_section(key):
            return "list of maps" if "items" in key else "map"
        return section_of(key)

    @staticmethod
    def default_of(name, key, section):
        if "default" in key:
            value = key["default"]
            return f"`{value if isinstance(value, str) else json.dumps(value)}`"
        return "required" if name in section.get("required", []) else key.get("x-absent", "")

    def rows(self, section_name, prefix=""):
        """(key, type, default, bounds, meaning) of each key; a map without a table gives those of its own."""
        section = self.definitions[section_name]
        keys = section["properties"]
        for name, key in keys.items():
            if self.is_section(key) and section_of(key) not in self.documented | UNTOLD:
                yield from self.rows(section_of(key), f"{name}.")
            elif name.removesuffix("_file") not in keys or not name.endswith("_file"):
                file = f", `{prefix}{name}_file`" if f"{name}_file" in keys else ""
                restart = " A change needs a restart." if key.get("x-restart") else ""
                meaning = RANGE.sub("", key["description"]) + restart + f" {key.get('x-see', '')}".rstrip()
                yield (f"`{prefix}{name}`{file}", self.type_of(key), self.default_of(name, key, section),
                       " to ".join(range_of(key) or []), meaning)

    def table(self, section_name):
        rows = [("key", "type", "default", "bounds", "meaning"), *self.rows(section_name)]
        if not any(bounds for _, _, _, bounds, _ in rows[1:]):
            rows = [row[:3] + row[4:] for row in rows]
        lines = [f"| {' | '.join(row)} |\n" for row in rows]
        return lines[0] + "|---" * len(rows[0]) + "|\n" + "".join(lines[1:])


def with_tables(text):
    """The document with its tables as the schema has them."""
    definitions = json.loads(SCHEMA.read_text(encoding="utf-8"))["$defs"]
    reference = Reference(definitions, {name for _, name, _ in TABLE.findall(text)})
    return TABLE.sub(lambda found: found[1] + reference.table(found[2]), text)


def main():
    text = DOCUMENT.read_text(encoding="utf-8")
    written = with_tables(text)
    if "--check" not in sys.argv[1:]:
        DOCUMENT.write_text(written, encoding="utf-8")
    elif written != text:
        print("docs/configuration.md is out of date: run scripts/configuration_reference.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
