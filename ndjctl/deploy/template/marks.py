"""What only CloudFormation knows, such as the account: a mark in our strings, and a function in the template."""

from __future__ import annotations

import re
from typing import Any

CODE_BUCKET_PARAMETER = "CodeBucket"

# Characters for private use: no name, setting or document holds them by chance.
_OPEN, _CLOSE = "\ue000", "\ue001"


def _mark(reference: str) -> str:
    return f"{_OPEN}{reference}{_CLOSE}"


ACCOUNT = _mark("AWS::AccountId")
REGION = _mark("AWS::Region")
CODE_BUCKET = _mark(CODE_BUCKET_PARAMETER)
"""The bucket that the operator puts the bundles into."""

_ANY_ARN = "arn:aws:"
"""How an ARN that we make begins; which partition it is, the stack knows better."""

_MARKED = re.compile("|".join((ACCOUNT, REGION, CODE_BUCKET)))
_PIECES = re.compile(rf"(\$|{_MARKED.pattern})")


def resolved(value: Any) -> Any:
    """`value` (nested mappings, lists and scalars) with every string that holds a mark as a Ref or Fn::Sub. A ${ of the
    string's own stays. Raises ValueError for a mark in a key, where CloudFormation has no function."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        for key in value:
            if _MARKED.search(key):
                raise ValueError(f"a key cannot hold what CloudFormation fills in: {key!r}")
        return {key: resolved(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [resolved(inner) for inner in value]
    return value


def _text(text: str) -> Any:
    is_marked = _MARKED.search(text) is not None
    if "${" in text or ("$" in text and is_marked):
        # A $ of the string's own next to those of Fn::Sub could be misread; pieces cannot.
        pieces = [{"Ref": piece[1:-1]} if _MARKED.fullmatch(piece) else piece for piece in _PIECES.split(text) if piece]
        return {"Fn::Join": ["", pieces]}
    if not is_marked:
        return text
    if _MARKED.fullmatch(text):
        return {"Ref": text[1:-1]}
    filled = _MARKED.sub(lambda found: "${" + found.group()[1:-1] + "}", text)
    return {"Fn::Sub": re.sub(f"^{_ANY_ARN}", "arn:${AWS::Partition}:", filled)}
