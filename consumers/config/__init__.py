"""The keys of the settings file: their tables, and how text becomes values."""
