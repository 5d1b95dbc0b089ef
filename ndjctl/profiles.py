"""Finds, reads and checks a profile: file, then preset, then --set. Every mistake is told by file, path and value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from ndjctl.errors import UsageError
from ndjctl.settings import PRESETS, Profile

_INSTALLED = Path(__file__).parent / "_profiles"
BUILT_IN = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parent.parent / "profiles"
"""Where the profiles are that travel with the tool: in the installed package, or beside it in a source tree."""


@dataclass(frozen=True)
class LoadedProfile:
    """A profile and where its values came from: `source` names the file, `overrides` what was laid over it."""

    profile: Profile
    source: str
    overrides: tuple[str, ...]


def load_profile(
    env: str,
    *,
    profile_dir: Path | None = None,
    working_dir: Path,
    preset: str | None = None,
    assignments: Sequence[str] = (),
) -> LoadedProfile:
    """The checked settings of `env`.

    Looks in profile_dir if given, else in working_dir/profiles if it holds that profile, else in the tool itself.
    assignments: `path.to.key=value` with a YAML value. Raises UsageError.
    """
    source, text = _find(env, profile_dir, working_dir)
    values = _parse(text, source)
    origin: dict[str, str] = {}
    if preset is not None:
        if preset not in PRESETS:
            raise UsageError(f"There is no preset {preset!r}{_suggest(preset, PRESETS)}; there are {_listed(PRESETS)}.")
        for path, value in PRESETS[preset].items():
            _assign(values, path, value, f"--preset {preset}")
            origin[path] = f"--preset {preset}"
    for assignment in assignments:
        path, separator, raw = assignment.partition("=")
        if not separator or not path:
            raise UsageError(f"--set takes path.to.key=value, for example job.workers=12; {assignment!r} is not that.")
        try:
            value = yaml.safe_load(raw)
        except yaml.YAMLError as error:
            raise UsageError(f"--set {path}: {raw!r} is not a YAML value: {_one_line(error)}.") from error
        # 6.0 is a number to YAML, and no longer what was typed: of a text, every digit counts.
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        _assign(values, path, raw.strip() if is_number and _takes_text(path) else value, "--set")
        origin[path] = "--set"
    try:
        profile = Profile.model_validate(values)
    except ValidationError as error:
        raise UsageError(_explain(error, source, origin)) from error
    if profile.environment != env:
        raise UsageError(
            f"{source}: environment is {profile.environment!r}, but the file is that of {env!r}: they must be the same."
        )
    overrides = (*([f"preset {preset}"] if preset else []), *assignments)
    return LoadedProfile(profile, source, overrides)


def checked_profile(values: Mapping[str, Any], source: str, overrides: tuple[str, ...]) -> LoadedProfile:
    """The profile that a document of settings is. Raises UsageError, naming `source`, where it is none."""
    try:
        return LoadedProfile(Profile.model_validate(values), source, overrides)
    except ValidationError as error:
        raise UsageError(_explain(error, source, {})) from error


def available(profile_dir: Path | None, working_dir: Path) -> list[str]:
    """Names of the environments that can be loaded, sorted."""
    names: set[str] = set()
    for directory in (BUILT_IN, profile_dir, working_dir / "profiles"):
        if directory is not None and directory.is_dir():
            names |= {path.stem for path in directory.glob("*.yaml")}
    return sorted(names)


def setting_paths(model: type[BaseModel] = Profile, prefix: str = "") -> list[str]:
    """Every path that --set takes, in the order of the model."""
    paths = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            paths += setting_paths(inner, f"{prefix}{name}.")
        else:
            paths.append(prefix + name)
    return paths


def _takes_text(path: str) -> bool:
    """Whether a setting is a text, and no number or list; so is an entry of a map. False for what is no setting."""
    model: type[BaseModel] = Profile
    for part in path.split("."):
        field = model.model_fields.get(part)
        if field is None:
            return False
        annotation = field.annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return get_origin(annotation) is dict or _is_text(annotation)
        model = annotation
    return False


def _is_text(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return all(isinstance(each, str) for each in get_args(annotation))
    kinds = [each for each in get_args(annotation) if each is not type(None)]
    return annotation is str or (get_origin(annotation) is not list and bool(kinds) and _is_text(kinds[0]))


def _find(env: str, profile_dir: Path | None, working_dir: Path) -> tuple[str, str]:
    name = f"{env}.yaml"
    well_named = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", env) is not None  # never a path
    candidates: list[tuple[str, Path]] = []
    if profile_dir is not None:
        if not profile_dir.is_dir():
            raise UsageError(f"--profile-dir {profile_dir} is not a directory.")
        candidates.append((str(profile_dir / name), profile_dir / name))
    else:
        candidates.append((f"profiles/{name}", working_dir / "profiles" / name))
    candidates.append((f"{name} (built in)", BUILT_IN / name))
    for label, place in candidates if well_named else []:
        try:
            return label, place.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{label} cannot be read: {_one_line(error)}.") from error
    names = available(profile_dir, working_dir)
    raise UsageError(
        f"There is no environment {env!r}{_suggest(env, names)}; there are {_listed(names)}. "
        f"An environment is a file profiles/<name>.yaml."
    )


class _StrictLoader(yaml.SafeLoader):
    """YAML takes the last of two equal keys without a word; a profile must not."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _parse(text: str, source: str) -> dict[str, Any]:
    try:
        values = yaml.load(text, _StrictLoader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}, line {mark.line + 1}" if mark else source
        raise UsageError(f"{where}: not valid YAML: {getattr(error, 'problem', None) or _one_line(error)}.") from error
    if not isinstance(values, dict):
        what = "it is empty" if values is None else f"this is a {type(values).__name__}"
        raise UsageError(f"{source}: a profile is a mapping of settings, and {what}.")
    return values


