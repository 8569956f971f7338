"""What can be said of checkpoint files without the framework that wrote them: `inspect`, `diff`, `fsck`."""
