"""The prices that a command computes with: of a file, of the profile, kept on this machine, or built in."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from ndjctl.errors import UsageError

if TYPE_CHECKING:
    from ndjctl.prices import PriceBook
    from ndjctl.settings import Profile


def prices_for(
    profile: Profile, region: str | None, given: Path | None, data_dir: Path, today: date, *, is_needed: bool = True
) -> tuple[PriceBook, tuple[str, ...]]:
    """(the prices of a region, else of the profile's; what they are warned of). given: of --prices: what it has counts
    before what the profile states, and that before all else. is_needed: whether a region without prices is an error;
    else, or where the profile states its own, the book is as good as empty, and why is a warning."""
    from ndjctl.prices import PriceBook, load_prices
    from ndjctl.prices.stated import stated_prices, with_stated

    where = region or profile.region
    stated = stated_prices(profile) if where == profile.region else {}
    try:
        book, warnings = load_prices(where, given, data_dir, today)
    except UsageError as error:
        if given is not None or where != profile.region or (is_needed and not stated):
            raise
        book, warnings = PriceBook(where, {}, "none but the profile's" if stated else "no prices"), (str(error),)
    has_own = given is not None and stated.keys() <= book.prices.keys()
    return (book if has_own else with_stated(book, profile, today)), warnings


def mean_bytes(profile: Profile) -> int:
    """Of a file of the profile's load: the middle of what it states."""
    from ndjctl.advice.throughput import throughput
    from ndjctl.contracts import MIB

    return round(throughput(profile).mean_file_mb * MIB)


def out_of_window(profile: Profile, size_bytes: int) -> tuple[str, ...]:
    """A warning where files of that size are quarantined by the size rule instead of converted."""
    from ndjctl.output.progress import volume

    window = profile.size_rule.window
    if not size_bytes or window.verdict(size_bytes) is None:
        return ()
    return (
        f"Files of {volume(size_bytes)} are outside of size_rule, {volume(window.min_bytes)} to "
        f"{volume(window.max_bytes)}: they would be quarantined, not converted; what is shown is "
        f"what converting them would cost.",
    )
