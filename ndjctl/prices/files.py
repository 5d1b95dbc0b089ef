"""Which file a region's prices are from, and how old they are.

A file that is named with --prices counts alone. Otherwise what 'ndjctl cost prices --refresh' has fetched comes before
what is built in; keys that it lacks are those that are built in, each with its own date.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path

from ndjctl.errors import UsageError
from ndjctl.paths import shown
from ndjctl.prices.book import Price, PriceBook
from ndjctl.prices.document import dump_book, is_region, parse_book
from ndjctl.prices.glue import DpuPrice, dpu_price_of

OLD_AFTER_DAYS = 365
"""A price of a file of yours, or of a kept one, that is older is warned of."""

BUILT_IN_OLD_AFTER_DAYS = 400
"""The same of a built-in one: a year, and the weeks until the next release."""

BUILT_IN = "built in"
_SUFFIX = ".json"


def load_prices(region: str, given_file: Path | None, data_dir: Path, today: date) -> tuple[PriceBook, tuple[str, ...]]:
    """(the prices of a region, warnings of a file that is old). given_file: of --prices, or None. data_dir: the tool's
    own folder. What is built in is warned of by old_built_in(). Raises UsageError for a file that is not one of prices,
    and for a region whose prices are not known."""
    if given_file is not None:
        book = parse_book(_text(given_file), shown(given_file), f"from {shown(given_file)}", region, today)
        return book, _warnings(book, today)
    book, kept = _own_book(region, data_dir, today), find_refreshed_book(region, data_dir, today)
    return book, () if kept is None else _warnings(kept, today)


def old_built_in(book: PriceBook, used: Collection[str], today: date) -> tuple[str, ...]:
    """What the built-in prices of a book are warned of. used: keys of the prices that something is paid by: of the
    others nobody needs to know how old they are."""
    own = built_in_book(book.region)
    prices = (
        {} if own is None else {key: own.prices[key] for key in used if own.find(key) == book.find(key) is not None}
    )
    old = [price for price in prices.values() if age_days(price.as_of, today) > BUILT_IN_OLD_AFTER_DAYS]
    return (_old(book, len(prices), old, BUILT_IN_OLD_AFTER_DAYS, BUILT_IN, today),) if old else ()


def refreshed_file(region: str, data_dir: Path) -> Path:
    """Where refreshed prices of a region are kept, whether or not there are any. Raises UsageError for what is no
    region's name."""
    if not is_region(region):
        raise UsageError(f"{region!r} is no name of a region: one looks like us-east-1.")
    return data_dir / "prices" / f"{region}{_SUFFIX}"


def find_refreshed_book(region: str, data_dir: Path, today: date) -> PriceBook | None:
    """Refreshed prices of a region; None where there are none."""
    path = refreshed_file(region, data_dir)
    if not path.exists():
        return None
    try:
        return parse_book(_text(path), shown(path), "refreshed", region, today)
    except UsageError as error:
        raise UsageError(
            f"{str(error).rstrip('.')}; without this file the built-in prices count: delete it."
        ) from error


def find_own_book(region: str, data_dir: Path, today: date) -> PriceBook | None:
    """Refreshed and built-in prices of a region; None where there are neither."""
    built_in, refreshed = built_in_book(region), find_refreshed_book(region, data_dir, today)
    if refreshed is None:
        return built_in
    if built_in is None or built_in.prices.keys() <= refreshed.prices.keys():
        return refreshed
    return PriceBook(region, {**built_in.prices, **refreshed.prices}, f"refreshed and {BUILT_IN}")


def keep_refreshed(book: PriceBook, data_dir: Path) -> Path:
    """Writes refreshed prices where the next command finds them: whole, or not at all. The path."""
    path = refreshed_file(book.region, data_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(dump_book(book))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _own_book(region: str, data_dir: Path, today: date) -> PriceBook:
    book = find_own_book(region, data_dir, today)
    if book is None:
        known = ", ".join(built_in_regions())
        raise UsageError(
            f"The prices of {region} are not known; those of {known} are built in: "
            f"'ndjctl cost prices --region {region} --refresh' asks AWS for them, or name a file with --prices FILE; "
            f"cost.usd_per_dpu_hour in the profile states that of the job's runs."
        )
    return book


@cache
def built_in_regions() -> tuple[str, ...]:
    """Sorted, us-east-1 first: it is the most complete."""
    names = (each.name for each in (resources.files("ndjctl.prices") / "data").iterdir())
    regions = [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)]
    return tuple(sorted(regions, key=lambda region: (region != "us-east-1", region)))


@cache
def built_in_book(region: str) -> PriceBook | None:
    """None for a region of which nothing is built in."""
    if region not in built_in_regions():
        return None
    text = (resources.files("ndjctl.prices") / "data" / f"{region}{_SUFFIX}").read_text(encoding="utf-8")
    # Their dates are not compared with this machine's, whose clock may be wrong; a test compares them.
    return parse_book(text, f"the built-in prices of {region}", BUILT_IN, region, date.max)


def dpu_price(region: str, glue_version: str) -> DpuPrice | None:
    """The built-in price of a DPU hour of runs of that version, as Glue spells it; None for a region whose price is not
    built in."""
    book = built_in_book(region)
    return None if book is None else dpu_price_of(book, glue_version)


def age_days(as_of: date, today: date) -> int:
    return (today - as_of).days


def _warnings(book: PriceBook, today: date) -> tuple[str, ...]:
    """Of a file whose newest price is of a year before this one, and of one with prices that are too old."""
    prices = book.prices.values()
    old = [price for price in prices if age_days(price.as_of, today) > OLD_AFTER_DAYS]
    newest = max((price.as_of for price in prices), default=today)
    if newest.year < today.year:
        days = f"{newest.isoformat()}, {age_days(newest, today)} days old"
        since = (
            "are from" if len({price.as_of for price in prices}) == 1 else "are of last year or older, the newest from"
        )
        return (f"The prices of {book.region} ({book.origin}) {since} {days}: {_advice(book.region)}.",)
    return (_old(book, len(prices), old, OLD_AFTER_DAYS, book.origin, today),) if old else ()


def _old(book: PriceBook, of: int, old: Collection[Price], after_days: int, origin: str, today: date) -> str:
    oldest = min(price.as_of for price in old)
    share = f"{len(old)} of the {of} prices" if of > 1 else "The price"
    return (
        f"{share} of {book.region} ({origin}) {'is' if len(old) == 1 else 'are'} more than {after_days} days old, the "
        f"oldest from {oldest.isoformat()}, {age_days(oldest, today)} days old: {_advice(book.region)}."
    )


def _advice(region: str) -> str:
    return f"'ndjctl cost prices --region {region} --refresh' asks AWS for today's"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown(path)} is not a price file: it is not UTF-8 text.") from error
    except OSError as error:
        raise UsageError(f"The price file {shown(path)} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UsageError(f"{shown(path)} is no name of a file.") from error
