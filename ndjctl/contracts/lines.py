"""What a line is, and how many a file has."""

from __future__ import annotations

from collections.abc import Iterable

from ndjctl.contracts.sizes import MIB

LINE_END = b"\n"
BLANK_BYTES = b" \t\r"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def is_blank(line: bytes) -> bool:
    """Whether a line (with or without its end) is no record: nothing but spaces, tabs and carriage returns."""
    return not line.strip(BLANK_BYTES + LINE_END)


def count_lines(chunks: Iterable[bytes]) -> int:
    """Records in a file given as consecutive chunks of any size: its lines that are not blank. A byte order mark that
    opens the file is not part of its first line."""
    lines = 0
    rest = b""
    first = True
    for chunk in chunks:
        rest += chunk
        if first and len(rest) < len(BYTE_ORDER_MARK):
            continue
        if first:
            rest = rest.removeprefix(BYTE_ORDER_MARK)
            first = False
        *whole, rest = rest.split(LINE_END)
        lines += sum(1 for line in whole if not is_blank(line))
        if not rest.strip(BLANK_BYTES):
            rest = b""
        elif len(rest) > MIB:
            # A very long line is already known to be no blank one: keep a byte of it, not all of it.
            rest = b"x"
    if first:
        rest = rest.removeprefix(BYTE_ORDER_MARK)
    return lines + (0 if is_blank(rest) else 1)
