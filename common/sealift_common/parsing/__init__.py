"""Parse documents that somebody else wrote: bounded, strict, and each refusal in one line that names the place."""
