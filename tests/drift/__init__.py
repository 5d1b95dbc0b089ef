"""What somebody changes by hand in a deployed environment, row by row, and what somebody else has put beside it."""
