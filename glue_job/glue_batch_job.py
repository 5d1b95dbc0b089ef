"""The script Glue starts. All of the job is in the package `glue_job`, which comes in --extra-py-files."""

import sys

from glue_job.main import JobFailed, main

try:
    exit_code = main(sys.argv[1:])
except JobFailed as failure:
    # A string makes Python print it as the last line of stderr and exit with 1; Glue shows it as the ErrorMessage.
    sys.exit(str(failure))
if exit_code:  # a plain end, not SystemExit(0), is what Glue takes for success
    sys.exit(exit_code)
