"""Which cloud a profile means. The one place that knows both; nothing else asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ndjctl.aws import Cloud, open_aws
from ndjctl.settings import Profile

if TYPE_CHECKING:
    from ndjctl.loadtest.chaos import Killer

Say = Callable[[str], None]


def open_cloud(profile: Profile, data_dir: Path, say: Say) -> Cloud:
    """The cloud of `profile`, ready for calls. say: told what was started or kept, one line each."""
    return _OPENERS[profile.cloud](profile, data_dir, say)


def open_billed_cloud(profile: Profile, data_dir: Path, say: Say) -> Cloud | None:
    """The cloud of `profile` where AWS asks for what runs in it; None for one that costs nothing, and whose speed tells
    nothing of AWS's. Starts nothing."""
    return None if profile.cloud == "embedded" else open_cloud(profile, data_dir, say)


def _open_aws(profile: Profile, _data_dir: Path, _say: Say) -> Cloud:
    return open_aws(profile.region, profile.suffix)


def _open_embedded(profile: Profile, data_dir: Path, say: Say) -> Cloud:
    from ndjctl.embedded.provider import open_embedded

    return open_embedded(profile, data_dir, say)


def killer_of(profile: Profile, data_dir: Path) -> Killer | None:
    """What kills runs and functions of the profile's cloud on purpose; None where that is not ours to do."""
    if profile.cloud != "embedded":
        return None
    from ndjctl.embedded.faults import Faults
    from ndjctl.embedded.provider import embedded_cloud

    return Faults(Path(embedded_cloud(profile, data_dir).status().data_dir))


_OPENERS: dict[str, Callable[[Profile, Path, Say], Cloud]] = {"aws": _open_aws, "embedded": _open_embedded}
