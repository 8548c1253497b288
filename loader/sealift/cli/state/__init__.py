"""What is installed, who approved it, and how a machine fares."""
