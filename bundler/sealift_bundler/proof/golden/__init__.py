"""Golden examples: whose rows travel, making them, writing them."""
