"""A command killed for real, started again, and compared with its control."""
