"""The environment variables that make the aws CLI, boto3 and this tool's `--env prod` talk to the embedded cloud."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from ndjctl.embedded.environment import CHECKSUM_SETTINGS, SECRET_KEY
from ndjctl.embedded.processes import LOOPBACK
from ndjctl.errors import UsageError

_ACCOUNT = re.compile(r"[0-9]{12}")

_IN_THE_WAY = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
)
_OF_ONE_SERVICE = "AWS_ENDPOINT_URL_"
_PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_NO_PROXY = ("no_proxy", "NO_PROXY")


@dataclass(frozen=True)
class ClientVariables:
    """What a shell has to set, by name, and to unset."""

    account_id: str
    set: dict[str, str]
    unset: tuple[str, ...]

    def shell_lines(self) -> str:
        """The same as lines that a POSIX shell evaluates."""
        lines = [f"unset {name}" for name in self.unset]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in self.set.items()]
        return "".join(f"{line}\n" for line in lines)


def checked_account(text: str) -> str:
    """An account id. Raises UsageError for anything but 12 digits."""
    if not _ACCOUNT.fullmatch(text):
        raise UsageError(f"--account is {text!r}, and an account has 12 digits, such as 111122223333: give one.")
    return text


def client_variables(
    endpoint_url: str, account_id: str, region: str, environ: Mapping[str, str] | None = None
) -> ClientVariables:
    """For the cloud at endpoint_url as an account of it. environ: of the shell, for what of it would be in the way."""
    environ = environ or {}
    values = {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": account_id,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **CHECKSUM_SETTINGS,
    }
    if any(environ.get(name) for name in _PROXIES):
        given = next((environ[name] for name in _NO_PROXY if environ.get(name)), "")
        hosts = [host.strip() for host in given.split(",") if host.strip()]
        # Of the two spellings some programs read the one, some the other.
        together = ",".join([*hosts, *([] if LOOPBACK in hosts else [LOOPBACK])])
        values.update(dict.fromkeys(_NO_PROXY, together))
    services = sorted(name for name in environ if re.fullmatch(f"{_OF_ONE_SERVICE}[A-Z0-9_]+", name))
    return ClientVariables(account_id, values, (*_IN_THE_WAY, *services))
