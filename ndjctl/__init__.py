"""ndjctl: deploy, run, watch and price an NDJSON to Parquet pipeline on AWS or on a laptop.

This module travels inside the Lambda and Glue bundles, so it imports nothing.
"""

__version__ = "0.1.0"
