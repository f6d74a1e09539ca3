"""librdkafka's own mock cluster as the broker of the demo and the tests: a real TCP listener, other processes connect.

It lives in the shared library inside the confluent-kafka wheel and is reached through ctypes, because only there topics can
be given partitions and brokers be stopped. It keeps 5 MiB or 100,000 records a partition and forgets older ones without a
word, has no transactions, ACLs or TLS, and loses all at its end: never more than a demo.

The cluster chooses its port, and it names the members of a group after addresses in memory, which are given again: one that was
taken for gone may come back to find its name with another, and the two then share what one is sent. librdkafka crashes as the
leader of a group whose members it does not know. So where several processes consume, clients speak to a listener of ours, at a port
that is known beforehand: it hands their connections through and gives members names that are given once.
"""

from __future__ import annotations

import ctypes
import selectors
import socket
import struct
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import confluent_kafka

from consumers.errors import EmbeddedPartFailed
from demo.embedded.ports import HOST

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
_JOIN_GROUP: Final = 11
_FLEXIBLE_JOIN_GROUP: Final = 6
_STUCK_S: Final = 5.0


class EmbeddedBroker:
    """A cluster of one broker with the given topics.

    Parameters
    ----------
    topics
        name → number of partitions; others are made when they are first asked for, with 4.
    listen_port
        a port on 127.0.0.1 (0: any) at which it is reached, by way of a listener that names the members of groups; by default
        clients speak to the cluster itself, which is for consumers that do not come and go.
    """

    def __init__(self, *, topics: Mapping[str, int] = TOPICS, listen_port: int | None = None) -> None:
        self._topics = topics
        self._listen_port = listen_port
        self._handle: int | None = None
        self._cluster: int | None = None
        self._relay: _Relay | None = None

    def __enter__(self) -> Self:
        library = _library()
        error = ctypes.create_string_buffer(512)
        configuration = library.rd_kafka_conf_new()
        # This handle only carries the cluster; that it is connected to nothing is expected.
        library.rd_kafka_conf_set(configuration, b"log_level", b"0", error, len(error))
        self._handle = library.rd_kafka_new(_PRODUCER, configuration, error, len(error))
        if not self._handle:
            raise EmbeddedPartFailed(f"librdkafka did not start: {error.value.decode(errors='replace')}")
        self._cluster = library.rd_kafka_mock_cluster_new(self._handle, 1)
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
                self._relay = _Relay(self._listen_port, self.bootstrap_servers)
            except OSError as reason:
                self.close()
                raise EmbeddedPartFailed(
                    f"the embedded broker cannot listen on {HOST}:{self._listen_port} ({reason.strerror})"
                ) from None
            library.rd_kafka_mock_broker_set_host_port(self._cluster, 1, HOST.encode(), self._relay.port)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def bootstrap_servers(self) -> str:
        """Where it is reached, ``host:port``."""
        if self._relay is not None:
            return f"{HOST}:{self._relay.port}"
        return str(_library().rd_kafka_mock_cluster_bootstraps(self._cluster).decode())

    def create_topic(self, name: str, partitions: int) -> None:
        code = _library().rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
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


class Requests:
    """The requests of one connection, cut out of its bytes."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def take(self, data: bytes) -> bytes:
        """Take what has come, and give what can be handed on: whole requests."""
        self._rest += data
        whole = bytearray()
        while len(self._rest) >= 4 and len(self._rest) >= (end := 4 + int.from_bytes(self._rest[:4], "big")):
            request = _with_member(bytes(self._rest[4:end]))
            whole += len(request).to_bytes(4, "big") + request
            del self._rest[:end]
        return bytes(whole)


def _with_member(request: bytes) -> bytes:
    """Give a request to join a group the id that a new member lacks; the cluster keeps any id that it is given.

    Apache Kafka's protocol: https://kafka.apache.org/protocol#The_Messages_JoinGroup
    """
    key, version, _, client = struct.unpack_from(">hhih", request)
    if key != _JOIN_GROUP or version >= _FLEXIBLE_JOIN_GROUP:
        return request
    at = struct.calcsize(">hhih") + max(client, 0)
    (group,) = struct.unpack_from(">h", request, at)
    at += 2 + group + (8 if version >= 1 else 4)
    (known,) = struct.unpack_from(">h", request, at)
    if known:
        return request
    member = uuid.uuid4().hex.encode()
    return request[:at] + struct.pack(">h", len(member)) + member + request[at + 2 :]


class _Relay:
    """Hands every connection to one port through to another address, with members named."""

    def __init__(self, port: int, target: str) -> None:
        host, _, target_port = target.rpartition(":")
        self._target = (host, int(target_port))
        self._listener = socket.create_server((HOST, port))
        self.port: int = self._listener.getsockname()[1]
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
            end.settimeout(_STUCK_S)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        requests = Requests()
        self._selector.register(near, selectors.EVENT_READ, lambda: self._pass(near, far, requests.take))
        self._selector.register(far, selectors.EVENT_READ, lambda: self._pass(far, near, lambda data: data))

    def _pass(self, source: socket.socket, sink: socket.socket, handed_on: Callable[[bytes], bytes]) -> None:
        more = False
        # What is no request of Kafka's ends its connection, and no other.
        with suppress(OSError, struct.error):
            data = source.recv(65536)
            sink.sendall(handed_on(data))
            more = bool(data)
        if not more:
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
        ("rd_kafka_mock_broker_set_host_port", None, [pointer, ctypes.c_int32, text, number]),
        ("rd_kafka_mock_broker_set_down", number, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_broker_set_up", number, [pointer, ctypes.c_int32]),
        ("rd_kafka_mock_broker_set_rtt", number, [pointer, ctypes.c_int32, ctypes.c_int]),
    ):
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library
