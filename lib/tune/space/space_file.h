// Space and endpoint files: knobs, and how an endpoint is set and measured, in one JSON file. See
// mlq-tune(1), FILES.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/tune/space/space.h"

namespace mlq::tune {

// Limits that a careful change of a live endpoint keeps.
struct SafetyRules {
  uint32_t max_changes = 6;  // a run
  uint32_t max_changes_per_hour = 12;
  uint32_t max_step = 2;  // steps that one change may move one knob
  double error_rate = 0.01;
  uint32_t restarts_per_day = 4;
  int64_t dwell_ns = 60'000'000'000;  // least time between two changes
  int64_t rest_ns = 600'000'000'000;  // after a revert
  double gain = 0.03;                 // needed to leave the incumbent
  std::string hours;                  // "22:00-06:00", local time; empty: always
  std::optional<double> max_rate_per_s;
};

// What the file says, as far as it is understood here; the sections of the rooms that own them are kept as
// JSON text.
struct SpaceFile {
  std::string name;
  std::optional<Config> start;  // none: the live configuration
  std::string levels;           // "rate" (default), "segment", "single"
  std::string actuator;         // JSON object, or empty
  std::string measure;          // JSON object, or empty
  std::string load;             // JSON object, or empty
  SafetyRules safety;
  std::shared_ptr<const Space> space;  // null if the file has no knobs (an endpoint file)
};

// Reads a file of version 1. Input Errors name the file, the key (as in `knobs.max_rows.min`) and, for text
// that is no JSON, the place; an unknown key is one, with the nearest known name.
SpaceFile read_space_file(const std::string& path);
SpaceFile parse_space_file(std::string_view text, std::string_view name);

// The knobs of an endpoint from the answer to GET /admin/v1/models/M/knobs/schema: those with
// `"tunable":false` are left out. An integer range longer than 64 values becomes a list of at most 33, evenly
// or (log_int) geometrically spaced, with the present value and the default among them.
// `narrow` (may be null) is a file's space: only its knobs are kept, with its values that the schema allows;
// an input Error if it has a knob or a value that the schema does not.
struct SchemaSpace {
  std::string model;
  std::string gen;
  std::string patch_path;  // of apply.path
  int64_t settle_ns = 0;   // the longest of the knobs
  std::shared_ptr<const Space> space;
  Config present;
};
SchemaSpace space_from_schema(std::string_view schema_json, std::string_view where, const Space* narrow);

}  // namespace mlq::tune
