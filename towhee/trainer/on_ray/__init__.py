"""One model, trained by workers of Ray."""
