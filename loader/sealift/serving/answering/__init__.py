"""What answers: the models that are served now, and the batches in which they are asked."""
