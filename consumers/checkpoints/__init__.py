"""Checkpoints: their format, the stores that keep them, and where a start goes on."""
