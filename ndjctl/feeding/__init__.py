"""Puts many large files into the input bucket: a few are uploaded, copies on the server make the rest."""
