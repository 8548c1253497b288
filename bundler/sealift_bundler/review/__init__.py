"""What an author answers about a model version, and the documents that carry the answers."""
