#include "lib/arrival/process/matrices.h"

#include <cmath>

#include "lib/base/error.h"
#include "lib/base/io.h"
#include "lib/jsonl/object.h"

namespace mlq::arrival {
namespace {

Matrix read_matrix_file(const std::string& path) {
  jsonl::OwnedObject wrapped("{\"m\":" + read_file(path, 1 << 26) + "}");
  Matrix matrix;
  const jsonl::Value* value = wrapped.ok() ? wrapped.parser().find("m") : nullptr;
  if (value == nullptr || !jsonl::read_matrix(*value, matrix)) {
    throw input_error("{}: must be a JSON matrix, as in [[-1,1],[2,-2]]", path);
  }
  return matrix;
}

Matrix from_sojourns(const Settings& s, size_t states) {
  std::vector<double> means;
  for (const std::string& item : split_list(s.need("sojourn"))) {
    try {
      means.push_back(static_cast<double>(parse_duration(item)) / 1e9);
    } catch (const Error& error) {
      throw usage_error("--sojourn: {}", error.what());
    }
    if (!(means.back() > 0)) throw usage_error("--sojourn: a mean stay must be positive");
  }
  if (means.size() != states) throw usage_error("--sojourn: {} stays for {} rates", means.size(), states);
  Matrix jump;
  if (const auto path = s.text("jump")) {
    jump = read_matrix_file(*path);
    if (jump.size() != states) throw input_error("{}: {} rows for {} rates", *path, jump.size(), states);
  }
  Matrix generator(states, std::vector<double>(states, 0));
  for (size_t r = 0; r < states; ++r) {
    double leaving = 0;
    if (!jump.empty() && jump[r].size() != states) {
      throw input_error("--jump: row {} has {} entries; it must have {}", r + 1, jump[r].size(), states);
    }
    for (size_t c = 0; c < states; ++c) {
      if (c == r) continue;
      const double share = jump.empty() ? 1.0 / static_cast<double>(states - 1) : jump[r][c];
      if (!(share >= 0)) throw input_error("--jump: row {} has a negative probability", r + 1);
      leaving += generator[r][c] = share / means[r];
    }
    if (!jump.empty() && (jump[r][r] != 0 || std::fabs(leaving * means[r] - 1) > 1e-9)) {
      throw input_error("--jump: row {} must sum to 1, with 0 on the diagonal", r + 1);
    }
    generator[r][r] = -leaving;
  }
  return generator;
}

}  // namespace

std::vector<double> state_rates(const Settings& s) {
  std::vector<double> rates;
  for (const std::string& item : split_list(s.need("rates"))) {
    try {
      rates.push_back(item == "0" || item.starts_with("0/") ? 0 : parse_rate(item).per_s());
    } catch (const Error& error) {
      throw usage_error("--rates: {}", error.what());
    }
  }
  return rates;
}

Matrix mmpp_generator(const Settings& s, size_t states) {
  if (states < 2) throw usage_error("--rates: an MMPP needs at least two rates");
  const auto path = s.text("generator");
  if (!path) return from_sojourns(s, states);
  if (s.has("sojourn") || s.has("jump"))
    throw usage_error("--generator stands alone, without --sojourn and --jump");
  return read_matrix_file(*path);
}

std::vector<Matrix> read_map_matrices(const Settings& s) {
  const std::string path = s.need("matrices");
  jsonl::OwnedObject object(read_file(path, 1 << 26));
  if (!object.ok())
    throw input_error("{}: {}; it must be one JSON object with D0, D1, ...", path, object.parser().error());
  std::vector<Matrix> matrices;
  for (size_t k = 0;; ++k) {
    const jsonl::Value* value = object.parser().find("D" + std::to_string(k));
    if (value == nullptr) break;
    if (!jsonl::read_matrix(*value, matrices.emplace_back())) {
      throw input_error("{}: D{} must be a matrix, as in [[-1,1],[2,-2]]", path, k);
    }
  }
  if (matrices.size() < 2) throw input_error("{}: D0 and D1 are needed", path);
  if (s.process() == "map" && matrices.size() > 2) throw input_error("{}: it has D2; use bmap", path);
  if (matrices.front().empty()) throw input_error("{}: D0 is empty", path);
  return matrices;
}

}  // namespace mlq::arrival
