"""DynamoDB's expressions: conditions and updates, parsed once and evaluated on items in DynamoDB's own form.

Strict where DynamoDB is: an expression that it would refuse raises BadExpression.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

Item = dict[str, Any]
Names = Mapping[str, str]
Operand = Callable[[Item, Names, Item], Any]
Condition = Callable[[Item, Names, Item], bool]
Update = Callable[[Item, Names, Item], None]

_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),+-]|[#:]?\w+)")
_PLACEHOLDER = re.compile(r"[#:]\w+")
_COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")


class BadExpression(Exception):
    """DynamoDB would answer with a ValidationException; str() says why."""


def placeholders(*texts: str | None) -> set[str]:
    return {found for text in texts if text for found in _PLACEHOLDER.findall(text)}


def check_placeholders(request: Mapping[str, Any], *expressions: str) -> None:
    """Raises BadExpression unless the names and values given are the ones used."""
    used = placeholders(*(request.get(name) for name in expressions))
    given = {*request.get("ExpressionAttributeNames", {}), *request.get("ExpressionAttributeValues", {})}
    if used != given:
        raise BadExpression(f"used and not given: {sorted(used - given)}; given and not used: {sorted(given - used)}")


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = []
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                raise BadExpression(f"{text!r} at {position}")
            self.tokens.append(match[1])
            position = match.end()
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        token = self.peek()
        if not token or (wanted and token not in wanted):
            raise BadExpression(f"{self.text!r}: {token!r} where {wanted} should be")
        self.at += 1
        return token

    def end(self) -> None:
        if self.peek():
            raise BadExpression(f"{self.text!r}: {self.peek()!r} is too much")

    # --- conditions

    def either(self) -> Condition:
        sides = [self.both()]
        while self.peek().upper() == "OR":
            self.take()
            sides.append(self.both())
        return sides[0] if len(sides) == 1 else lambda i, n, v: any(side(i, n, v) for side in sides)

    def both(self) -> Condition:
        sides = [self.clause()]
        while self.peek().upper() == "AND":
            self.take()
            sides.append(self.clause())
        return sides[0] if len(sides) == 1 else lambda i, n, v: all(side(i, n, v) for side in sides)

    def clause(self) -> Condition:
        token = self.peek()
        if token.upper() == "NOT":
            self.take()
            inner = self.clause()
            return lambda i, n, v: not inner(i, n, v)
        if token == "(":
            self.take()
            inner = self.either()
            self.take(")")
            return inner
        if token in ("attribute_exists", "attribute_not_exists", "begins_with", "contains"):
            return self.function()
        left = self.operand()
        operator = self.take().upper()
        if operator == "IN":
            choices = self.arguments()
            return lambda i, n, v: left(i, n, v) in [choice(i, n, v) for choice in choices]
        if operator == "BETWEEN":
            low = self.operand()
            self.take("AND")
            high = self.operand()
            return lambda i, n, v: (
                compare(">=", left(i, n, v), low(i, n, v)) and compare("<=", left(i, n, v), high(i, n, v))
            )
        right = self.operand()
        if operator not in _COMPARATORS:
            raise BadExpression(f"{self.text!r}: {operator!r}")
        return lambda i, n, v: compare(operator, left(i, n, v), right(i, n, v))

    def function(self) -> Condition:
        name = self.take()
        arguments = self.arguments()
        if name == "attribute_exists":
            return lambda i, n, v: arguments[0](i, n, v) is not None
        if name == "attribute_not_exists":
            return lambda i, n, v: arguments[0](i, n, v) is None
        first, second = arguments

        def test(item: Item, names: Names, values: Item) -> bool:
            held, wanted = first(item, names, values), second(item, names, values)
            if held is None:
                return False
            text, part = next(iter(held.values())), next(iter(wanted.values()))
            return text.startswith(part) if name == "begins_with" else part in text

        return test

    def arguments(self) -> list[Operand]:
        self.take("(")
        found = [self.operand()]
        while self.take(",", ")") == ",":
            found.append(self.operand())
        return found

    def operand(self) -> Operand:
        token = self.take()
        if token.startswith(":"):
            return lambda i, n, v: v[token]
        if token.startswith("#"):
            return lambda i, n, v: i.get(n[token])
        if token in ("if_not_exists", "list_append"):
            first, second = self.arguments()
            if token == "list_append":
                return lambda i, n, v: {"L": [*first(i, n, v)["L"], *second(i, n, v)["L"]]}
            return lambda i, n, v: held if (held := first(i, n, v)) is not None else second(i, n, v)
        if not token[0].isalpha() and token[0] != "_":
            raise BadExpression(f"{self.text!r}: {token!r} is no operand")
        return lambda i, n, v: i.get(token)

    # --- updates

    def update(self) -> Update:
        steps: list[Update] = []
        verb = ""
        while self.peek():
            verb = self.take("SET", "REMOVE", "ADD")
            steps.append(self.step(verb))
            while self.peek() == ",":
                self.take()
                steps.append(self.step(verb))
        if not steps:
            raise BadExpression("an update without a clause")

        def apply(item: Item, names: Names, values: Item) -> None:
            before = dict(item)
            for step in steps:
                step(item, names, {**values, "": before})

        return apply

    def step(self, verb: str) -> Update:
        token = self.take()

        def name(names: Names) -> str:
            return names[token] if token.startswith("#") else token

        if verb == "REMOVE":
            return lambda i, n, v: i.pop(name(n), None) and None
        if verb == "ADD":
            added = self.operand()

            def add(item: Item, names: Names, values: Item) -> None:
                old = Decimal(item.get(name(names), {"N": "0"})["N"])
                item[name(names)] = {"N": str(old + Decimal(added(item, names, values)["N"]))}

            return add
        self.take("=")
        value = self.operand()
        if self.peek() in ("+", "-"):
            sign = 1 if self.take() == "+" else -1
            left, right = value, self.operand()

            def value(i: Item, n: Names, v: Item) -> Any:
                return {"N": str(Decimal(left(i, n, v)["N"]) + sign * Decimal(right(i, n, v)["N"]))}

        def assign(item: Item, names: Names, values: Item) -> None:
            item[name(names)] = value(values[""], names, values)

        return assign


def compare(operator: str, held: Any, wanted: Any) -> bool:
    """Of two attribute values; None is an attribute that is not there, which compares with nothing."""
    if operator == "=":
        return bool(held == wanted)
    if operator == "<>":
        return bool(held != wanted)
    if held is None or wanted is None or held.keys() != wanted.keys():
        return False
    ((kind, left),), ((_, right),) = held.items(), wanted.items()
    if kind == "N":
        left, right = Decimal(left), Decimal(right)
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator])


@lru_cache(maxsize=4096)
def condition(text: str) -> Condition:
    parser = _Parser(text)
    found = parser.either()
    parser.end()
    return found


@lru_cache(maxsize=4096)
def update(text: str) -> Update:
    return _Parser(text).update()


@lru_cache(maxsize=4096)
def hash_condition(text: str) -> tuple[str, str]:
    """(name, value placeholder) of the equality that a key condition starts with."""
    parser = _Parser(text)
    name = parser.take()
    parser.take("=")
    return name, parser.take()
