"""Training of models: what can be set."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from ares.config.section import Count, Reloadable, Seconds, Section, Share

Family = Literal["logistic", "boosting", "forest", "ensemble"]

SCORES_OF_RISES = "direction"
"""The model whose scores are traded on as probabilities of a rise."""


class TrainingConfig(Section):
    """The scheduled training of `signal_direction_v1`."""

    model: str = "direction"
    cron: str = "*/30 * * * *"
    misfire_grace_s: Seconds = 300.0
    rows_min: Reloadable[Count] = 500
    window_hours: Reloadable[Seconds] = 72.0
    horizon_bars: Reloadable[Count] = 5
    label: Reloadable[Literal["forward", "triple_barrier", "meta"]] = Field(
        "forward",
        description="forward: higher after horizon_bars; triple_barrier: up before down within them; "
        "meta: whether following meta_signal pays",
    )
    meta_signal: Reloadable[str | None] = Field(
        None,
        pattern=r"^signal_[a-z0-9_]+_v[1-9][0-9]*$",
        description="of meta: the view of the signal whose side is followed, like signal_momentum_v1",
    )
    meta_outcome: Reloadable[Literal["forward", "triple_barrier"]] = Field(
        "forward", description="of meta: when what was won by following is counted, as the labels of this name end"
    )
    barrier_share: Reloadable[Annotated[float, Field(gt=0, lt=1)]] = Field(
        0.002, description="of triple_barrier: how far the price goes, up or down, before the label ends"
    )
    cost_bps: Reloadable[Annotated[float, Field(ge=0)]] = Field(
        0.0, description="of a round trip; a rise that does not pay for it is none, and results are net of it"
    )
    test_share: Reloadable[Annotated[float, Field(gt=0, lt=1)]] = 0.25
    embargo_bars: Reloadable[Annotated[int, Field(ge=0)]] = 10
    folds: Reloadable[Annotated[int, Field(ge=2)]] = Field(
        4, description="of the walk-forward that chooses between families and trials, before the test"
    )
    families: Reloadable[tuple[Family, ...]] = Field(
        ("logistic",), min_length=1, description="which kinds of models compete"
    )
    trials: Reloadable[Annotated[int, Field(ge=0)]] = Field(
        0, description="of the search for better numbers, per training; 0: every family with its usual ones"
    )
    engine: Literal["local", "dask"] = Field(
        "local",
        description="where fits are computed: in this process, or by processes of a Dask cluster on this machine",
    )
    dask_workers: Annotated[int, Field(ge=1, le=256)] = Field(2, description="processes of that cluster")
    promotion: Reloadable[Literal["newest", "gated"]] = Field(
        "newest", description="newest: every good fit becomes champion; gated: `ares models promote`, past the gate"
    )
    seed: Reloadable[int] = 7
    dataset: Reloadable[str | None] = Field(
        None,
        description="each training makes a version of it; name@version: learns from that one; unset: the model's name",
    )
    failed_quality: Reloadable[Literal["refuse", "accept"]] = Field(
        "refuse",
        description="what to do with a dataset whose quality verdict is fail; accepting is told in training_runs",
    )
    ab_share: Reloadable[Share] = Field(
        0.0, description="of the bars are served by challengers, by lot; 0: they are scored and only compared"
    )
    demote_after: Reloadable[Annotated[int, Field(ge=0)]] = Field(
        3, description="runs of the job drift in a row that fail, and the champion is demoted; 0: never"
    )

    @model_validator(mode="after")
    def _meta_is_whole(self) -> Self:
        if self.label != "meta":
            return self
        if self.meta_signal is None:
            raise ValueError("label = 'meta' asks whether a signal pays. Name it in meta_signal")
        if self.model == SCORES_OF_RISES:
            raise ValueError(
                f"label = 'meta' with model = '{SCORES_OF_RISES}': signal_direction_v1 would take what it says for the "
                "probability of a rise. Give the model another name"
            )
        return self


class ModelsConfig(Section):
    """The registry of models, and what the gate asks of a candidate before it may become champion."""

    tracking_uri: SecretStr | None = Field(
        None,
        description="of MLflow's store and registry; unset: MLFLOW_TRACKING_URI, else SQLite in <state_dir>/models",
    )
    rows_min: Reloadable[Count] = Field(200, description="fewer rows out of sample judge nobody")
    trades_min: Reloadable[Annotated[int, Field(ge=0)]] = Field(30, description="out of sample, by its scores")
    log_loss_worse_max: Reloadable[Annotated[float, Field(ge=0)]] = Field(
        0.002, description="nats a row above the champion's on the same rows"
    )
    net_worse_max: Reloadable[Annotated[float, Field(ge=0)]] = Field(
        0.0, description="below what the champion earned after costs on the same rows, as a share"
    )
    ece_max: Reloadable[Share] = Field(0.1, description="expected calibration error out of sample")
    auc_max: Reloadable[Share] = Field(0.9, description="what is better than this has seen the future")
    latency_us_max: Reloadable[Seconds] = Field(20_000.0, description="the median time to score one row")
    psi_max: Reloadable[Annotated[float, Field(gt=0)]] = Field(
        0.5, description="stability index of any feature, from what was learnt to the newest rows"
    )
    psi_skip: Reloadable[tuple[str, ...]] = Field(
        ("time_of_day_sin_v1", "time_of_day_cos_v1"), description="features that move by their nature"
    )
    data_age_hours_max: Reloadable[Seconds] = Field(24.0, description="from the end of its dataset to now")
    compare_alpha: Reloadable[Annotated[float, Field(gt=0, lt=1)]] = Field(
        0.05, description="how often an equal challenger may be called better or worse, however often one looks"
    )
    compare_cron: str = Field("*/10 * * * *", description="when champion and challenger are compared")
    compare_hours: Reloadable[Seconds] = Field(168.0, description="how far back their scores are compared")
