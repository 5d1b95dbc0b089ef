"""The command line: parses, calls one use case, hands its result to the output layer."""
