"""Compares what bench/releases.sh has measured on two releases; prints tables of markdown."""

import json
import pathlib
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent / "build/debian"
MEASURES = (("events/s", "whole_per_s"), ("CPU per event", "cpu_s_per_event"))


def instructions(folder: pathlib.Path) -> dict[str, float]:
    rows = (folder / "instructions.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return {name: float(count) for name, count, _ in (row.split("\t") for row in rows)}


def rounds(folder: pathlib.Path) -> list[dict[str, dict[str, float]]]:
    """Of each round, the values of each variant."""
    return [{f"{line['scenario']}: {line['variant']}": line["values"]
             for file in sorted(taken.glob("*.jsonl"))
             for line in map(json.loads, file.read_text(encoding="utf-8").splitlines()[1:])}
            for taken in sorted(path for path in folder.iterdir() if path.is_dir())]


def main() -> None:
    folders = [ROOT / name for name in sys.argv[1:]]
    names = [folder.parent.name.removesuffix(".build") for folder in folders]
    counts = [instructions(folder) for folder in folders]
    print(f"| instructions | {names[0]} | {names[1]} | ratio |\n|---|---:|---:|---:|")
    for case, before in counts[0].items():
        after = counts[1][case]
        print(f"| {case} | {before:,.1f} | {after:,.1f} | {after / before:.2f} |")
    pairs = list(zip(*map(rounds, folders), strict=True))
    print("\n| " + " | ".join(["scenario", *(f"{measure}, {names[1]} / {names[0]}" for measure, _ in MEASURES)]) +
          " |\n|---|" + "---:|" * len(MEASURES))
    for variant in pairs[0][0]:
        cells = []
        for _, key in MEASURES:
            ratios = [after[variant][key] / before[variant][key] for before, after in pairs]
            cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        print(f"| {variant} | " + " | ".join(cells) + " |")


main()
