"""What a page brings beside its text: its head, its images, and what makes it readable for everyone."""
