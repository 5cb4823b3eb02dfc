"""A stand-in for a language model: it decides by rules what to call, and speaks the APIs that hosts use."""
