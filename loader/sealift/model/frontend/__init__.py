"""Text front ends: what a model's `frontend.json` declares, and what turns a caller's texts into the graph's inputs."""
