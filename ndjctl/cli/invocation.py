"""What every command has in common: the options of all, and one boundary where errors become sentences and codes."""

from __future__ import annotations

import errno
import inspect
import os
import shlex
import shutil
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from ndjctl.aws import translated
from ndjctl.cli.given import check_paths
from ndjctl.cli.interrupts import Terminated, leaving_at_once
from ndjctl.errors import EXIT_BUG, EXIT_INTERRUPTED, EXIT_TERMINATED, NdjctlError, UsageError, WorkFailed
from ndjctl.output import ConsoleOutput, JsonOutput, LinesOutput, Output

DATA_DIR_VARIABLE = "NDJ_DATA_DIR"
DEFAULT_ENV = "local"

EnvOption = Annotated[
    str | None,
    typer.Option(
        "--env", "-e", help="Environment: local, dev, prod or a profile of yours. Also NDJ_ENV.", metavar="ENV"
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Override one setting, for example --set job.workers=12. May be repeated.", metavar="PATH=VALUE"
    ),
]
PresetOption = Annotated[
    str | None, typer.Option("--preset", help="Capacity preset: light, medium or heavy.", metavar="NAME")
]
ProfileDirOption = check_paths(
    Annotated[
        Path | None,
        typer.Option(
            "--profile-dir", readable=False, help="Folder with <env>.yaml; wins over ./profiles.", metavar="DIR"
        ),
    ]
)
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, nothing else.")]
NdjsonOption = Annotated[
    bool, typer.Option("--ndjson", help="Print a JSON document a line as rows are read, for lists of any length.")
]


@dataclass(frozen=True)
class Options:
    """The options that every command takes, before or after its name."""

    env: str | None = None
    assignments: tuple[str, ...] = ()
    preset: str | None = None
    profile_dir: Path | None = None
    json: bool = False

    def over(self, outer: Options) -> Options:
        """These, and what they leave open from the options before the command's name."""
        return Options(
            env=self.env or outer.env,
            assignments=outer.assignments + self.assignments,
            preset=self.preset or outer.preset,
            profile_dir=self.profile_dir or outer.profile_dir,
            json=self.json or outer.json,
        )


class Interrupted(NdjctlError):
    """Ctrl-C or SIGTERM. str() says what goes on without us."""

    exit_code = EXIT_INTERRUPTED
    kind = "interrupted"

    def __init__(self, text: str, exit_code: int = EXIT_INTERRUPTED) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class Bug(NdjctlError):
    exit_code = EXIT_BUG
    kind = "bug"


class Invocation:
    """One command under way: its options, its output, and what they open."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.out: Output = JsonOutput() if options.json else ConsoleOutput()
        self.interrupted_note = "Interrupted."

    @cached_property
    def env(self) -> str:
        return self.options.env or os.environ.get("NDJ_ENV") or DEFAULT_ENV

    @cached_property
    def loaded(self) -> Any:
        from ndjctl.profiles import load_profile

        return load_profile(
            self.env,
            profile_dir=self.options.profile_dir,
            working_dir=Path.cwd(),
            preset=self.options.preset,
            assignments=self.options.assignments,
        )

    def use_profile(self, env: str, settings: dict[str, Any], source: str, overrides: tuple[str, ...]) -> None:
        """Takes the environment from a document of settings instead of a file. Raises UsageError where it is none."""
        from ndjctl.profiles import checked_profile

        self.env = env
        self.loaded = checked_profile(settings, source, overrides)

    @cached_property
    def data_dir(self) -> Path:
        """Where the tool keeps its own data. Raises UsageError when it cannot be made."""
        given = os.environ.get(DATA_DIR_VARIABLE)
        if given:
            path = Path(given).expanduser().absolute()
        else:
            from platformdirs import user_data_path

            path = user_data_path("ndjctl", appauthor=False)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            raise UsageError(
                f"The data folder {path} cannot be made ({error.strerror}): set {DATA_DIR_VARIABLE} to one that can."
            ) from error
        return path

    @cached_property
    def cloud(self) -> Any:
        """The environment's cloud, started first where it is the embedded one."""
        from ndjctl.providers import open_cloud

        return open_cloud(self.loaded.profile, self.data_dir, self.out.note)

    def print_lines(self, wanted: bool) -> None:
        """Prints lists as NDJSON, where that was asked for. Raises UsageError beside --json: a document is no line."""
        if not wanted:
            return
        if self.options.json:
            raise UsageError("--ndjson and --json exclude each other: one line a row, or one document.")
        self.out = LinesOutput()

    def needs_no_environment(self, what: str) -> None:
        """For a command that reads no profile. Raises UsageError if one is named on the command line: whoever writes
        `--set job.max_bad_lines=0` must not believe that it counted."""
        options = self.options
        given = {
            "--env": options.env,
            "--set": options.assignments,
            "--preset": options.preset,
            "--profile-dir": options.profile_dir,
        }
        named = [name for name, value in given.items() if value]
        if named:
            raise UsageError(
                f"'{what}' works without an environment, and {' and '.join(named)} would count for nothing: leave it "
                f"out; '{what} --help' shows its own options."
            )

    def typed(self, *words: str) -> str:
        """A command for this environment as the user would have to type it here: 'ndjctl output ls --env dev'."""
        options = ["--env", self.env] if self.env != DEFAULT_ENV else []
        options += ["--profile-dir", str(self.options.profile_dir)] if self.options.profile_dir else []
        options += ["--preset", self.options.preset] if self.options.preset else []
        options += [word for assignment in self.options.assignments for word in ("--set", assignment)]
        return typed_plain(*words, *options)


