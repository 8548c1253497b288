"""Commands about the channel itself: make it, look at it, take staged versions out, remove blobs that nothing names."""
