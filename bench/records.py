"""The lines that the bench converts: events, a wide table, and what is dirty about dirty data. Pure and seeded.

Made with string templates, because a gigabyte of them has to be there in seconds. The values are those of real event
data in what counts for a converter: cardinalities, nulls, lists of several lengths, escapes, scripts, doubles of all
lengths.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator

EVENT_KEY = "event_id"
WIDE_KEY = "row_id"
WIDE_COLUMNS = 200

BAD_LINE_EVERY = 1_000
"""Lines of dirty data, of which one is no record."""

DRIFT_EVERY = 40
"""Lines of drifting data, of which about one does not fit the schema of the clean events."""

_KINDS = ("view", "view", "view", "view", "view", "search", "add_to_cart", "order")
_NAMES = (
    "Ana Sousa",
    "Björn Åström",
    "佐藤 花子",
    "Zoë d'Arc",
    "محمد علي",
    "Łukasz Żak",
    "Ольга Иванова",
    "Tom 🎈 Lee",
)
_CITIES = ("Lisboa", "Göteborg", "大阪", "Montréal", "القاهرة", "Oslo", "São Paulo", "Kraków")
_COUNTRIES = ("PT", "SE", "JP", "CA", "EG", "NO", "BR", "PL")
_BROWSERS = ("Firefox", "Chrome", "Safari", "Edge")
_SYSTEMS = ("Linux", "Windows", "macOS", "Android", "iOS")
_COLOURS = ("blue", "écru", "竹", "für zwei", "ruby", "black", "sand", "olive")
_TAGS = ("new", "sale", "gift", "b2b", "night", "returning", "vip", "испытание")
_WORDS = ("kettle", "lamp", "raincoat", "quiet", "folding", "recycled", "ceramic", "warm")
_NOTES = (
    "null",
    "null",
    "null",
    '"left at the door"',
    '"line one\\nline two\\ttabbed"',
    '"she said \\"no\\" \\\\ maybe"',
    '"\\ud83d\\ude00 caf\\u00e9"',
    '"ありがとうございます 🙏"',
)
_AGENT = "Mozilla/5.0 ({}; x64; rv:{}.0) AppleWebKit/537.36 (KHTML, like Gecko) {}/{}.0.{}"


def _random(seed: int, what: str) -> random.Random:
    return random.Random(f"{what} {seed}")  # noqa: S311 - data, no secrets


class _Pools:
    """JSON fragments of which many events carry the same ones."""

    def __init__(self, random_: random.Random) -> None:
        pick = random_.choice
        self.agents = [
            _AGENT.format(pick(_SYSTEMS), random_.randint(90, 140), pick(_BROWSERS), random_.randint(90, 140), build)
            for build in range(256)
        ]
        self.paths = [f"/{pick(_WORDS)}/{pick(_WORDS)}-{number}" for number in range(1024)]
        self.tags = [
            json.dumps(random_.sample(_TAGS, count % 5), ensure_ascii=False, separators=(",", ":"))
            for count in range(64)
        ]
        self.skus = [f"SKU-{random_.getrandbits(32):08X}" for _ in range(4096)]
        self.titles = [f"{pick(_WORDS)} {pick(_WORDS)} {pick(_COLOURS)}" for _ in range(4096)]
        self.phrases = [
            " ".join(random_.choices(_WORDS + _COLOURS + _TAGS, k=3 + number % 4)) for number in range(4096)
        ]


def events(seed: int, what: str = "events") -> Iterator[str]:
    """Lines (with their ends) of nested events without end; `event_id` is unique."""
    random_ = _random(seed, what)
    pools = _Pools(random_)
    number = 0
    while True:
        yield _event(number, random_, pools)
        number += 1


def _event(
    number: int,
    random_: random.Random,
    pools: _Pools,
    clicks: str = "",
    score: str = "",
    user: str = "",
    more: str = "",
) -> str:
    """clicks, score: JSON in place of a number. user, more: fields to add, with a comma before each."""
    bits = random_.getrandbits(192)
    share = random_.random()
    place = bits & 7
    ms = number * 37 + (bits >> 3 & 31)
    geo = "null"
    if bits >> 34 & 7:
        lon = (bits >> 8 & 0xFFFFF) / 2912.7 - 180
        geo = f'{{"lat":{share * 130 - 60:.6f},"lon":{lon:.6f},"accuracy_m":{bits >> 28 & 63}}}'
    sku = bits >> 40
    items = ",".join(
        f'{{"sku":"{pools.skus[at & 4095]}","title":"{pools.titles[at & 4095]}","quantity":{1 + (at >> 12 & 3)},'
        f'"price":{(at >> 3 & 0xFFFF) / 100},"attributes":{{"colour":"{_COLOURS[at >> 5 & 7]}",'
        f'"size":{"null" if at & 1 else at >> 7 & 63}}}}}'
        for at in (sku, sku >> 9, sku >> 18)[: bits >> 70 & 3]
    )
    token = random_.getrandbits(192)
    ip = f"{bits >> 130 & 223}.{bits >> 138 & 255}.{bits >> 146 & 255}.{bits >> 154 & 255}"
    text = f"{pools.phrases[token & 4095]}, {pools.phrases[token >> 12 & 4095]}: {token >> 24 & 0xFFFF}"
    referrer = f'"https://www.example.com{pools.paths[bits >> 72 & 1023]}"' if bits >> 82 & 1 else "null"
    return (
        f'{{"event_id":"{bits >> 128:016x}-{number:08x}","event_type":"{_KINDS[bits >> 83 & 7]}",'
        f'"event_time":"2026-01-{1 + ms // 86400000 % 28:02}T{ms // 3600000 % 24:02}:{ms // 60000 % 60:02}:'
        f'{ms // 1000 % 60:02}.{ms % 1000:03}Z","sequence":{number},"clicks":{clicks or bits >> 86 & 127},'
        f'"score":{score or share},"is_bot":{"true" if not bits >> 93 & 15 else "false"},'
        f'"user":{{"id":{bits >> 97 & 0x1FFFFFFFF},"name":"{_NAMES[bits >> 100 & 7]}","logged_in":'
        f"{'true' if bits >> 103 & 1 else 'false'},"
        f'"address":{{"city":"{_CITIES[place]}","country":"{_COUNTRIES[place]}","geo":{geo}}},'
        f'"segments":{pools.tags[bits >> 104 & 63]}{user}}},'
        f'"device":{{"agent":"{pools.agents[bits >> 110 & 255]}","screen":{{"width":{320 + (bits >> 118 & 2047)},'
        f'"height":{480 + (bits >> 120 & 1023)}}},"battery":{"null" if bits >> 121 & 1 else share / 3}}},'
        f'"page":{{"path":"{pools.paths[bits >> 112 & 1023]}","referrer":{referrer},"load_ms":{bits >> 116 & 4095}}},'
        f'"items":[{items}],"tags":{pools.tags[bits >> 122 & 63]},"experiments":[],'
        f'"session":"{token >> 64:032x}","ip":"{ip}","text":"{text}","note":{_NOTES[bits >> 125 & 7]},'
        f'"campaign":null{more}}}\n'
    )


# --------------------------------------------------------------------------------------------------------------
# A wide table


def wide_rows(seed: int) -> Iterator[str]:
    """Lines of a flat table of WIDE_COLUMNS columns without end; `row_id` is unique."""
    random_ = _random(seed, "wide")
    words = [json.dumps(f"{word} {other}", ensure_ascii=False) for word in _WORDS for other in _COLOURS]
    few = [str(random_.randint(0, 5_000)) for _ in range(256)]
    flags = ("true", "false", "null")
    prices = [f"{random_.randint(0, 10**6) / 100}" for _ in range(4096)]
    names: list[str] = []
    draws: list[tuple[int, Callable[[int], list[str]]]] = []

    def columns(prefix: str, count: int, draw: Callable[[int], list[str]]) -> None:
        names.extend(f"{prefix}_{number:03}" for number in range(count))
        draws.append((count, draw))

    columns("count", 40, lambda n: random_.choices(few, k=n))
    columns("total", 30, lambda n: [str(random_.getrandbits(40)) for _ in range(n)])
    columns("price", 30, lambda n: random_.choices(prices, k=n))
    columns("ratio", 30, lambda n: [repr(random_.random()) for _ in range(n)])
    columns("label", 40, lambda n: random_.choices(words, k=n))
    columns("flag", 15, lambda n: random_.choices(flags, k=n))
    columns("sparse", 14, lambda n: ["7.5" if not random_.getrandbits(4) else "null" for _ in range(n)])
    if len(names) + 1 != WIDE_COLUMNS:
        raise AssertionError(f"{len(names) + 1} columns")
    template = '{"row_id":"r%010d",' + ",".join(f'"{name}":%s' for name in names) + "}\n"
    number = 0
    while True:
        values = [value for count, draw in draws for value in draw(count)]
        yield template % (number, *values)
        number += 1


# --------------------------------------------------------------------------------------------------------------
# Dirty data


def drifting_events(seed: int) -> Iterator[bytes]:
    """Lines of events without end, of which about one in DRIFT_EVERY has a field or a value that does not fit the
    schema of events(). None is bad."""
    random_ = _random(seed, "drift")
    pools = _Pools(random_)
    for number in itertools.count():
        more = {} if random_.randrange(DRIFT_EVERY) else random_.choice(_DRIFTS)
        yield _event(number, random_, pools, **more).encode()


def dirty_events(seed: int) -> Iterator[bytes]:
    """Lines of events without end, of which one in every BAD_LINE_EVERY is no record. All others fit."""
    random_ = _random(seed, "dirty")
    pools = _Pools(random_)
    for number in itertools.count():
        if number % BAD_LINE_EVERY == 0:
            bad_at = number + random_.randrange(BAD_LINE_EVERY)
        line = _event(number, random_, pools)
        yield random_.choice(_SPOILERS)(line) if number == bad_at else line.encode()


_DRIFTS: tuple[dict[str, str], ...] = (
    {"clicks": "1.7"},
    {"clicks": '"12"'},
    {"score": "true"},
    {"score": "9007199254740993"},  # an integer that no double holds
    {"more": ',"variant":{"name":"B","weights":[0.25,0.75]}'},
    {"user": ',"loyalty":"gold"'},
)

_SPOILERS: tuple[Callable[[str], bytes], ...] = (
    lambda line: line[: len(line) // 2].encode() + b"\n",
    lambda line: b"[1,2,3]\n",
    lambda line: b"2026-01-31 12:00:00 ERROR connection reset by peer\n",
    lambda line: line.encode().replace(b"\n", b"") + b' {"event_id":"second-on-the-line"}\n',
    lambda line: line.encode().replace(b'"campaign":null', b'"campaign":"caf\xe9"'),
    lambda line: line.encode().replace(b'"sequence":', b'"sequence":1,"sequence":'),
    lambda line: line.encode().replace(b'"campaign":null', b'"campaign":NaN'),
    lambda line: line.encode().replace(b'"campaign":null', b'"campaign":"\\ud83d"'),
)
