"""Whether the models in use still know what they are asked about."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import CustomVariable
from grafana_foundation_sdk.models.dashboard import VariableOption

from ares_boards import look
from ares_boards.board import Board, headline, line
from ares_boards.panels import chart, columns, figure, listing, stacked, word
from ares_boards.sources import Prom, Rows, Series, quantiles

HORIZON = VariableOption(selected=True, text="5", value="5")
"""Minutes: what training.horizon_bars is by default."""

MODELS = Board(
    uid="ares-models",
    title="Models",
    question="Do the models in use still foresee what they are asked about, and which version would do better?",
    variables=("model", "venue", "symbol", "strategy"),
    annotations=("promotions", "changes"),
    since="now-24h",
    more=(CustomVariable("horizon").label("Minutes ahead").values("1,5,10,15,30,60").current(HORIZON),),
    lines=(
        headline(
            word("In use", "The version whose scores strategies read.", Rows("models/champions"), "champion"),
            figure(
                "Checks that fail",
                "Of the champion, in the newest look.",
                Rows("models/checks_failed"),
                colors=look.steps(*look.NOTHING_ALLOWED),
            ),
            figure(
                "Should be demoted",
                "1 while a champion has failed often enough and is still in use.",
                Prom("max(ares_model_demotion_due)", "due"),
                colors=look.steps(*look.NOTHING_ALLOWED),
            ),
            figure(
                "Area under the curve",
                "Of the version in use, out of sample: 0.5 is chance.",
                Prom("max by (model) (ares_model_auc)", "{{model}}"),
                colors=look.steps((0.5, look.WATCH), (0.52, look.GOOD), base=look.BAD),
            ),
        ),
        line(
            columns(
                "Scores",
                "How often each was given, champion and challenger.",
                Rows("models/distribution"),
                "score from",
            ),
            columns(
                "Calibration",
                "Of bars with a score, the share that rose: on the diagonal a probability means what it says.",
                Rows("models/calibration"),
                "score",
            ),
        ),
        line(
            chart("Log loss", "Lower is better; champion and challengers.", Series("models/log_loss")),
            chart("Error of calibration", "Beside what it is graded by.", Series("models/calibration_error")),
            chart("Mean score", "By version.", Series("models/scores"), unit=look.SHARE),
        ),
        line(
            chart("Drift of features", "How far from what was learnt (PSI).", Series("models/drift_of_features")),
            listing("Newest checks", "The worst first.", Rows("models/drift")),
        ),
        line(
            chart(
                "Scoring", "Asking all versions about one pass.", *quantiles("ares_scoring_seconds"), unit=look.SECONDS
            ),
            stacked(
                "Scores given",
                "By model; challengers' too.",
                Prom("sum by (model) (increase(ares_predictions_total[$__rate_interval]))", "{{model}}"),
            ),
            stacked("Live unlike replay", "Decisions, by cause.", Series("models/parity")),
        ),
        line(
            listing("Versions in use", "Since when, and why.", Rows("models/champions")),
            listing("Life of versions", "The newest steps.", Rows("models/events")),
        ),
        line(listing("Trainings", "Out of sample, and what was earned there after costs.", Rows("models/trainings"))),
    ),
)
