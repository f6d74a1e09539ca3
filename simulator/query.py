"""Intuit's query language: a text in, a query out, or the fault QuickBooks answers with.

`SELECT * | count(*) FROM Entity [WHERE p op v [AND …]] [ORDERBY p [ASC|DESC] [, …]] [STARTPOSITION n] [MAXRESULTS n]`
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from simulator.faults import ApiFault, fault

DEFAULT_RESULTS = 100
MAXIMUM_RESULTS = 1_000
_COMPARISONS = ("=", "<", ">", "<=", ">=")
OPERATORS = (*_COMPARISONS, "IN", "LIKE")
_TEXT = r"'(?:[^'\\{above}]++|\\[{known}])*+"
_LEXEME = r"""\s*(?:
        (?P<text>{text}') | (?P<number>-?\d+(?:\.\d+)?(?![\w.])) | (?P<word>[A-Za-z_][\w.]*)
        | (?P<sign><=|>=|=|<|>|\*|\(|\)|,)
    )"""
# What a text between quotes can hold, and what it cannot, by the setting `query_characters`.
_CHARACTERS = {
    "any": (r"\x00-\U0010ffff", ""),
    "latin-1": (r"\x00-\xff", r"\u0100-\U0010ffff"),
    "ascii": (r"\x00-\x7f", r"\x80-\U0010ffff"),
}
_TEXTS = {name: _TEXT.format(known=known, above=above) for name, (known, above) in _CHARACTERS.items()}
_TOKENS = {name: re.compile(_LEXEME.format(text=text), re.VERBOSE | re.DOTALL) for name, text in _TEXTS.items()}
_READABLE = {name: re.compile(rf"{text}\\?", re.DOTALL) for name, text in _TEXTS.items()}
"""The part of a text without end that can be read, by the same setting."""
_ESCAPED = {"\b": r"\b", "\t": r"\t", "\n": r"\n", "\f": r"\f", "\r": r"\r", '"': r"\"", "'": r"\'", "\\": r"\\"}
_KEYWORDS = {
    *("SELECT", "FROM", "WHERE", "AND", "ORDERBY", "ORDER", "STARTPOSITION", "MAXRESULTS", "IN", "LIKE"),
    # Words that its parser knows and that no query can use (recorded in what it says that it expects).
    *("NULL", "OR", "NOT", "BETWEEN", "CONTAINS", "ITERATOR"),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """`property operator values`; one value but for IN. A value is text, in every form that a query has."""

    property: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    entity: str
    count: bool = False
    properties: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    """(property, descending?) in order of weight."""
    start: int = 1
    results: int = DEFAULT_RESULTS


@dataclass(frozen=True, slots=True)
class _Token:
    """`kind` is text, number, word, sign, end, or wrong: where the text stops being one of the language.

    A wrong one's `text` is what can be read of it, and `at` is the place of the first character that cannot.
    """

    kind: str
    text: str
    at: int

    @property
    def is_value(self) -> bool:
        return self.kind == "text" or self.text.lower() in ("true", "false")


def parse(text: str, *, two_words: bool = True, characters: str = "any") -> Query:
    """Read a query. A value is text in quotes, numbers too; true and false stand bare.

    :param two_words: whether `ORDER BY` is taken as well as the documented `ORDERBY`.
    :param characters: what a text in quotes can hold: any, latin-1 or ascii.
    :raises ApiFault: 4000 for what the grammar does not know, 4001 for a number out of range.
    """
    return _Parser(text, two_words=two_words, characters=characters).query()


class _Parser:
    def __init__(self, text: str, *, two_words: bool, characters: str) -> None:
        self._text = text
        self._two_words = two_words
        self._characters = characters
        self._tokens = self._scan()
        self._place = 0

    def query(self) -> Query:
        self._keyword("SELECT")
        count, properties = self._selection()
        self._keyword("FROM")
        entity = self._word().text
        conditions: list[Condition] = []
        if self._accept("WHERE"):
            conditions.append(self._condition())
            while self._accept("AND"):
                conditions.append(self._condition())
        order = self._order()
        start = results = None
        while self._peek().kind != "end":
            if start is None and self._accept("STARTPOSITION"):
                start = self._whole_number("STARTPOSITION")
            elif results is None and self._accept("MAXRESULTS"):
                results = self._whole_number("MAXRESULTS")
            else:
                raise self._unexpected(self._peek())
        if results is not None and results > MAXIMUM_RESULTS:
            raise fault(
                "4001", f"QueryValidationError: value {results} is too large. Max allowed value is {MAXIMUM_RESULTS}"
            )
        return Query(
            entity=entity,
            count=count,
            properties=properties,
            conditions=tuple(conditions),
            order=order,
            start=1 if start is None else start,
            results=DEFAULT_RESULTS if results is None else results,
        )

    def _selection(self) -> tuple[bool, tuple[str, ...]]:
        if self._accept("*"):
            properties = ["*"]
        else:
            first = self._word()
            if first.text.upper() == "COUNT":
                self._sign("(")
                self._sign("*")
                self._sign(")")
                return True, ()
            properties = [first.text]
        while self._accept(","):
            properties.append("*" if self._accept("*") else self._word().text)
        return False, () if "*" in properties else tuple(properties)

    def _condition(self) -> Condition:
        name = self._word()
        operator = self._next()
        sign = operator.text.upper()
        if sign not in OPERATORS or operator.kind == "text":
            raise self._unexpected(operator)
        ahead = self._peek()
        if sign in _COMPARISONS and not ahead.is_value:
            # It looks two tokens ahead, and names the first of them, if both can be read.
            raise self._unexpected(ahead if ahead.kind == "wrong" else operator)
        if sign != "IN":
            return Condition(name.text, sign, (self._value(),))
        self._sign("(")
        values = [self._value()]
        while self._accept(","):
            values.append(self._value())
        self._sign(")")
        return Condition(name.text, sign, tuple(values))

    def _value(self) -> str:
        token = self._next()
        if token.kind == "text":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
        if token.is_value:
            return token.text
        raise self._unexpected(token)

    def _order(self) -> tuple[tuple[str, bool], ...]:
        if self._accept("ORDER"):
            if not self._two_words:
                raise self._unexpected(self._tokens[self._place - 1])
            self._keyword("BY")
        elif not self._accept("ORDERBY"):
            return ()
        order = []
        while True:
            name = self._word().text
            descending = self._accept("DESC")
            if not descending:
                self._accept("ASC")
            order.append((name, descending))
            if not self._accept(","):
                return tuple(order)

    def _whole_number(self, name: str) -> int:
        token = self._next()
        if token.kind != "number" or not token.text.lstrip("-").isdecimal() or len(token.text) > 10:
            raise self._unexpected(token)
        found = int(token.text)
        if found < 1:
            raise fault("4001", f"QueryValidationError: value {found} is too small. Min allowed value is 1")
        return found

    # --- tokens

    def _scan(self) -> list[_Token]:
        tokens: list[_Token] = []
        place = 0
        end = len(self._text.rstrip())
        while place < end:
            match = _TOKENS[self._characters].match(self._text, place)
            if match is None:
                # It reads as it goes: what comes before is refused first.
                start = place + len(self._text[place:]) - len(self._text[place:].lstrip())
                readable = _READABLE[self._characters].match(self._text, start)
                before = "" if readable is None else readable[0]
                return [*tokens, _Token("wrong", before, start + len(before))]
            kind = match.lastgroup or "end"
            tokens.append(_Token(kind, match.group(kind), match.start(kind)))
            place = match.end()
        tokens.append(_Token("end", "<EOF>", end))
        return tokens

    def _peek(self) -> _Token:
        return self._tokens[self._place]

    def _next(self) -> _Token:
        token = self._peek()
        if token.kind not in ("end", "wrong"):
            self._place += 1
        return token

    def _accept(self, text: str) -> bool:
        token = self._peek()
        if token.kind != "text" and token.text.upper() == text:
            self._place += 1
            return True
        return False

    def _keyword(self, text: str) -> None:
        if not self._accept(text):
            raise self._unexpected(self._peek())

    def _sign(self, text: str) -> None:
        self._keyword(text)

    def _word(self) -> _Token:
        token = self._next()
        if token.kind != "word" or token.text.upper() in _KEYWORDS:
            raise self._unexpected(token)
        return token

    def _unexpected(self, token: _Token) -> ApiFault:
        line, column = _where(self._text, token.at)
        if token.kind == "wrong":
            return fault(
                "4000",
                f"QueryParserError: Invalid content. Lexical error at line {line}, column {column}.  "
                f'Encountered: {_encountered(self._text[token.at :])}after : "{_escaped(token.text)}"',
                None,
            )
        seen = f'" {_image(token)} "{token.text[:200]} ""' if token.kind != "end" else '"<EOF>"'
        return fault("4000", f"QueryParserError: Encountered {seen} at line {line}, column {column}.", None)


def _image(token: _Token) -> str:
    """What the parser of QuickBooks calls a token (recorded: a word, a sign; a published error: a string, a number)."""
    if token.kind == "word" and token.text.upper() in ("AND", "OR", "NOT"):
        return f"<{token.text.upper()}>"
    if token.kind == "sign" or token.text.upper() in _KEYWORDS:
        return f'"{token.text.lower()}"'
    return {"number": "<INTEGER>", "text": "<STRING>"}.get(token.kind, "<IDENTIFIER>")


def _encountered(rest: str) -> str:
    """The first character of `rest` in the words of QuickBooks' parser (recorded: quickbooks-ruby 309 and 362)."""
    if not rest:
        return "<EOF> "
    first = _halves(rest[0])[0]
    return f'"{_escaped(first)}" ({ord(first)}), '


def _escaped(text: str) -> str:
    return "".join(_ESCAPED.get(one) or (one if " " <= one <= "~" else f"\\u{ord(one):04x}") for one in _halves(text))


def _halves(text: str) -> str:
    """`text` as Java counts it: a character above U+FFFF is two."""
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(chr(units[place] << 8 | units[place + 1]) for place in range(0, len(units), 2))


def _where(text: str, at: int) -> tuple[int, int]:
    before = text[:at]
    return before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
