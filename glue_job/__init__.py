"""The Glue job: one manifest of NDJSON files to typed Parquet on S3.

Ships as `glue_job.zip` beside the script `glue_batch_job.py`. Imports the standard library, boto3, pyarrow, pyspark
and `ndjctl.contracts`; runs on Python 3.10 (Glue 4.0) and newer.
"""
