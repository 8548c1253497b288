"""Gradient boosters other than scikit-learn's own: XGBoost, LightGBM, CatBoost.

Each has one module, which is imported only where its library already is: an estimator of it is at hand,
or one of its files is being opened.
"""
