"""Commands as they are printed on a console, so that they can be typed as they stand, whatever a key has in it."""

from __future__ import annotations

import shlex


def typeable(command: str) -> str:
    """A command line in one printable line that means the same to bash, zsh and ksh. A word with what would move the
    cursor is written with their escapes: $'a\\nb.ndjson'."""
    if command.isprintable():
        return command
    return " ".join(map(quoted, shlex.split(command)))


def quoted(word: str) -> str:
    """One word of a command line, printable."""
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped, word)) + "'"


def _escaped(character: str) -> str:
    if character in ("'", "\\"):
        return "\\" + character
    if character.isprintable():
        return character
    if character in _NAMED:
        return _NAMED[character]
    if "\udc80" <= character <= "\udcff":  # a byte of a command line that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    # In UTF-8, \x would be a byte: a character has four or eight digits.
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"


_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\x1b": "\\e"}
