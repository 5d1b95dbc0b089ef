"""README and the change log cannot drift from the tool."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from ndjctl import __version__
from ndjctl.bundles import Code, glue_bundle, lambda_bundle
from ndjctl.cli.main import app
from ndjctl.contracts import Names
from ndjctl.deploy.desired.common import Setting
from ndjctl.deploy.desired.watching import alarm_list
from ndjctl.profiles import load_profile

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = "".join((ROOT / f"docs/{name}.md").read_text(encoding="utf-8") for name in ("operating", "testing", "cost"))
TREE: Any = typer.main.get_command(app)


def _commands(group: Any = TREE, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if getattr(command, "invoke_without_command", False):
            yield " ".join((*path, name)), command
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def _first_line(command: Any) -> str:
    return str(command.help).strip().splitlines()[0]


def test_every_command_stands_in_the_readme_with_its_own_words() -> None:
    for name, command in _commands():
        assert f"| `ndjctl {name}` | {_first_line(command)} |" in README, name


def test_every_command_and_option_explains_itself() -> None:
    for name, command in _commands():
        assert _first_line(command).endswith("."), name
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help, f"{name}: {parameter.name}"


def test_what_alarms_say_to_type_can_be_typed() -> None:
    profile = load_profile("prod", working_dir=Path("/nonexistent")).profile
    names, code = Names("123456789012"), Code(lambda_bundle().index, glue_bundle().index)
    commands = dict(_commands())
    typed = [
        shlex.split(found)
        for alarm in alarm_list(Setting(profile, names, code))
        for found in re.findall(r"ndjctl ([^:;,.]+)", alarm.means)
    ]
    assert len(typed) >= 3
    for words in typed:
        name = next(n for n in (" ".join(words[:2]), words[0]) if n in commands)
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, words


def _typed() -> list[list[str]]:
    """What README and the operators' pages show to be typed, as words."""
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", README + PAGES, re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if re.match(r"(NDJ_\w+=\S+ )*ndjctl ", line)]


def test_what_the_readme_types_exists() -> None:
    typed = _typed()
    assert len(typed) >= 10
    for words in typed:
        words = words[words.index("ndjctl") + 1 :]
        place: Any = TREE
        while words and hasattr(place, "commands") and not words[0].startswith("-"):
            assert words[0] in place.commands, words
            place = place.commands[words.pop(0)]
        known = {flag for parameter in (*place.params, *TREE.params) for flag in getattr(parameter, "opts", [])}
        for word in words:
            if word.startswith("-"):
                assert word.split("=")[0] in known | {"--help"}, words


def test_make_targets_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"\bmake ([a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_change_log_knows_this_version() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[(Unreleased|{re.escape(__version__)})\]", changes, re.MULTILINE)


def test_new_dependencies_are_explained() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    required = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    for requirement in required:
        name = re.split(r"[<>=\[ ]", requirement)[0]
        assert f"`{name}`" in changes, name
