"""Everything of streamfit that writes to Kafka: predictions, dead letters, data sets."""
