"""`ndjctl convert`: the record path of the Glue job on this machine's files. No cloud and no Spark."""
