// Columns of csv, jsonl and counts: which one holds what, and their text or value as a member of an arrival.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/arrival/import/import.h"
#include "lib/arrival/text/csv.h"
#include "lib/jsonl/object.h"
#include "lib/records/arrival.h"

namespace mlq::arrival {

// A member of an arrival, to be filled from text or JSON. Both return false if the value is of the wrong
// kind; a field that is empty without quotes, and null, leave it unset.
struct ArrivalField {
  std::string_view name;
  bool holds_text;
  bool (*from_text)(const CsvField& field, records::Arrival& arrival);
  bool (*from_json)(const jsonl::Value& value, records::Arrival& arrival);
};

// All but t_ns, in the order of the field list.
std::span<const ArrivalField> arrival_fields();
// Null if there is none of that name.
const ArrivalField* find_arrival_field(std::string_view name);

// A column by its name, and what it holds.
struct NamedColumn {
  std::string column;
  const ArrivalField* field;
};
// The columns that the options name.
std::vector<NamedColumn> named_columns(const ImportColumns& columns);

// True for t_ns.
bool is_t_ns(std::string_view column);
// How likely a column of this name holds the time: t_ns before timestamp, time, ts, datetime, date (in any
// case); 0 for any other.
int time_likeness(std::string_view column);

}  // namespace mlq::arrival
