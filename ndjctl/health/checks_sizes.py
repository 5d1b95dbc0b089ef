"""Whether the size rule lets through what the profile calls normal. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ndjctl.contracts import MIB, TOO_LARGE, TOO_SMALL, SizeWindow, s3_uri
from ndjctl.health.facts import Facts, FileSeen
from ndjctl.health.model import Checked, Remedy
from ndjctl.health.remedies import DEPLOY, PROFILE_TOO
from ndjctl.health.words import counted, passed, some, unread
from ndjctl.settings import Profile

_MOST_KEYS = 5
_MOST_DATES = 3


def size_checks(facts: Facts) -> Iterator[Checked]:
    yield _rule(facts)
    yield _quarantined(facts)


def _rule(facts: Facts) -> Checked:
    code, title = "size-rule", "size rule"
    deployed = facts.function.value.window if facts.function.value else None
    if deployed is None:
        return unread(code, title, facts.function)
    load = facts.profile.load
    window = facts.profile.size_rule.window
    stated = f"load says {load.min_file_size_mb:g} to {load.max_file_size_mb:g} MB"
    in_force = f"takes {deployed.min_bytes / MIB:g} to {deployed.max_bytes / MIB:g} MB"
    if _refuses(deployed, facts.profile):
        by_hand = not _refuses(window, facts.profile)
        remedy = DEPLOY if by_hand else _widened(facts.profile)
        sentence = f"The size rule in force quarantines what is normal: it {in_force}, and {stated}."
        return Checked(code, title, "fail", sentence, (), (remedy,))
    return passed(code, title, f"It {in_force}, and {stated}.")


def _refuses(window: SizeWindow, profile: Profile) -> bool:
    sizes_mb = (profile.load.min_file_size_mb, profile.load.max_file_size_mb)
    return any(window.verdict(round(size_mb * MIB)) is not None for size_mb in sizes_mb)


def _widened(profile: Profile) -> Remedy:
    """The limits that refuse the stated load, set to it."""
    window, load = profile.size_rule.window, profile.load
    words: list[str] = []
    if window.verdict(round(load.min_file_size_mb * MIB)) == TOO_SMALL:
        words += ["--set", f"size_rule.min_file_size_mb={load.min_file_size_mb:g}"]
    if window.verdict(round(load.max_file_size_mb * MIB)) == TOO_LARGE:
        words += ["--set", f"size_rule.max_file_size_mb={load.max_file_size_mb:g}"]
    return Remedy(("deploy", *words), hint=PROFILE_TOO) if words else Remedy(hint="correct load in the profile")


def _quarantined(facts: Facts) -> Checked:
    """Files that lie in quarantine for their size though it is a normal one."""
    code, title = "quarantine", "files in quarantine"
    if facts.quarantined.value is None:
        return unread(code, title, facts.quarantined)
    files = facts.quarantined.value
    normal = [file for file in files.files if _is_normal(file, facts.profile)]
    more = "" if files.is_whole else " or more"
    if not normal:
        told = f"{counted(len(files.files), 'file')}{more} set aside for their size" if files.files else "none"
        return passed(code, title, f"No file of a normal size is in it: {told}.")
    lie = "lies" if len(normal) == 1 and not more else "lie"
    sentence = f"{counted(len(normal), 'file')}{more} {lie} in quarantine for a size that the profile calls normal."
    evidence = some(f"{file.key}: {file.why}" for file in normal)
    return Checked(code, title, "warn", sentence, evidence, tuple(_releases(facts, normal)))


def _releases(facts: Facts, files: list[FileSeen]) -> Iterator[Remedy]:
    """By their names, where that is no more than a few; else by date, and then others of it may be refused."""
    if len(files) <= _MOST_KEYS:
        bucket = facts.names.input_bucket
        # A key that begins like an option is no argument.
        yield Remedy(
            ("quarantine", "release", *(s3_uri(bucket, f.key) if f.key.startswith("-") else f.key for f in files))
        )
        return
    for date in sorted({file.date for file in files})[:_MOST_DATES]:
        yield Remedy(("quarantine", "release", "--date", date), hint="what the size rule does not take, is refused")


def _is_normal(file: FileSeen, profile: Profile) -> bool:
    size_mb = file.size_bytes / MIB
    is_for_size = file.why.startswith((TOO_SMALL, TOO_LARGE))
    return is_for_size and profile.load.min_file_size_mb <= size_mb <= profile.load.max_file_size_mb
