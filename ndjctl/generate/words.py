"""Texts that generated records are made of, in several scripts, and pools of values. Pure."""

from __future__ import annotations

from ndjctl.generate.columns import POOL, Pool
from ndjctl.generate.mix import Mix
from ndjctl.generate.values import Decimal

WORDS = (
    *("lamp", "kettle", "raincoat", "blue", "quiet", "folding", "recycled", "ceramic", "warm", "small", "night", "b2b"),
    *("returning", "gift", "sale", "new", "écru", "für zwei", "竹", "испытание", "naïve", "crème", "olive", "sand"),
)
NAMES = ("Ana Sousa", "Tom 🎈 Lee", "Björn Åström", "佐藤 花子", "Zoë d'Arc", "محمد علي", "Łukasz Żak", "Ольга Иванова")
CITIES = (
    *(("Lisboa", "PT"), ("Oslo", "NO"), ("Göteborg", "SE"), ("大阪", "JP")),
    *(("Montréal", "CA"), ("القاهرة", "EG"), ("São Paulo", "BR"), ("Kraków", "PL")),
)
SYSTEMS = ("Android", "iOS", "Windows", "macOS", "Linux")
BROWSERS = ("Chrome", "Safari", "Firefox", "Edge")
NOTES = (
    *("left at the door", 'she said "no" \\ maybe', "line one\nline two\ttabbed", "ありがとうございます 🙏"),
    *("café 😀", "100 % cotton", "<b>&amp;</b>", "-"),
)


def phrase(mix: Mix, words: int) -> str:
    return " ".join(mix.skewed(WORDS) for _ in range(words))


def decimal(mix: Mix, digits: int, fraction: int) -> Decimal:
    """Up to `digits` before the point and `fraction` (at least 1) behind it, of which the last is no zero."""
    behind = mix.below(9 * 10 ** (fraction - 1))
    sign = "-" if mix.one_in(16) else ""
    before = mix.log_uniform(10**digits)
    return Decimal(f"{sign}{before}.{_last_no_zero(behind, fraction)}")


def _last_no_zero(number: int, digits: int) -> str:
    return f"{number // 9 * 10 + number % 9 + 1:0{digits}d}"


def integers(mix: Mix, limit: int) -> Pool:
    """Skewed: small ones are the most."""
    return Pool([b"%d" % mix.log_uniform(limit) for _ in range(POOL)])


def decimals(mix: Mix, digits: int, fraction: int) -> Pool:
    return Pool([decimal(mix, digits, fraction).text.encode("ascii") for _ in range(POOL)])


def tokens(mix: Mix) -> Pool:
    """16 hex digits."""
    return Pool([b"%016x" % mix.bits() for _ in range(POOL)])
