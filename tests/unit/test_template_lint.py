"""cfn-lint finds nothing to say about a template."""

from __future__ import annotations

import pytest

from ndjctl.exports import JSON, YAML, as_text
from tests.template_world import PROFILES, REGION, template

api = pytest.importorskip("cfnlint.api", reason="cfn-lint is in the extra 'dev'")


def findings(text: str, *more: str) -> list[str]:
    """Errors and warnings. more: letters of further levels, such as I for information."""
    config = api.ManualArgs(regions=[REGION], include_checks=list(more))
    return [f"{match.rule.id} {match.message}" for match in api.lint(text, config=config)]


def test_nothing_is_found_with_every_setting_given() -> None:
    assert findings(as_text(template("everything").document, JSON)) == []


@pytest.mark.slow
@pytest.mark.parametrize("about", [about for about in PROFILES if about != "everything"])
def test_nothing_is_found_in_any_profile_and_preset(about: str) -> None:
    assert findings(as_text(template(about).document, YAML), "I") == []


@pytest.mark.slow
def test_a_mistake_is_found() -> None:
    document = dict(template("prod").document)
    function = document["Resources"]["Function"]
    wrong = {**function, "Properties": {**function["Properties"], "MemorySize": 1, "Timeout": "long"}}
    found = findings(as_text({**document, "Resources": {**document["Resources"], "Function": wrong}}, JSON))
    assert any("MemorySize" in each or "128" in each for each in found)
    assert len(found) >= 2
