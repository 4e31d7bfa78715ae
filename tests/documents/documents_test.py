"""Goal: what a document points to is there: links, headings, files, quotes; and every document is found
within two clicks from the README.

Standard library only; needs nothing built.
"""

import glob
import os
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import quotes  # noqa: E402

README = ROOT / "README.md"
CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# A word in backticks that begins like a path of the repository, or names a source file.
PATH = re.compile(r"`((?:\./)?(?:src|include|docs|config|scripts|tests|deploy|bench|cmake|\.ci)/[^`\s]*"
                  r"|[\w*]+\.[ch]pp|[A-Z]\w+\.md)(?=[` ])")
GENERATED = "bench/results/"  # by a command that the sentence tells of


def documents():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
                            cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split()]


def prose_of(document):
    return CODE.sub("", document.read_text(encoding="utf-8"))


def anchors_of(document):
    """The names of its headings as GitHub makes them, and of <a id>."""
    text = prose_of(document)
    titles = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower() for title in titles)
    names = [re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in plain]
    return set(names) | set(re.findall(r'<a id="([^"]+)"', text))


def links_of(document):
    """(target file or directory, anchor) of every link within the repository."""
    for target in LINK.findall(prose_of(document)):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield (document.parent / path).resolve() if path else document, anchor


def braces(text):
    """The texts that a shell makes of a{b,c}d."""
    found = re.search(r"\{([^{}]*,[^{}]*)\}", text)
    if not found:
        return [text]
    return [made for choice in found[1].split(",")
            for made in braces(text[:found.start()] + choice + text[found.end():])]


def is_there(path, base):
    """Whether a path, in which <name> and … stand for anything, is in the repository or beside `base`."""
    pattern = re.sub(r"<[^>]*>|…", "*", path.removeprefix("./"))
    return any(glob.glob(str(place / pattern)) for place in (ROOT, base))


class Documents(unittest.TestCase):
    def test_every_link_leads_somewhere(self):
        seen = 0
        for document in documents():
            for target, anchor in links_of(document):
                where = f"{document.relative_to(ROOT)}: {target}#{anchor}"
                self.assertTrue(target.exists(), where)
                if anchor:
                    self.assertIn(anchor, anchors_of(target), where)
                seen += 1
        self.assertGreater(seen, 100)

    def test_every_document_is_two_clicks_from_the_readme(self):
        reached = {README}
        for _ in range(2):
            reached |= {target for document in list(reached) for target, _ in links_of(document)
                        if target.suffix == ".md"}
        docs = {document for document in documents() if ROOT / "docs" in document.parents}
        self.assertEqual({str(document.relative_to(ROOT)) for document in docs - reached}, set())
        self.assertGreater(len(docs), 15)

    def test_every_file_that_is_named_is_there(self):
        seen = 0
        for document in documents():
            for line in prose_of(document).splitlines():
                # In a list of files the later ones are in the folder of the one before.
                base = document.parent
                for path in PATH.findall(line):
                    for made in braces(path):
                        if made.startswith(GENERATED):
                            continue
                        self.assertTrue(is_there(made, base), f"{document.relative_to(ROOT)}: {made}")
                        if "/" in made and not made.endswith("/"):
                            base = ROOT / os.path.dirname(made.removeprefix("./"))
                        seen += 1
        self.assertGreater(seen, 100)

    def test_quotes_are_what_the_files_say(self):
        quoted = 0
        for document in documents():
            text = document.read_text(encoding="utf-8")
            self.assertEqual(quotes.with_quotes(text), text, f"{document}: run scripts/quotes.py")
            quoted += len(quotes.QUOTE.findall(text))
        self.assertGreater(quoted, 10)


if __name__ == "__main__":
    unittest.main()
