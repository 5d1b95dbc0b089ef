"""How an environment does right now: flow, backlog, runs and their cost, from a bounded number of calls."""
