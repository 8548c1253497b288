"""Commands of reviews: who reviews, what reviewers say, and how it is kept small."""
