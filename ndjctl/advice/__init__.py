"""What AWS accepts and reality punishes: settings, quotas and deployed resources against each other.

`advise` judges and is pure; `ask_account` asks the account what it has to be asked.
"""

from ndjctl.advice.findings import AccountFacts, Finding, KeyFacts, Observed
from ndjctl.advice.rules import advise

__all__ = ["AccountFacts", "Finding", "KeyFacts", "Observed", "advise"]
