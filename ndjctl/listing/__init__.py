"""Lists of what is there: files of the ledger, messages of the queues, runs of the job. Read page by page."""
