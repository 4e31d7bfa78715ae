"""The shipped gateway before the shipped simulator, as processes, and what can be read of them from outside."""

import json
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "deploy"))
from processes import ROOT, Process, eventually, fetch, free_port  # noqa: E402

BINARIES = pathlib.Path(os.environ.get("SLUICE_BIN_DIR", ROOT / "build/release/bin")).resolve()
WORKSPACE_GUID = "01890a5d-ac96-774b-bcce-b302099a8057"
DRAIN_SECONDS = 120


class Simulator(Process):
    """The stand-in for Synerise; keeps hashes of events only."""

    def __init__(self, folder, *arguments, prefix=(), listen="127.0.0.1:0"):
        super().__init__(folder, "synerise-sim",
                         [*prefix, BINARIES / "synerise-sim", "--listen", listen,
                          "--ledger", "compact", *arguments])
        self.url = self.said(r"listening on (\S+)\n")

    def set_faults(self, *faults):
        status, text = fetch(self.url + "/sim/faults", json.dumps(faults).encode())
        assert status == 200, text

    def unique_events(self):
        return json.loads(fetch(self.url + "/sim/ledger?summary=1")[1])["unique"]

    def stats(self):
        return json.loads(fetch(self.url + "/sim/stats")[1])


class Gateway(Process):
    """`sluice serve` with a configuration whose addresses it fills in: {port}, {admin_port}, {folder}."""

    def __init__(self, folder, config, prefix=(), start_seconds=30):
        self.port, self.admin_port = free_port(), free_port()
        file = pathlib.Path(folder, "sluice.yaml")
        file.write_text(config.format(port=self.port, admin_port=self.admin_port, folder=folder),
                        encoding="utf-8")
        super().__init__(folder, "sluice", [*prefix, BINARIES / "sluice", "serve", "--config", file])
        self.pid = self.child.pid
        try:
            eventually(self._ready, start_seconds, "the gateway is ready")
        except AssertionError as error:
            self.__exit__()
            raise AssertionError(f"{error}\n{self.text()}") from error

    def _ready(self):
        if self.child.poll() is not None:
            raise AssertionError(f"ended with {self.child.returncode}")
        try:
            return fetch(f"http://127.0.0.1:{self.admin_port}/readyz")[0] == 200
        except OSError:
            return False

    def metrics(self):
        return Metrics(fetch(f"http://127.0.0.1:{self.admin_port}/metrics")[1])

    def stop(self, seconds=60):
        """SIGTERM; the exit code."""
        self.child.terminate()
        return self.child.wait(timeout=seconds)

    def wait_until_delivered(self, seconds=DRAIN_SECONDS):
        eventually(lambda: self.metrics()["buffer_events"] == 0, seconds, "everything is delivered")

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE).group(1)) * 1024

    def descriptors(self, kind=""):
        """What is open, but for the store's own files: RocksDB keeps as many as it has use for."""
        targets, connections = [], self._connections()
        for entry in pathlib.Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                target = os.readlink(entry)
            except FileNotFoundError:
                continue  # closed meanwhile
            if target.startswith("socket:"):
                target = "socket:" + connections.get(target[8:-1], target[7:])
            if not re.search(r"/buffer/db/[^/]+$", target) and target.startswith(kind):
                targets.append(target)
        return targets

    def _connections(self):
        """By inode: local port, peer's port and state of each TCP socket of the machine."""
        found = {}
        for line in pathlib.Path(f"/proc/{self.pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            local, peer = (int(address.rpartition(":")[2], 16) for address in fields[1:3])
            found[fields[9]] = f"{local}-{peer} state {fields[3]}"
        return found


class Metrics:
    """One scrape; metrics["name"] is the sum over its labels."""

    def __init__(self, text):
        self.text = text
        self._lines = [line for line in text.splitlines() if line and not line.startswith("#")]

    def __getitem__(self, name):
        return sum(float(line.rpartition(" ")[2]) for line in self._lines
                   if re.match(rf"sluice_{name}[{{ ]", line))

    def balance(self):
        """accepted + recovered - (delivered + dead-lettered + buffered + lost): 0 at rest."""
        return (self["events_accepted_total"] + self["events_recovered_total"]
                - self["events_delivered_total"] - self["events_dead_lettered_total"]
                - self["buffer_events"] - self["buffer_events_lost_total"])
