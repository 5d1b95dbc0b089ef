"""A command as it would be typed again: the words of its options."""

from __future__ import annotations


def given(*options: tuple[str, object]) -> tuple[str, ...]:
    """The words of options, given as (name, value): none for None and False, the name alone for True."""
    words: list[str] = []
    for name, value in options:
        if value is None or value is False:
            continue
        if value is True:
            words.append(name)
            continue
        text = f"{value:.15g}" if isinstance(value, float) else str(value)
        # What begins like an option would be taken for one.
        words += [f"{name}={text}"] if text.startswith("-") else [name, text]
    return tuple(words)
