"""What leads from an equation, a claim or an item of the lecture to its page, its code and its test."""
