"""What a kit gives people to read: README, manual pages, the documentation as HTML."""
