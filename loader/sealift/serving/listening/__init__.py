"""Where requests come from: sockets, those of systemd among them, and bounds on every connection."""
