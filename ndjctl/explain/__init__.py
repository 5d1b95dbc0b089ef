"""One file, from its upload to its rows: what is so at every stage, what is missing, why, and what mends it."""
