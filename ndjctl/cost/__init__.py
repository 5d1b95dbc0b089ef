"""What the pipeline will cost, what it did cost, and what would be cheaper."""
