"""Whose a request is: the account and the region that jobs, runs, connections and limits are kept apart by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ndjctl.embedded.environment import ACCOUNT_ID, REGION
from ndjctl.embedded.forward import ACCOUNT_HEADER

_CREDENTIAL = re.compile(r"Credential=([^/\s,]+)/[^/\s,]+/([a-z0-9-]+)/")
_ACCOUNT = re.compile(r"[0-9]{12}")


@dataclass(frozen=True)
class Scope:
    """account_id: 12 digits."""

    account_id: str = ACCOUNT_ID
    region: str = REGION

    def arn(self, resource: str) -> str:
        """The ARN of a resource of Glue: `job/name`."""
        return f"arn:aws:glue:{self.region}:{self.account_id}:{resource}"


def scope_of(headers: Mapping[str, str]) -> Scope:
    """The scope that a request is signed for. headers: names in lower case.

    As in the other services, an access key id of 12 digits is the account, and any other is of the default one.
    """
    credential = _CREDENTIAL.search(headers.get("authorization", ""))
    key, region = (credential[1], credential[2]) if credential else ("", REGION)
    account = headers.get(ACCOUNT_HEADER.lower(), key)
    return Scope(account if _ACCOUNT.fullmatch(account) else ACCOUNT_ID, region)
