#!/usr/bin/env python3
"""Generated JSON through `sluice map`, against Python's json: the same values come out, numbers digit for digit.

usage: differential.py SLUICE [COUNT] [SEED]
"""
import json
import os
import random
import subprocess
import sys


class Number(str):
    """A number by its text."""


def number(rng):
    text = rng.choice(["", "-"]) + rng.choice(["0", str(rng.randrange(1, 10 ** rng.randrange(1, 40)))])
    if rng.random() < 0.5:
        text += "." + "".join(rng.choice("0123456789") for _ in range(rng.randrange(1, 20)))
    if rng.random() < 0.3:
        text += rng.choice("eE") + rng.choice(["", "+", "-"]) + str(rng.randrange(500))
    return text


def string(rng):
    pieces = ["a", "é", "😀", "\\n", "\\u00e9", "\\ud83d\\ude00", '\\"', "\\\\", "\\/", "{[,:]}", " ", "\u2028"]
    return '"' + "".join(rng.choice(pieces) for _ in range(rng.randrange(8))) + '"'


def value(rng, depth):
    kind = rng.randrange(5 if depth > 5 else 7)
    if kind < 3:
        return [lambda: "null", lambda: rng.choice(["true", "false"]), lambda: number(rng)][kind]()
    if kind < 5:
        return string(rng)
    items = range(rng.randrange(5))
    space = rng.choice(["", " ", "\t"])
    if kind == 5:
        return "[" + (space + ",").join(space + value(rng, depth + 1) for _ in items) + space + "]"
    return "{" + ",".join(f'{space}"k{i}"{space}:{value(rng, depth + 1)}' for i in items) + "}"


def read(text):
    return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=Number)


def without_nulls(read_value):
    if isinstance(read_value, dict):
        return {k: without_nulls(v) for k, v in read_value.items() if v is not None}
    if isinstance(read_value, list):
        return [without_nulls(v) for v in read_value if v is not None]
    return read_value


def kinds(read_value):
    """The value with the kind of each scalar, as a Number is a str."""
    if isinstance(read_value, dict):
        return {k: kinds(v) for k, v in read_value.items()}
    if isinstance(read_value, list):
        return [kinds(v) for v in read_value]
    return (type(read_value).__name__, read_value)


def main():
    sluice = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    rng = random.Random(seed)
    values = [value(rng, 0) for _ in range(count)]
    lines = [f'{{"action":"a","label":"l","time":"2024-05-01T12:00:00Z","id":"c","x":{v}}}' for v in values]
    config = os.path.join(os.path.dirname(os.path.abspath(__file__)), "identity.yaml")
    ran = subprocess.run([sluice, "map", "--config", config, "--ndjson"], input="\n".join(lines).encode(),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    out = ran.stdout.decode("utf-8", "strict").split("\n")[:-1]
    if ran.returncode != 0 or len(out) != count:
        sys.exit(f"differential: exit {ran.returncode}, {len(out)} of {count} events: {ran.stderr.decode()}"
                 + next((line for line in out if line.startswith('{"rejected"')), ""))
    for given, made in zip(values, out):
        expected = without_nulls({"x": read(given)})
        params = read(made)["params"]
        if kinds(params) != kinds(expected):
            sys.exit(f"differential: seed {seed}: {given}\nbecame {made}")
    print(f"differential: {count} values came out as they went in, but for nulls; seed {seed}")


if __name__ == "__main__":
    main()
