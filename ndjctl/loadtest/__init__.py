"""Phased load tests: files of known content through the whole pipeline, followed, proven, judged and taken away."""
