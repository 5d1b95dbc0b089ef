"""Brings an environment's resources into being and keeps them as the profile says."""
