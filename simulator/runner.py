"""Running the simulator: in a thread of a test, or as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from simulator.clock import Clock
from simulator.company_file import read as read_companies
from simulator.oauth import ACCOUNTING_SCOPE, DEFAULT_CLIENT_ID
from simulator.server import MAXIMUM_BODY, Edge
from simulator.settings import Settings
from simulator.world import World

_SHUTDOWN_SECONDS = 0.5
_START_SECONDS = 10.0
_SAVED_EVERY_SECONDS = 5.0
_T = TypeVar("_T")


class Simulator:
    """A simulator in a thread of its own, for tests: ``with Simulator() as intuit: … intuit.base_url …``.

    Without `settings` the switches are as the environment's SIMULATOR_SETTINGS says.
    Everything in :attr:`world` belongs to that thread; use :meth:`call` to look at it or change it from another.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        settings: Settings | None = None,
        clock: Clock | None = None,
        state: Path | None = None,
        companies: Path | None = None,
    ) -> None:
        """:raises CompanyFileError: for a file of companies that cannot be used."""
        file = None if companies is None else read_companies(companies)
        self.world = World(settings=settings, clock=clock, companies=file)
        self._host, self._port = host, port
        self._state = state
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)
        self.base_url = ""

    def start(self) -> Self:
        """Serve; returns when requests are answered.

        :raises OSError: when the port cannot be had.
        """
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            raise TimeoutError("the simulator did not start")
        if self._problem is not None:
            raise self._problem
        return self

    def stop(self) -> None:
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_START_SECONDS)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def call(self, work: Callable[[World], _T]) -> _T:
        """`work(world)`, run between two requests; its result or its exception."""
        if self._loop is None:
            return work(self.world)

        async def run() -> _T:
            return work(self.world)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_START_SECONDS)

    def authorize(self, realm: str, *, client_id: str = DEFAULT_CLIENT_ID) -> dict[str, Any]:
        """Connect an app to a company without the pages: the body of a token response."""

        def connect(world: World) -> dict[str, Any]:
            app = world.authority.app(client_id, world.settings)
            if app is None:
                raise ValueError(f"there is no app {client_id!r}")
            code = world.authority.issue_code(
                client_id=client_id, realm=realm, redirect_uri=None, scope=ACCOUNTING_SCOPE, settings=world.settings
            )
            grant = world.authority.exchange(app, code, None, world.settings)
            return dict(world.authority.issue_access(grant, world.settings))

        return self.call(connect)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as problem:  # noqa: BLE001 - handed to the thread that started us
            self._problem = problem
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()

        def ready(base_url: str) -> None:
            self.base_url = base_url
            self._ready.set()

        await serve(self.world, host=self._host, port=self._port, state=self._state, stop=self._stop, ready=ready)


async def serve(
    world: World,
    *,
    host: str,
    port: int,
    state: Path | None,
    stop: asyncio.Event,
    ready: Callable[[str], None],
) -> None:
    """Serve `world` until `stop` is set; with `state`, from and to that file.

    :raises OSError: when the port cannot be had. :raises StateError: when the file holds something else.
    """
    if state is not None and state.exists():
        world.load(state.read_bytes())
    edge = Edge(world)
    loop = asyncio.get_running_loop()

    def request_factory(
        message: Any, payload: Any, protocol: Any, writer: Any, task: asyncio.Task[None]
    ) -> web.BaseRequest:
        # An invoice of 10,000 lines is larger than what the server reads by default.
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAXIMUM_BODY)

    runner = web.ServerRunner(
        web.Server(edge.handle, request_factory=request_factory, access_log=None), shutdown_timeout=_SHUTDOWN_SECONDS
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1024)
        await site.start()
        address = runner.addresses[0]
        edge.base_url = f"http://{address[0]}:{address[1]}"
        ready(edge.base_url)
        if state is None:
            await stop.wait()
        else:
            await _keep(world, state, stop)
    finally:
        await runner.cleanup()
        if state is not None:
            write_state(world, state)


async def _keep(world: World, state: Path, stop: asyncio.Event) -> None:
    """Write the state whenever it has changed, at most every few seconds: a killed simulator loses no more than that."""
    kept = b""
    while True:
        try:
            await asyncio.wait_for(stop.wait(), _SAVED_EVERY_SECONDS)
            return
        except TimeoutError:
            found = world.export()
            if found != kept:
                write_state(world, state)
                kept = found


def write_state(world: World, path: Path) -> None:
    """Write the state whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as file:
        file.write(world.export())
    Path(name).replace(path)


def run_process(
    *,
    host: str,
    port: int,
    settings: Settings,
    state: Path | None,
    ready: Callable[[str], None],
    companies: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT.

    :raises CompanyFileError: for a file of companies that cannot be used.
    """
    world = World(settings=settings, companies=None if companies is None else read_companies(companies))

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await serve(world, host=host, port=port, state=state, stop=stop, ready=ready)

    asyncio.run(main())
