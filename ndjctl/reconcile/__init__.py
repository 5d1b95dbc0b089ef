"""What S3 holds against what the ledger says against what the Parquet shows: finding what is lost, and entering it."""
