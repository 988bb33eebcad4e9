"""The status page of a streamfit consumer: what it shows, and how it stays up to date."""
