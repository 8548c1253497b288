"""What an admin demands of model versions: approvals by reviewers, on top of what the channel signs."""
