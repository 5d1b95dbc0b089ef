"""`tweets`: what a search of a social network answers, about 2.6 KB each: deep, with many fields, half of them repeats
of a record within the record. The content is made up. Pure."""

from __future__ import annotations

from typing import Any

from ndjctl.generate.columns import Clock, Running
from ndjctl.generate.mix import Mix
from ndjctl.generate.shape import Shape
from ndjctl.generate.values import INT64, STRING, Slot
from ndjctl.generate.words import NAMES, WORDS, integers, phrase

_BASES = 256
_RUNNING, _CLOCK, _USER, _RETWEETS, _FAVOURITES = range(5)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def tweets(seed: int, date: str) -> Shape:
    """date: YYYY-MM-DD, of `created_at`."""
    mix = Mix(seed, "tweets")
    columns = (
        Running(5 * 10**17),
        Clock(mix.below(86_400)),
        integers(Mix(seed, "tweets", "user"), 1 << 31),
        integers(Mix(seed, "tweets", "retweets"), 100_000),
        integers(Mix(seed, "tweets", "favourites"), 1_000_000),
    )
    year, month, day = date.split("-")
    when = f"{_MONTHS[int(month) - 1]} {day}"
    own: dict[str, Any] = {
        "created_at": Slot(STRING, f'"{when} %b +0000 {year}"'.encode("ascii"), (_CLOCK,)),
        "id": Slot(INT64, b"%d", (_RUNNING,)),
        "id_str": Slot(STRING, b'"%d"', (_RUNNING,)),
    }
    counts: dict[str, Any] = {
        "retweet_count": Slot(INT64, b"%b", (_RETWEETS,)),
        "favorite_count": Slot(INT64, b"%b", (_FAVOURITES,)),
    }
    author = Slot(INT64, b"%b", (_USER,))
    bases = []
    for _ in range(_BASES):
        tweet = _tweet(mix, own, counts, author)
        if mix.one_in(2):
            fixed = {"created_at": f"{when} 00:00:00 +0000 {year}", "id": mix.below(1 << 60)}
            fixed["id_str"] = str(fixed["id"])
            tweet["retweeted_status"] = _tweet(
                mix, fixed, {"retweet_count": mix.below(1000), "favorite_count": mix.below(1000)}, mix.below(1 << 31)
            )
        bases.append(tweet)
    return Shape("tweets", bases, columns)


def _tweet(mix: Mix, own: dict[str, Any], counts: dict[str, Any], author: Any) -> dict[str, Any]:
    text = phrase(mix, mix.between(4, 20))
    is_reply = mix.one_in(3)
    other = mix.below(1 << 31)
    return {
        "metadata": {"result_type": "recent", "iso_language_code": mix.skewed(("ja", "en", "pt", "ar"))},
        **own,
        "text": f"@u{mix.below(9999)} {text} 😋✨" if is_reply else text,
        "source": '<a href="https://example.com/app" rel="nofollow">Example for iPhone</a>',
        "truncated": False,
        "in_reply_to_user_id": other if is_reply else None,
        "in_reply_to_user_id_str": str(other) if is_reply else None,
        "in_reply_to_screen_name": f"u{other}" if is_reply else None,
        "user": _user(mix, author),
        "geo": None,
        "coordinates": None,
        "place": None,
        **counts,
        "entities": {
            "hashtags": [{"text": mix.skewed(WORDS), "indices": _indices(mix)} for _ in range(mix.log_uniform(3))],
            "symbols": [],
            "urls": [_url(mix) for _ in range(mix.log_uniform(3))],
            "user_mentions": [_mention(mix) for _ in range(mix.log_uniform(3))],
        },
        "favorited": False,
        "retweeted": False,
        "lang": mix.skewed(("ja", "en", "pt", "ar")),
    }


def _user(mix: Mix, author: Any) -> dict[str, Any]:
    image = f"https://example.com/images/{mix.below(1 << 40):x}"
    return {
        "id": author,
        "name": mix.skewed(NAMES),
        "screen_name": f"u{mix.below(1 << 31)}",
        "location": mix.skewed(("", "", "大阪", "Lisboa 🌞")),
        "description": phrase(mix, mix.between(1, 24)),
        "url": None if mix.one_in(2) else f"https://example.com/{mix.below(1 << 30):x}",
        "protected": False,
        "followers_count": mix.log_uniform(1_000_000),
        "friends_count": mix.log_uniform(5_000),
        "listed_count": mix.log_uniform(500),
        "favourites_count": mix.log_uniform(50_000),
        "statuses_count": mix.log_uniform(100_000),
        "utc_offset": None if mix.one_in(3) else 3600 * mix.between(-8, 9),
        "time_zone": None if mix.one_in(3) else mix.skewed(("Tokyo", "Lisbon", "Hawaii")),
        "geo_enabled": mix.one_in(3),
        "verified": mix.one_in(64),
        "lang": mix.skewed(("ja", "en", "pt")),
        "profile_background_color": f"{mix.below(1 << 24):06X}",
        "profile_background_image_url": f"{image}/bg.png",
        "profile_background_tile": mix.one_in(2),
        "profile_image_url": f"{image}/normal.jpeg",
        "profile_banner_url": None if mix.one_in(4) else f"{image}/banner",
        "profile_text_color": f"{mix.below(1 << 24):06X}",
        "profile_use_background_image": True,
        "default_profile": mix.one_in(2),
        "following": False,
        "notifications": False,
    }


def _indices(mix: Mix) -> list[int]:
    begin = mix.below(100)
    return [begin, begin + mix.between(3, 20)]


def _url(mix: Mix) -> dict[str, Any]:
    path = f"example.com/{mix.below(1 << 40):x}"
    return {
        "url": f"https://t.{path}",
        "expanded_url": f"https://www.{path}",
        "display_url": path,
        "indices": _indices(mix),
    }


def _mention(mix: Mix) -> dict[str, Any]:
    other = mix.below(1 << 31)
    return {"screen_name": f"u{other}", "name": mix.skewed(NAMES), "id": other, "indices": _indices(mix)}
