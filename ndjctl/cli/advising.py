"""What `plan` and `deploy` warn of: the settings, the account, and what is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ndjctl.cli.deploying import now
from ndjctl.cli.invocation import Invocation

if TYPE_CHECKING:
    from ndjctl.advice import Finding
    from ndjctl.deploy.deployment import Target
    from ndjctl.deploy.model import Plan


def findings_of(invocation: Invocation, target: Target, plan: Plan) -> tuple[list[Finding], tuple[str, ...]]:
    """Findings, and what the account would not tell, a sentence each."""
    from ndjctl.advice import advise
    from ndjctl.advice.account import ask_account
    from ndjctl.deploy.seen import seen_of
    from ndjctl.output.progress import spinner

    cloud = invocation.cloud
    with spinner("asking the account"):
        facts = ask_account(cloud.client, target.profile, cloud.names.function)
    return advise(target.profile, facts, seen_of(plan, cloud.names), now().date()), facts.remarks
