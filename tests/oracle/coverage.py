"""Counts which rules and which kinds of decision the oracle has reached."""

from collections import Counter

# Every named rule; one that stays at 0 over a run of generated cases is a hole in the generator.
RULES: tuple[str, ...] = (
    # numbers and ticks
    "price_rounded_half_even",
    "bad_tick_non_finite",
    "bad_tick_not_positive",
    "bad_tick_crossed",
    "bad_tick_unknown_symbol",
    "bad_tick_running_back",
    "locked_tick_valid",
    "suspect_first",
    "suspect_replaced",
    "suspect_confirmed",
    "suspect_confirm_wins",
    "suspect_discarded",
    "suspect_deadline",
    # equity
    "bad_account",
    "bad_account_position",
    "snapshot",
    "seq_ignored",
    "position_at_price_current",
    "marked_long",
    "marked_short",
    "marked_futures",
    "fill_out",
    "fill_out_by",
    "fill_partial",
    "fill_in_new",
    "fill_in_adds",
    "fill_in_marked_at_once",
    "fill_inout",
    "fill_seen_deal",
    "fill_old_deal",
    "fill_unknown_position",
    "fill_over_volume",
    "fill_before_snapshot",
    "fill_non_finite",
    "transfer_counted",
    "transfer_profit_or_loss",
    "transfer_non_finite",
    "transfer_before_snapshot",
    "convert_direct",
    "convert_inverse",
    "convert_through_usd",
    "convert_through_third",
    "convert_no_route",
    "convert_first_by_name",
    "snapped",
    "stale_position",
    "stale_converter",
    "stale_released",
    "stale_over_closed_session",
    "untrusted_bad_account",
    "untrusted_stale",
    "untrusted_no_route",
    # confirmation
    "confirm_pause",
    "confirm_snapshot_halts",
    "confirm_snapshot_releases",
    "confirm_timeout_breach_halts",
    "confirm_timeout_untrusted_halts",
    "confirm_timeout_releases",
    "confirm_warn_held_back",
    "confirm_none_halts",
    "reported_halts_at_once",
    "reported_untrusted_halts",
    "exact_tie_does_not_fire",
    # daily loss
    "reference_max_balance_equity",
    "reference_balance",
    "reference_equity",
    "reference_initial_balance",
    "base_reference",
    "base_initial_balance",
    "base_not_positive",
    "equity_not_positive",
    "rollover",
    "rollover_before_snapshot",
    "rollover_at_event",
    "rollover_nonexistent_time",
    "rollover_doubled_time",
    "rollover_weekend",
    "rollover_untrusted_reference",
    "rollover_marked_reference",
    "rollover_halted",
    "operator_closed",
    "operator_rollover",
    # total drawdown
    "peak_raised",
    "peak_raised_over_transfers",
    "peak_not_raised_by_mark",
    "peak_first_equity",
    "peak_static",
    "peak_eod_raised",
    "peak_eod_kept",
    "lock_at_floor",
    "lock_at_not_reached",
    # connection lost
    "terminal_armed_disconnected",
    "terminal_proof",
    "terminal_no_proof",
    "engine_proof",
    "feed_proof",
    "feed_not_required",
    "feed_unknown",
    "source_unknown",
    "lost_terminal",
    "lost_engine",
    "lost_feed",
    "closed_time_left_out",
    "proof_after_lost",
    # error rate
    "error_counted",
    "error_class_not_counted",
    "error_edgeguard",
    "error_merged",
    "error_order_counts_again",
    "error_order_zero",
    "error_left_window",
    "error_pause",
    "error_released",
    # price anomaly
    "spread_not_armed",
    "spread_warmup_normal",
    "spread_armed_median",
    "spread_profile_decides",
    "spread_profile_empty_bucket",
    "spread_floor_decides",
    "spread_sampled",
    "spread_same_interval",
    "spread_anomaly_not_sampled",
    "spread_confirm_run",
    "spread_confirm_broken",
    "spread_pause",
    "spread_frozen",
    "spread_freeze_over",
    "spread_hold_started",
    "spread_hold_broken",
    "spread_hold_voided_by_close",
    "spread_cleared",
    "spread_tie",
    "spread_sample_expired",
    "spread_disarmed_again",
    # lines and replay
    "warn_50",
    "warn_80",
    "warn_jumped_over_50",
    "warn_rearmed_low",
    "warn_rearmed_rollover",
    "sticky_pause",
    "release_budget_used",
    "release_budget_aged",
    "several_lines_one_instant",
    "line_on_halted_account",
    "deadline_line",
    "equal_times",
    "tick_for_every_account",
    "digits_from_symbol_line",
    "fact_config_over_line",
    "symbol_scope",
    "strategy_scope",
    "exit_3",
    "exit_6",
    "no_account_lines",
)

REACHED: Counter[str] = Counter()
DECISIONS: Counter[tuple[str, str, str]] = Counter()


def reached(rule: str) -> None:
    """Count one use of a named rule; an unlisted name is a slip of the oracle's author."""
    if rule not in _KNOWN:
        raise AssertionError(f"rule {rule} must be listed in coverage.RULES")
    REACHED[rule] += 1


def decided(trigger: str, action: str, code: str) -> None:
    """Count one printed decision."""
    DECISIONS[(trigger, action, code)] += 1


def missing() -> list[str]:
    """Return the rules that were never reached."""
    return [rule for rule in RULES if not REACHED[rule]]


def table() -> str:
    """Return the coverage as text, decisions first, then rules."""
    lines = [f"  {' '.join(key):<70} {count}" for key, count in sorted(DECISIONS.items())]
    lines += [f"  {rule:<70} {REACHED[rule]}" for rule in RULES]
    return "\n".join(lines)


_KNOWN = frozenset(RULES)
