"""Fill gaps: GitLab does not send again what it could not deliver, but keeps a list of it for seven days."""
