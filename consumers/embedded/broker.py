"""librdkafka's own mock cluster as the broker of the demo and the tests: a real TCP listener, other processes connect.

It lives in the shared library inside the confluent-kafka wheel and is reached through ctypes, because only there topics can
be given partitions and brokers be stopped. It keeps 5 MiB or 100,000 records a partition and forgets older ones without a
word, has no transactions, ACLs or TLS, and loses all at its end: never more than a demo.

The cluster chooses its ports. For one that is known beforehand, a listener of ours hands connections through: clients only
bootstrap there, and then speak to the addresses in the cluster's metadata.
"""

from __future__ import annotations

import ctypes
import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import confluent_kafka

from consumers.embedded.ports import HOST
from consumers.errors import EmbeddedPartFailed

PARTITIONS: Final = 8
TOPICS: Final[Mapping[str, int]] = {
    "kompass.clients": PARTITIONS,
    "kompass.projects": PARTITIONS,
    "kompass.invoices": PARTITIONS,
    "kompass.qbo.dead-letters": PARTITIONS,
}
# librdkafka's default of 3 s is the time a group waits for its second member.
_REBALANCE_DELAY_MS: Final = 100
_PRODUCER: Final = 0


class EmbeddedBroker:
    """A cluster of `brokers` brokers with the given topics.

    Parameters
    ----------
    topics
        name → number of partitions; others are made when they are first asked for, with 4.
    listen_port
        a port on 127.0.0.1 to bootstrap at, besides the cluster's own.
    """

    def __init__(self, *, topics: Mapping[str, int] = TOPICS, brokers: int = 1, listen_port: int | None = None) -> None:
        self._topics = topics
        self._brokers = brokers
        self._listen_port = listen_port
        self._handle: int | None = None
        self._cluster: int | None = None
        self._relay: _Relay | None = None

    def __enter__(self) -> Self:
        library = _library()
        error = ctypes.create_string_buffer(512)
        configuration = library.rd_kafka_conf_new()
        # This handle only carries the cluster; that it is connected to nothing is no news.
        library.rd_kafka_conf_set(configuration, b"log_level", b"0", error, len(error))
        self._handle = library.rd_kafka_new(_PRODUCER, configuration, error, len(error))
        if not self._handle:
            raise EmbeddedPartFailed(f"librdkafka did not start: {error.value.decode(errors='replace')}")
        self._cluster = library.rd_kafka_mock_cluster_new(self._handle, self._brokers)
        if not self._cluster:
            self.close()
            raise EmbeddedPartFailed("librdkafka's mock cluster did not start")
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, _REBALANCE_DELAY_MS)
        library.rd_kafka_mock_set_group_consumer_heartbeat_interval_ms(self._cluster, _REBALANCE_DELAY_MS * 3)
        library.rd_kafka_mock_set_controller_id(self._cluster, 1)
        for topic, partitions in self._topics.items():
            self.create_topic(topic, partitions)
        if self._listen_port is not None:
            try:
                self._relay = _Relay(self._listen_port, self.bootstrap_servers.split(",")[0])
            except OSError as reason:
                self.close()
                raise EmbeddedPartFailed(
                    f"the embedded broker cannot listen on {HOST}:{self._listen_port} ({reason.strerror})"
                ) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def bootstrap_servers(self) -> str:
        """The cluster's own addresses, ``host:port,host:port``."""
        return str(_library().rd_kafka_mock_cluster_bootstraps(self._cluster).decode())

    def create_topic(self, name: str, partitions: int) -> None:
        code = _library().rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, self._brokers)
        if code != 0:
            raise EmbeddedPartFailed(f"topic {name} could not be made: {confluent_kafka.KafkaError(code).str()}")

    def stop_broker(self, broker: int) -> None:
        """Take one broker (1 is the first) off the network; its records stay."""
        _library().rd_kafka_mock_broker_set_down(self._cluster, broker)

    def start_broker(self, broker: int) -> None:
        _library().rd_kafka_mock_broker_set_up(self._cluster, broker)

    def answer_after(self, broker: int, seconds: float) -> None:
        """Have one broker answer so much later."""
        _library().rd_kafka_mock_broker_set_rtt(self._cluster, broker, int(seconds * 1000))

    def close(self) -> None:
        library = _library()
        if self._relay is not None:
            self._relay.close()
            self._relay = None
        if self._cluster:
            library.rd_kafka_mock_cluster_destroy(self._cluster)
            self._cluster = None
        if self._handle:
            library.rd_kafka_destroy(self._handle)
            self._handle = None


class _Relay:
    """Hands every connection to one port through to another address."""

    def __init__(self, port: int, target: str) -> None:
        host, _, target_port = target.rpartition(":")
        self._target = (host, int(target_port))
        self._listener = socket.create_server((HOST, port))
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="broker-relay", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._wake.send(b"x")
        self._thread.join()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                handle: Callable[[], None] | None = key.data
                if handle is None:
                    for other in list(self._selector.get_map().values()):
                        assert isinstance(other.fileobj, socket.socket)
                        other.fileobj.close()
                    self._selector.close()
                    self._wake.close()
                    return
                handle()

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(self._target, timeout=5)
        except OSError:
            near.close()
            return
        for end in (near, far):
            end.settimeout(5)
        self._selector.register(near, selectors.EVENT_READ, lambda: self._pass(near, far))
        self._selector.register(far, selectors.EVENT_READ, lambda: self._pass(far, near))

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        data = b""
        with suppress(OSError):
            data = source.recv(65536)
            sink.sendall(data)
        if not data:
            for end in (source, sink):
                with suppress(KeyError, ValueError):
                    self._selector.unregister(end)
                end.close()


@cache
def _library() -> ctypes.CDLL:
    package = Path(confluent_kafka.__file__).parent
    places = (package.parent / "confluent_kafka.libs", package / ".dylibs")
    found = [path for place in places for path in sorted(place.glob("librdkafka*"))]
    if not found:
        raise EmbeddedPartFailed(
            "this build of confluent-kafka ships no librdkafka of its own, so there is no embedded broker; "
            "set KAFKA_BOOTSTRAP_SERVERS"
        )
    library = ctypes.CDLL(str(found[0]))
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, []),
        ("rd_kafka_conf_set", number, [pointer, text, text, text, ctypes.c_size_t]),
        ("rd_kafka_new", pointer, [number, pointer, text, ctypes.c_size_t]),
        ("rd_kafka_destroy", None, [pointer]),
        ("rd_kafka_mock_cluster_new", pointer, [pointer, number]),
        ("rd_kafka_mock_cluster_destroy", None, [pointer]),
        ("rd_kafka_mock_cluster_bootstraps", text, [pointer]),
        ("rd_kafka_mock_topic_create", number, [pointer, text, number, number]),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_set_group_consumer_heartbeat_interval_ms", None, [pointer, ctypes.c_int]),
        ("rd_kafka_mock_set_controller_id", None, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_broker_set_down", number, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_broker_set_up", number, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_broker_set_rtt", number, [pointer, ctypes.c_int32, ctypes.c_int]),
    ):
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
