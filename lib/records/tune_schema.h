// The field lists of tune.h.
#pragma once

#include "lib/records/schema.h"
#include "lib/records/tune.h"

namespace mlq::records {

template <>
struct Schema<WindowFigures> {
  static constexpr auto fields = std::tuple{
      field<"latency_mean_ns", &WindowFigures::latency_mean_ns>("ns", "Mean latency, from the due time."),
      field<"latency_p50_ns", &WindowFigures::latency_p50_ns>("ns", "Median of it."),
      field<"latency_p95_ns", &WindowFigures::latency_p95_ns>("ns", "95th percentile of it."),
      field<"latency_p99_ns", &WindowFigures::latency_p99_ns>("ns", "99th percentile of it."),
      field<"stat_lo_ns", &WindowFigures::stat_lo_ns>(
          "ns", "Lower end of the 95 % interval of the statistic that the objective names."),
      field<"stat_hi_ns", &WindowFigures::stat_hi_ns>("ns", "Upper end of it."),
      field<"done_per_s", &WindowFigures::done_per_s>("1/s", "Throughput, as in summary."),
      field<"good_per_s", &WindowFigures::good_per_s>("1/s", "Goodput, as in summary."),
      field<"attain", &WindowFigures::attain>("", "Share of the requests that were good, as in summary."),
      field<"attain_lo", &WindowFigures::attain_lo>("", "Lower end of its 95 % interval (Wilson)."),
      field<"attain_hi", &WindowFigures::attain_hi>("", "Upper end of it."),
      field<"cpu_ns_per_request", &WindowFigures::cpu_ns_per_request>("ns",
                                                                      "CPU time of the server a request."),
      field<"memory_bytes", &WindowFigures::memory_bytes>("bytes", "Memory that the server held."),
      field<"inflight_slope_per_s", &WindowFigures::inflight_slope_per_s>(
          "1/s", "How fast the number of requests in flight grew."),
      field<"psi_cpu_share", &WindowFigures::psi_cpu_share>(
          "", "Share of the time in which some task waited for a CPU (PSI, avg10)."),
      field<"baseline_ratio", &WindowFigures::baseline_ratio>(
          "", "Cost of the baseline around this window over the median of all baselines: interference."),
  };
};

template <>
struct Schema<WindowStats> {
  static constexpr auto fields = std::tuple_cat(
      std::tuple{
          field<"gen", &WindowStats::gen>("", "Generation of the configuration that was measured."),
          field<"discarded", &WindowStats::discarded>(
              "", "Samples left out because another generation served them."),
          field<"outcome", &WindowStats::outcome>(
              "",
              "ok, aborted (its figures are bounds), failed (the configuration does not work) or void (it "
              "says nothing about the configuration)."),
          field<"aborted", &WindowStats::aborted>(
              "", "Why it ended early: unstable, hopeless, guard, deadline or signal."),
          field<"window_ns", &WindowStats::window_ns>("ns", "Length of what was counted."),
          field<"requests", &WindowStats::requests>("", "Requests that were due in it."),
          field<"ok", &WindowStats::ok>("", "Of these, answered without an error."),
          field<"errors", &WindowStats::errors>("", "Of these, failed."),
          field<"censored", &WindowStats::censored>("", "Of these, given up before their answer was there."),
          field<"dropped", &WindowStats::dropped>("", "Of these, not sent: too many were in flight."),
      },
      Schema<WindowFigures>::fields,
      std::tuple{
          field<"cost", &WindowStats::cost>("", "The objective; less is better."),
          field<"y", &WindowStats::y>("", "ln of cost, corrected for interference."),
          field<"y_var", &WindowStats::y_var>("", "Variance of y that the window itself shows."),
          field<"feasible", &WindowStats::feasible>("", "Whether the SLO held."),
          field<"note", &WindowStats::note>("", "Why a value is missing."),
      });
};

template <>
struct Schema<ConfigWindow> {
  static constexpr auto fields = std::tuple_cat(
      std::tuple{
          field<"t_ns", &ConfigWindow::t_ns>("ns", "Its start, from the start of the run."),
          field<"i", &ConfigWindow::i>("",
                                       "Number of the trial in the journal; of a measurement, in the run."),
          field<"level", &ConfigWindow::level>("", "Level of the load."),
          field<"rate_per_s", &ConfigWindow::rate_per_s>("1/s", "Rate of the requests in the window."),
          field<"cv2", &ConfigWindow::cv2>("", "Squared coefficient of variation of the gaps between them."),
          field<"config", &ConfigWindow::config>("", "What was set: an object from knob to value."),
          field<"config_id", &ConfigWindow::config_id>(
              "",
              "Name of that configuration: the first 8 hexadecimal digits of XXH3-64 of the object with "
              "sorted keys."),
          field<"apply_class", &ConfigWindow::apply_class>("",
                                                           "How it came into force: hot, reload or restart."),
          field<"apply_ns", &ConfigWindow::apply_ns>("ns", "Time from the first step of it until ready."),
          field<"verified", &ConfigWindow::verified>(
              "", "How it was checked that it is in force: readback, metric, argv or none."),
          field<"settle_ns", &ConfigWindow::settle_ns>("ns", "Time after it that was not counted."),
      },
      Schema<WindowStats>::fields);
};

template <>
struct Schema<Trial> {
  static constexpr std::string_view type = "trial";
  static constexpr std::string_view summary =
      "One window that a tuner had measured; void and failed ones too.";
  static constexpr auto fields = std::tuple_cat(
      Schema<ConfigWindow>::fields,
      std::tuple{
          field<"phase", &Trial::phase>(
              "", "init, explore, baseline, final, confirm, live, canary, sweep, replay or tell."),
          field<"tuner", &Trial::tuner>("", "Who chose the configuration."),
          field<"pred_y", &Trial::pred_y>("", "What the estimator said about y before the trial."),
          field<"pred_sd", &Trial::pred_sd>("", "Standard deviation of that."),
          field<"value", &Trial::value>(
              "",
              "Estimate of y after the trial: from the estimator at first, from many repeats in the end."),
          field<"estimator", &Trial::estimator>("", "Which estimator was asked."),
          field<"acquisition", &Trial::acquisition>("", "What the choice was worth: the largest of all."),
          field<"set", &Trial::set>("", "Where it came from: init, region, wide, neighbour or repeat."),
          field<"radius", &Trial::radius>("", "Radius of the region around the incumbent."),
          field<"incumbent", &Trial::incumbent>("", "config_id of the best configuration, after the trial."),
          field<"incumbent_y", &Trial::incumbent_y>("", "Estimate of its y."),
          field<"decide_ns", &Trial::decide_ns>("ns", "Time that the choice took."),
          field<"why", &Trial::why>("", "Why this configuration, in words."),
      });
};

template <>
struct Schema<Measurement> {
  static constexpr std::string_view type = "measurement";
  static constexpr std::string_view summary = "One window of a configuration that the user chose.";
  static constexpr auto fields = Schema<ConfigWindow>::fields;
};

template <>
struct Schema<Decision> {
  static constexpr std::string_view type = "decision";
  static constexpr std::string_view summary =
      "A configuration that is about to be set; on disk before the first request for it is sent.";
  static constexpr auto fields = std::tuple{
      field<"t_ns", &Decision::t_ns>("ns", "From the start of the run."),
      field<"i", &Decision::i>("", "Trial that it is for."),
      field<"level", &Decision::level>("", "Level of the load."),
      field<"config", &Decision::config>("", "What will be set: an object from knob to value."),
      field<"config_id", &Decision::config_id>("", "Its name, as in trial."),
      field<"from", &Decision::from>("", "config_id of what is set now."),
      field<"reason", &Decision::reason>("", "Why."),
      field<"deadline_ns", &Decision::deadline_ns>("ns", "When it must be in force, from the start."),
      field<"dry_run", &Decision::dry_run>("", "True if nothing is sent (--dry-run)."),
      field<"request", &Decision::request>("", "What would be sent, as text, with secrets left out."),
  };
};

template <>
struct Schema<TuneEvent> {
  static constexpr std::string_view type = "event";
  static constexpr std::string_view summary = "Something that changed what a tuner does or has set.";
  static constexpr auto fields = std::tuple{
      field<"t_ns", &TuneEvent::t_ns>("ns", "From the start of the run."),
      field<"event", &TuneEvent::event>(
          "",
          "start, recovered, reverted, not_applied, foreign_change, died, promoted, drift, level, freeze, "
          "budget, new_host, barred or actuator_failed."),
      field<"i", &TuneEvent::i>("", "Trial in which it happened."),
      field<"config_id", &TuneEvent::config_id>("", "Configuration that it is about."),
      field<"from", &TuneEvent::from>("", "What held before: a config_id, or a level."),
      field<"to", &TuneEvent::to>("", "What holds now."),
      field<"config", &TuneEvent::config>("", "That configuration, knob to value, where it is needed later."),
      field<"reason", &TuneEvent::reason>("", "Why."),
  };
};

template <>
struct Schema<TuneLevel> {
  static constexpr std::string_view type = "level";
  static constexpr std::string_view summary = "A level of the load, when it becomes the present one.";
  static constexpr auto fields = std::tuple{
      field<"t_ns", &TuneLevel::t_ns>("ns", "From the start of the run."),
      field<"level", &TuneLevel::level>("", "Its name."),
      field<"rate_per_s", &TuneLevel::rate_per_s>("1/s", "Rate that was seen."),
      field<"cv2", &TuneLevel::cv2>("", "Squared coefficient of variation of the gaps, where known."),
      field<"windows", &TuneLevel::windows>("", "Windows seen at it so far."),
      field<"trials", &TuneLevel::trials>("", "Trials at it so far."),
  };
};

template <>
struct Schema<Policy> {
  static constexpr std::string_view type = "policy";
  static constexpr std::string_view summary = "The best configuration for a level, at the end of a run.";
  static constexpr auto fields = std::tuple{
      field<"level", &Policy::level>("", "Level of the load."),
      field<"config", &Policy::config>("", "What to set: an object from knob to value."),
      field<"config_id", &Policy::config_id>("", "Its name, as in trial."),
      field<"y", &Policy::y>("", "Estimate of ln of its cost."),
      field<"y_lo", &Policy::y_lo>("", "Lower end of the 95 % interval of y."),
      field<"y_hi", &Policy::y_hi>("", "Upper end of it."),
      field<"stat_ns", &Policy::stat_ns>("ns", "The statistic that the objective names."),
      field<"trials", &Policy::trials>("", "Trials at this level."),
      field<"confirmed", &Policy::confirmed>("",
                                             "Whether windows in turn say that it is better than the start "
                                             "configuration, or is the start itself."),
      field<"gain_over_start", &Policy::gain_over_start>(
          "", "Share of the start configuration's cost that is saved; negative if it costs more."),
      field<"gain_lo", &Policy::gain_lo>("", "Lower end of the 95 % interval of it."),
      field<"gain_hi", &Policy::gain_hi>("", "Upper end of it."),
      field<"changes", &Policy::changes>("", "Knobs whose value differs from the start configuration."),
  };
};

template <>
struct Schema<Ask> {
  static constexpr std::string_view type = "ask";
  static constexpr std::string_view summary = "A configuration that somebody else is to measure.";
  static constexpr auto fields = std::tuple{
      field<"i", &Ask::i>("", "Trial; the answer names it."),
      field<"config", &Ask::config>("", "What to set: an object from knob to value."),
      field<"config_id", &Ask::config_id>("", "Its name, as in trial."),
      field<"level", &Ask::level>("", "Level of the load that it is meant for."),
  };
};

template <>
struct Schema<Tell> {
  static constexpr std::string_view type = "tell";
  static constexpr std::string_view summary =
      "What somebody else measured: i or config, and latency_ns, cost, failed or figures as in trial.";
  static constexpr auto fields = std::tuple_cat(
      std::tuple{
          field<"i", &Tell::i>("", "Trial, from ask."),
          field<"config", &Tell::config>("", "What was set, if nobody asked for it."),
          field<"level", &Tell::level>("", "Level of the load, if nobody asked for it."),
          field<"latency_ns", &Tell::latency_ns>("ns", "The statistic that the objective names."),
          field<"cost", &Tell::cost>("", "The objective itself; less is better."),
          field<"requests", &Tell::requests>("", "Requests that were sent."),
          field<"errors", &Tell::errors>("", "Of these, failed."),
          field<"failed", &Tell::failed>("", "True if the configuration does not work."),
          field<"y", &Tell::y>("", "ln of cost, to the last bit; to tuners in other programs."),
          field<"feasible", &Tell::feasible>("", "Whether the SLO held; to tuners in other programs."),
          field<"slack", &Tell::slack>(
              "", "ln(statistic / limit) of each aggregate term of the SLO; to tuners in other programs."),
      },
      Schema<WindowFigures>::fields);
};

template <>
struct Schema<Duet> {
  static constexpr std::string_view type = "duet";
  static constexpr std::string_view summary = "Two configurations compared in alternating windows.";
  static constexpr auto fields = std::tuple{
      field<"a", &Duet::a>("", "config_id of the first."),
      field<"b", &Duet::b>("", "config_id of the second."),
      field<"pairs", &Duet::pairs>("", "Pairs of windows."),
      field<"log_ratio", &Duet::log_ratio>("", "Mean of ln(cost of b / cost of a) over the pairs."),
      field<"log_ratio_lo", &Duet::log_ratio_lo>("", "Lower end of its 95 % interval (Student)."),
      field<"log_ratio_hi", &Duet::log_ratio_hi>("", "Upper end of it."),
      field<"verdict", &Duet::verdict>("",
                                       "What b is: better, worse, same (inside the margin) or undecided."),
      field<"note", &Duet::note>("", "Why a value is missing."),
  };
};

template <>
struct Schema<SurfaceRow> {
  static constexpr std::string_view type = "surface";
  static constexpr std::string_view summary = "One window of a grid that was measured or simulated.";
  static constexpr auto fields = std::tuple_cat(
      std::tuple{
          field<"surface", &SurfaceRow::surface>("", "Name of the surface."),
          field<"level", &SurfaceRow::level>("", "Level of the load."),
          field<"rate_per_s", &SurfaceRow::rate_per_s>("1/s", "Rate of the requests."),
          field<"config", &SurfaceRow::config>("", "What was set: an object from knob to value."),
          field<"repeat", &SurfaceRow::repeat>("", "Which window of this point, from 0."),
          field<"window_ns", &SurfaceRow::window_ns>("ns", "Length of what was counted."),
          field<"requests", &SurfaceRow::requests>("", "Requests that were due in it."),
          field<"apply_ns", &SurfaceRow::apply_ns>("ns", "Time that it took to set the configuration."),
          field<"apply_class", &SurfaceRow::apply_class>("", "How: hot, reload or restart."),
          field<"outcome", &SurfaceRow::outcome>("", "As in trial; without it, ok."),
      },
      Schema<WindowFigures>::fields);
};

template <>
struct Schema<Score> {
  static constexpr std::string_view type = "score";
  static constexpr std::string_view summary =
      "How a tuner did on a surface: with one seed, or over all of them with intervals.";
  static constexpr auto fields = std::tuple{
      field<"tuner", &Score::tuner>("", "Tuner."),
      field<"surface", &Score::surface>("", "Surface; * stands for all."),
      field<"seed", &Score::seed>("", "Seed of the run; none over several."),
      field<"seeds", &Score::seeds>("", "Number of seeds that it is over."),
      field<"trials_to_5pct", &Score::trials_to_5pct>(
          "",
          "Trials until a configuration within 5 % of the best was tried; null if none was. Over several "
          "seeds, the median."),
      field<"trials_to_5pct_lo", &Score::trials_to_5pct_lo>(
          "", "Lower end of the 95 % interval of it (bootstrap)."),
      field<"trials_to_5pct_hi", &Score::trials_to_5pct_hi>("", "Upper end of it."),
      field<"unreached_share", &Score::unreached_share>("", "Share of the runs that never tried such a one."),
      field<"unreached_share_lo", &Score::unreached_share_lo>(
          "", "Lower end of the 95 % interval of it (bootstrap)."),
      field<"unreached_share_hi", &Score::unreached_share_hi>("", "Upper end of it."),
      field<"rec_ratio", &Score::rec_ratio>(
          "", "True cost of the configuration that was recommended over that of the best."),
      field<"rec_ratio_lo", &Score::rec_ratio_lo>("", "Lower end of the 95 % interval of it (bootstrap)."),
      field<"rec_ratio_hi", &Score::rec_ratio_hi>("", "Upper end of it."),
      field<"online_ratio", &Score::online_ratio>(
          "", "Geometric mean of the true costs of all that was tried over that of the best."),
      field<"online_ratio_lo", &Score::online_ratio_lo>("",
                                                        "Lower end of the 95 % interval of it (bootstrap)."),
      field<"online_ratio_hi", &Score::online_ratio_hi>("", "Upper end of it."),
      field<"virtual_ns", &Score::virtual_ns>("ns", "Time that the run would have taken."),
      field<"decide_p50_ns", &Score::decide_p50_ns>("ns", "Median time of a decision (--timing)."),
      field<"decide_p99_ns", &Score::decide_p99_ns>("ns", "99th percentile of it."),
      field<"note", &Score::note>("", "Why there is no score."),
  };
};

template <>
struct Schema<Effect> {
  static constexpr std::string_view type = "effect";
  static constexpr std::string_view summary = "What a knob does at a level.";
  static constexpr auto fields = std::tuple{
      field<"level", &Effect::level>("", "Level of the load."),
      field<"knob", &Effect::knob>("", "Its name."),
      field<"value", &Effect::value>("", "A value of it."),
      field<"y", &Effect::y>("", "Estimate of ln of the cost with that value."),
      field<"y_lo", &Effect::y_lo>("", "Lower end of the 95 % interval of y."),
      field<"y_hi", &Effect::y_hi>("", "Upper end of it."),
      field<"share", &Effect::share>("", "Instead of value and y: share of the variance that is its own."),
  };
};

template <>
struct Schema<Flip> {
  static constexpr std::string_view type = "flip";
  static constexpr std::string_view summary = "A rate at which the best value of a knob changes.";
  static constexpr auto fields = std::tuple{
      field<"knob", &Flip::knob>("", "Its name."),
      field<"from", &Flip::from>("", "Best value below the rate."),
      field<"to", &Flip::to>("", "Best value above it."),
      field<"rate_per_s", &Flip::rate_per_s>("1/s", "The rate."),
  };
};

template <>
struct Schema<CheckStep> {
  static constexpr std::string_view type = "check_step";
  static constexpr std::string_view summary = "One step of a check of a space and endpoint file.";
  static constexpr auto fields = std::tuple{
      field<"step", &CheckStep::step>("", "Its name."),
      field<"ok", &CheckStep::ok>("", "Whether it went well."),
      field<"took_ns", &CheckStep::took_ns>("ns", "Time that it took."),
      field<"note", &CheckStep::note>("", "What was found, in words."),
  };
};

}  // namespace mlq::records
