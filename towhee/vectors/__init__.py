"""Writing a collection's vectors into a store, so that a killed job goes on."""
