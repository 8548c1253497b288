"""Pages for people, one look for all: the frame, and tables; whole in one file, nothing is fetched."""
