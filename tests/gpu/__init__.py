"""What needs a device."""
