"""What runs: the loop, the command line, settings, offsets and checkpoints of streamfit."""
