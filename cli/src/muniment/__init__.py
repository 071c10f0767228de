"""Muniment for those outside the server: proofs that anyone can check, and the commands to do it."""

__version__ = "0.1.0"
