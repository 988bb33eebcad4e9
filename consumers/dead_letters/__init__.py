"""What the `dlq` commands do: read the dead letter topic, show it, send letters back."""
