"""One piece of video: what it is, its frames and their times, what moves, cuts, and what a detector sees in it."""
