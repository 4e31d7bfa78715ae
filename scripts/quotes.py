#!/usr/bin/env python3
"""Writes into the documents the files that they quote: the block of code after <!-- file: PATH -->.

    --check   writes nothing, and fails where a quote is out of date
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
QUOTE = re.compile(r"(<!-- file: (\S+) -->\n```\w*\n)(.*?)(^```$)", re.DOTALL | re.MULTILINE)


def with_quotes(text):
    """The document with each quote as its file is now."""
    def quote(found):
        return found[1] + (ROOT / found[2]).read_text(encoding="utf-8") + found[4]
    return QUOTE.sub(quote, text)


def main():
    stale = []
    for document in sorted((ROOT / "docs").glob("*.md")):
        text = document.read_text(encoding="utf-8")
        if text != with_quotes(text):
            stale.append(document)
    if "--check" not in sys.argv[1:]:
        for document in stale:
            document.write_text(with_quotes(document.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    for document in stale:
        print(f"{document.relative_to(ROOT)} is out of date: run scripts/quotes.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
