"""Open a trained model: pickles, MLflow folders, files of libraries."""
