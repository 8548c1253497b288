"""What a training run was, as a document that travels, and which models this pipeline handed over."""
