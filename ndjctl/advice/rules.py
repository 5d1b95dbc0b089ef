"""All rules together."""

from __future__ import annotations

from datetime import date

from ndjctl.advice.budget import budget_findings
from ndjctl.advice.ends import end_findings
from ndjctl.advice.events import event_findings
from ndjctl.advice.findings import AccountFacts, Finding, Observed
from ndjctl.advice.keys import key_findings
from ndjctl.advice.load import job_findings, size_findings
from ndjctl.advice.quotas import quota_findings
from ndjctl.settings import Profile


def advise(profile: Profile, facts: AccountFacts | None, observed: Observed | None, today: date) -> list[Finding]:
    """What works against itself, errors first; empty where nothing does. Of the account and of deployed resources only
    what is given."""
    asked, seen = facts or AccountFacts(), observed or Observed()
    found = [
        *size_findings(profile),
        *event_findings(profile, seen),
        *job_findings(profile, seen),
        *budget_findings(profile),
        *quota_findings(profile, asked),
        *key_findings(profile, asked),
        *end_findings(profile, seen, today),
    ]
    return sorted(found, key=lambda finding: finding.severity != "error")
