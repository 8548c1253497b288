"""Rows that the bundler makes: of the samples' form, and with none of their values."""
