"""What an embedding does with one's own images, measured."""
