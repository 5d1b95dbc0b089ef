"""Who may import whom, how long a module may be, and what never stands in the code."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ndjctl", "lambda_handler", "glue_job")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
STDLIB = set(sys.stdlib_module_names)


def _imports(path: Path, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names if node.module == "ndjctl"}
    return found


def _roots(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def _is_contract(name: str) -> bool:
    return name == "ndjctl.contracts" or name.startswith("ndjctl.contracts.")


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 30


def test_the_contracts_need_the_standard_library_only() -> None:
    for path in (ROOT / "ndjctl/contracts").glob("*.py"):
        assert {n for n in _imports(path) if _roots({n}) - STDLIB} <= {n for n in _imports(path) if _is_contract(n)}
    assert _imports(ROOT / "ndjctl/__init__.py") == set()


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("lambda_handler", {"boto3", "botocore", "lambda_handler"}),
        ("glue_job", {"awsglue", "boto3", "botocore", "pyspark", "pyarrow", "glue_job"}),
    ],
)
def test_a_bundle_imports_only_what_it_has_there(package: str, allowed: set[str]) -> None:
    for path in (ROOT / package).rglob("*.py"):
        names = {name for name in _imports(path) if _roots({name}) - STDLIB - allowed}
        assert all(_is_contract(name) or name in ("ndjctl", "ndjctl.__version__") for name in names), path


_PURE_HEALTH = (
    *("cause", "catalogue", "causes", "facts", "log_lines", "model", "policies", "remedies", "troubles", "words"),
    *(
        "checks",
        "checks_budget",
        "checks_cost",
        "checks_deep",
        "checks_failures",
        "checks_flow",
        "checks_sizes",
        "checks_wiring",
    ),
)


@pytest.mark.parametrize(
    "module",
    [
        *("settings", "profiles", "errors", "bundles", "budget", "plain"),
        *(f"explain/{name}" for name in ("explaining", "facts", "known", "model", "obstacles", "stages", "timeline")),
        *("explain/unknown", "explain/waiting", "logs/lines", "tune/model", "tune/prediction"),
        *(f"health/{name}" for name in _PURE_HEALTH),
        *(f"deploy/{name}" for name in ("arns", "dangers", "documents", "model", "planner", "policies")),
        *(f"deploy/desired/{path.stem}" for path in (ROOT / "ndjctl/deploy/desired").glob("*.py")),
        *(f"generate/{path.stem}" for path in (ROOT / "ndjctl/generate").glob("*.py") if path.stem != "folder"),
        *("feeding/pace", "feeding/plan", "feeding/speed"),
        "estimate",
        *("forecast/rate", "forecast/runs"),
        *(f"compare/{path.stem}" for path in (ROOT / "ndjctl/compare").glob("*.py")),
        *(
            f"spent/{name}"
            for name in ("beside", "billed", "difference", "arrivals", "lines", "runs", "summing", "waste")
        ),
        *("prices/book", "prices/catalogue", "prices/document", "prices/glue", "prices/offers", "prices/stated"),
        *(f"cost/{path.stem}" for path in (ROOT / "ndjctl/cost").glob("*.py")),
        *("monitor/model", "monitor/panels", "monitor/rates"),
        *(f"reconcile/{name}" for name in ("comparing", "findings", "naming", "scope", "unchanged", "verdicts")),
        *(
            f"advice/{name}"
            for name in ("budget", "ends", "events", "findings", "keys", "load", "quotas", "rules", "throughput")
        ),
    ],
)
def test_pure_parts_stay_pure(module: str) -> None:
    path = ROOT / f"ndjctl/{module}.py"
    assert not _roots(_imports(path)) & {"boto3", "botocore", "rich", "time", "os", "subprocess", "typer"}
    assert "datetime.now" not in path.read_text()


def test_use_cases_do_not_print_and_do_not_know_the_command_line() -> None:
    for path in (ROOT / "ndjctl").rglob("*.py"):
        part = path.relative_to(ROOT / "ndjctl").parts[0]
        if part in ("cli", "output", "__main__.py"):
            continue
        assert not _roots(_imports(path)) & {"rich", "typer"}, path
        assert not any(name.startswith(("ndjctl.cli", "ndjctl.output")) for name in _imports(path)), path


def test_only_providers_and_its_own_command_know_the_embedded_cloud() -> None:
    knowing = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "ndjctl").rglob("*.py")
        if path.relative_to(ROOT / "ndjctl").parts[0] != "embedded"
        and any(name.startswith("ndjctl.embedded") for name in _imports(path))
    }
    assert knowing == {"ndjctl/providers.py", "ndjctl/cli/local.py", "ndjctl/output/cloud.py"}


def test_start_up_imports_nothing_heavy() -> None:
    heavy = {"boto3", "botocore", "pydantic", "yaml", "pyarrow", "pyspark", "ministack", "rich", "psutil"}
    for path in (ROOT / "ndjctl/cli").rglob("*.py"):
        assert not _roots(_imports(path, top_level_only=True)) & heavy, path


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_module_has_one_reason_to_change(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 340, f"{lines} lines"


@pytest.mark.parametrize("package", ["lambda_handler", "glue_job"])
def test_bundled_code_is_python_3_10(package: str) -> None:
    for path in [
        *(ROOT / package).rglob("*.py"),
        *(ROOT / "ndjctl/contracts").glob("*.py"),
        ROOT / "ndjctl/__init__.py",
    ]:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))


def test_every_package_travels_in_the_wheel() -> None:
    import tomllib

    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    there = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in MODULES}
    assert there | {"ndjctl._profiles"} == listed
