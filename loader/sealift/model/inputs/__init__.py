"""From the caller's rows to tensors: arrays, tables, texts, single values."""
