#!/usr/bin/env python3
"""Runs the benchmark scenarios, and renders what they measured. See bench/README.md."""

import argparse
import json
import os
import pathlib
import platform
import signal
import subprocess
import sys
import tempfile
import time

from harness import report
from harness.measure import Scenario
from harness.processes import Bench, Failed
from scenarios import SCENARIOS

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", default=[],
                        help="all, or of: " + ", ".join(s.name for s in SCENARIOS))
    parser.add_argument("--quick", action="store_true", help="3 repetitions of 1 s: does it work?")
    parser.add_argument("--repetitions", type=int, help="5 unless told")
    parser.add_argument("--seconds", type=float, help="of load per measurement; 4 unless told")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/optimised/bin")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build",
                        help="where the buffers of the gateways are: the disk that is measured")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS,
                        help="where what was measured is kept")
    parser.add_argument("--server-cores", default="0", help="of the gateway, or the bare server")
    parser.add_argument("--load-cores", default="1", help="of the generator and the simulator")
    parser.add_argument("--note", default="", help="about this run, for RESULTS.md")
    parser.add_argument("--report", action="store_true",
                        help="write bench/RESULTS.md from bench/results, after the scenarios if any")
    arguments = parser.parse_args()
    unknown = set(arguments.scenarios) - {s.name for s in SCENARIOS} - {"all"}
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    if not arguments.scenarios and not arguments.report:
        parser.error("name scenarios, or all, or --report")
    return arguments


def describe_run(arguments: argparse.Namespace) -> dict:
    def output(*command: str) -> str:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()

    cpu = next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                if line.startswith("model name")), platform.machine())
    # What decides what was measured; not where things lie.
    options = ["--quick"] if arguments.quick else []
    for name in ("repetitions", "seconds"):
        if getattr(arguments, name):
            options += [f"--{name}", f"{getattr(arguments, name):g}"]
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "commit": output("git", "rev-parse", "--short", "HEAD"),
            "changed": bool(output("git", "status", "--porcelain", "--", "src", "include")),
            "compiler": output("g++", "--version").partition("\n")[0],
            "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "load_average": os.getloadavg()[0], "note": arguments.note,
            "command": " ".join(["bench/run.sh", *arguments.scenarios, *options])}


def run_scenario(scenario: Scenario, bench: Bench, machine: dict, results: pathlib.Path) -> None:
    repetitions = min(bench.repetitions, scenario.repetitions_max)
    print(f"\n{scenario.name}: {repetitions} x {bench.seconds:g} s", flush=True)
    lines = [{"scenario": scenario.name, "machine": machine, "seconds": bench.seconds}]
    for repetition in range(repetitions):
        for variant, values in scenario.run(bench):
            lines.append({"scenario": scenario.name, "variant": variant,
                          "repetition": repetition, "values": values})
            print(f"  {repetition + 1} {variant}: {report.one_line(scenario, values)}", flush=True)
    # Only what ran to its end is kept: a scenario that fails leaves the earlier results.
    results.mkdir(exist_ok=True)
    path = results / f"{scenario.name}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for line in report.ratio_lines(scenario, report.Results(path)):
        print("  " + line, flush=True)


def main() -> int:
    arguments = parse_arguments()
    # As with an interrupt: what was started is stopped, and its directories are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    wanted = [s for s in SCENARIOS if s.name in arguments.scenarios or "all" in arguments.scenarios]
    failed = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.work) as work:
        bench = Bench(bin_dir=arguments.bin.resolve(), work_dir=pathlib.Path(work),
                      server_cores=arguments.server_cores, load_cores=arguments.load_cores,
                      seconds=arguments.seconds or (1 if arguments.quick else 4),
                      repetitions=arguments.repetitions or (3 if arguments.quick else 5),
                      quick=arguments.quick)
        machine = describe_run(arguments)
        for scenario in wanted:
            try:
                run_scenario(scenario, bench, machine, arguments.results)
            except (Failed, OSError, subprocess.SubprocessError) as failure:
                failed.append(scenario.name)
                print(f"  FAILED: {failure}", file=sys.stderr, flush=True)
    if arguments.report:
        report.write(ROOT / "bench", arguments.results, SCENARIOS)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
