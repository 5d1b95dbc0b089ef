"""The simulator: the real function, the real job and the real sweep against models of S3, SQS, DynamoDB and Glue with
AWS's weak points, in an order that one seed decides; invariants I1 to I7 of DESIGN.md are checked from the objects.

    pytest tests/simulator                    the quick part
    pytest tests/simulator -m slow            2,000 seeds, every death, a day of 338,000 files
    pytest tests/simulator --seed 4711        one seed again, exactly, with its log (or NDJ_SIM_SEED=4711)
    python -m tests.simulator.replay 4711     the same without pytest, every call on a line
    python -m tests.simulator.day             the day: calls, units, price, and the cost of a file against files done
"""
