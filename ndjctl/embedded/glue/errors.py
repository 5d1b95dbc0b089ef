"""The errors of the Glue API."""

from __future__ import annotations


class GlueError(Exception):
    """A request is refused. code: the name Glue's API has for it, as boto3 shows it in a ClientError."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


INVALID_INPUT = "InvalidInputException"
"""A request of the right form that Glue's rules do not allow."""
VALIDATION = "ValidationException"
"""A value outside what the service model allows, a missing field or an unknown one."""
SERIALIZATION = "SerializationException"
"""A body that is not JSON, or a value of another type than the service model has."""
NOT_FOUND = "EntityNotFoundException"
ALREADY_EXISTS = "AlreadyExistsException"
PARAMETER_MISMATCH = "IdempotentParameterMismatchException"
CONCURRENT_RUNS = "ConcurrentRunsExceededException"
"""The limit that the job sets itself."""
LIMIT_EXCEEDED = "ResourceNumberLimitExceededException"
"""A quota of the account."""
UNKNOWN_OPERATION = "UnknownOperationException"
INTERNAL = "InternalServiceException"
