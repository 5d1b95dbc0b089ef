"""Changes planted in the real modules, each of which the simulator has to find."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from types import ModuleType
from typing import Any
from unittest.mock import patch

import lambda_handler.handler  # all of the function's modules
from glue_job import driver
from glue_job.report import file_results
from lambda_handler import batching, dynamo, lock, manifests, sweep, versions
from ndjctl.contracts import COMPLETED, FAILED, lock_item_key
from tests.simulator.expressions import placeholders

Change = tuple[Any, str, Any]


def _everywhere(original: Any, name: str, changed: Any) -> list[Change]:
    """In every module of the function that has it by that name."""
    modules = [module for path, module in sorted(sys.modules.items()) if path.startswith("lambda_handler.")]
    return [(module, name, changed) for module in modules if getattr(module, name, None) is original]


def _without_condition(request: dict[str, Any]) -> dict[str, Any]:
    """The request, and only the names and values that it still uses."""
    kept = {name: value for name, value in request.items() if name != "ConditionExpression"}
    used = placeholders(kept.get("UpdateExpression"))
    for given in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        if given in kept:
            kept[given] = {name: value for name, value in kept[given].items() if name in used}
            if not kept[given]:
                del kept[given]
    return kept


def claim_without_condition() -> list[Change]:
    original = manifests._claim_action

    def changed(*arguments: Any, **more: Any) -> Any:
        return {kind: _without_condition(body) for kind, body in original(*arguments, **more).items()}

    return [(manifests, "_claim_action", changed)]


def fence_ignored() -> list[Change]:
    def changed(self: lock.Lock, inv: Any) -> Any:
        request = dynamo.key_request(
            inv.settings.lock_table, dict(lock_item_key(self.date)), {"nothing": dynamo.ABSENT}
        )
        return {"ConditionCheck": request}

    return [(lock.Lock, "check", changed)]


def age_test_inverted() -> list[Change]:
    original = batching.is_aged
    return _everywhere(original, "is_aged", lambda *arguments: not original(*arguments))


def tracking_put_unconditional() -> list[Change]:
    original = versions.put_request
    return [(versions, "put_request", lambda *arguments: _without_condition(original(*arguments)))]


def first_page_only() -> list[Change]:
    original = dynamo.query_pages

    def changed(*arguments: Any, **more: Any) -> Iterator[Any]:
        return islice(original(*arguments, **more), 1)

    return _everywhere(original, "query_pages", changed)


def first_page_of_keys_only() -> list[Change]:
    """BatchGetItem's unprocessed keys are pages, too."""

    def changed(inv: Any, keys: Any, attributes: Any) -> Any:
        table = inv.settings.tracking_table
        names = {f"#{name}": name for name in attributes}
        request = {
            "Keys": [dynamo.to_item(key) for key in keys[:100]],
            "ConsistentRead": True,
            "ProjectionExpression": ", ".join(names),
            "ExpressionAttributeNames": names,
        }
        answer = inv.services.dynamodb.batch_get_item(RequestItems={table: request}) if keys else {"Responses": {}}
        return [dynamo.from_item(item) for item in answer["Responses"].get(table, [])]

    return _everywhere(dynamo.get_items, "get_items", changed)


def run_before_manifest() -> list[Change]:
    """Says READY before it puts the object."""

    def moved(body: list[ast.stmt]) -> list[ast.stmt]:
        (put,) = [number for number, each in enumerate(body) if "put_object" in ast.unparse(each)]
        (ready,) = [
            number
            for number, each in enumerate(body)
            if isinstance(each, ast.If) and "update_open" in ast.unparse(each.test)
        ]
        assert put < ready
        return [*body[:put], *body[put + 1 : ready + 1], body[put], *body[ready + 1 :]]

    name = "_finish"
    return [(manifests, name, _rewritten(manifests, name, moved))]


def statuses_before_check() -> list[Change]:
    original = driver.Job._write

    def changed(self: Any, work: Any, output: Any) -> None:
        publish = output.publish

        def settle_first() -> None:
            files = file_results(self._manifest, work.unavailable, work.refused, output.results)
            pairs = list(zip(self._manifest.files, files, strict=True))
            self._ledger.settle(
                [(entry, file.lines, file.rows, file.bad_lines) for entry, file in pairs if file.status == COMPLETED],
                [(entry, file.error or "") for entry, file in pairs if file.status == FAILED],
            )
            publish()

        output.publish = settle_first
        original(self, work, output)

    return [(driver.Job, "_write", changed)]


def _rewritten(module: ModuleType, name: str, change: Callable[[list[ast.stmt]], list[ast.stmt]]) -> Any:
    """The function with its statements changed, as it would be if its source were."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(getattr(module, name))))
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = change(function.body)
    made: dict[str, Any] = {}
    source = compile(ast.fix_missing_locations(tree), f"<{name}, changed>", "exec", dont_inherit=True)
    exec(source, vars(module), made)
    return made[name]


def waiting_counted_before_the_build() -> list[Change]:
    return [(sweep, "replace", lambda queue, **_: queue)]


def files_of_new_manifests_taken_for_pending() -> list[Change]:
    original = batching.Pending.oldest
    return [(batching.Pending, "oldest", lambda self, settled: original(self, frozenset()))]


PLANTED: dict[str, Callable[[], list[Change]]] = {
    "the claim's condition removed": claim_without_condition,
    "the lock's fence ignored": fence_ignored,
    "the sweep's age test inverted": age_test_inverted,
    "the tracking put unconditional": tracking_put_unconditional,
    "only the first page read": first_page_only,
    "only the first page of keys read": first_page_of_keys_only,
    "the run started before the manifest is written": run_before_manifest,
    "statuses set before the outputs are checked": statuses_before_check,
    "the manifests that wait counted before the build": waiting_counted_before_the_build,
    "files of a new manifest taken for pending": files_of_new_manifests_taken_for_pending,
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The real modules with that change, within it."""
    changes = PLANTED[name]()
    assert changes
    with ExitStack() as stack:
        for target, attribute, changed in changes:
            stack.enter_context(patch.object(target, attribute, changed))
        yield


assert lambda_handler.handler.dispatch
