"""The durable log between the receiver and the lander: embedded in SQLite, or a stream of NATS JetStream."""
