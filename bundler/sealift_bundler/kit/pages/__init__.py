"""The pages of a kit: README, manual pages, the documentation as HTML."""
