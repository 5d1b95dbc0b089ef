"""What the function and the job wrote to CloudWatch Logs: read whole, in order, and followed."""
