"""The rules of Avro's schema resolution: can data written with one schema be read with another?

From the specification's section "Schema Resolution". Two of our own on top: a decimal keeps its precision and scale, and a
logical type stays what it is (an `int` that was a date is not a number of days now).
"""

from __future__ import annotations

from schemas.avro import PRIMITIVES, Schema, resolved

_PROMOTIONS = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}


def obstacles(*, writer: Schema, reader: Schema) -> list[str]:
    """Why data of `writer` cannot always be read by `reader`, each with the path to the field; empty when it can."""
    check = _Check()
    check.compare(resolved(writer, check.writer_names), resolved(reader, check.reader_names), "")
    return check.found


class _Check:
    def __init__(self) -> None:
        self.writer_names: dict[str, Schema] = {}
        self.reader_names: dict[str, Schema] = {}
        self.found: list[str] = []
        self._seen: set[tuple[str, str]] = set()

    def compare(self, writer: Schema, reader: Schema, path: str) -> None:
        writer = self.writer_names.get(writer, writer) if isinstance(writer, str) else writer
        reader = self.reader_names.get(reader, reader) if isinstance(reader, str) else reader
        if isinstance(writer, list):
            for branch in writer:
                self.compare(branch, reader, path)
            return
        if isinstance(reader, list):
            branches = [branch for branch in reader if self._same_type(writer, branch)]
            if not branches:
                self._say(path, f"{_type(writer)} is none of {', '.join(_type(b) for b in self._expand(reader))}")
            else:
                self.compare(writer, branches[0], path)
            return
        if not self._same_type(writer, reader):
            self._say(path, f"{_type(writer)} cannot be read as {_type(reader)}")
            return
        self._logical(writer, reader, path)
        match _kind(reader):
            case "record" | "error":
                self._record(writer, reader, path)
            case "enum":
                self._enum(writer, reader, path)
            case "array":
                self.compare(writer["items"], reader["items"], f"{path}[]")
            case "map":
                self.compare(writer["values"], reader["values"], f"{path}{{}}")
            case "fixed" if writer["size"] != reader["size"]:
                self._say(path, f"{writer['size']} bytes cannot be read as {reader['size']}")

    def _record(self, writer: Schema, reader: Schema, path: str) -> None:
        pair = (writer["name"], reader["name"])
        if pair in self._seen:
            return
        self._seen.add(pair)
        written = {field["name"]: field for field in writer["fields"]}
        for field in reader["fields"]:
            inner = f"{path}.{field['name']}" if path else str(field["name"])
            if field["name"] in written:
                self.compare(written[field["name"]]["type"], field["type"], inner)
            elif "default" not in field:
                self._say(inner, "is not written and has no default")

    def _enum(self, writer: Schema, reader: Schema, path: str) -> None:
        unknown = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
        if unknown and "default" not in reader:
            self._say(path, f"symbols {', '.join(unknown)} are unknown and there is no default")

    def _logical(self, writer: Schema, reader: Schema, path: str) -> None:
        written, read = (
            {k: s.get(k) for k in ("logicalType", "precision", "scale")} if isinstance(s, dict) else {}
            for s in (writer, reader)
        )
        written, read = ({k: v for k, v in facts.items() if v is not None} for facts in (written, read))
        if written != read:
            self._say(path, f"{written or 'a bare ' + _kind(writer)} cannot be read as {read or 'a bare value'}")

    def _same_type(self, writer: Schema, reader: Schema) -> bool:
        writer = self.writer_names.get(writer, writer) if isinstance(writer, str) else writer
        reader = self.reader_names.get(reader, reader) if isinstance(reader, str) else reader
        written, read = _kind(writer), _kind(reader)
        if written in PRIMITIVES:
            return written == read or read in _PROMOTIONS.get(written, ())
        if written != read:
            return False
        named = "name" in writer and "name" in reader
        return not named or _short(writer["name"]) == _short(reader["name"])

    def _expand(self, branches: list[Schema]) -> list[Schema]:
        return [self.reader_names.get(b, b) if isinstance(b, str) else b for b in branches]

    def _say(self, path: str, problem: str) -> None:
        self.found.append(f"{path or 'the record'}: {problem}")


def _kind(schema: Schema) -> str:
    return str(schema["type"]) if isinstance(schema, dict) else str(schema)


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _type(schema: Schema) -> str:
    return (
        f"{_kind(schema)} {_short(schema['name'])}" if isinstance(schema, dict) and "name" in schema else _kind(schema)
    )
