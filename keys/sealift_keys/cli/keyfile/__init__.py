"""Commands about one key file."""
