"""Files of `torch.save`: a zip archive of a pickle, and of the bytes of each storage."""
