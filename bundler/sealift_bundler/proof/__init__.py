"""Convert in a child process, rung by rung, and prove that no answer changed."""
