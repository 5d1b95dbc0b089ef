"""The catalogue of the known causes of failed runs, failed invocations and failed files. Pure."""

from __future__ import annotations

from ndjctl.health.cause import Cause
from ndjctl.health.cause import cause as _cause

OUT_OF_MEMORY = _cause(
    "out-of-memory",
    "out of memory",
    "A worker, the driver or the function needed more memory than it has.",
    r"OutOfMemory",
    r"out of memory",
    r"java heap space",
    r"GC overhead limit",
    r"\bMemoryError\b",
    r"cannot allocate memory",
    r"exceeding (physical )?memory limits",
    r"OUT_OF_MEMORY",
    r"exit (code|status):? 137",
    r"Runtime exited with error: signal: killed",
    r"malloc of size \d+ failed",
)
EXECUTOR_LOST = _cause(
    "executor-lost",
    "worker lost",
    "A worker went away while it had work: mostly for want of memory, sometimes a machine that died.",
    r"ExecutorLost",
    r"executor heartbeat timed out",
    r"lost executor",
    r"slave lost",
    r"FetchFailed",
    r"Python worker exited unexpectedly",
)
DISK_FULL = _cause(
    "disk-full",
    "no space left on device",
    "The disk of a worker or of the function is full.",
    r"no space left on device",
    r"\bENOSPC\b",
    r"Errno 28\b",
)
KEY = _cause(
    "kms-key",
    "encryption key refused",
    "The KMS key cannot be used: it is disabled, about to be deleted, gone, or its policy keeps this role out.",
    r"\bKMS\w*\.?\w*(Disabled|InvalidState|NotFound|AccessDenied|Unavailable|Internal)",
    r"\bkms:(Decrypt|Encrypt|GenerateDataKey\w*|CreateGrant|DescribeKey)",
    r"the ciphertext refers to a",
    r"(KMS|encryption) key.{0,80}(disabled|pending deletion|does not exist|not found)",
)
ACCESS_DENIED = _cause(
    "access-denied",
    "access denied",
    "The role of the function or of the job lacks a right that it needs, or a policy forbids it.",
    r"Access ?Denied",
    r"not authorized to perform",
    r"is not authorized",
    r"UnauthorizedOperation",
    r"\b403\b.{0,20}Forbidden",
    r"cannot be read: 403\b",
    r"denies the job access",
    r"unable to assume role",
)
CREDENTIALS = _cause(
    "credentials",
    "credentials not accepted",
    "AWS does not accept the signature: the session has expired, or a clock is off.",
    r"ExpiredToken",
    r"RequestTimeTooSkewed",
    r"InvalidClientTokenId",
    r"UnrecognizedClient",
    r"SignatureDoesNotMatch",
    r"Signature expired",
)
FUNCTION_TIMED_OUT = _cause(
    "function-timed-out",
    "function timed out",
    "An invocation was ended because it took longer than function.timeout_s.",
    r"Task timed out after",
    r"Sandbox\.Timedout",
)
RUN_TIMED_OUT = _cause(
    "run-timed-out",
    "run timed out",
    "Glue ended the run because it took longer than job.timeout_min.",
    r"ended TIMEOUT",
    r"^TIMEOUT\b",
    r"job run (has )?(timed out|exceeded)",
)
CONCURRENCY = _cause(
    "concurrency-exceeded",
    "too many concurrent runs",
    "Glue takes no more runs of the job at once than job.max_concurrent_runs; the others wait for their turn.",
    r"ConcurrentRunsExceeded",
    r"concurrent runs exceeded",
)
QUOTA = _cause(
    "quota-exceeded",
    "quota of the account exceeded",
    "The account may not run so many runs or DPUs of Glue, or functions, at once.",
    r"ResourceNumberLimitExceeded",
    r"maximum concurrent compute capacity",
    r"max(imum)? (task )?DPU",
    r"exceeded.{0,60}\bquota\b",
    r"ReservedFunctionConcurrentInvocationLimitExceeded",
    r"EC2 (instance )?limit",
)
NO_CAPACITY = _cause(
    "no-capacity",
    "no capacity",
    "AWS had no machines or the subnet no addresses for the workers at that moment.",
    r"enough free addresses",
    r"insufficient.{0,20}(capacity|addresses)",
    r"resource unavailable",
    r"ServiceUnavailable.{0,40}glue",
)
JOB_MISSING = _cause(
    "job-missing",
    "job not there",
    "The Glue job that the function starts does not exist under that name.",
    r"EntityNotFound.{0,80}StartJobRun",
    r"StartJobRun.{0,80}EntityNotFound",
    r"failed to start job run due to missing metadata",
    r"\bjob\b.{0,160}\b(not found|does not exist|could not be found)",
)
BUCKET_MISSING = _cause(
    "bucket-missing",
    "bucket not there",
    "A bucket of the environment is gone.",
    r"NoSuchBucket",
    r"its bucket is not there",
)
INPUT_GONE = _cause(
    "input-gone",
    "input object gone",
    "The object was deleted between its event and its conversion.",
    r"it is no longer there",
    r"its object is gone",
)
INPUT_CHANGED = _cause(
    "input-overwritten",
    "input object overwritten under way",
    "The object was overwritten between its event and its conversion; the newer version has its own event.",
    r"it was overwritten",
    r"was overwritten (since|after|while)",
    r"its manifest says \d+",
    r"it is shorter than its manifest says",
    r"PreconditionFailed",
)
ARCHIVED = _cause(
    "input-archived",
    "input object archived",
    "The object was moved to an archive class of S3 before it was converted.",
    r"it is archived",
    r"InvalidObjectState",
)
DAMAGED = _cause(
    "damaged-input",
    "damaged input",
    "The compressed data of the file is damaged or cut off: it was not uploaded whole.",
    r"data is damaged or cut off",
    r"compressed data was not read to its end",
)
BAD_LINES = _cause(
    "too-many-bad-lines",
    "too many bad lines",
    "More lines of the file are no records than job.max_bad_lines or job.max_bad_percent allow.",
    r"\d+ of \d+ lines are bad",
    r"more than \d+ bad lines",
)
DRIFT_REFUSED = _cause(
    "schema-drift",
    "schema drift refused",
    "Values do not fit the pinned schema, and job.on_drift is fail.",
    r"--ON_DRIFT fail",
    r"\bschema drift: \d+ places? (does|do) not fit schema\b",
)
SCRIPT_MISSING = _cause(
    "script-missing",
    "script of the job not there",
    "Glue does not find the job's script or library in the scripts bucket.",
    r"can't open file",
    r"glue_batch_job\.py.{0,80}(not found|no such|does not exist|404)",
    r"(script|ScriptLocation|extra-py-files).{0,120}(not found|does not exist|no such|404|cannot be read)",
    r"No such file or directory.{0,80}\.(py|zip)\b",
    r"LAUNCH ERROR",
)
IMPORT_ERROR = _cause(
    "import-error",
    "module missing",
    "The code that runs is not whole: a module of it, or one that it needs, is not there.",
    r"ImportModuleError",
    r"ModuleNotFoundError",
    r"\bImportError\b",
    r"Unable to import module",
    r"HandlerNotFound",
)
CONFIGURATION = _cause(
    "configuration",
    "configuration unusable",
    "An environment variable of the function or an argument of the job is missing or out of range.",
    r"\bConfigError\b",
    r"the function's environment cannot be used",
    r"(argument|--[A-Z_]{4,}).{0,60}(is missing|is required|cannot be used)",
)
SLOW_DOWN = _cause(
    "s3-slow-down",
    "S3 asks to slow down",
    "More requests a second went to one part of a bucket than S3 takes at that moment.",
    r"\bSlow ?Down\b",
    r"reduce your request rate",
)
THROTTLED = _cause(
    "throttled",
    "throttled by AWS",
    "AWS took no more requests of this kind at that moment.",
    r"Throttl(ing|ed)",
    r"ProvisionedThroughputExceeded",
    r"TooManyRequests",
    r"RequestLimitExceeded",
    r"Rate exceeded",
)
NETWORK = _cause(
    "network",
    "AWS not reached",
    "An endpoint of AWS could not be reached from the function or the job: no route, no answer, a broken connection.",
    r"EndpointConnectionError",
    r"Could not connect to the endpoint",
    r"(Connect|Read) ?Timeout",
    r"Connection (was )?(reset|refused|closed|aborted)",
    r"ConnectionClosedError",
    r"UnknownHost",
    r"Name or service not known",
)
STOPPED = _cause(
    "run-stopped",
    "run stopped",
    "Somebody, or a deadline of the account, stopped the run.",
    r"ended STOPPED",
    r"^STOPPED\b",
)
KILLED = _cause(
    "run-killed",
    "run killed",
    "The process of the run was ended from outside: for want of memory, or by hand.",
    r"ended by signal \d+",
    r"was (killed|stopped) while this run was under way",
    r"exit (code|status):? (134|139|143)\b",
)
RUN_UNKNOWN = _cause(
    "run-unknown", "run unknown to Glue", "Glue does not know the run that was started.", r"does not know the run"
)
TAKEN_OVER = _cause(
    "taken-over",
    "taken over by another run",
    "Another run has the manifest or its files; this one stopped to keep out of its way, and nothing is lost by it.",
    r"taken from this run",
    r"is not ready to run",
)
MESSAGE = _cause(
    "message-not-understood",
    "message not understood",
    "Something else than S3 writes into the queue. Only these messages fail: each comes back until the queue gives it "
    "up, and ends in the dead-letter queue.",
)
INVOCATION = _cause(
    "invocation-not-understood",
    "invocation not understood",
    "Somebody invokes the function with something that it has no work for: look who may, and why.",
    r"UnknownInvocation",
)
VERIFICATION = _cause(
    "verification-failed",
    "output not as counted",
    "What was written could not be read back as it was counted, so it was not made visible.",
    r"VerificationFailed",
    r"cannot be read back",
    r"; its task wrote \d+",
    r"are not the sum of its files' rows",
)
ITEM_CONTENDED = _cause(
    "contended",
    "writes in each other's way",
    "Several writers kept meeting on one item of the ledger.",
    r"\bContended\b",
)

UNKNOWN = Cause("unknown", "not a known cause", "The text is of no cause that is known here.")

CAUSES: tuple[Cause, ...] = (
    # It lists fields of the data, which may be called like any other cause.
    DRIFT_REFUSED,
    DISK_FULL,
    OUT_OF_MEMORY,
    EXECUTOR_LOST,
    KEY,
    FUNCTION_TIMED_OUT,
    CREDENTIALS,
    CONCURRENCY,
    QUOTA,
    INPUT_GONE,
    INPUT_CHANGED,
    ARCHIVED,
    DAMAGED,
    BAD_LINES,
    SCRIPT_MISSING,
    IMPORT_ERROR,
    CONFIGURATION,
    ACCESS_DENIED,
    JOB_MISSING,
    BUCKET_MISSING,
    SLOW_DOWN,
    THROTTLED,
    NO_CAPACITY,
    NETWORK,
    VERIFICATION,
    TAKEN_OVER,
    MESSAGE,
    INVOCATION,
    ITEM_CONTENDED,
    RUN_UNKNOWN,
    RUN_TIMED_OUT,
    STOPPED,
    KILLED,
)
"""In the order in which they are tried: what says more stands before what says less."""
