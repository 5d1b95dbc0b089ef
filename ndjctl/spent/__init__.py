"""What an environment has cost: from the records of its runs, the ledger and CloudWatch, with the waste told apart."""
