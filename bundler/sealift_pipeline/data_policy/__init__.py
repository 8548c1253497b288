"""What of an event may touch a disk: the columns that `data-policy.toml` names, with persons and secrets taken out."""
