"""How an exported environment looks, and what to type next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from ndjctl.output.base import View, one_line
from ndjctl.output.progress import counted, size

if TYPE_CHECKING:
    from rich.text import Text

    from ndjctl.exports import Export

# What CloudFormation takes in a request (CloudFormation user guide, "Quotas"); beyond it, the template goes over S3.
_BODY_LIMIT_BYTES = 51_200
_BUCKET = "YOUR-BUCKET"
_TEMPLATE = "TEMPLATE"
_BUNDLES = "DIR"


def export_view(made: Export) -> View:
    """The template itself, or where it went."""
    template = made.template
    document = {
        "env": made.profile.environment,
        "stack": template.stack,
        "region": made.profile.region,
        "resources": template.resources,
        "format": made.format,
        "path": None if made.path is None else str(made.path),
        "template": template.document if made.path is None else None,
        "size_bytes": len(made.text),
        "bundles": None if made.bundles is None else {name: str(made.bundles / key) for name, key in _code(made)},
        "code_keys": dict(template.code),
        "left_out": dict(template.document["Metadata"]["ndjctl"]["left out"]),
        "next": list(commands(made)),
    }
    if made.path is None:
        return View(document, lambda: "", verbatim=made.text)
    return View(document, lambda: _about(made))


def _code(made: Export) -> list[tuple[str, str]]:
    return sorted(made.template.code.items())


def _about(made: Export) -> Text:
    from rich.text import Text

    resources = counted(made.template.resources, "resource")
    where = one_line(str(made.path))
    return Text(f"environment {made.profile.environment}: {resources} in {where}, {size(len(made.text))}")


def commands(made: Export) -> tuple[str, ...]:
    """What to type for the stack, upload first. Words in capitals are the user's to fill in."""
    stack = made.template.stack
    region = ["--region", made.profile.region]
    code = str(made.bundles / stack) if made.bundles is not None else f"{_BUNDLES}/{stack}"
    upload = ["aws", "s3", "cp", "--recursive", code, f"s3://{_BUCKET}/{stack}", *region]
    create = ["aws", "cloudformation", "deploy", *region, "--stack-name", stack]
    create += ["--template-file", _TEMPLATE if made.path is None else str(made.path)]
    create += ["--capabilities", "CAPABILITY_NAMED_IAM", "--parameter-overrides", f"CodeBucket={_BUCKET}"]
    if len(made.text) > _BODY_LIMIT_BYTES:
        create += ["--s3-bucket", _BUCKET]
    return shlex.join(upload), shlex.join(create)


def next_steps(made: Export) -> list[str]:
    """Lines for whoever holds the template now."""
    upload, create = commands(made)
    missing = "" if made.bundles is not None else f" ('--bundles {_BUNDLES}' writes it)"
    return [
        f"next, with a bucket of yours in {made.profile.region} for {_BUCKET}:",
        f"upload the code{missing}: {upload}",
        f"make or change the stack: {create}",
    ]
