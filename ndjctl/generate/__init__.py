"""Test data: NDJSON of a known content, made fast and the same everywhere.

The modules that make bytes (all but `files` and `record`'s reader) use integers only, no `random`, no `hash()`, no text
of a float: the same settings give the same bytes on every Python from 3.10 on and on every machine.
"""
