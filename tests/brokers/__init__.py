"""Real Kafka brokers for the tests: one broker per test session, from whatever the machine has."""
