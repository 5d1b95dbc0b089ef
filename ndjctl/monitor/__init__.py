"""How an environment does right now: its flow, its backlog, its runs and what they cost, from a bounded number of calls."""
