"""Opens the embedded cloud as any other: a session with its own credentials, and its two endpoints."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ndjctl.aws import Cloud
from ndjctl.embedded.cloud import CloudStatus, EmbeddedCloud
from ndjctl.embedded.planted import put_back_left
from ndjctl.embedded.processes import LockBusy, file_lock
from ndjctl.errors import CloudError, WorkFailed
from ndjctl.settings import Profile

if TYPE_CHECKING:
    import boto3

SPARE_BYTES = 256 * 1024 * 1024
"""What a run needs beside its input: Spark's scratch files, logs, the Parquet."""

LEAST_FREE_BYTES = 64 * 1024 * 1024
"""What has to stay free while a run is under way."""

DEPLOY_WAIT_S = 120.0


def embedded_cloud(profile: Profile, data_dir: Path) -> EmbeddedCloud:
    """The embedded cloud of a profile; it has a folder of its own under the tool's data folder."""
    return EmbeddedCloud(
        data_dir / profile.environment, port=profile.embedded.port, glue_port=profile.embedded.glue_port
    )


def open_embedded(profile: Profile, data_dir: Path, say: Callable[[str], None]) -> Cloud:
    """The embedded cloud, started if it was not, without the settings of a test that was killed."""
    status = embedded_cloud(profile, data_dir).ensure_started(say)
    cloud = cloud_of(status, profile)
    put_back_left(Path(status.data_dir), cloud.region, cloud.client, say)
    return cloud


def cloud_of(status: CloudStatus, profile: Profile) -> Cloud:
    """Clients for a running embedded cloud."""
    folder = Path(status.data_dir)
    return Cloud(
        session=_session(profile.region),
        region=profile.region,
        suffix=profile.suffix,
        endpoint_url=status.endpoint_url,
        glue_endpoint_url=status.glue_endpoint_url,
        check_room=lambda size_bytes: _check_room(folder, size_bytes),
        deploying=lambda: _deploying(folder / "deploy.lock"),
    )


def _session(region: str) -> boto3.Session:
    """A session that knows nothing of the user's own AWS: no profile, no files, no variables."""
    import boto3
    import botocore.session
    from botocore.configprovider import ConstantProvider

    core = botocore.session.get_session()
    store: Any = core.get_component("config_store")
    for variable, value in (("profile", None), ("config_file", "/dev/null"), ("credentials_file", "/dev/null")):
        store.set_config_provider(variable, ConstantProvider(value))
    core.set_credentials("test", "test")
    return boto3.Session(botocore_session=core, region_name=region)


@contextmanager
def _deploying(lock: Path) -> Iterator[None]:
    try:
        with file_lock(lock, timeout_s=DEPLOY_WAIT_S, sleep=time.sleep):
            yield
    except LockBusy as error:
        raise CloudError(
            f"Another command has been deploying into the embedded cloud for {DEPLOY_WAIT_S:.0f} s: "
            f"wait for it or end it, then run this one again."
        ) from error


def _check_room(folder: Path, size_bytes: int) -> None:
    """Input is kept once and once more while its parts are put together; the Parquet is smaller than either."""
    needed = size_bytes * 2 + SPARE_BYTES if size_bytes else LEAST_FREE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise WorkFailed(
            f"The disk is too full: {folder} has {free / 2**20:,.0f} MiB free, {needed / 2**20:,.0f} MiB are needed: "
            f"free some space and run the command again, or set NDJ_DATA_DIR to a larger disk."
        )
