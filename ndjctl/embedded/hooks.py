"""What is put into ministack before it serves: the one place that takes hold of its insides, none of which are a public
interface. Its files stay as they are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ndjctl.embedded.call_log import opened_log, recording, understanding
from ndjctl.embedded.callers import naming_functions
from ndjctl.embedded.forward import GlueForwarder
from ndjctl.embedded.gate import Application
from ndjctl.embedded.quotas import CONCURRENT_EXECUTIONS
from ndjctl.embedded.ranges import RangedReads
from ndjctl.embedded.run_events import put_with, taking_run_events
from ndjctl.embedded.service_quotas import ServiceQuotas
from ndjctl.embedded.storage import GuardedStorage


def hooked(ministack: Any, data_dir: Path, environ: Mapping[str, str] = os.environ) -> Application:
    """ministack's application (of its module `app`) with ours in it. environ: that of services_environment."""
    from ministack.core import lambda_runtime
    from ministack.core.responses import get_account_id, get_region, request_scope
    from ministack.services import eventbridge, lambda_svc, s3

    GuardedStorage(s3, lambda: shutil.disk_usage(data_dir).free, data_dir).install()
    RangedReads(s3).install()
    named = naming_functions(lambda_runtime.execution_credentials)
    # Workers are spawned by the one, processes of their own by the other; each has a name of its own for it.
    lambda_runtime.execution_credentials = lambda_svc.execution_credentials = named
    glue = GlueForwarder(environ["AWS_ENDPOINT_URL_GLUE"], get_account_id)
    ministack.SERVICE_HANDLERS["glue"] = glue.handle_request
    quotas = ServiceQuotas(
        lambda: {**glue.limits(), CONCURRENT_EXECUTIONS.code: lambda_svc._ACCOUNT_CONCURRENCY_CAP},
        lambda: (get_account_id(), get_region()),
    )
    ministack.SERVICE_HANDLERS["servicequotas"] = quotas.handle_request
    application = taking_run_events(ministack.app, put_with(eventbridge, request_scope))
    calls = opened_log(environ)
    return recording(application, calls, understanding(ministack)) if calls else application
