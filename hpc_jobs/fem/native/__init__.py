"""The solver in C++, and how Python builds and calls it."""
