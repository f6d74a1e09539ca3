"""The simulator as a thing of its own: installed without the rest, with companies and state in files."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
import requests

from simulator import USA, Settings, Simulator
from simulator.company_file import CompanyFileError

from .conftest import TIMEOUT_SECONDS

ROOM = Path(__file__).parents[3] / "simulator"
EXAMPLE = ROOM / "companies.example.json"


@contextmanager
def running(*options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`python -m simulator` in a directory without this repository; its process and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", "--port", "0", *options],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.wait(TIMEOUT_SECONDS)
        if process.stdout is not None:
            process.stdout.close()


def test_it_is_installed_without_the_rest(tmp_path: Path) -> None:
    source = shutil.copytree(
        ROOM, tmp_path / "source", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    )
    place = tmp_path / "place"
    installing = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    installing += ["--disable-pip-version-check", "--target", str(place), str(source)]
    subprocess.run(installing, check=True, capture_output=True, timeout=240)
    assert {one.name for one in place.iterdir()} >= {"simulator", "bin"}
    assert {one.name for one in place.iterdir() if one.suffix != ".dist-info"} == {"simulator", "bin"}
    with running("--companies", str(place / "simulator" / "companies.example.json"), PYTHONPATH=str(place)) as (_, url):
        page = requests.get(f"{url}/books/1001", timeout=TIMEOUT_SECONDS)
    assert "Rowan Homes" in page.text


def test_it_names_what_it_imports() -> None:
    project = tomllib.loads((ROOM / "pyproject.toml").read_text("utf-8"))["project"]
    named = {one.partition(">")[0].lower() for one in project["dependencies"]}
    imported = set()
    for path in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            imported |= {name.partition(".")[0] for name in names}
    assert imported - set(sys.stdlib_module_names) - {"simulator"} == named


def test_a_killed_simulator_has_written_its_state(tmp_path: Path) -> None:
    state = tmp_path / "books.json"
    with running("--state", str(state), "--companies", str(EXAMPLE)) as (process, url):
        edit = {"realm": "1001", "action": "create", "entity": "Customer", "members": {"DisplayName": "Kept"}}
        requests.post(f"{url}/_simulator/bookkeeper", json=edit, timeout=TIMEOUT_SECONDS).raise_for_status()

        def written() -> bool:
            return state.exists() and b'"Kept"' in state.read_bytes()

        # Each look waits for an answer of the simulator, not for time to pass.
        looks = 0
        while not written() and looks < 100_000:
            requests.get(f"{url}/_simulator/clock", timeout=TIMEOUT_SECONDS)
            looks += 1
        process.send_signal(signal.SIGKILL)
    with running("--state", str(state)) as (_, url):
        page = requests.get(f"{url}/books/1001", timeout=TIMEOUT_SECONDS).text
        trail = requests.get(f"{url}/books/1001/audit", timeout=TIMEOUT_SECONDS).text
    assert "Kept" in page
    assert "Ada Alder (bookkeeper)" in trail
    assert list(orjson.loads(state.read_bytes())["companies"]) == ["1001"]


def test_companies_of_a_file_come_back_after_a_reset() -> None:
    with Simulator(settings=Settings.from_environment(), companies=EXAMPLE) as intuit:
        intuit.call(lambda world: world.companies["1001"].tables["Customer"].clear())
        intuit.call(lambda world: world.reset())
        names = intuit.call(
            lambda world: [one["DisplayName"] for one in world.companies["1001"].tables["Customer"].values()]
        )
        realms = intuit.call(lambda world: list(world.companies))
    assert (names, realms) == (["Rowan Homes", "Mill Lane"], ["1001"])


def test_companies_of_a_file_join_the_others(tmp_path: Path) -> None:
    path = tmp_path / "more.json"
    path.write_text('{"companies": [{"realm": "77", "name": "One more"}]}', "utf-8")
    with Simulator(settings=Settings.from_environment(), companies=path) as intuit:
        assert set(intuit.call(lambda world: list(world.companies))) >= {USA, "77"}
        assert intuit.authorize("77")["token_type"] == "bearer"


COMPANY = {"realm": "77", "name": "One more"}
LARCH = {"entity": "Customer", "members": {"DisplayName": "Larch"}}


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ("[", "is not JSON"),
        ([], 'must hold an object with "companies", a list'),
        ({"companies": [], "also": 1}, "has no also; it can have companies, only"),
        ({"companies": [{"realm": "x"}]}, "\"realm\" is 'x'; give digits that no other company has"),
        ({"companies": [COMPANY, COMPANY]}, "\"realm\" is '77'; give digits that no other company has"),
        ({"companies": [{**COMPANY, "like": "FRANCE"}]}, "\"like\" is 'FRANCE'; give one of USA, UK"),
        ({"companies": [{**COMPANY, "profile": {"colour": 1}}]}, "has no colour; it can have"),
        ({"companies": [{**COMPANY, "preferences": {"Nonsense": {}}}]}, "have no group Nonsense"),
        (
            {"companies": [{**COMPANY, "preferences": {"TaxPrefs": {"x": 1}}}]},
            "TaxPrefs of company One more (77) has no x",
        ),
        (
            {"companies": [{**COMPANY, "objects": [{"entity": "Nonsense"}]}]},
            "\"entity\" is 'Nonsense'; give one of Customer",
        ),
        (
            {"companies": [{**COMPANY, "objects": [LARCH, LARCH]}]},
            "object 2 of company One more (77): QuickBooks refuses",
        ),
        (
            {
                "companies": [
                    {**COMPANY, "objects": [{"entity": "Invoice", "members": {"CustomerRef": {"value": "@x"}}}]}
                ]
            },
            "no object before it has \"as\": 'x'",
        ),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, found: object, problem: str) -> None:
    path = tmp_path / "companies.json"
    path.write_text(found if isinstance(found, str) else json.dumps(found), "utf-8")
    with pytest.raises(CompanyFileError) as refused:
        Simulator(companies=path)
    assert problem in str(refused.value)


def test_the_command_ends_with_one_line(tmp_path: Path) -> None:
    path = tmp_path / "companies.json"
    path.write_text("{}", "utf-8")
    command = [sys.executable, "-m", "simulator", "--companies", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (1, f'Error: {path} must hold an object with "companies", a list\n')
