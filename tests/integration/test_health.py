from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from consumers.health import AddressTaken, Health, HealthServer
from consumers.logs import configure_logs
from sync.metrics import Metrics
from sync.settings import MetricsAddress

ANY = MetricsAddress("127.0.0.1", 0)


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(Metrics(), stuck_seconds=30, clock=clock)


@pytest.fixture
def server(health: Health) -> Iterator[HealthServer]:
    with HealthServer(health, ANY) as running:
        yield running


def ask(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(server.url + path, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_are_served(health: Health, server: HealthServer) -> None:
    health.metrics.count("events", kind="client", outcome="kept")

    status, body = ask(server, "/metrics")

    assert status == 200
    assert "kompass_qbo_events_total{" in body
    assert "process_cpu_seconds_total" in body


def test_a_loop_that_no_longer_turns_is_not_live(
    health: Health, server: HealthServer, clock: Clock, capfd: pytest.CaptureFixture[str]
) -> None:
    health.beat("ingest")
    assert ask(server, "/livez")[0] == 200

    clock.now += 31
    status, body = ask(server, "/livez")

    assert status == 503
    assert json.loads(body)["problems"] == {"ingest": "no turn for 31 s"}
    assert "most recent call first" in capfd.readouterr().err, "the stacks are shown"
    ask(server, "/livez")
    assert "most recent call first" not in capfd.readouterr().err, "and once only"

    health.beat("ingest")
    assert ask(server, "/livez")[0] == 200


def test_a_loop_that_ended_is_not_missed(health: Health, server: HealthServer, clock: Clock) -> None:
    health.beat("ingest")
    health.retire("ingest")
    clock.now += 31

    assert ask(server, "/livez")[0] == 200


def test_readiness_asks_the_checks(health: Health, server: HealthServer, clock: Clock) -> None:
    answers: list[str | None] = [None]
    health.add_check("broker", lambda: answers[0])

    def refuse() -> str | None:
        raise ConnectionError("no route")

    assert ask(server, "/readyz")[0] == 200
    answers[0] = "no broker answers"
    health.add_check("database", refuse)
    clock.now += 5
    status, body = ask(server, "/readyz")

    assert status == 503
    assert json.loads(body)["problems"] == {"broker": "no broker answers", "database": "ConnectionError: no route"}


def test_a_stopping_process_is_live_and_not_ready(health: Health, server: HealthServer) -> None:
    health.stop()

    assert ask(server, "/livez")[0] == 200
    assert ask(server, "/readyz")[0] == 503


def test_a_process_that_knows_nothing_yet_is_not_ready() -> None:
    starting = Health(Metrics())
    assert starting.unready() == {"process": "starting"}
    starting.add_check("database", lambda: None)
    assert starting.unready() == {}


def test_a_reason_to_be_restarted_is_asked_for(health: Health, server: HealthServer) -> None:
    answers: list[str | None] = [None]
    health.add_liveness("membership", lambda: answers[0])
    assert ask(server, "/livez")[0] == 200

    answers[0] = "no process owns 2 partitions"
    status, body = ask(server, "/livez")

    assert (status, json.loads(body)["problems"]) == (503, {"membership": "no process owns 2 partitions"})


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_stacks_of_a_stuck_loop(
    health: Health, clock: Clock, capfd: pytest.CaptureFixture[str], log_format: str
) -> None:
    configure_logs(log_format)
    health.beat("ingest")
    clock.now += 31
    health.stuck()

    lines = capfd.readouterr().err.splitlines()
    if log_format == "text":
        assert "stuck: no turn of ingest" in lines[0]
        assert "most recent call first" in lines[1]
    else:
        (line,) = lines
        assert "test_the_stacks_of_a_stuck_loop" in json.loads(line)["stacks"]


def test_another_path_names_those_there_are(server: HealthServer) -> None:
    assert ask(server, "/") == (404, "/metrics, /livez or /readyz\n")


def test_a_taken_port_is_a_bad_setting(health: Health, server: HealthServer) -> None:
    port = int(server.url.rpartition(":")[2])

    with pytest.raises(AddressTaken, match=rf"^METRICS_PORT: cannot listen on 127\.0\.0\.1:{port}"):
        HealthServer(Health(Metrics()), MetricsAddress("127.0.0.1", port))


def test_a_crash_in_a_c_library_leaves_the_stacks() -> None:
    program = (
        "import contextlib, ctypes, resource; from consumers.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "with contextlib.suppress(SystemExit): main(['--version'])\n"
        "def in_the_library(): ctypes.string_at(0)\n"
        "in_the_library()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in ended.stderr
    assert "in in_the_library" in ended.stderr


def test_sigusr1_shows_every_stack() -> None:
    program = (
        "import sys, time; from consumers.health import dump_stacks_on_signal\n"
        "dump_stacks_on_signal(); print('ready', flush=True)\n"
        "def waiting_for_the_end(): sys.stdin.read()\n"
        "waiting_for_the_end()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGUSR1)
        lines = [process.stderr.readline() for _ in range(2)]
        process.communicate(timeout=60)

    assert "most recent call first" in lines[0]
    assert process.returncode == 0
