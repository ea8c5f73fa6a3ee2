"""The same recipe, trained without the held-out sources, beside a network that learned from all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from train.evaluation.bundle_evaluation import BundleEvaluation
from train.evaluation.clip_metrics import Calibration


@dataclass(frozen=True, slots=True)
class Twin:
    """The same recipe, trained without the held-out sources, for a network that learned from all of them."""

    rule: Calibration
    """Chosen on clips that the twin did not learn from: the network has no such clips any more."""
    evaluation: BundleEvaluation

    def beside(self, evaluation: BundleEvaluation) -> BundleEvaluation:
        """Put the twin's figures where those of the network would be of clips that it learned from."""
        results, floats = (
            tuple(replace(result, name=f"{result.name}, by a twin that did not learn from them") for result in of)
            for of in (self.evaluation.results, self.evaluation.floats)
        )
        reals = [
            rejection
            for rejection in evaluation.rejections
            if evaluation.real and rejection.clips == evaluation.real.name
        ]
        return replace(
            evaluation,
            results=results,
            predictions=self.evaluation.predictions,
            floats=floats,
            rejections=(*self.evaluation.rejections, *reals),
            programme_results=(*self.evaluation.programme_results, *evaluation.programme_results),
        )
