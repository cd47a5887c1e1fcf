"""What chains learn, and how it is kept."""
