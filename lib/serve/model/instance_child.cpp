// The child's end of isolated.h.
#include <signal.h>

#include "lib/base/error.h"
#include "lib/serve/model/frames.h"
#include "lib/serve/model/isolated.h"
#include "lib/serve/model/row_pool.h"

namespace mlq::serve::model {
namespace {

bool receive_source(ModelSource& source) {
  SourceHeader header;
  if (!receive_value(kInstanceSocket, header)) return false;
  source.backend = header.backend;
  source.echo = header.echo != 0;
  source.name.resize(header.name_bytes);
  source.bytes.resize(header.file_bytes);
  return receive_all(kInstanceSocket, source.name.data(), source.name.size()) &&
         receive_all(kInstanceSocket, source.bytes.data(), source.bytes.size());
}

bool send_error(ExitKind kind, const std::string& error) {
  const AnswerHeader header{static_cast<int32_t>(kind), static_cast<uint32_t>(error.size()), 0};
  return send_value(kInstanceSocket, header) && send_all(kInstanceSocket, error.data(), error.size());
}

bool send_answer(const Answer& answer) {
  if (!answer.error.empty()) return send_error(ExitKind::done, answer.error);
  AnswerHeader header;
  for (const auto& values : answer.outputs) header.values += values.size();
  if (!send_value(kInstanceSocket, header)) return false;
  for (const auto& values : answer.outputs) {
    if (!send_all(kInstanceSocket, values.data(), values.size() * sizeof(double))) return false;
  }
  return true;
}

void answer_batches(Model& model) {
  RowPool pool;
  std::vector<double> values;
  for (BatchHeader header; receive_value(kInstanceSocket, header);) {
    values.resize(header.values);
    if (!receive_all(kInstanceSocket, values.data(), values.size() * sizeof(double))) return;
    if (!send_answer(model.predict({values, header.rows}, header.conditions, pool))) return;
  }
}

}  // namespace

int run_instance() {
  // A terminal's Ctrl-C goes to all processes of the group; when to end is the parent's word.
  ::signal(SIGINT, SIG_IGN);
  ModelSource source;
  if (!receive_source(source)) return static_cast<int>(ExitKind::usage);
  std::unique_ptr<Model> model;
  try {
    model = load_model(source);
  } catch (const Error& error) {
    send_error(error.kind(), error.what());
    return static_cast<int>(error.kind());
  }
  if (send_error(ExitKind::done, "")) answer_batches(*model);
  return static_cast<int>(ExitKind::done);
}

}  // namespace mlq::serve::model
