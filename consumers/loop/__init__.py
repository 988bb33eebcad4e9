"""The loop: read, learn, emit, and every epoch make it permanent."""
