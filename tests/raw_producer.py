"""Writes records that confluent-kafka's producer refuses: any bytes as the name of a header, any number as the time.

It calls the shared library inside the wheel (`rd_kafka_produceva`), as another language's client would.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from demo.embedded.broker import _library

_PRODUCER: Final = 0
_COPY: Final = 2
_TOPIC, _PARTITION, _VALUE, _KEY, _FLAGS, _TIMESTAMP, _HEADER = 1, 3, 4, 5, 7, 8, 9
_QUEUE_FULL: Final = -184

# Of rd_kafka_message_t only the first member is read: the error code.
_REPORT: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int), ctypes.c_void_p)

RawHeaders = Sequence[tuple[bytes, bytes | None]]


class _Memory(ctypes.Structure):
    _fields_: ClassVar[Any] = [("pointer", ctypes.c_char_p), ("size", ctypes.c_size_t)]


class _Header(ctypes.Structure):
    _fields_: ClassVar[Any] = [("name", ctypes.c_char_p), ("value", ctypes.c_char_p), ("size", ctypes.c_ssize_t)]


class _Value(ctypes.Union):
    _fields_: ClassVar[Any] = [
        ("text", ctypes.c_char_p), ("int", ctypes.c_int), ("int32", ctypes.c_int32), ("int64", ctypes.c_int64),
        ("memory", _Memory), ("header", _Header), ("_padding", ctypes.c_char * 64),
    ]  # fmt: skip


class _Argument(ctypes.Structure):
    _fields_: ClassVar[Any] = [("kind", ctypes.c_int), ("value", _Value)]


class RawProducer:
    """A producer of raw records; a context manager that waits at its end until all are written."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._library = _library()
        self._library.rd_kafka_produceva.restype = ctypes.c_void_p
        self._library.rd_kafka_error_code.argtypes = [ctypes.c_void_p]
        error = ctypes.create_string_buffer(512)
        self.refused = 0
        configuration = self._library.rd_kafka_conf_new()
        # Kept, since librdkafka holds only its address.
        self._report = _REPORT(self._delivered)
        self._library.rd_kafka_conf_set_dr_msg_cb(ctypes.c_void_p(configuration), self._report)
        for name, value in {"log_level": "0", **settings}.items():
            self._library.rd_kafka_conf_set(configuration, name.encode(), value.encode(), error, len(error))
        self._handle = self._library.rd_kafka_new(_PRODUCER, configuration, error, len(error))
        assert self._handle, error.value

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        partition: int = -1,
        key: bytes | None = None,
        timestamp: int = 0,
        headers: RawHeaders = (),
    ) -> None:
        """Write a record; a timestamp of 0 is now."""
        arguments = [
            _argument(_TOPIC, text=topic.encode()),
            _argument(_PARTITION, int32=partition),
            _argument(_FLAGS, int=_COPY),
            _argument(_TIMESTAMP, int64=timestamp),
        ]
        if value is not None:
            arguments.append(_argument(_VALUE, memory=_Memory(value, len(value))))
        if key is not None:
            arguments.append(_argument(_KEY, memory=_Memory(key, len(key))))
        for name, content in headers:
            header = _Header(name, content, -1 if content is None else len(content))
            arguments.append(_argument(_HEADER, header=header))
        array = (_Argument * len(arguments))(*arguments)
        while (code := self._produce(array, len(arguments))) == _QUEUE_FULL:
            self._library.rd_kafka_poll(ctypes.c_void_p(self._handle), 100)
        assert code == 0, f"librdkafka refuses the record: {code}"

    def _produce(self, array: Any, length: int) -> int:
        error = self._library.rd_kafka_produceva(ctypes.c_void_p(self._handle), array, ctypes.c_size_t(length))
        if not error:
            return 0
        code = int(self._library.rd_kafka_error_code(error))
        self._library.rd_kafka_error_destroy(ctypes.c_void_p(error))
        return code

    def flush(self) -> None:
        """Wait until every record is written."""
        assert self._library.rd_kafka_flush(ctypes.c_void_p(self._handle), 120_000) == 0
        assert self.refused == 0, f"the broker refused {self.refused} records"

    def _delivered(self, handle: object, message: Any, opaque: object) -> None:
        self.refused += message.contents.value != 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.flush()
        self._library.rd_kafka_destroy(ctypes.c_void_p(self._handle))


def _argument(kind: int, **value: Any) -> _Argument:
    argument = _Argument()
    argument.kind = kind
    for name, one in value.items():
        setattr(argument.value, name, one)
    return argument
