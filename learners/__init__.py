"""The core of streamfit: events in columns, models, compiled kernels; no Kafka, no files."""
