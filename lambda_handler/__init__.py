"""The manifest builder: enters S3 events in the ledger, batches files into manifests, starts runs and repairs.

Standard library, boto3 and ndjctl.contracts only; Python 3.10 syntax.
"""
