"""One environment's AWS: its session, clients and account, and the one place where AWS errors become sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ndjctl.contracts import Names
from ndjctl.errors import CloudError, NdjctlError

if TYPE_CHECKING:
    import boto3

NOT_FOUND_CODES = frozenset(
    {
        "404",
        "NoSuchBucket",
        "NoSuchKey",
        "NotFound",
        "NoSuchEntity",
        "ResourceNotFoundException",
        "EntityNotFoundException",
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "NoSuchLifecycleConfiguration",
        "NoSuchTagSet",
        "OwnershipControlsNotFoundError",
        "NotFoundException",
        "ResourceNotFound",
        "DashboardNotFoundError",
        "NoSuchPublicAccessBlockConfiguration",
        "NoSuchBucketPolicy",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)
"""The error codes that mean absent. Any other error means that we do not know."""

_ADVICE = {
    "ExpiredToken": "the credentials have expired: sign in again",
    "ExpiredTokenException": "the credentials have expired: sign in again",
    "InvalidClientTokenId": "AWS does not know these credentials: check AWS_PROFILE or the access key",
    "UnrecognizedClientException": "AWS does not know these credentials: check AWS_PROFILE or the access key",
    "SignatureDoesNotMatch": "AWS does not accept the secret key, or this machine's clock is off",
    "RequestTimeTooSkewed": "this machine's clock is off: correct it",
    "AccessDenied": "these credentials may not do it: ask for that permission",
    "AccessDeniedException": "these credentials may not do it: ask for that permission",
    "UnauthorizedOperation": "these credentials may not do it: ask for that permission",
}


# A function answers when it is done, which may take its whole timeout of 300 s.
_READ_TIMEOUT_S = {"lambda": 330}

# The Price List answers for all regions, from three of them.
_REGION_OF = {"pricing": "us-east-1"}


EXISTS_CODES = frozenset(
    {
        "AlreadyExistsException",
        "BucketAlreadyOwnedByYou",
        "EntityAlreadyExists",
        "IdempotentParameterMismatchException",
        "OperationAborted",
        "QueueAlreadyExists",
        "QueueNameExists",
        "ResourceAlreadyExistsException",
        "ResourceConflictException",
        "ResourceInUseException",
    }
)
"""The error codes of a creation that somebody else was quicker with."""


def error_code(error: BaseException) -> str:
    """The AWS error code of a botocore ClientError; empty for any other exception."""
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def is_not_found(error: BaseException) -> bool:
    return error_code(error) in NOT_FOUND_CODES


def told(error: Exception, environment: str) -> CloudError | None:
    """The sentence for an exception of boto3 or botocore; None where it is none of theirs."""
    from botocore import exceptions as botocore_errors

    code = error_code(error)
    if isinstance(error, botocore_errors.ClientError):
        operation = error.operation_name
        message = str(error.response.get("Error", {}).get("Message", "")).strip().rstrip(".")
        advice = _ADVICE.get(code)
        return CloudError(f"AWS refused {operation} ({code}: {message}){f'; {advice}' if advice else ''}.")
    if isinstance(
        error,
        (
            botocore_errors.NoCredentialsError,
            botocore_errors.PartialCredentialsError,
            botocore_errors.CredentialRetrievalError,
        ),
    ):
        return CloudError(
            f"There are no usable AWS credentials for the environment {environment}: set AWS_PROFILE, sign in "
            f"('aws sso login') or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; '--env local' needs none."
        )
    if isinstance(error, botocore_errors.ProfileNotFound):
        return CloudError(f"{str(error).rstrip('.')}: check AWS_PROFILE.")
    if isinstance(error, (botocore_errors.HTTPClientError, botocore_errors.ConnectionError)):
        what = " ".join(str(error).split()).rstrip(".")
        return CloudError(
            f"The cloud of the environment {environment} cannot be reached ({what}): "
            f"run the same command again when it can."
        )
    if isinstance(error, botocore_errors.BotoCoreError):
        return CloudError(f"AWS call failed: {' '.join(str(error).split()).rstrip('.')}.")
    if type(error).__module__.startswith("boto3.exceptions"):  # wraps a ClientError in its text (S3UploadFailedError)
        return CloudError(f"AWS refused: {' '.join(str(error).split()).rstrip('.')}.")
    return None


@contextmanager
def translated(environment: str) -> Iterator[None]:
    """Turns what boto3 raises inside into CloudError; everything else passes."""
    try:
        yield
    except NdjctlError:
        raise
    except Exception as error:
        sentence = told(error, environment)
        if sentence is None:
            raise
        raise sentence from error


def _any_size_fits(_size_bytes: int) -> None:
    """S3 takes what it is given."""


@dataclass
class Cloud:
    """The AWS side of one environment.

    endpoint_url: where every service answers, or None for AWS's own endpoints. glue_endpoint_url: where Glue does, if
    elsewhere. check_room: called with the bytes about to be uploaded; raises WorkFailed where they have no room.
    deploying: held while resources are made, where two deployments at once can be kept apart. The account id is asked
    of STS once, when first needed.
    """

    session: boto3.Session
    region: str
    suffix: str = ""
    endpoint_url: str | None = None
    glue_endpoint_url: str | None = None
    check_room: Callable[[int], None] = _any_size_fits
    deploying: Callable[[], AbstractContextManager[None]] = nullcontext
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """The one boto3 client of a service. Thread-safe to use, as boto3's clients are."""
        if service not in self._clients:
            from botocore.config import Config

            endpoint = self.glue_endpoint_url if service == "glue" and self.glue_endpoint_url else self.endpoint_url
            # when_required: the checksums that newer SDKs add are sent as trailing chunks, which costs the embedded
            # cloud's uploads most of their speed; S3 still checks what it stores, by length and ETag.
            config = Config(
                retries={"mode": "standard", "max_attempts": 5},
                max_pool_connections=32,
                connect_timeout=10,
                read_timeout=_READ_TIMEOUT_S.get(service, 60),
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            )
            self._clients[service] = self.session.client(
                service, region_name=_REGION_OF.get(service, self.region), endpoint_url=endpoint, config=config
            )
        return self._clients[service]

    @cached_property
    def account_id(self) -> str:
        return str(self.client("sts").get_caller_identity()["Account"])

    @cached_property
    def names(self) -> Names:
        return Names(self.account_id, self.suffix)


def open_aws(region: str, suffix: str) -> Cloud:
    """AWS itself, with the credentials and endpoints that boto3 finds in the environment and its configuration."""
    import boto3

    return Cloud(boto3.Session(region_name=region), region, suffix, endpoint_url=None)
