"""Text without zeros: what a vectorizer counts stays two narrow tensors for as long as steps allow it."""
