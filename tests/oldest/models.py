"""One model of each kind whose graph uses operators of its own."""

import catboost
import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC

GENERATOR = np.random.default_rng(5)
ROWS = 300
NUMBERS = pd.DataFrame(
    {
        "price": GENERATOR.lognormal(3, 1, ROWS),
        "count": GENERATOR.integers(0, 9, ROWS),
        "at": GENERATOR.integers(1_600_000_000, 1_700_000_000, ROWS),
    }
)
NUMBERS.loc[::7, "price"] = np.nan
FULL = NUMBERS.fillna(1.0)
CITY = GENERATOR.choice(["Zürich", "Genève", "東京"], ROWS)
MIXED = NUMBERS.assign(city=CITY)
CATEGORY = NUMBERS.assign(city=pd.Categorical(CITY))
SIGNAL = (NUMBERS["count"] > 4) * 1 + (CITY == "東京")
VALUE = (SIGNAL * 100 + GENERATOR.normal(size=ROWS)).to_numpy()
LABEL = np.array(["low", "mid", "high"])[SIGNAL]
CODE = SIGNAL.to_numpy()
TEXTS = [" ".join(GENERATOR.choice(["good", "bad", "été", "мир", "東京", "😀", "day"], 6)) for _ in range(ROWS)]
MOOD = np.array(["good" in text for text in TEXTS])


def _columns(encoder):
    return make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), list(NUMBERS)), (encoder, ["city"])
    )


def _pipeline(encoder, final, target):
    return lambda: (make_pipeline(_columns(encoder), final).fit(MIXED, target), MIXED)


def _text(vectorizer, final):
    return lambda: (make_pipeline(vectorizer, final).fit(TEXTS, MOOD), TEXTS)


def _fit(model, rows, target):
    return lambda: (model.fit(rows, target), rows)


_ONE_HOT = OneHotEncoder(handle_unknown="ignore")
_ORDINAL = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
_CAT = {"iterations": 20, "verbose": 0, "allow_writing_files": False}
_SMALL = {"n_estimators": 20, "max_depth": 4}

MODELS = {
    "logistic": _pipeline(_ONE_HOT, LogisticRegression(max_iter=500), LABEL),
    "polynomial": _fit(make_pipeline(SimpleImputer(), PolynomialFeatures(), LinearRegression()), NUMBERS, VALUE),
    "forest": _pipeline(_ORDINAL, RandomForestClassifier(30, random_state=0), LABEL),
    "forest-regressor": _pipeline(_ORDINAL, RandomForestRegressor(30, random_state=0), VALUE),
    "gradient-boosting": _pipeline(_ONE_HOT, GradientBoostingClassifier(n_estimators=20), LABEL),
    "histogram-boosting": _fit(HistGradientBoostingRegressor(max_iter=20), NUMBERS, VALUE),
    "xgboost": _fit(xgboost.XGBClassifier(**_SMALL), NUMBERS, CODE),
    "xgboost-categories": _fit(xgboost.XGBRegressor(enable_categorical=True, **_SMALL), CATEGORY, VALUE),
    "lightgbm-categories": _fit(lightgbm.LGBMClassifier(verbose=-1, **_SMALL), CATEGORY, LABEL),
    "catboost-categories": _fit(catboost.CatBoostClassifier(cat_features=["city"], **_CAT), MIXED, LABEL),
    "xgboost-in-a-vote": _fit(
        VotingClassifier(
            [("a", xgboost.XGBClassifier(**_SMALL)), ("b", GradientBoostingClassifier(n_estimators=5))], voting="soft"
        ),
        FULL,
        CODE,
    ),
    "lightgbm-linear-leaves": _fit(lightgbm.LGBMRegressor(linear_tree=True, verbose=-1, **_SMALL), FULL, VALUE),
    "support-vectors-probabilities": _fit(make_pipeline(StandardScaler(), SVC(probability=True)), FULL, LABEL),
    "tf-idf": _text(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression()),
    "counts": _text(CountVectorizer(analyzer="char_wb", ngram_range=(2, 3)), LogisticRegression()),
    "hashing": _text(HashingVectorizer(n_features=1024), SGDClassifier(loss="log_loss", random_state=0)),
}
