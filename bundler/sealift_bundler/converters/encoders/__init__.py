"""Text encoders: a ready-made graph that takes tokens, with the tokenizer that makes them."""
