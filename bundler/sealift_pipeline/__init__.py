"""Events of a GitLab instance as training data that can be cited and erased."""
