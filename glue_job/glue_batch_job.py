"""The script Glue starts. All of the job is in the package `glue_job`, which comes in --extra-py-files."""

import sys

from glue_job.main import main

# A failed run is an exception that nobody catches: Glue takes its ErrorMessage from it. A good one ends like any
# script, since Glue takes even SystemExit(0) for a failure.
exit_code = main(sys.argv[1:])
if exit_code:
    sys.exit(exit_code)
