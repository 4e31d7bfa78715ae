#!/usr/bin/env python3
"""What a gateway spends its days with, in half a minute on a quiet machine: a build with
SLUICE_PROFILE=generate counts what runs meanwhile. Called by scripts/build.sh --optimised.

It is so much work, and takes as long as that takes: a busy machine changes neither what is counted nor
whether it ends.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import tempfile

from harness.processes import (ARRAYS_100, SINGLE, BareServer, Bench, Failed, Gateway, Load, Process,
                               Simulator, make_certificate, run_load)

ONE_IN_TEN_FAILS = {"action": "status", "status": 503, "probability": 0.1}


def recorded_transactions(folder: pathlib.Path) -> Load:
    product = {"sku": "10001", "name": "Merino crew-neck pullover", "categories": ["Women", "Knitwear"],
               "finalUnitPrice": {"amount": 54.95, "currency": "EUR"}, "quantity": 1}
    transactions = [
        {"client": {"customId": f"C{i:07}", "email": f"customer{i}@mail.example"},
         "orderId": f"O-2025-{i:06}", "recordedAt": "2025-02-28T23:59:30.250Z",
         "discountAmount": {"amount": 5.00, "currency": "EUR"}, "paymentInfo": {"method": "CARD"},
         "revenue": {"amount": 164.85, "currency": "EUR"}, "value": {"amount": 164.85, "currency": "EUR"},
         "source": "WEB_DESKTOP", "products": [product] * 3}
        for i in range(100)]
    file = folder / "transactions.ndjson"
    file.write_text("".join(json.dumps({"path": "/v4/transactions", "body": transaction}) + "\n"
                            for transaction in transactions), encoding="utf-8")
    return Load(path="/", connections=1, batch=0, requests=6_000,
                options=("--file", str(file), "--loop"))


def stop(process: Process) -> None:
    """What a program has counted it writes when it ends by itself."""
    if code := process.stop():
        raise Failed(f"{process.name} ended with {code}")


def train(bench: Bench) -> None:
    def run(load: Load, *faults: dict, **options) -> None:
        with Simulator(bench) as upstream, Gateway(bench, upstream, **options) as server:
            upstream.set_faults(*faults)
            run_load(bench, server, load)
            server.deliver_all()
            stop(server)
            stop(upstream)

    arrays = dataclasses.replace(ARRAYS_100, requests=5_000)
    single = dataclasses.replace(SINGLE, requests=50_000)
    view = dataclasses.replace(single, path="/v4/events/product-view")
    lines = dataclasses.replace(arrays, options=("--shape", "ndjson", "--gzip"))
    for buffer in ("memory", "disk"):
        for load in (arrays, single, view, dataclasses.replace(single, pipeline=16), lines,
                     recorded_transactions(bench.work_dir)):
            run(load, buffer=buffer)
        run(arrays, ONE_IN_TEN_FAILS, buffer=buffer)
    certificate = make_certificate(bench.work_dir)
    for load in (arrays, single):
        run(load, tls=certificate)
    with BareServer(bench) as server:
        run_load(bench, server, single)
        run_load(bench, server, arrays)
        stop(server)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bin", type=pathlib.Path, help="where the programs are")
    arguments = parser.parse_args()
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    with tempfile.TemporaryDirectory(prefix="sluice-training-") as folder:
        train(Bench(arguments.bin.resolve(), pathlib.Path(folder), cores, cores, 0, 1, True))


main()
