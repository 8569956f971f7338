"""Safetensors: the JSON header of a file, and its tensors one after another; files in shards."""
