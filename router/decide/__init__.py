"""Decisions: a world in, actions out. Pure: no I/O, no clock, no randomness, no logging."""
