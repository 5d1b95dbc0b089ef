"""The embedded cloud: the AWS services of the pipeline as two processes of this machine, on loopback only.

Importing this package needs nothing of the `local` extra; starting the cloud does.
"""

from __future__ import annotations

from ndjctl.embedded.cloud import EmbeddedCloud
from ndjctl.embedded.status import CloudStatus, PartStatus, client_settings

__all__ = ["CloudStatus", "EmbeddedCloud", "PartStatus", "client_settings"]
