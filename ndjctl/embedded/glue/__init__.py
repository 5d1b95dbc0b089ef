"""A Glue endpoint for this machine: Glue's own protocol and rules, with each run a Spark program in a subprocess."""
