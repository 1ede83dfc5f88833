"""Handover and merge of keys, erasure, and the transfer of whole states."""
