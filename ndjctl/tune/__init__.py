"""What a change of capacity does, before it is made: predicted from measured throughput."""
