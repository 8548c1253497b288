"""The tokenizer front end: `tokenizer.json` of Hugging Face, checked before its library sees it, and what it makes."""
