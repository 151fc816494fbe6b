"""How the bundled model is made: data, tokenizer, training, evaluation. `python -m training.all` runs it all."""
