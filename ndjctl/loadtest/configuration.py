"""Which configuration a test is about: the settings that change what the pipeline does. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ndjctl.settings import Profile

_OF_NO_MATTER = {
    "environment",
    "cloud",
    "auto_deploy",
    "protected",
    "region",
    "suffix",
    "log_level",
    "load",
    "cost",
    "alarms",
    "retention",
    "tags",
    "embedded",
}
"""What neither the speed nor the result of a conversion depends on: names, places, expectations, keeping."""


def settings_that_matter(profile: Profile) -> dict[str, Any]:
    return profile.model_dump(mode="json", exclude=_OF_NO_MATTER)


def configuration_hash(profile: Profile, code: str) -> str:
    """12 hex digits. code: of the bundles, what identifies them."""
    text = json.dumps({"settings": settings_that_matter(profile), "code": code}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
