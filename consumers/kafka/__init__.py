"""What the program asks of Kafka: reading, groups, offsets, topics, and what errors mean."""
