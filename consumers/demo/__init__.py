"""The demo: its job, its broker inside the process, its broken records."""
