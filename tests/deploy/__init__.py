"""What deploy/ and the pages about it are held to, and what writes the generated ones."""
