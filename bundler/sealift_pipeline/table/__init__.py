"""One Delta table for each kind of event: its rows, their leaves, and what makes a write durable."""
