"""What no proof answers: what turns a model's labels, and whether it knows its training rows. Pure."""
