"""imbalanced-learn: its samplers do nothing at prediction, and what it balances is scikit-learn's own besides that."""

from imblearn.ensemble import (
    BalancedBaggingClassifier,
    BalancedRandomForestClassifier,
    EasyEnsembleClassifier,
    RUSBoostClassifier,
)
from imblearn.pipeline import Pipeline as BalancedPipeline
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline

from sealift_bundler.converters.steps import PREDICTORS, TRANSFORMERS, compose

# They change how the members are fitted, and inherit every answer.
_AS = {
    BalancedPipeline: Pipeline,
    BalancedBaggingClassifier: BaggingClassifier,
    BalancedRandomForestClassifier: RandomForestClassifier,
    EasyEnsembleClassifier: BaggingClassifier,
    RUSBoostClassifier: AdaBoostClassifier,
}
compose.register_all()
PREDICTORS.update({cls: PREDICTORS[base] for cls, base in _AS.items()})
TRANSFORMERS[BalancedPipeline] = TRANSFORMERS[Pipeline]