def typed_plain(*words: str) -> str:
    """A command without an environment as the user would have to type it here."""
    return shlex.join([*_program(), *words])


def _program() -> list[str]:
    """How this program was called: by its name where the PATH has it, else by where it is."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return [Path(sys.executable).name, "-m", "ndjctl"]
    found = shutil.which(called.name)
    if found and Path(found).resolve() == called.resolve():
        return [called.name]
    absolute = called.absolute()
    return [str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)]


Command = Callable[..., None]


def command(app: typer.Typer, name: str | None = None) -> Callable[[Command], Command]:
    """Registers a function that takes an Invocation and its own options, and gives it the common ones."""

    def register(function: Command) -> Command:
        hints = get_type_hints(function, include_extras=True)
        own = [
            parameter.replace(annotation=check_paths(hints[parameter.name]))
            for parameter in list(inspect.signature(function).parameters.values())[1:]
        ]
        common = [
            inspect.Parameter(label, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for label, annotation, default in _COMMON
        ]
        context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)

        def invoke(ctx: typer.Context, **values: Any) -> None:
            options = options_from(values).over(ctx.find_root().obj or Options())
            _run(Invocation(options), function, values)

        keyword_only = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
        signature = inspect.Signature([context, *keyword_only, *common])
        invoke.__signature__ = signature  # type: ignore[attr-defined]
        invoke.__annotations__ = {p.name: p.annotation for p in [context, *own, *common]}
        invoke.__doc__ = function.__doc__
        invoke.__name__ = function.__name__
        app.command(name)(invoke)
        return function

    return register


def listing(app: typer.Typer) -> Callable[[Command], Command]:
    """Registers what a group of commands does when none of them is named. Options of its own belong to that alone; the
    common ones, where they stand before a command's name, count for the command."""

    def register(function: Command) -> Command:
        inner = typer.Typer()
        command(inner)(function)
        run = inner.registered_commands[0].callback
        assert run is not None  # noqa: S101 - for the type checker

        def invoke(ctx: typer.Context, **values: Any) -> None:
            if ctx.invoked_subcommand is None:
                run(ctx=ctx, **values)
                return
            root = ctx.find_root()
            root.obj = options_from(values).over(root.obj or Options())
            for parameter in ctx.command.params:
                source = ctx.get_parameter_source(str(parameter.name)) if parameter.name in values else None
                if source is not None and source.name != "DEFAULT":
                    raise typer.BadParameter(
                        f"{parameter.opts[0]} is for '{ctx.info_name}' alone, not for '{ctx.invoked_subcommand}'", ctx
                    )

        invoke.__signature__ = inspect.signature(run)  # type: ignore[attr-defined]
        invoke.__annotations__ = run.__annotations__
        invoke.__doc__ = function.__doc__
        app.callback(invoke_without_command=True)(invoke)
        return function

    return register


_COMMON: tuple[tuple[str, Any, Any], ...] = (
    ("env", EnvOption, None),
    ("assignments", SetOption, None),
    ("preset", PresetOption, None),
    ("profile_dir", ProfileDirOption, None),
    ("json", JsonOption, False),
)


def options_from(values: dict[str, Any]) -> Options:
    """Takes the common options out of `values`."""
    taken = {label: values.pop(label) for label, _, _ in _COMMON}
    return replace(Options(**{**taken, "assignments": tuple(taken["assignments"] or ())}))


def _run(invocation: Invocation, function: Command, values: dict[str, Any]) -> None:
    def tell(exit_code: int) -> None:
        invocation.out.error(Interrupted(invocation.interrupted_note, exit_code))

    with leaving_at_once(tell):
        _run_it(invocation, function, values)


def _run_it(invocation: Invocation, function: Command, values: dict[str, Any]) -> None:
    try:
        with translated(invocation.env):
            function(invocation, **values)
            return
    except NdjctlError as error:
        failure: NdjctlError = error
    except Terminated:
        failure = Interrupted(invocation.interrupted_note, EXIT_TERMINATED)
    except KeyboardInterrupt:
        failure = Interrupted(invocation.interrupted_note)
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    except OSError as error:
        failure = _from_os(error) or _bug(invocation, error)
    except typer.Exit:
        raise
    except Exception as error:
        failure = _bug(invocation, error)
    invocation.out.error(failure)
    raise typer.Exit(failure.exit_code)


def _from_os(error: OSError) -> NdjctlError | None:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return WorkFailed(f"The disk is full{where}: free some space and run the command again; nothing is lost.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UsageError(f"{error.strerror}{where}: make it accessible, or set {DATA_DIR_VARIABLE} to another folder.")
    return None


def _bug(invocation: Invocation, error: Exception) -> Bug:
    where = ""
    try:
        log = invocation.data_dir / "bug.log"
        with log.open("a", encoding="utf-8") as file:
            file.write("".join(traceback.format_exception(error)) + "\n")
        where = f" with {log}"
    except (OSError, NdjctlError):
        where = ""
    text = " ".join(str(error).split())[:200]
    return Bug(f"This is a bug in ndjctl ({type(error).__name__}: {text}): please report it{where}.")
