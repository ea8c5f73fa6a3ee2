"""The same recipe, trained without the held-out sources, beside a network that learned from all of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from train.evaluation.bundle_evaluation import BundleEvaluation
from train.evaluation.metrics import Calibration


@dataclass(frozen=True, slots=True)
class Twin:
    """The same recipe, trained without the held-out sources, for a network that learned from all of them."""

    rule: Calibration
    """Chosen on clips that the twin did not learn from: the network has no such clips any more."""
    measured: BundleEvaluation

    def beside(self, measured: BundleEvaluation) -> BundleEvaluation:
        """Put the twin's figures where those of the network would be of clips that it learned from."""
        results, floats = (
            tuple(replace(result, name=f"{result.name}, by a twin that did not learn from them") for result in of)
            for of in (self.measured.results, self.measured.floats)
        )
        reals = [
            rejection for rejection in measured.rejections if measured.real and rejection.clips == measured.real.name
        ]
        return replace(
            measured,
            results=results,
            heard=self.measured.heard,
            floats=floats,
            rejections=(*self.measured.rejections, *reals),
            programme_results=(*self.measured.programme_results, *measured.programme_results),
        )
