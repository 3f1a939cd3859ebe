"""tg.compile: a define-by-run step, recorded as NumPy calls, optimised, and printed as a program to read."""
