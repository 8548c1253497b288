"""From the log to the tables: what is landed is durable before the log forgets it."""
