"""Processes that a test starts, on free ports, and HTTP to them. Standard library only."""

import json
import pathlib
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 30


def eventually(condition, seconds, what):
    """Waits until the condition holds, and returns what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


def fetch(url, body=None, headers=None):
    """The status and the body's text."""
    request = urllib.request.Request(url, body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def post_json(url, value):
    return fetch(url, json.dumps(value).encode(), {"Content-Type": "application/json"})


def free_port():
    """For programs that cannot say which one they took."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Process:
    """A child with its output in a file; ended at the end of the `with`."""

    def __init__(self, folder, name, arguments):
        self.name = name
        self.log = pathlib.Path(folder) / f"{name}.log"
        with self.log.open("wb") as out:
            self.child = subprocess.Popen([str(argument) for argument in arguments], stdout=out,
                                          stderr=subprocess.STDOUT, cwd=folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        try:
            self.child.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def said(self, pattern):
        """Waits for a line of its output; what the pattern's first group matched."""
        def find():
            match = re.search(pattern, self.text())
            if match is None and self.child.poll() is not None:
                raise AssertionError(f"{self.name} ended at once:\n{self.text()}")
            return match
        return eventually(find, START_SECONDS, f"{self.name} says {pattern}").group(1)
