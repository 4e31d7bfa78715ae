"""The processes of a benchmark: each pinned to its cores, started, waited for, read and stopped."""

import dataclasses
import json
import math
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

START_DEADLINE_S = 60
STOP_DEADLINE_S = 120
DRAIN_DEADLINE_S = 120
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A run whose numbers mean nothing: something did not start, or events are unaccounted for."""


@dataclasses.dataclass(frozen=True)
class Bench:
    """Where the binaries are, which cores take what, and how long to measure."""

    bin_dir: pathlib.Path
    work_dir: pathlib.Path  # on the disk that is to be measured
    server_cores: str  # as taskset takes them
    load_cores: str
    seconds: float
    repetitions: int
    quick: bool


_ports_given: set[int] = set()


def free_port() -> int:
    """One that was not given before: until its server listens, the kernel may name it again."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _ports_given:
            _ports_given.add(port)
            return port


def fetch(url: str, method: str = "GET", body: bytes | None = None) -> str:
    request = urllib.request.Request(url, data=body, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def make_certificate(folder: pathlib.Path) -> tuple[str, str]:
    """A certificate and its key, as files."""
    certificate, key = str(folder / "tls.crt"), str(folder / "tls.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def allow_many_files() -> None:
    """In the child, before it becomes the program: thousands of connections need as many files."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Process:
    """A server of the benchmark. A context: leaving it stops the process."""

    def __init__(self, command: list[str], cores: str, log: pathlib.Path):
        self.name = pathlib.Path(command[0]).name
        self.log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                ["taskset", "-c", cores, *command],
                stdout=out, stderr=subprocess.STDOUT, preexec_fn=allow_many_files)
        self.pid = self._process.pid  # taskset becomes the program

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self) -> int:
        """Ends it, if it runs, and returns what it ended with."""
        self._process.terminate()
        try:
            return self._process.wait(timeout=STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def check_alive(self) -> None:
        if self._process.poll() is not None:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise Failed(f"{self.name} ended with {self._process.returncode}:\n{tail}")

    def wait_for(self, ready, what: str, deadline_s: float = START_DEADLINE_S,
                 interval_s: float = 0.02) -> None:
        end = time.monotonic() + deadline_s
        while not ready():
            self.check_alive()
            if time.monotonic() > end:
                raise Failed(f"{self.name}: {what} took more than {deadline_s} s")
            time.sleep(interval_s)

    def cpu_s(self) -> float:
        stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / TICKS_PER_S

    def resident_bytes(self, peak: bool = False) -> int:
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        name = "VmHWM" if peak else "VmRSS"
        return int(re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024



class BareServer(Process):
    """A Beast server that answers 202 and does nothing: the baseline."""

    def __init__(self, bench: Bench, cores: str | None = None):
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        super().__init__([str(bench.bin_dir / "bare-server"), "--port", str(self.port)],
                         cores or bench.server_cores, bench.work_dir / "bare-server.log")
        self.wait_for(lambda: "listening on" in self.log.read_text(), "start")

    def url(self, path: str) -> str:
        return self.base_url + path


class BareUpstream(BareServer):
    """The bare server in the simulator's place: an upstream that costs next to nothing."""

    def __init__(self, bench: Bench):
        super().__init__(bench, bench.load_cores)

    def unique_events(self) -> None:
        return None  # it keeps nothing


class Simulator(Process):
    """The stand-in for Synerise. It does not check what it is sent, and keeps hashes only."""

    def __init__(self, bench: Bench):
        super().__init__([str(bench.bin_dir / "synerise-sim"), "--listen", "127.0.0.1:0",
                          "--validate", "none", "--ledger", "compact"],
                         bench.load_cores, bench.work_dir / "synerise-sim.log")
        self.wait_for(lambda: re.search(r"listening on \S+\n", self.log.read_text()), "start")
        self.base_url = re.search(r"listening on (\S+)", self.log.read_text())[1]

    def set_faults(self, *faults: dict) -> None:
        fetch(self.base_url + "/sim/faults", "POST", json.dumps(list(faults)).encode())

    def unique_events(self) -> int:
        return json.loads(fetch(self.base_url + "/sim/ledger?summary=1"))["unique"]


Upstream = Simulator | BareUpstream


class Gateway(Process):
    """`sluice serve` before an upstream, with a directory of its own for each run."""

    def __init__(self, bench: Bench, upstream: Upstream, *, buffer: str = "memory",
                 threads: int = 1, max_bytes: str = "4GiB", linger: str = "100ms",
                 tls: tuple[str, str] | None = None, cores: str | None = None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="sluice-", dir=bench.work_dir))
        self.port, self.admin_port = free_port(), free_port()
        self.scheme = "https" if tls else "http"
        config = self.directory / "sluice.yaml"
        config.write_text(self._config(upstream.base_url, buffer, threads, max_bytes, linger, tls))
        super().__init__([str(bench.bin_dir / "sluice"), "serve", "--config", str(config)],
                         cores or bench.server_cores, self.directory / "sluice.log")
        self.wait_for(self._ready, "start")

    def __exit__(self, *exception):
        super().__exit__(*exception)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _config(self, upstream_url: str, buffer: str, threads: int, max_bytes: str, linger: str,
                tls: tuple[str, str] | None) -> str:
        tls_line = f"\n  tls: {{cert_file: {tls[0]}, key_file: {tls[1]}}}" if tls else ""
        return f"""\
ingest:
  listen: 127.0.0.1:{self.port}
  threads: {threads}{tls_line}
admin: {{listen: "127.0.0.1:{self.admin_port}"}}
workspaces:
  - base_url: {upstream_url}
    auth: {{method: basic, workspace_guid: 01234567-89ab-cdef-0123-456789abcdef, api_key: key}}
buffer: {{type: {buffer}, path: {self.directory}/buffer, max_bytes: {max_bytes}}}
batch: {{linger: {linger}}}
delivery: {{backoff: {{initial: 200ms, max: 1s}}}}
dead_letter: {{path: {self.directory}/dead-letter, max_bytes: 64MiB}}
"""

    def _ready(self) -> bool:
        try:
            fetch(f"http://127.0.0.1:{self.admin_port}/readyz")
            return True
        except (urllib.error.URLError, ConnectionError):
            return False

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def metrics(self) -> "Metrics":
        return Metrics(fetch(f"http://127.0.0.1:{self.admin_port}/metrics"))

    def wait_until_delivered(self, deadline_s: float = DRAIN_DEADLINE_S) -> float:
        """How long it took until nothing was buffered any more."""
        begin = time.monotonic()
        self.wait_for(lambda: self.metrics().total("buffer_events") == 0, "delivery", deadline_s)
        return time.monotonic() - begin

    def deliver_all(self, stalled_s: float = DRAIN_DEADLINE_S) -> None:
        """Waits until nothing is buffered any more, for as long as there is less from time to time."""
        least, since = math.inf, time.monotonic()
        while buffered := self.metrics().total("buffer_events"):
            self.check_alive()
            if buffered < least:
                least, since = buffered, time.monotonic()
            elif time.monotonic() - since > stalled_s:
                raise Failed(f"{self.name}: {buffered} events are left, as {stalled_s} s before")
            time.sleep(0.02)

    def check_accounts(self, upstream: Upstream) -> None:
        """The rule of every scenario: each accepted event is accounted for, and counts once."""
        metrics = self.metrics()
        names = ("events_accepted_total", "events_recovered_total", "events_delivered_total",
                 "events_dead_lettered_total", "buffer_events", "buffer_events_lost_total")
        accepted, recovered, delivered, dead, buffered, lost = map(metrics.total, names)
        if accepted + recovered != delivered + dead + buffered + lost:
            raise Failed(f"accepted {accepted} + recovered {recovered} is not delivered {delivered} "
                         f"+ dead-lettered {dead} + buffered {buffered} + lost {lost}")
        if dead or buffered or lost:
            raise Failed(f"not delivered: dead-lettered {dead}, buffered {buffered}, lost {lost}")
        arrived = upstream.unique_events()
        if arrived is not None and arrived != delivered:
            raise Failed(f"delivered {delivered}, but {arrived} have arrived")


class Metrics:
    """One scrape of the gateway."""

    SAMPLE = re.compile(r"^sluice_(\w+?)(?:\{(.*)\})? (\S+)$", re.MULTILINE)

    def __init__(self, text: str):
        self._samples = [(name, labels or "", float(value))
                         for name, labels, value in self.SAMPLE.findall(text)]

    def total(self, name: str) -> int:
        """The sum over all labels; 0 when there is no sample."""
        return round(sum(value for found, _, value in self._samples if found == name))

    def _buckets(self, name: str) -> dict[float, float]:
        buckets: dict[float, float] = {}
        for found, labels, value in self._samples:
            if found == name + "_bucket":
                bound = float(re.search(r'le="([^"]+)"', labels)[1])
                buckets[bound] = buckets.get(bound, 0) + value
        return buckets

    def mean_since(self, before: "Metrics", name: str) -> float:
        count = self.total(name + "_count") - before.total(name + "_count")
        total = sum(sign * value for metrics, sign in ((self, 1), (before, -1))
                    for found, _, value in metrics._samples if found == name + "_sum")
        return total / count if count else math.nan

    def quantile_since(self, before: "Metrics", name: str, share: float) -> float:
        """Within the bucket that holds the quantile, values are taken to be evenly spread."""
        earlier = before._buckets(name)
        counts = {bound: value - earlier.get(bound, 0)
                  for bound, value in sorted(self._buckets(name).items())}
        wanted = share * counts.get(math.inf, 0)
        low_bound, low_count = 0.0, 0.0
        for bound, count in counts.items():
            if count >= wanted and count > low_count:
                if bound == math.inf:
                    return low_bound
                return low_bound + (bound - low_bound) * (wanted - low_count) / (count - low_count)
            low_bound, low_count = bound, count
        return math.nan


@dataclasses.dataclass(frozen=True)
class Load:
    """What sluice-load is asked for."""

    path: str = "/v4/events/batch"
    batch: int = 100  # 1: single events; 0: as `options` say
    connections: int = 64
    pipeline: int = 1
    threads: int = 1
    rate_per_s: float = 0  # requests; 0: closed loop
    requests: int = 0  # this many, however long they take; 0: for the time of the run
    profiles: int = 10_000
    refusals: bool = False  # whether 503 is among what is expected
    options: tuple[str, ...] = ()  # more of sluice-load's


SINGLE = Load(path="/v4/events/custom", batch=1)
ARRAYS_100 = Load(batch=100)
ARRAYS_1000 = Load(batch=1000, connections=16)


def load_command(bench: Bench, url: str, load: Load, seconds: float,
                 report: pathlib.Path) -> list[str]:
    command = ["taskset", "-c", bench.load_cores, str(bench.bin_dir / "sluice-load"), "--quiet",
               "--insecure", "--target", url, "--connections", str(load.connections),
               "--threads", str(load.threads), "--pipeline", str(load.pipeline),
               "--profiles", str(load.profiles),
               *(("--requests", str(load.requests)) if load.requests
                 else ("--warmup", "0s", "--duration", f"{seconds}s")),
               "--timeout", "30s",  # a stall is to be seen in the latencies
               "--json", str(report)]
    if load.batch == 1:
        command += ["--shape", "single"]
    elif load.batch > 1:
        command += ["--batch", str(load.batch)]
    command += load.options
    if load.rate_per_s:
        command += ["--poisson", "--rate", f"{load.rate_per_s:.0f}"]
    return command


def run_load(bench: Bench, server, load: Load, seconds: float | None = None) -> dict:
    """Runs sluice-load to its end, and returns its report. Every request must have been answered."""
    report = bench.work_dir / "load.json"
    command = load_command(bench, server.url(load.path), load, seconds or bench.seconds, report)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          preexec_fn=allow_many_files, check=False)
    if done.returncode != 0:
        raise Failed(f"sluice-load failed with {done.returncode}:\n{done.stdout}")
    result = json.loads(report.read_text())
    unexpected = set(result["statuses"]) - {"202"} - ({"503"} if load.refusals else set())
    if unexpected:
        raise Failed(f"answers other than 202: {result['statuses']}")
    return result
