"""The offline trainer: demand history in, published versions out. The only room that loads TensorFlow."""
