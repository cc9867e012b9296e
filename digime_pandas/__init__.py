"""Put a pandas DataFrame into a person's own digi.me library, from a notebook cell."""
