import contextlib
import dataclasses
import socket

from harness.measure import (CPU_PER_EVENT, P50, P99, RSS, WHOLE, Column, Pairs, Scenario, gateway,
                             whole_path)
from harness.processes import SINGLE, Failed, Bench, Gateway


def connections(bench: Bench) -> Pairs:
    for count in (64, 1_000, 2_000 if bench.quick else 10_000):
        with gateway(bench) as (server, simulator):
            load = dataclasses.replace(SINGLE, connections=count)
            values = whole_path(bench, server, simulator, load)
        if count >= 1_000:  # of fewer, nothing can be seen beside what else changes
            with gateway(bench) as (server, _):
                values["idle_bytes"] = bytes_per_idle_connection(server, count)
        yield f"{count:,}", values


def bytes_per_idle_connection(server: Gateway, count: int) -> float:
    """Of connections that have carried a request and wait for the next."""
    body = (b'{"action":"bench.idle","label":"idle","client":{"customId":"idle"},"params":{}}')
    request = (b"POST /v4/events/custom HTTP/1.1\r\nHost: localhost\r\n"
               b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    before = server.resident_bytes()
    with contextlib.ExitStack() as opened:
        for _ in range(count):
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            connection.sendall(request)
            if not connection.recv(4096).startswith(b"HTTP/1.1 202"):
                raise Failed("an idle connection's request was not accepted")
        return (server.resident_bytes() - before) / count


SCENARIO = Scenario(
    "connections",
    "Single-event POSTs, closed loop, over so many connections; and what a connection that waits "
    "for its next request adds to the resident memory.",
    connections,
    (WHOLE, CPU_PER_EVENT, P50, P99, Column("idle_bytes", "RSS per idle connection", "size"), RSS),
    repetitions_max=2)
