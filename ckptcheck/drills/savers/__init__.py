"""The study of stock savers: what each crash state of an overwrite restores to."""
