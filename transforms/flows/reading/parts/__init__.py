"""Parts of files whose reading takes code of its own: channels, requests, code, splits, updates."""
