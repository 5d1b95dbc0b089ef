"""Makes a small, realistic sample: web shop events, nested, with nulls, lists and text in several scripts."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

FILES = 3
RECORDS_PER_FILE = 2_000

_PAGES = ("/", "/search", "/cart", "/checkout", "/p/kettle", "/p/lamp", "/p/raincoat")
_CITIES = (("Lisboa", "PT"), ("Göteborg", "SE"), ("大阪", "JP"), ("Montréal", "CA"), ("القاهرة", "EG"), ("Oslo", "NO"))
_WORDS = ("warm", "blue", "small", "ceramic", "recycled", "quiet", "folding", "écru", "竹", "für zwei")


def write_sample(folder: Path, now: datetime, seed: int) -> list[Path]:
    """Writes FILES files of RECORDS_PER_FILE events each into `folder`, which is made, and returns their paths.

    now: aware, UTC; it dates the events and the names. The same arguments write the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(1, FILES + 1):
        path = folder / f"{now:%Y-%m-%d}-sample-{now:%H%M%S}-{number}.ndjson"
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for event in _events(random.Random(seed * FILES + number), now):  # noqa: S311 - sample data
                file.write(json.dumps(event, ensure_ascii=False, separators=(",", ":")))
                file.write("\n")
        paths.append(path)
    return paths


def _events(random_: random.Random, now: datetime) -> Iterator[dict[str, Any]]:
    moment = now - timedelta(hours=1)
    for _ in range(RECORDS_PER_FILE):
        moment += timedelta(milliseconds=random_.randint(1, 1800))
        city, country = random_.choice(_CITIES)
        kind = random_.choices(("view", "search", "add_to_cart", "order"), (70, 15, 10, 5))[0]
        # Names that a user's own data is unlikely to use for something of another type: both go into one dataset.
        event: dict[str, Any] = {
            "event_id": f"{random_.getrandbits(64):016x}",
            "event_type": kind,
            "event_time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "shopper": {
                "id": random_.randint(1, 9_000_000_000),
                "logged_in": random_.random() < 0.6,
                "segment": random_.choice(("new", "returning", None)),
            },
            "shop": {
                "city": city,
                "country": country,
                "lat": round(random_.uniform(-60, 70), 5),
                "lon": round(random_.uniform(-180, 180), 5),
            },
            "page_view": {"path": random_.choice(_PAGES), "load_ms": random_.randint(80, 4_000), "referrer": None},
            "labels": random_.sample(_WORDS, random_.randint(0, 3)),
        }
        if kind in ("add_to_cart", "order"):
            event["basket"] = [
                {
                    "sku": f"SKU-{random_.randint(1, 5_000):05d}",
                    "quantity": random_.randint(1, 4),
                    "price": round(random_.uniform(1, 400), 2),
                    "options": random_.sample(_WORDS, random_.randint(0, 2)),
                }
                for _ in range(random_.randint(1, 4))
            ]
        if kind == "search":
            event["search_text"] = " ".join(random_.sample(_WORDS, 2))
        yield event
