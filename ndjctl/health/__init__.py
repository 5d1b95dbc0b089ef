"""What is wrong with an environment, why, and what to type about it."""
