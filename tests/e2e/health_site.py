"""A deployed pipeline to plant faults into, for every table that names, tells or mends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ndjctl.embedded.provider import cloud_of, embedded_cloud
from ndjctl.profiles import load_profile
from tests.deploy_world import quieten
from tests.drift.hands import Hands
from tests.e2e.conftest import Tool
from tests.e2e.health_faults import Site
from tests.e2e.pipeline_harness import Pipeline

SETTINGS = (
    # Nothing is converted by itself: what needs no run is not to wait for one.
    "batching.max_partial_age_s=86400",
    "job.max_retries=0",
    "job.max_attempts=1",
    # A message that the function could not take comes again soon.
    "function.timeout_s=15",
    "queue.visibility_timeout_s=15",
)


@contextmanager
def deployed_site(cloud_dir: Path, home: Path, suffix: str) -> Iterator[Site]:
    """suffix: keeps it apart from the other environments of the session's embedded cloud."""
    profile = load_profile("local", working_dir=cloud_dir, assignments=[f"suffix={suffix}"]).profile
    cloud = cloud_of(embedded_cloud(profile, cloud_dir).status(), profile)
    pipeline = Pipeline(Tool(cloud_dir, home, suffix), cloud, SETTINGS)
    pipeline.deploy()
    site = Site(pipeline, Hands(cloud))
    pipeline.sweep()
    yield site
    site.end_runs()
    quieten(cloud)
