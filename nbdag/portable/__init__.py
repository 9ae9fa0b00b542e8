"""What runs where nbdag is not installed: in a user's kernel and on the target. Python 3.8+, standard library only."""
