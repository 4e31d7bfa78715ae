"""What the scenarios measured, as lines for the terminal and as bench/RESULTS.md."""

import collections
import json
import math
import pathlib
import statistics


def format_value(value: float | None, unit: str) -> str:
    if value is None or math.isnan(value):
        return ""
    if unit == "rate":
        return f"{value:,.0f}"
    if unit == "share":
        return f"{value:.0%}"
    if unit == "ratio":
        return f"{value:.2f}"
    if unit == "size":
        return f"{value / 2**20:,.1f} MiB" if value >= 2**20 else f"{value / 2**10:,.1f} KiB"
    assert unit == "time", unit
    for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 1:
            return f"{value * factor:.3g} {name}"
    return f"{value * 1e9:.3g} ns"


class Results:
    """A scenario's file: one line about the run, then one per variant and repetition."""

    def __init__(self, path: pathlib.Path):
        head, *lines = map(json.loads, path.read_text().splitlines())
        self.machine, self.seconds = head["machine"], head["seconds"]
        self.by_variant: dict[str, list[dict]] = collections.defaultdict(list)
        for line in lines:
            self.by_variant[line["variant"]].append(line["values"])

    @property
    def repetitions(self) -> int:
        return max(len(values) for values in self.by_variant.values())

    def median(self, variant: str, key: str) -> float | None:
        values = [v[key] for v in self.by_variant[variant] if key in v]
        return statistics.median(values) if values else None

    def ratios(self, ratio) -> list[float]:
        pairs = zip(self.by_variant[ratio.of], self.by_variant[ratio.to], strict=True)
        return [of[ratio.key] / to[ratio.key] for of, to in pairs]


def one_line(scenario, values: dict) -> str:
    return ", ".join(f"{column.head} {format_value(values[column.key], column.unit)}"
                     for column in scenario.columns if column.key in values)


def spread(values: list[float]) -> tuple[str, str, str]:
    return tuple(f"{v:.2f}" for v in (min(values), statistics.median(values), max(values)))


def ratio_lines(scenario, results: Results) -> list[str]:
    lines = []
    for ratio in scenario.ratios:
        low, middle, high = spread(results.ratios(ratio))
        goal = f" (goal: {ratio.goal})" if ratio.goal else ""
        lines.append(f"{ratio.of} / {ratio.to}, {ratio.of_what}: min {low}, median {middle}, max {high}{goal}")
    return lines


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def scenario_section(scenario, results: Results) -> str:
    machine = results.machine
    out = (f"### {scenario.name}\n\n{scenario.about}\n\n"
           f"{machine['date']}, commit {machine['commit']}{' with changes' if machine['changed'] else ''}, "
           f"`{machine['command']}`: {results.repetitions} x {results.seconds:g} s, medians; "
           f"load average at the start {machine['load_average']:.1f}."
           f"{' ' + machine['note'] if machine['note'] else ''}\n\n")
    rows = [[variant, *(format_value(results.median(variant, c.key), c.unit)
                        for c in scenario.columns)] for variant in results.by_variant]
    out += table(["", *(column.head for column in scenario.columns)], rows)
    if scenario.ratios:
        rows = [[f"{r.of} / {r.to}, {r.of_what}", *spread(results.ratios(r)), r.goal] for r in scenario.ratios]
        out += "\n" + table(["ratio", "min", "median", "max", "goal"], rows)
    return out


def instructions_section(path: pathlib.Path) -> str:
    head, *rows = (line.split("\t") for line in path.read_text().splitlines())
    return ("## Instructions and allocations\n\nPer event, or what else the case is about. Instructions "
            "are counted by callgrind, with simdjson's kernel `haswell`, and repeat whatever else the "
            "machine does; allocations are calls of `operator new`. `bench/instructions.sh` counts "
            "again and compares.\n\n"
            + table(head, rows))


def micro_section(path: pathlib.Path) -> str:
    document = json.loads(path.read_text())
    benchmarks = [b for b in document["benchmarks"] if b.get("aggregate_name", "median") == "median"]
    names = {b.get("run_name", b["name"]): b for b in benchmarks}
    rows = []
    for name, measured in names.items():
        baseline = names.get(name.replace("normalise/", "dom_parse/"))
        rate = measured.get("bytes_per_second")
        ratio = rate / baseline["bytes_per_second"] if rate and baseline else None
        per_item = 1 / measured["items_per_second"] if "items_per_second" in measured else None
        rows.append([name, format_value(per_item, "time"),
                     f"{rate / 2**20:,.0f} MiB/s" if rate else "",
                     f"{ratio:.2f}" if ratio and name.startswith("normalise/") else ""])
    return ("## Micro-benchmarks\n\n`sluice-micro`, medians. The last column is the rate of "
            "normalising over that of simdjson's DOM parse of the same bytes; goal for arrays of 100: "
            "0.25 or more, aiming at 0.5.\n\n"
            + table(["benchmark", "per event or item", "of input", "of the DOM parse"], rows))


def machine_section(machine: dict) -> str:
    return (f"{machine['cpu']}, {machine['cores']} cores, {format_value(machine['memory_bytes'], 'size')} "
            f"of memory, Linux {machine['kernel']}, {machine['compiler']}.")


def write(bench: pathlib.Path, results_dir: pathlib.Path, scenarios) -> None:
    """Writes RESULTS.md of whatever has been measured; scenarios that have not are left out."""
    measured = [(scenario, Results(results_dir / f"{scenario.name}.jsonl")) for scenario in scenarios
                if (results_dir / f"{scenario.name}.jsonl").exists()]
    out = ["# Results\n\nWritten by `bench/run.sh --report` from what was measured on one machine; "
           "[README.md](README.md) says what each scenario does and how to run it. Machines differ and "
           "are noisy: look at the ratios, whose sides were measured in turn on the same cores, and at "
           "the instruction counts. In every run below, each accepted event was delivered, and the "
           "simulator, where it was the upstream, has it once.\n"]
    if measured:
        out.append(machine_section(measured[-1][1].machine) + "\n")
        out.append("## Scenarios\n")
    out += [scenario_section(scenario, results) for scenario, results in measured]
    for path, section in ((bench / "instructions.tsv", instructions_section),
                          (results_dir / "micro.json", micro_section)):
        if path.exists():
            out.append(section(path))
    (bench / "RESULTS.md").write_text("\n".join(out))