def _assign(values: dict[str, Any], path: str, value: object, label: str) -> None:
    known = setting_paths()
    section_of_maps = next((p for p in known if path.startswith(p + ".")), None)
    if path not in known and section_of_maps is None:
        guess = _suggest(path, known) or _suggest_leaf(path, known)
        raise UsageError(f"{label}: there is no setting {path!r}{guess}.")
    # Keys of a map (Spark settings) hold dots themselves.
    parts = (
        path.split(".") if section_of_maps is None else [*section_of_maps.split("."), path[len(section_of_maps) + 1 :]]
    )
    place = values
    for part in parts[:-1]:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            return  # the model's own check names what stands there
        place = inner
    place[parts[-1]] = str(value) if section_of_maps else value


def _explain(error: ValidationError, source: str, origin: Mapping[str, str]) -> str:
    """A sentence for every mistake; for a misspelt setting one, not a second one for what it was meant to be."""
    strange: list[str] = []
    others: list[str] = []
    meant: set[str] = set()
    for problem in sorted(error.errors(), key=lambda p: p["type"] != "extra_forbidden"):
        location = [part for part in problem["loc"] if isinstance(part, str)]
        path = ".".join(location)
        where = origin.get(path, source)
        if problem["type"] == "extra_forbidden":
            siblings = _fields_at(location[:-1])
            close = _closest(location[-1], siblings)
            meant.add(".".join([*location[:-1], close]))
            guess = f" (did you mean {close!r}?)" if close else ""
            strange.append(f"{where}: {path}: no such setting{guess}; allowed here: {_listed(siblings)}.")
        elif problem["type"] == "missing":
            if path not in meant:
                others.append(f"{where}: {path}: this setting is missing.")
        else:
            value = "" if isinstance(problem["input"], dict) else f" is {problem['input']!r}"
            others.append(f"{where}: {path}{value}: {_rule(problem, location)}.")
    return "\n".join(strange + others)


def _rule(problem: Any, location: list[str]) -> str:
    """What is allowed: in words where the setting has them, since a pattern is none."""
    if problem["type"] == "string_pattern_mismatch":
        words = _description(location)
        if words:
            return f"it takes {words}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    quotes = ""
    if problem["type"] in ("literal_error", "string_type") and isinstance(problem["input"], (int, float)):
        quotes = "; a text that looks like a number is put in quotes" if _takes_text(".".join(location)) else ""
    return message[0].lower() + message[1:] + quotes


def _description(location: list[str]) -> str | None:
    """The words of a setting, also for what is inside one that is a map or a list."""
    model: type[BaseModel] = Profile
    for part in location:
        field = model.model_fields[part]
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return field.description or _item_description(field.annotation)
        model = field.annotation
    return None


def _item_description(annotation: Any) -> str | None:
    """The words of the entries of a list."""
    for inner in get_args(annotation):
        for extra in getattr(inner, "__metadata__", ()):
            if getattr(extra, "description", None):
                return str(extra.description)
    return None


def _fields_at(location: Iterable[str]) -> list[str]:
    return list(_model_at(location).model_fields)


def _model_at(location: Iterable[str]) -> type[BaseModel]:
    model: type[BaseModel] = Profile
    for part in location:
        inner = model.model_fields[part].annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner
    return model


def _closest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or nothing."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def _suggest(word: str, known: Iterable[str]) -> str:
    close = _closest(word, known)
    return f" (did you mean {close!r}?)" if close else ""


def _suggest_leaf(path: str, known: Iterable[str]) -> str:
    """For a setting named without its section, or by the reference's own capitals."""
    by_leaf = {k.rsplit(".", 1)[-1]: k for k in known}
    leaf = path.rsplit(".", 1)[-1].lower()
    close = [name for name in by_leaf if name.startswith(leaf)] or difflib.get_close_matches(leaf, by_leaf, n=1)
    return f" (did you mean {by_leaf[close[0]]!r}?)" if close else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _one_line(error: object) -> str:
    return " ".join(str(error).split()).rstrip(".")
